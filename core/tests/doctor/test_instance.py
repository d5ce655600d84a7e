from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tmux_sentry.control.server import ControlServer
from tmux_sentry.doctor import instance
from tmux_sentry.doctor.finding import Level
from tmux_sentry.doctor.instance import Instance, held_by, judge, look
from tmux_sentry.doctor.known import Known
from tmux_sentry.errors import Refused, UsageError
from tmux_sentry.state.lock import InstanceLock


@pytest.fixture
def home() -> Iterator[Path]:
    """With a path short enough for a socket."""
    path = Path(tempfile.mkdtemp(prefix="sentry-doctor-"))
    yield path
    shutil.rmtree(path)


def refuse(verb: str, args: object, by: str) -> None:
    raise UsageError(f"the running instance does not know {verb}")


def test_without_anybody_it_is_a_note_and_no_file_is_made(home: Path) -> None:
    seen = look(home)
    assert (seen.answers, seen.running, seen.error) == (False, False, None)
    assert [one.level for one in judge(seen)] == [Level.NOTE]
    assert os.listdir(home) == []


def test_whoever_answers_is_running(home: Path) -> None:
    with InstanceLock(home / "sentry.lock"), ControlServer(home / "control.sock", refuse):
        seen = look(home)
    assert (seen.answers, seen.running) == (True, True)
    (found,) = judge(seen)
    assert (found.level, f"pid {os.getpid()}" in found.what) == (Level.OK, True)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells who holds a lock")
def test_a_lock_without_an_answer_is_a_problem_and_is_not_touched(home: Path) -> None:
    with InstanceLock(home / "sentry.lock"):
        seen = look(home)
    assert (seen.answers, seen.locked) == (False, True)
    (found,) = judge(seen)
    assert (found.level, f"pid {os.getpid()}" in found.what) == (Level.PROBLEM, True)
    # The lock file stays when its holder ends, and says nothing then.
    assert look(home).locked is False


def test_one_that_does_not_answer_in_time_is_a_problem(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance, "_TIMEOUT", 0.1)
    looked = threading.Event()
    with ControlServer(home / "control.sock", lambda verb, args, by: looked.wait(20.0)):
        seen = look(home)
        looked.set()
    (found,) = judge(seen)
    assert (found.level, "no answer" in found.what) == (Level.PROBLEM, True)


def test_a_home_whose_socket_cannot_be_reached_is_a_problem(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 30)
    home.mkdir()
    seen = look(home)
    assert not seen.answers
    assert [one.level for one in judge(seen)] == [Level.PROBLEM]


def test_an_error_on_the_way_keeps_its_fix() -> None:
    (found,) = judge(Instance(error=Refused("another user listens", "", "remove that socket")))
    assert (found.level, found.fix) == (Level.PROBLEM, "remove that socket")


def test_only_a_flock_on_that_very_file_counts() -> None:
    device = os.makedev(0xFE, 0)
    assert held_by("3: FLOCK  ADVISORY  WRITE 18216 fe:00:42 0 EOF\n", device, 42)
    for line in (
        "",
        "3: FLOCK  ADVISORY  WRITE 18216 fe:00:421 0 EOF",
        "3: FLOCK  ADVISORY  WRITE 18216 fe:01:42 0 EOF",
        "3: POSIX  ADVISORY  READ 18216 fe:00:42 128 128",
        "3: -> FLOCK  ADVISORY  WRITE 18216 fe:00:42 0 EOF",
    ):
        assert not held_by(line, device, 42), line


def test_an_agent_that_is_newer_than_its_rules_is_a_note() -> None:
    (found,) = instance.waiting(Known(newer_agents=("claude 3.0 (known up to 2.1)",)))
    assert (found.level, "claude 3.0" in found.what) == (Level.NOTE, True)


def test_what_waits_for_a_person_is_told() -> None:
    assert list(instance.waiting(Known())) == []
    found = list(instance.waiting(Known(observe_only="restored", approvals=1, held_runs=2)))
    assert [(one.level, one.subject) for one in found] == [
        (Level.PROBLEM, "database"),
        (Level.NOTE, "approvals"),
        (Level.NOTE, "runs"),
    ]
    assert "restored" in found[0].what
    assert found[1].what == "1 approval waiting"
    assert (found[2].what.startswith("2 runs"), "tmux-sentry status" in found[2].fix) == (True, True)
