"""The four-stage policy to its end, against GitHub's API on loopback: found, failed, run again, killed in between."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "plugins" / "check_github" / "tests"))

from github_api import GitHub, job  # noqa: E402 - it stands beside the plugin's own tests

TOKEN = "github_pat_" + "a1" * 30
POLICY = (ROOT / "policies" / "webapp-deploy.yaml").read_text()
COMMAND = "gh workflow run deploy.yml"


@pytest.fixture
def github() -> Iterator[GitHub]:
    with GitHub(token=TOKEN, repository="user/repo", clock=time.time) as server:
        server.add_run(age=3600, conclusion="success", status="completed")  # of an hour ago: green, and none of ours
        yield server


def begin(sandbox: Any, github: GitHub, **changes: str) -> Any:
    """`run` with the policy, its build approved, up to the command that starts the workflow."""
    sandbox.pane("agent:codex-ci")
    run = watch(sandbox, github, **changes)
    sandbox.answer(sandbox.question("build"), "approve")
    sandbox.wait_typed(COMMAND)
    run.wait_line("external check github_action started")
    return run


def watch(sandbox: Any, github: GitHub, rerun: str = "10m") -> Any:
    text = POLICY.replace("max_wait: 600", f"max_wait: 600, accept_rerun: {rerun}")
    assert rerun in text
    env = {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": github.url}
    return sandbox.watch(sandbox.write("deploy.yaml", text), "--once", **env)


def test_it_runs_to_the_end_over_a_failed_attempt_and_a_kill(sandbox: Any, github: GitHub) -> None:
    run = begin(sandbox, github)
    run.wait_line("external check: ")
    ours = github.add_run(status="in_progress")
    github.set_jobs(ours, job(1, "ship", status="in_progress", steps="+Build,>Push"))
    run.wait_line("ship")
    (row,) = sandbox.json("status", "--hosts", sandbox.hosts)["panes"]
    assert row["check"] == "pending"
    assert row["percent"] is not None

    run.end(signal.SIGKILL)
    github.forget()
    github.add_run(workflow="nightly.yml", status="completed", conclusion="success")  # newer, and none of ours
    run = watch(sandbox, github)
    assert github.wait_for("GET")
    assert github.paths()[0].startswith(f"/actions/runs/{ours}"), "after a restart it looks for no other run"

    github.set_jobs(ours, job(1, "ship", conclusion="failure", steps="+Build,!Push"))
    github.set(ours, status="completed", conclusion="failure")
    run.wait_line("the external check failed; a re-run within 600 s counts")
    assert ("deploy", "running") in sandbox.stages()
    github.rerun(ours)
    run.wait_line("attempt 2")
    github.set(ours, status="completed", conclusion="success")
    assert run.end(timeout=60.0) == 0, run.output
    assert sandbox.stages() == [(name, "succeeded") for name in ("lint", "test", "build", "deploy")]
    assert sandbox.typed()[-1] == COMMAND
    assert sandbox.typed().count(COMMAND) == 1
    assert TOKEN not in run.output


def test_a_failure_ends_the_pipeline_with_the_end_of_the_log(sandbox: Any, github: GitHub) -> None:
    run = begin(sandbox, github, rerun="0s")
    ours = github.add_run(status="completed", conclusion="failure")
    failed = job(1, "ship", conclusion="failure", steps="+Build,!Push")
    github.set_jobs(ours, failed)
    github.logs[failed["id"]] = b"2026-11-29T00:00:00.0000000Z denied: no such registry\n"
    assert run.end(timeout=60.0) == 1
    (row,) = sandbox.rows("SELECT reason FROM stage_history WHERE stage = 'deploy'")
    assert row["reason"].startswith("the external check failed: ")
    assert "ship" in row["reason"]


def test_a_poll_of_an_unchanged_run_costs_no_primary_rate_limit(sandbox: Any, github: GitHub) -> None:
    run = begin(sandbox, github)
    ours = github.add_run(status="queued")
    run.wait_line("queued")
    before = len(github.paths())
    used = github.rate.used
    assert github.wait_for("GET", before + 2)  # two more questions
    polls = [request for request in github.requests[before:] if f"/actions/runs/{ours}" in request.path]
    assert polls
    assert all("if-none-match" in request.headers for request in polls)
    assert github.rate.used == used
    github.set(ours, status="completed", conclusion="success")
    assert run.end(timeout=60.0) == 0
