"""A defect stops the pane that it is in and nothing else, and systemd hears of progress and of the end."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

POLICY = """
    pipelines:
      - name: steps
        match: {window_name: "^(job|bad)$"}
        stages:
          - name: first
            timeout: 60s
            actions_on_start: [{send_keys: "npm run first"}]
          - name: second
            triggers: [{after_stage_success: first}]
            timeout: 60s
            actions_on_start: [{send_keys: "npm run second"}]
"""

#: Python reads a file of this name when it starts: a defect in the machine that only output of one window meets.
DEFECT = """
import tmux_sentry.engine.evidence as evidence
output = evidence.output

def broken(b, event):
    if "bad" in b.run.pane_name:
        raise ZeroDivisionError("a defect")
    return output(b, event)

evidence.output = broken
"""


@pytest.fixture
def defect(tmp_path: Path) -> dict[str, str]:
    """The environment of a program with that defect."""
    directory = tmp_path / "defect"
    directory.mkdir()
    (directory / "sitecustomize.py").write_text(DEFECT)
    return {"PYTHONPATH": f"{directory}:{os.environ.get('PYTHONPATH', '')}"}


def test_a_pane_that_fails_again_and_again_is_left_alone_and_the_others_go_on(
    sandbox: Any, defect: dict[str, str]
) -> None:
    bad = sandbox.pane("bad", "one")
    held = sandbox.hold("second")
    sandbox.pane("job", "two")
    policy = sandbox.write("steps.yaml", POLICY)
    run = sandbox.watch(policy, **defect)
    for number in range(4):
        sandbox.server.send(bad, f"echo {number}", "Enter")
        time.sleep(0.05)  # a line each, so that each is an event of its own
    run.wait_line("is left alone until the next start")
    run.wait_line("second running")
    held.unlink()
    run.wait_line("run succeeded")
    states = {row["window_name"]: row for row in sandbox.rows("SELECT window_name, status FROM runs")}
    assert states["job"]["status"] == "succeeded"
    assert states["bad"]["status"] == "open"
    assert run.end(signal.SIGTERM) == 0

    # Mended: the same command goes on, and a person says what becomes of the stage.
    again = sandbox.watch(policy)
    (row,) = sandbox.rows("SELECT id FROM runs WHERE window_name = 'bad'")
    assert "internal errors" in sandbox.ok("status")
    sandbox.ok("runs", "resume", row["id"], "--skip")
    sandbox.server.send(bad, "npm run first", "Enter")  # by hand
    again.wait_line("run succeeded")
    assert again.end(signal.SIGTERM) == 0


@pytest.fixture
def told(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket where systemd would listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(10)
        yield sock


def test_systemd_hears_of_progress_only_while_there_is_some_and_the_end_comes_soon(
    sandbox: Any, told: socket.socket
) -> None:
    sandbox.pane()
    policy = sandbox.write("steps.yaml", POLICY)
    run = sandbox.watch(policy, NOTIFY_SOCKET=told.getsockname(), WATCHDOG_USEC="600000")
    assert told.recv(100) == b"READY=1"
    assert [told.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
    run.wait_line("run succeeded")
    began = time.monotonic()
    assert run.end(signal.SIGTERM) == 0
    assert time.monotonic() - began < 5.0
    rest = []
    told.setblocking(False)
    try:
        while True:
            rest.append(told.recv(100))
    except BlockingIOError:
        assert rest[-1] == b"STOPPING=1"
