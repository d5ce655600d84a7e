"""Windows, sessions and panes that come, move, are renamed and go while they are watched."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tmux_sentry.contracts import PaneClosed, Screen
from tmux_sentry.watch.events import Inventoried, PaneSeen
from tmux_sentry.watch.watcher import Watcher

Begin = Callable[..., Watcher]
IDLE = "sleep 1000"
#: Seconds between two inventories by default, and what a busy machine may take on top.
INTERVAL, SLACK = 2.0, 0.5
SOON = 1.0


def announced_after(log: Any, began: float, pane: str) -> float:
    """Seconds from `began` (epoch) to the announcement of a pane."""
    identity = log.identity(pane)
    return next(seen.at for seen in log.all(PaneSeen) if seen.info.identity == identity) - began


# ------------------------------------------------------------------------------------- coming


@pytest.mark.parametrize("session", ["one", "two"])
def test_a_silent_split_is_announced_with_the_next_inventory(
    tmux_server: Any, log: Any, watch: Begin, session: str
) -> None:
    """tmux 3.3a tells of a split only the clients of that session: there is no notification in the other one."""
    for name in ("one", "two"):
        log_pane = tmux_server.new_session(name, command=IDLE)
    watch()
    log.wait_ready(log_pane)
    for _ in range(2):
        began = time.time()
        pane = tmux_server.run("split-window", "-d", "-P", "-F", "#{pane_id}", "-t", session, IDLE)
        assert announced_after(log, began, pane) <= INTERVAL + SLACK


ARRIVALS = {
    "a window": ("new-window -d -t one", IDLE),
    "a window of another session": ("new-window -d -t two", IDLE),
    "a session": ("new-session -d -s three", IDLE),
    "a split that prints": ("split-window -d -t one", "echo; exec sleep 1000"),
    "a split of another session that prints": ("split-window -d -t two", "echo; exec sleep 1000"),
}


@pytest.mark.parametrize(("arrival", "program"), ARRIVALS.values(), ids=ARRIVALS.keys())
def test_what_tmux_tells_of_is_announced_at_once(
    tmux_server: Any, log: Any, watch: Begin, arrival: str, program: str
) -> None:
    panes = [tmux_server.new_session(name, command=IDLE) for name in ("one", "two")]
    watch(interval=30.0)
    for pane in panes:
        log.wait_ready(pane)
    wait_inventory(log, tmux_server)
    began = time.time()
    pane = tmux_server.run(*arrival.split(), "-P", "-F", "#{pane_id}", program)
    assert announced_after(log, began, pane) <= SOON


def wait_inventory(log: Any, server: Any) -> None:
    """Have an inventory taken after the streams were attached."""
    server.run("rename-window", "-t", "one", "renamed")
    log.wait(
        lambda: any(info.window_name == "renamed" for info in log.all(Inventoried)[-1].panes),
        "an inventory after the attach",
    )


# ------------------------------------------------------------------------------------- moving

RENAMES = {
    "window": ("rename-window -t {pane} agent:ci", "agent:ci"),
    "session": ("rename-session -t work night", "night"),
}


@pytest.mark.parametrize(("rename", "name"), RENAMES.values(), ids=RENAMES.keys())
def test_a_new_name_shows_at_once_and_nothing_else_happens(
    tmux_server: Any, log: Any, watch: Begin, count: Any, rename: str, name: str
) -> None:
    counting = count("n")
    pane = tmux_server.new_session("work", command=counting.command + "; exec sleep 1000")
    watcher = watch(interval=30.0)
    log.wait_ready(pane)
    counting.wait_more(pane)
    captures = len(log.screens(pane))
    began = time.monotonic()
    tmux_server.run(*rename.format(pane=pane).split())
    log.wait(lambda: name in watcher.pane(log.identity(pane)).name, "the new name")
    assert time.monotonic() - began < SOON
    counting.wait_more(pane)
    counting.end_once(pane)
    assert len(log.screens(pane)) == captures
    assert len(log.all(PaneSeen)) == 1
    assert not log.all(PaneClosed)


#: There and back again: {pane} is in window 1 of `work` beside another pane, {place} in window 0 of `other`.
MOVES = {
    "move-window": ("move-window -d -s work:1 -t other:5", "move-window -d -s other:5 -t work:1"),
    "break-pane": ("break-pane -d -s {pane} -t other:5", "join-pane -d -s {pane} -t work:1"),
    "join-pane": ("join-pane -d -s {pane} -t {place}", "break-pane -d -s {pane} -t work:5"),
    "swap-pane": ("swap-pane -d -s {pane} -t {place}", "swap-pane -d -s {pane} -t {place}"),
    "swap-window": ("swap-window -d -s work:1 -t other:0", "swap-window -d -s work:1 -t other:0"),
    "unlink-window": (
        "link-window -d -s work:1 -t other:5 ; unlink-window -t work:1",
        "link-window -d -s other:5 -t work:1 ; unlink-window -t other:5",
    ),
}


@pytest.mark.parametrize(("there", "back"), MOVES.values(), ids=MOVES.keys())
def test_a_pane_that_moves_to_another_session_stays_the_same_and_loses_no_line(
    tmux_server: Any, log: Any, watch: Begin, count: Any, there: str, back: str
) -> None:
    counting = count("n")
    tmux_server.new_session("work", command=IDLE)
    place = tmux_server.new_session("other", command=IDLE)
    command = counting.command + "; exec sleep 1000"
    pane = tmux_server.run("new-window", "-d", "-P", "-F", "#{pane_id}", "-t", "work:1", command)
    tmux_server.run("split-window", "-d", "-t", pane, IDLE)
    watcher = watch()
    for each in (pane, place):
        log.wait_ready(each)
    identity = log.identity(pane)
    seen = len(log.all(PaneSeen))
    for move, session in ((there, "other"), (back, "work")):
        counting.wait_more(pane)
        tmux_server.run(*move.format(pane=pane, place=place).split())
        assert tmux_server.show(pane, "#{session_name}") == session
        log.wait(lambda session=session: watcher.pane(identity).session_name == session, "the other session")
    counting.wait_more(pane)
    counting.end_once(pane)
    assert len(log.all(PaneSeen)) == seen
    assert not log.all(PaneClosed)


def test_what_a_pane_printed_elsewhere_is_not_told_again_when_it_is_back(
    tmux_server: Any, log: Any, watch: Begin, count: Any
) -> None:
    """tmux 3.3a keeps what a pane prints in another session, and sends it to a client that sees the pane again."""
    counting = count("n", pause=0.5)  # it has not printed again when the move is known
    for name in ("work", "other"):
        tmux_server.new_session(name, command=IDLE)
    command = counting.command + "; exec sleep 1000"
    pane = tmux_server.run("new-window", "-d", "-P", "-F", "#{pane_id}", "-t", "work:1", command)
    watcher = watch()
    log.wait_ready(pane)
    identity = log.identity(pane)
    for source, target in (("work:1", "other:1"), ("other:1", "work:1")):
        counting.wait_more(pane, 2)
        tmux_server.run("move-window", "-d", "-s", source, "-t", target)
        session = target.partition(":")[0]
        log.wait(lambda session=session: watcher.pane(identity).session_name == session, "the other session")
    counting.wait_more(pane, 2)
    counting.end_once(pane)


def test_a_pane_moved_out_of_a_session_that_is_then_killed_goes_on(
    tmux_server: Any, log: Any, watch: Begin, count: Any
) -> None:
    counting = count("n")
    tmux_server.new_session("other", command=IDLE)
    gone = tmux_server.new_session("work", command=IDLE)
    command = counting.command + "; exec sleep 1000"
    pane = tmux_server.run("new-window", "-d", "-P", "-F", "#{pane_id}", "-t", "work:1", command)
    watch()
    log.wait_ready(pane)
    counting.wait_more(pane)
    tmux_server.run("move-window", "-d", "-s", "work:1", "-t", "other:5", ";", "kill-session", "-t", "work")
    log.wait(lambda: log.all(PaneClosed), "PaneClosed of what stayed in the session")
    counting.wait_more(pane)
    counting.end_once(pane)
    assert [closed.pane.pane_id for closed in log.all(PaneClosed)] == [gone]


# -------------------------------------------------------------------------------------- going


def test_a_killed_window_closes_its_panes_at_once_and_no_other(tmux_server: Any, log: Any, watch: Begin) -> None:
    first = tmux_server.new_session("one", command=IDLE)
    goes = [tmux_server.run("new-window", "-d", "-P", "-F", "#{pane_id}", "-t", "one", IDLE)]
    goes.append(tmux_server.run("split-window", "-d", "-P", "-F", "#{pane_id}", "-t", goes[0], IDLE))
    watch(interval=30.0)
    for pane in (first, *goes):
        log.wait_ready(pane)
    began = time.time()
    tmux_server.run("kill-window", "-t", goes[0])
    log.wait(lambda: len(log.all(PaneClosed)) >= 2, "both ends")
    assert [closed.at - began < SOON for closed in log.all(PaneClosed)] == [True, True]
    assert sorted(closed.pane.pane_id for closed in log.all(PaneClosed)) == sorted(goes)


@pytest.mark.parametrize("how", ["running", "dead"])
def test_a_respawned_pane_ends_once_before_it_begins_anew(tmux_server: Any, log: Any, watch: Begin, how: str) -> None:
    first = tmux_server.new_session("one", command=IDLE)
    tmux_server.run("set-option", "-g", "remain-on-exit", "on")
    pane = tmux_server.run("new-window", "-d", "-P", "-F", "#{pane_id}", "-t", "one", "read x; exit 3")
    watch(interval=0.2)
    for each in (first, pane):
        log.wait_ready(each)
    old = log.identity(pane)
    if how == "dead":
        tmux_server.send(pane, "", "Enter")
        log.wait(lambda: log.all(PaneClosed), "the end")
    # tmux 3.3a may lose as many bytes of the new program as it had not yet taken from the old one: here an Enter.
    program = "echo ....; echo anew; exec sleep 1000"
    tmux_server.run("respawn-pane", *(["-k"] if how == "running" else []), "-t", pane, program)
    log.wait(lambda: log.identity(pane) != old, "the new identity")
    new = log.identity(pane)
    log.wait(lambda: any(s.pane == new and "anew" in s.lines for s in log.screens(pane)), "its first capture")
    records = log.everything(pane)
    assert [record.pane for record in records if isinstance(record, PaneClosed)] == [old]
    ended = next(at for at, record in enumerate(records) if isinstance(record, PaneClosed))
    assert {record.pane for record in records[: ended + 1]} == {old}
    assert {record.pane for record in records[ended + 1 :]} == {new}
    assert isinstance(records[ended + 1], Screen)
