"""Events that are handed over beside the screen, as docs/policy.md says, through the whole program."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import pytest

POLICY = Path(__file__).resolve().parents[1] / "docs" / "policy.md"
EMITTED = """
    pipelines:
      - name: out
        match: {window_name: "^job$"}
        stages:
          - name: build
            min_trust: emitted
            timeout: 30s
            actions_on_start: [{send_keys: "npm run quiet"}]
          - name: after
            triggers: [{after_stage_success: build}]
            actions_on_start: [{send_keys: "npm run after"}]
"""


def documented() -> str:
    """The lines that the documentation tells a process to run."""
    (block,) = re.findall(r"```bash\n(body=.*?)```", POLICY.read_text(), re.DOTALL)
    return str(block)


@pytest.fixture
def policy(sandbox: Any) -> Path:
    """Its first stage calls a program that hands its STATUS over and prints a false one."""
    wait = 'while [ -e "hold-$2" ]; do sleep 0.02; done'
    said = f'echo \'@@SENTRY {{"type":"STATUS","ok":false}}\'\n{documented()}'
    sandbox.program("npm", f'#!/bin/sh\necho "npm $*" >> typed.log\n{wait}\n[ "$2" != quiet ] || {{\n{said}}}\n')
    return sandbox.write("out.yaml", EMITTED)  # type: ignore[no-any-return]


def options(sandbox: Any) -> str:
    return sandbox.server.run("show-options", "-s")  # type: ignore[no-any-return]


def test_an_emitted_event_decides_where_a_printed_one_may_not(sandbox: Any, policy: Path) -> None:
    sandbox.pane()
    run = sandbox.watch(policy)
    sandbox.wait_typed("npm run after")
    assert sandbox.stages()[0] == ("build", "succeeded")
    sandbox.wait(lambda: "@sentry_q" not in options(sandbox), "an empty queue")
    assert run.end(signal.SIGTERM) == 0
    assert "@sentry" not in options(sandbox)


def test_what_was_handed_over_while_nobody_watched_counts_after_the_restart(sandbox: Any, policy: Path) -> None:
    hold = sandbox.hold("quiet")
    sandbox.pane()
    run = sandbox.watch(policy)
    sandbox.wait_typed("npm run quiet")
    assert run.end(signal.SIGKILL) == -signal.SIGKILL
    hold.unlink()
    sandbox.wait(lambda: "@sentry_q" in options(sandbox), "the event in the queue")
    sandbox.watch(policy)
    sandbox.wait_typed("npm run after")
    assert sandbox.typed() == ["npm run quiet", "npm run after"]
    sandbox.wait(lambda: "@sentry_q" not in options(sandbox), "an empty queue")


def test_a_dry_run_leaves_the_queue_alone(sandbox: Any, policy: Path) -> None:
    pane = sandbox.pane()
    sandbox.server.run("set-option", "-as", "@sentry_q", f" {pane}:1:e30")
    done = sandbox.run("run", "--hosts", sandbox.hosts, "--policy", policy, "--dry-run")
    assert done.returncode == 0
    assert sandbox.server.run("show-options", "-sv", "@sentry_q").split() == [f"{pane}:1:e30"]
    assert "@sentry_wait" not in options(sandbox)
