"""The kits for checks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tmux_sentry import CheckStatus
from tmux_sentry.testing.checks import HttpCheckerConformance
from tmux_sentry.testing.conformance import CheckerConformance
from tmux_sentry.testing.provider import Provider, Reply, closed_port
from tmux_sentry.testing.stages import Job
from tmux_sentry_check_http import plugin as http_plugin
from tmux_sentry_check_http.store import Delivery, Store

ACTION = {"success_when": "state == 'done'", "fail_when": "state == 'broken'"}
SECRET = "SECRET-TOKEN-0123456789"


class TestHttp(HttpCheckerConformance):
    plugin = http_plugin
    record = "http"
    unanswered: ClassVar = {"url": f"http://127.0.0.1:{closed_port()}/", "detail": "note", "percent": "done", **ACTION}
    answers: ClassVar = {
        "it runs": (Reply.of_json({"state": "running"}), CheckStatus.PENDING),
        "it is done": (Reply.of_json({"state": "done"}), CheckStatus.SUCCESS),
        "it has failed": (Reply.of_json({"state": "broken"}), CheckStatus.FAILURE),
        "it does not say": (Reply.of_json({"status": "done"}), CheckStatus.UNKNOWN),
        "it says null": (Reply.of_json({"state": None}), CheckStatus.UNKNOWN),
        "it repeats what it was sent": (
            Reply.of_json({"message": f"Bearer {SECRET} may not"}, status=403),
            CheckStatus.UNKNOWN,
        ),
        "done, in an error": (Reply.of_json({"state": "done"}, status=500), CheckStatus.UNKNOWN),
    }
    secret = SECRET

    def action_at(self, url: str) -> Mapping[str, Any]:
        return {"url": f"{url}/build?key={SECRET}", "headers": {"Authorization": f"Bearer {SECRET}"}, **ACTION}

    of_stage = False  # without `since` and `changed`, as the README says


class TestHttpSince(TestHttp):
    """Tied to the stage by a time."""

    of_stage = True
    shows_all = False
    answers: ClassVar = {
        name: (Reply.of_json({**json.loads(reply.body), "at": "2023-11-14T22:13:21Z"}, reply.status), status)
        for name, (reply, status) in TestHttp.answers.items()
    }

    def action_at(self, url: str) -> Mapping[str, Any]:
        return {**super().action_at(url), "since": "at"}

    def showing(self, *jobs: Job) -> Reply:
        job = jobs[-1]
        return Reply.of_json({"id": job.number, "at": job.began, "state": "done" if job.ended else "running"})


class TestHttpChanged(CheckerConformance):
    """Tied to the stage by a value."""

    plugin = http_plugin
    record = "http"
    unanswered: ClassVar = {"url": f"http://127.0.0.1:{closed_port()}/", "changed": "id", **ACTION}
    shows_all = False

    @pytest.fixture(autouse=True)
    def _served(self) -> Iterator[None]:
        with Provider(Reply(status=404)) as self.provider:
            yield

    def asked_about(self, home: Path, *jobs: Job) -> tuple[Mapping[str, str], Mapping[str, Any]]:
        self.provider.answer = TestHttpSince().showing(*jobs)
        return {}, {**self.unanswered, "url": self.provider.url}


class TestHttpThatFollows(TestHttp):
    """The same where redirects are followed."""

    def action_at(self, url: str) -> Mapping[str, Any]:
        return {**super().action_at(url), "redirects": 3, "consecutive": 1}


class TestWebhook(CheckerConformance):
    plugin = http_plugin
    record = "webhook"
    settings: ClassVar = {
        "WEBHOOK_LISTEN": "127.0.0.1:0",
        "WEBHOOK_LISTEN_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    }
    unanswered: ClassVar = {"path": "/deploys", "event": "deploy.done", **ACTION}

    def asked_about(self, home: Path, *jobs: Job) -> tuple[Mapping[str, str], Mapping[str, Any]]:
        """Deliveries as they lie on disk: of the beginning of each job, and of its end."""
        store = Store(str(home))
        for job in jobs:
            for at, state in ((job.began, "running"), (job.ended, "done")):
                if at is not None:
                    body = json.dumps({"type": "deploy.done", "state": state}).encode()
                    name = f"{job.number} {state}"
                    store.add(Delivery(received=at, path="/deploys", name=name, event="", body=body), [name])
        store.close()
        return self.settings, self.unanswered
