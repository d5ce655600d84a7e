"""One pane and the list of panes, under a clock that stands still."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from tmux_sentry.contracts import Lines, PaneClosed, Screen, TextSource, Title
from tmux_sentry.testing.clock import FakeClock
from tmux_sentry.tmux.model import Capture
from tmux_sentry.watch.events import PaneSeen
from tmux_sentry.watch.pane import EVERY, QUIET, SETTLE, Wanted, WatchedPane
from tmux_sentry.watch.registry import GRACE, Panes

RESYNC = Wanted(history=None, resync=True)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def reading(info: Any, log: Any, clock: FakeClock) -> WatchedPane:
    pane = WatchedPane(info, log, clock)
    pane.reading = True
    return pane


def test_a_pane_that_vanished_may_finish_its_lines(info: Any, log: Any, clock: FakeClock) -> None:
    panes = Panes(log, clock)
    gone, other = info(), info(identity=replace(info().identity, pane_id="%2"))
    panes.update((gone, other), clock.monotonic())
    pane = panes.get(gone.identity)
    assert pane is not None
    pane.reading = True
    pane.whole()
    panes.update((other,), clock.monotonic())
    clock.advance(GRACE - 0.01)
    pane.feed(b"one\r\nlast words")
    panes.update((other,), clock.monotonic())
    assert panes.closing
    assert not log.all(PaneClosed)
    clock.advance(GRACE + 0.01)
    panes.update((other,), clock.monotonic())
    assert not panes.closing
    assert log.lines("%1") == ["one", "last words"]
    assert isinstance(log.everything("%1")[-1], PaneClosed)
    assert panes.get(gone.identity) is None


def test_a_pane_that_prints_without_end_is_closed_all_the_same(info: Any, log: Any, clock: FakeClock) -> None:
    panes = Panes(log, clock)
    other = info(identity=replace(info().identity, pane_id="%2"))
    panes.update((info(), other), clock.monotonic())
    pane = panes.get(info().identity)
    assert pane is not None
    pane.reading = True
    for _ in range(50):
        panes.update((other,), clock.monotonic())
        pane.feed(b"y\r\n")
        clock.advance(0.1)
    assert len(log.all(PaneClosed)) == 1


def test_a_dead_pane_is_captured_and_then_closed_with_its_status(info: Any, log: Any, clock: FakeClock) -> None:
    panes = Panes(log, clock)
    panes.update((info(),), clock.monotonic())
    pane = panes.get(info().identity)
    assert pane is not None
    pane.reading = True
    pane.whole()
    pane.feed(b"exit status 1")  # "10", of which tmux dropped the end
    dead = info(dead=True, dead_status=7)
    panes.update((dead,), clock.monotonic())
    clock.advance(GRACE + 0.1)
    panes.update((dead,), clock.monotonic())
    assert not log.all(PaneClosed), "the capture is not taken yet"
    assert pane.begin_capture() == RESYNC
    pane.captured(Capture(lines=("exit status 10",), cursor=(14, 0), row="exit status 10", info=dead), resync=True)
    panes.update((dead,), clock.monotonic())
    panes.update((dead,), clock.monotonic())
    assert [closed.status for closed in log.all(PaneClosed)] == [7]
    assert not log.all(Lines)
    assert panes.get(info().identity) is pane, "it is still listed, and not announced again"
    assert len(log.all(PaneSeen)) == 1


def test_panes_of_a_server_that_is_gone_close_at_once_and_once(info: Any, log: Any, clock: FakeClock) -> None:
    panes = Panes(log, clock)
    panes.update((info(),), clock.monotonic())
    new = info(identity=replace(info().identity, server_pid=77))
    panes.update((new,), clock.monotonic())
    panes.update((new,), clock.monotonic())
    assert [closed.pane for closed in log.all(PaneClosed)] == [info().identity]
    assert [seen.info for seen in log.all(PaneSeen)] == [info(), new]


def test_captures_of_a_flood_come_every_200_ms_and_once_after_it(info: Any, log: Any, clock: FakeClock) -> None:
    pane = reading(info(command="claude"), log, clock)
    taken = []
    for step in range(100):
        if step < 60:
            pane.feed(b"x")
        due = pane.due()
        if due is not None and due <= clock.monotonic() and pane.begin_capture() is not None:
            taken.append(step)
        clock.advance(0.01)
    assert taken[0] in (int(SETTLE * 100), int(SETTLE * 100) + 1)
    gaps = [b - a for a, b in itertools.pairwise(taken)]
    assert all(EVERY * 100 <= gap <= EVERY * 100 + 1 for gap in gaps)
    assert 60 <= taken[-1] <= 60 + EVERY * 100


def test_what_the_stream_told_later_than_the_inventory_began_stands(info: Any, log: Any, clock: FakeClock) -> None:
    pane = reading(info(), log, clock)
    pane.whole()
    began = clock.monotonic()
    clock.advance(0.01)
    pane.feed(b"\x1b]2;new\x07\x1b[?1049h")
    pane.update(info(command="vim"), began)
    assert [title.title for title in log.all(Title)] == ["new"]
    assert pane.view().source is TextSource.CAPTURE
    assert pane.view().info.command == "vim"


def test_a_tmux_that_does_not_follow_into_the_alternate_screen_wins(info: Any, log: Any, clock: FakeClock) -> None:
    pane = reading(info(), log, clock)
    pane.whole()
    pane.feed(b"\x1b[?1049h")
    sources = []
    for _ in range(2):
        clock.advance(2)
        pane.update(info(), clock.monotonic())
        sources.append(pane.view().source)
    assert sources == [TextSource.CAPTURE, TextSource.STREAM]


@pytest.mark.parametrize(
    ("row", "lines", "cursor", "first"),
    [
        ("$", ("$",), 2, ["$ ls"]),
        ("中文 ❯", ("x", "中文 ❯"), 7, ["中文 ❯ ls"]),
        ("", ("x",), 0, ["ls"]),
        ("tail $", ("a wrapped line with its tail $",), 7, []),
        ("$", ("$", "something below"), 2, []),
        ("$ right of it", ("$ right of it",), 2, []),
    ],
)
def test_the_first_line_after_a_gap_is_whole_or_left_out(
    info: Any, log: Any, clock: FakeClock, row: str, lines: tuple[str, ...], cursor: int, first: list[str]
) -> None:
    pane = reading(info(), log, clock)
    pane.gap()
    assert pane.begin_capture() == RESYNC
    pane.captured(Capture(lines=lines, cursor=(cursor, 0), row=row, info=info()), resync=True)
    clock.advance(QUIET)
    assert pane.due() is not None
    assert pane.begin_capture() is None
    pane.feed(b"ls\r\nnext\r\n")
    assert [line for r in log.all(Lines) for line in r.lines] == [*first, "next"]
    assert pane.begin_capture() == (RESYNC if not first else None), "a line that was left out is captured"


def test_output_during_the_capture_leaves_the_first_line_out(info: Any, log: Any, clock: FakeClock) -> None:
    pane = reading(info(), log, clock)
    pane.gap()
    pane.begin_capture()
    pane.feed(b"0 prob")
    pane.captured(Capture(lines=("1",), cursor=(1, 0), row="1", info=info()), resync=True)
    clock.advance(QUIET)
    pane.feed(b"lems\r\n")
    assert not log.all(Lines)
    assert len(log.all(Screen)) == 1
    assert pane.begin_capture() == RESYNC
