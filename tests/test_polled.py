"""A host whose panes are polled shows no exit status: whoever needs one is told at once, not after the timeout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

REPORTED = """
    pipelines:
      - name: ci
        match: {window_name: "^job$"}
        stages:
          - name: build
            actions_on_start: [{send_keys: {text: "npm run build", report_exit: true}}]
"""
TOLD = "its exit status cannot be observed here: the pane is polled; use success_when, or watch.method: stream"


@pytest.fixture
def polled(sandbox: Any) -> Any:
    """The sandbox, its only host polled."""
    text = sandbox.hosts_text() + "    watch: {method: poll}\n"
    sandbox.hosts.write_text(text)
    return sandbox


def quiet(sandbox: Any) -> None:
    """npm says nothing that a stage could take for an event."""
    (sandbox.work / "say-build").write_text("built\n")


def run_of(sandbox: Any) -> dict[str, Any]:
    (run,) = sandbox.json("runs", "list")
    return run


def test_the_stage_is_held_with_nothing_typed_and_goes_out_when_a_person_insists(polled: Any) -> None:
    quiet(polled)
    polled.pane()
    policy: Path = polled.write("policy.yaml", REPORTED)
    run = polled.watch(policy)
    run.wait_line(TOLD)
    assert polled.typed() == []
    polled.ok("runs", "resume", run_of(polled)["id"], "--send")
    polled.wait_typed("npm run build")
    polled.wait(lambda: polled.stages() == [("build", "running")], "the stage, which waits for a STATUS")


@pytest.mark.parametrize("decided", ["success_when: [{log_regex: built}]", "success_when: [{idle_for: 1s}]"])
def test_what_is_decided_otherwise_goes_on(polled: Any, decided: str) -> None:
    quiet(polled)
    polled.pane()
    policy: Path = polled.write("policy.yaml", f"{REPORTED}            {decided}\n")
    run = polled.watch(policy, "--once")
    assert run.end() == 0
    assert polled.stages() == [("build", "succeeded")]


@pytest.mark.parametrize(
    ("method", "policy", "warned"),
    [
        ("poll", REPORTED, True),
        ("auto", REPORTED, False),
        ("poll", REPORTED + "            success_when: [{log_regex: built}]\n", False),
        ("poll", REPORTED + "            success_when: [{exit_code: 0}]\n", True),
        ("poll", REPORTED.replace("job", "other"), False),
    ],
)
def test_check_warns_of_it(sandbox: Any, method: str, policy: str, warned: bool) -> None:
    sandbox.hosts.write_text(sandbox.hosts_text() + f"    watch: {json.dumps({'method': method})}\n")
    sandbox.pane()
    done = sandbox.run("check", "--policy", sandbox.write("policy.yaml", policy), "--hosts", sandbox.hosts)
    assert done.returncode == 0
    assert ("ci on here: build: no exit status is seen where panes are polled" in done.stderr) is warned


def test_the_doctor_notes_it(polled: Any) -> None:
    polled.pane()
    assert "here: its panes are polled" in polled.run("doctor", "--hosts", polled.hosts).stdout
