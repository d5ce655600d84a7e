"""The recordings of a run: which files there are, how they end, and that nothing of it hurts the run."""

from __future__ import annotations

import json
import logging
import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.recording import facts
from tmux_sentry.recording.asciicast import Header, open_cast
from tmux_sentry.recording.files import sweep
from tmux_sentry.recording.recorder import Recorder
from tmux_sentry.security.redact import Redactor
from tmux_sentry.testing.clock import FakeClock
from tmux_sentry.tmux.model import Capture
from tmux_sentry.watch import tap

INFO = replace(
    facts.first(Header(width=80, height=24)),
    window_name="../agent: x/$(id)\x1b[31m",
    session_name="work",
    command="bash",
)
PANE = INFO.identity
SECRET = "correct-horse-battery-staple"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def recorder(folder: Path, clock: FakeClock, **options: Any) -> Recorder:
    given = {"version": "1.2.3", "limit": 1 << 20, "total": 1 << 30, "keep": 1e6, **options}
    return Recorder(folder / "recordings", Redactor([SECRET]), clock, **given)


def files(folder: Path) -> list[Path]:
    return sorted((folder / "recordings").glob("*.cast"))


def events(path: Path) -> list[tuple[float, str, str]]:
    with open_cast(path) as cast:
        return [(event.at, event.code, event.text) for event in cast.events()]


def test_a_pane_has_a_file_of_ours_alone_from_its_first_output_on(tmp_path: Path, clock: FakeClock) -> None:
    one = recorder(tmp_path, clock)
    rows = ("$ ls " + SECRET[:10], SECRET[10:], "$")
    one(PANE, tap.Found(INFO))
    one(PANE, tap.Gap())
    one(PANE, tap.Shown(Capture(lines=rows, cursor=(2, 2), row="$", info=INFO, screen=rows)))
    clock.advance(100.0)
    one(PANE, tap.Printed(b"hello\r\n"))
    clock.advance(1.5)
    one(PANE, tap.Found(replace(INFO, width=100, title="new", cursor=(3, 3))))
    one(PANE, tap.Handed("KEY " + "k" * 43, "%0:1:S0VZ"))
    one(PANE, tap.Handed('{"type":"DONE"}', "%0:1:e30"))
    one(PANE, tap.Closed(3))
    one.close()

    (path,) = files(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.name == "20231114T221459Z_recording_agent-x-id-31m_0.cast"
    header = json.loads(path.read_text().splitlines()[0])
    assert (header["width"], header["height"], header["timestamp"]) == (80, 24, 1_700_000_099)
    assert header["tmux_sentry"]["version"] == "1.2.3"
    assert header["tmux_sentry"]["host"] == "recording"
    with open_cast(path) as cast:
        assert facts.first(cast.header) == INFO
    found = events(path)
    assert [(at, code) for at, code, _ in found] == [
        (0.0, "x-gap"), (0.0, "x-screen"), (0.5, "o"), (2.0, "r"), (2.0, "x-pane"), (2.0, "x-emitted"),
        (2.0, "x-closed"),
    ]  # fmt: skip
    assert json.loads(found[4][2]) == {"title": "new", "width": 100}
    assert json.loads(found[5][2]) == {"text": '{"type":"DONE"}'}
    assert json.loads(found[6][2]) == {"status": 3}
    assert "KEY" not in path.read_text()
    # A secret that goes on in the next row is gone, and the cursor's row is where it was.
    picture = facts.capture(INFO, json.loads(found[1][2]))
    assert picture is not None
    assert SECRET[:10] not in path.read_text()
    assert SECRET[10:] not in path.read_text()
    assert picture.screen == ("$ ls [redacted]", "", "$")
    assert picture.row == "$"


def test_how_long_a_pane_was_calm_before_it_printed_is_kept(tmp_path: Path, clock: FakeClock) -> None:
    one = recorder(tmp_path, clock)
    one(PANE, tap.Found(INFO))
    one(PANE, tap.Gap())
    clock.advance(0.05)
    one(PANE, tap.Shown(Capture(lines=("$",), cursor=(2, 0), row="$", info=INFO, screen=("$",))))
    clock.advance(0.25)
    one(PANE, tap.Printed(b"hello\r\n"))
    one.close()
    (path,) = files(tmp_path)
    assert [(at, code) for at, code, _ in events(path)] == [(0.0, "x-gap"), (0.05, "x-screen"), (0.3, "o")]


def test_a_pane_that_only_stands_there_leaves_no_file(tmp_path: Path, clock: FakeClock) -> None:
    one = recorder(tmp_path, clock)
    one(PANE, tap.Found(INFO))
    one(PANE, tap.Gap())
    one(PANE, tap.Closed(None))
    one.close()
    assert files(tmp_path) == []


def test_a_recording_ends_at_its_size_with_one_note(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    one = recorder(tmp_path, clock, limit=50_000)
    one(PANE, tap.Found(INFO))
    for _ in range(100):
        one(PANE, tap.Printed(b"some words\r\n" * 200))
    one.close()
    (path,) = files(tmp_path)
    assert path.stat().st_size < 100_000
    assert [code for _, code, _ in events(path)][-1] == "x-end"
    assert [r.message for r in caplog.records if "reached its size" in r.message and r.levelno == logging.WARNING] != []
    assert sum("reached its size" in record.message for record in caplog.records) == 1


def test_a_file_that_cannot_be_written_ends_that_recording_with_one_warning(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    one = recorder(tmp_path, clock)
    shutil.rmtree(tmp_path / "recordings")
    one(PANE, tap.Found(INFO))
    for _ in range(3):
        one(PANE, tap.Printed(b"lost\r\n"))
    one.close()
    assert [r.message.split(": ")[-1] for r in caplog.records] == ["No such file or directory"]


def test_a_full_disk_ends_that_recording_and_no_other(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    other = replace(INFO, identity=replace(PANE, pane_id="%1"))
    one = recorder(tmp_path, clock)
    full = tmp_path / "recordings" / "20231114T221320Z_recording_agent-x-id-31m_0.cast"
    one(PANE, tap.Found(INFO))
    one(other.identity, tap.Found(other))
    # What is opened for the first pane is a device that is full.
    opened = one.open

    def open_full(info: Any, started: float) -> Any:
        tape, path = opened(info, started)
        if info is INFO:
            os.dup2(os.open("/dev/full", os.O_WRONLY), tape._stream.fileno())
        return tape, path

    one.open = open_full  # type: ignore[method-assign]
    for number in range(3):
        one(PANE, tap.Printed(b"lost\r\n" * 5000))
        one(other.identity, tap.Printed(f"kept {number}\r\n".encode()))
    one.close()
    assert [r.message.split(": ")[-1] for r in caplog.records if r.levelno == logging.WARNING] == [
        "No space left on device"
    ]
    assert full in files(tmp_path)
    kept = "".join(text for _, code, text in events(files(tmp_path)[1]) if code == "o")
    assert kept == "kept 0\r\nkept 1\r\nkept 2\r\n"


def test_output_that_finds_the_queue_full_is_lost_and_the_gap_is_said(tmp_path: Path, clock: FakeClock) -> None:
    one = recorder(tmp_path, clock, waiting=10_000)
    one(PANE, tap.Found(INFO))
    one(PANE, tap.Printed(b"before\r\n"))
    one(PANE, tap.Printed(b"x" * 20_000))
    one(PANE, tap.Printed(b"after\r\n"))
    one.close()
    (path,) = files(tmp_path)
    assert [(code, text) for _, code, text in events(path)] == [
        ("o", "before\r\n"), ("x-gap", ""), ("o", "after\r\n"),
    ]  # fmt: skip


def test_old_recordings_go_and_so_do_the_oldest_of_too_many(tmp_path: Path) -> None:
    for name, age, size in (("a", 100, 10), ("b", 50, 10), ("c", 10, 10), ("d", 5, 10)):
        path = tmp_path / f"{name}.cast"
        path.write_bytes(b"x" * size)
        os.utime(path, (1000 - age, 1000 - age))
    (tmp_path / "notes.txt").write_text("not ours")
    (tmp_path / "link.cast").symlink_to(tmp_path / "notes.txt")
    sweep(tmp_path, 1000.0, keep=60.0, total=1 << 20)
    assert {path.name for path in tmp_path.iterdir()} == {"b.cast", "c.cast", "d.cast", "notes.txt", "link.cast"}
    sweep(tmp_path, 1000.0, keep=60.0, total=25)
    assert {path.name for path in tmp_path.iterdir()} == {"c.cast", "d.cast", "notes.txt", "link.cast"}
