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
    run.wait_line("the external check failed; a re-run within ")
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


# ------------------------------------------------------------------------- stage after stage

CHAIN = """
    pipelines:
      - name: chain
        match: {window_name: "^job$"}
        stages:
          - name: staging
            retries: 1
            actions_on_start:
              - send_keys: "gh workflow run deploy.yml -f id=${run.id}"
              - external_check: {type: github_action, repository: user/repo}
            success_when: [{external_status: success}]
          - name: production
            triggers: [{after_stage_success: staging}]
            actions_on_start:
              - send_keys: "gh workflow run deploy.yml -f id=${run.id}"
              - external_check: {type: github_action, repository: user/repo}
            success_when: [{external_status: success}]
"""


@pytest.mark.parametrize("skew", [0.0, None])
def test_each_attempt_and_each_stage_waits_for_a_run_of_its_own(
    sandbox: Any, github: GitHub, skew: float | None
) -> None:
    """All of them show the same id of the Run; without a Date (skew None) nothing else tells them apart."""
    github.skew = skew
    sandbox.pane()
    run = sandbox.watch(sandbox.write("p.yaml", CHAIN), "--once", GITHUB_TOKEN=TOKEN, GITHUB_API_URL=github.url)
    for newest, conclusion in enumerate(("failure", "success", "success"), 1):
        run.wait_line(f"no run of deploy.yml yet (the newest that fits, deploy.yml #{newest}, began before the stage)")
        sandbox.wait(lambda newest=newest: len(sandbox.typed()) == newest, "the command in the shell")
        ours = sandbox.typed()[-1].partition("id=")[2]
        github.add_run(title=f"Deploy {ours}", status="completed", conclusion=conclusion)
    assert run.end(timeout=60.0) == 0, run.output
    rows = sandbox.rows("SELECT stage, attempt, status FROM stage_history ORDER BY started_at")
    assert [tuple(row.values()) for row in rows] == [
        ("staging", 1, "failed"),
        ("staging", 2, "succeeded"),
        ("production", 1, "succeeded"),
    ]
    assert len(sandbox.typed()) == 3


# ----------------------------------------------------------------------------------- by hand

BY_HAND = ("checks", "test", "github_action", "repository=user/repo")


def test_by_hand_a_dispatch_starts_it_once_and_says_so(sandbox: Any, github: GitHub) -> None:
    env = {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": github.url}
    dispatch = (*BY_HAND, "workflow=deploy.yml", "ref=main", "dispatch=true")
    done = sandbox.run(*dispatch, **env)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "pending: dispatched: deploy.yml #2: queued")
    assert len(github.dispatched) == 1
    waiting = sandbox.start(*dispatch, "--wait", "1m", **env)
    assert github.wait_for("POST", 2)
    assert github.wait_for("GET", len(github.paths()) + 2)
    github.set(github.runs[-1]["id"], status="completed", conclusion="success")
    assert waiting.end() == 0
    assert waiting.lines[0] == "success: dispatched: deploy.yml #3 succeeded"
    assert len(github.dispatched) == 2


def test_by_hand_an_unchanged_run_is_asked_for_at_no_cost(sandbox: Any, github: GitHub) -> None:
    run = github.add_run(status="queued")
    env = {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": github.url}
    waiting = sandbox.start(*BY_HAND, f"run_id={run}", "--wait", "1m", **env)
    assert github.wait_for("GET", 4)
    assert github.rate.used == 1
    github.set(run, status="completed", conclusion="success")
    assert waiting.end() == 0
