"""The kit: with a run that is known, and with one that must be found."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from email.utils import formatdate
from typing import Any, ClassVar

from tmux_sentry import CheckStatus
from tmux_sentry.testing.checks import HttpCheckerConformance
from tmux_sentry.testing.provider import Received, Reply
from tmux_sentry.testing.stages import Job
from tmux_sentry_check_github import plugin as github_plugin

TOKEN = "github_pat_SECRET0123456789"


def run(status: str, conclusion: str | None = None, **more: Any) -> dict[str, Any]:
    """A run as GitHub sends it, begun when the kit's stage did."""
    return {
        "id": 7,
        "run_number": 12,
        "run_attempt": 1,
        "path": ".github/workflows/deploy.yml",
        "created_at": "2023-11-14T22:13:21Z",
        "html_url": "https://github.com/owner/name/actions/runs/7",
        "status": status,
        "conclusion": conclusion,
        **more,
    }


ROWS = {
    "queued": (run("queued"), CheckStatus.PENDING),
    "in_progress": (run("in_progress"), CheckStatus.PENDING),
    "requested": (run("requested"), CheckStatus.PENDING),
    "pending": (run("pending"), CheckStatus.PENDING),
    "waiting": (run("waiting"), CheckStatus.ATTENTION),
    "success": (run("completed", "success"), CheckStatus.SUCCESS),
    "failure": (run("completed", "failure"), CheckStatus.FAILURE),
    "timed_out": (run("completed", "timed_out"), CheckStatus.FAILURE),
    "startup_failure": (run("completed", "startup_failure"), CheckStatus.FAILURE),
    "cancelled": (run("completed", "cancelled"), CheckStatus.FAILURE),
    "neutral": (run("completed", "neutral"), CheckStatus.FAILURE),
    "skipped": (run("completed", "skipped"), CheckStatus.FAILURE),
    "stale": (run("completed", "stale"), CheckStatus.FAILURE),
    "action_required": (run("completed", "action_required"), CheckStatus.ATTENTION),
    "no conclusion": (run("completed"), CheckStatus.UNKNOWN),
    "a new conclusion": (run("completed", "brilliant"), CheckStatus.UNKNOWN),
    "a new status": (run("levitating", "success"), CheckStatus.UNKNOWN),
    "success too early": (run("in_progress", "success"), CheckStatus.PENDING),
    "a status of another kind": ({**run("completed", "success"), "status": ["completed"]}, CheckStatus.UNKNOWN),
    "a conclusion of another kind": ({**run("completed", "success"), "conclusion": True}, CheckStatus.UNKNOWN),
    "another run": (run("completed", "success", id=8), CheckStatus.UNKNOWN),
    "an id that is text": (run("completed", "success", id="7"), CheckStatus.UNKNOWN),
}


class TestKnownRun(HttpCheckerConformance):
    plugin = github_plugin
    of_stage = False  # `run_id` names the run, whenever it began
    unanswered: ClassVar = {"repository": "owner/name", "run_id": 7}
    settings: ClassVar = {"GITHUB_API_URL": "http://127.0.0.1:1/api/v3", "GITHUB_TOKEN": TOKEN}
    answers: ClassVar = {name: (Reply.of_json(data), status) for name, (data, status) in ROWS.items()}
    secret = TOKEN

    def settings_at(self, url: str) -> Mapping[str, str]:
        return {"GITHUB_API_URL": url + "/api/v3", "GITHUB_TOKEN": TOKEN}


class TestFoundRun(TestKnownRun):
    """One answer serves as list and as run."""

    of_stage = True
    unanswered: ClassVar = {
        "repository": "owner/name",
        "workflow": "deploy.yml",
        "ref": "main",
        "actor": "octocat",
        "event": "push",
    }
    answers: ClassVar = {
        name: (Reply.of_json({**data, "workflow_runs": [data]}, Date="Tue, 14 Nov 2023 22:13:22 GMT"), status)
        for name, (row, status) in ROWS.items()
        if name not in ("another run", "an id that is text", "a status of another kind")
        for data in [{**row, "event": "push", "head_branch": "main", "actor": {"login": "Octocat"}}]
    }

    def showing(self, *jobs: Job) -> Callable[[Received], Reply]:
        runs = {job.number: found_run(job) for job in jobs}

        def answer(request: Received) -> Reply:
            known = re.search(r"/runs/(\d+)", request.path)
            data = runs[int(known[1])] if known else {"workflow_runs": [*runs.values()][::-1]}
            return Reply.of_json(data, Date=formatdate(usegmt=True))

        return answer


def found_run(job: Job) -> dict[str, Any]:
    """A job as a run that the keys of `TestFoundRun` fit."""
    began, over = (
        datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        for at in (job.began, job.ended or job.began)
    )
    row = run("completed", "success") if job.ended else run("in_progress")
    fits = {"event": "push", "head_branch": "main", "actor": {"login": "octocat"}}
    return {**row, **fits, "id": job.number, "created_at": began, "updated_at": over}
