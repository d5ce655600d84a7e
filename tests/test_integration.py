"""The main job from the outside: the real command line, a real tmux, a real shell in the pane, real files."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

POLICIES = Path(__file__).resolve().parents[1] / "policies"
WEBAPP = POLICIES / "webapp.yaml"
NPM = ["npm run lint", "npm test", "npm run build"]
GOOD = [("lint", "succeeded"), ("test", "succeeded"), ("build", "succeeded")]


def test_run_walks_a_shell_through_the_pipeline_and_types_each_command_once(sandbox: Any) -> None:
    pane = sandbox.pane("agent:codex-ci")
    run = sandbox.watch(WEBAPP)
    question = sandbox.question("build")
    assert sandbox.typed() == NPM[:2]  # not a key before the answer
    assert "npm run build" in question.read_text()
    sandbox.answer(question, "approve")
    run.wait_line("run succeeded")
    assert run.end(signal.SIGINT) == 130
    assert "Go on with the same command" in run.lines[-1]
    assert sandbox.typed() == NPM
    assert sandbox.stages() == GOOD
