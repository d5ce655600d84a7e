"""What is said about a host, from facts that a test makes up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tmux_sentry import PaneIdentity
from tmux_sentry.doctor import tmux
from tmux_sentry.doctor.finding import Level
from tmux_sentry.doctor.host import HostFacts, Inherited
from tmux_sentry.errors import NoServer, Unreachable
from tmux_sentry.tmux.model import PaneInfo, TmuxAddress
from tmux_sentry.watch.reading import Method

ADDRESS = TmuxAddress(socket_path="/tmp/a b")


def pane(number: int, owner: str = "", hold: bool = False) -> PaneInfo:
    return PaneInfo(
        identity=PaneIdentity(host="nas", server_pid=1, server_start=2, pane_id=f"%{number}", pane_pid=3),
        session_id="$0", session_name="s", window_id="@0", window_name="w", window_index=0, pane_index=number,
        command="sh", path="/", title="t", width=80, height=24, cursor=(0, 0), dead=False, dead_status=None,
        in_mode=False, alternate=False, input_off=False, synchronized=False, epoch="", marker="",
        owner=owner, hold=hold,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("version", "levels", "words"),
    [
        ("tmux 2.9", [Level.NOTE, Level.OK], "only be watched"),
        ("tmux 3.1c", [Level.NOTE, Level.OK], "3.2 could be read"),
        ("tmux 3.3a", [Level.OK, Level.NOTE, Level.OK], "read as it prints"),
        ("tmux next-3.6", [Level.OK, Level.NOTE, Level.OK], "read as it prints"),
        ("tmux 3.7", [Level.OK, Level.OK], "read as it prints"),
        ("tmux 3.10", [Level.OK, Level.OK], "read as it prints"),
        ("tmux master", [Level.OK, Level.OK], "read as it prints"),
    ],
)
def test_what_a_tmux_can_do(version: str, levels: list[Level], words: str) -> None:
    found = list(tmux.reachable("nas", HostFacts(version=version, panes=(pane(1),))))
    assert [one.level for one in found] == levels
    assert words in found[0].what
    assert found[-1].what == "nas: 1 pane"


@pytest.mark.parametrize(
    ("method", "version", "fix"),
    [
        ("auto", "tmux 3.3a", None),
        ("stream", "tmux 3.3a", None),
        ("poll", "tmux 3.3a", "remove watch.method: poll, or decide by success_when"),
        ("auto", "tmux 3.1c", "upgrade tmux on nas, or decide by success_when"),
        ("stream", "tmux 3.1c", "upgrade tmux on nas, or decide by success_when"),
    ],
)
def test_where_no_exit_status_is_seen(method: Method, version: str, fix: str | None) -> None:
    found = list(tmux.polled("nas", method, version))
    assert [one.fix for one in found] == ([] if fix is None else [fix])
    assert all(one.level is Level.NOTE and "report_exit" in one.what for one in found)


def test_focus_events_are_a_note() -> None:
    found = list(tmux.reachable("nas", HostFacts(version="tmux 3.7", focus_events=True)))[-1]
    assert (found.level, "focus-events" in found.fix) == (Level.NOTE, True)


def test_a_server_that_is_not_there_is_a_problem_with_the_fix_of_its_error() -> None:
    def last(error: Unreachable) -> tuple[Level, str]:
        found = list(tmux.reachable("nas", HostFacts(version="tmux 3.7", error=error)))[-1]
        return found.level, found.fix

    assert last(NoServer("none", "", "start one")) == (Level.PROBLEM, "start one")
    assert last(Unreachable("gone")) == (Level.PROBLEM, "see that tmux answers on nas")


@pytest.mark.parametrize(
    ("level", "unset"),
    [
        ("-s", "set-option -su"),
        ("-g", "set-option -gu"),
        ("-gw", "set-option -gwu"),
        ("-t '$1'", "set-option -u -t '$1'"),
        ("-w -t @2", "set-option -wu -t @2"),
    ],
)
def test_a_fence_above_the_panes_is_a_problem_and_a_hold_there_a_note(level: str, unset: str) -> None:
    both = [Inherited(option="@sentry_epoch", level=level), Inherited(option="@sentry_hold", level=level)]
    fence, hold = tmux.inherited("nas", ADDRESS, both)
    assert (fence.level, fence.fix) == (Level.PROBLEM, f"on nas: tmux -S '/tmp/a b' {unset} @sentry_epoch")
    by_us = "tmux-sentry unpause --host nas"
    assert hold.level is Level.NOTE
    # Our own command takes back only what our own command set.
    assert hold.fix == (by_us if level == "-g" else f"on nas: tmux -S '/tmp/a b' {unset} @sentry_hold")


def test_panes_of_another_instance_are_told_by_their_owner() -> None:
    panes = [pane(1, "mine@vm"), pane(2, "other@vm"), pane(3), pane(4, "other@vm"), pane(5, "\x1b]0;x\x07y")]
    found = list(tmux.owners("nas", panes, "mine"))
    assert [one.level for one in found] == [Level.NOTE] * 2
    assert found[0].what == "nas: %2, %4 owned by another instance (other@vm)"
    assert "run --take-over" in found[0].fix
    assert "\x1b" not in found[1].what
    # A lost database owns nothing.
    assert len(list(tmux.owners("nas", panes, ""))) == 3


def test_a_paused_pane_is_told_unless_the_whole_server_is() -> None:
    panes = [pane(1), pane(2, hold=True)]
    (found,) = tmux.holds("nas", panes, [Inherited(option="@sentry_epoch", level="-g")])
    assert (found.level, found.fix) == (Level.NOTE, "tmux-sentry unpause %2 --host nas")
    assert list(tmux.holds("nas", panes, [Inherited(option="@sentry_hold", level="-g")])) == []


def test_clients_of_a_run_that_is_gone_are_a_problem_and_unknown_ones_a_note() -> None:
    assert list(tmux.clients("nas", {7, 8, 9}, {7, 8, 10}, running=True)) == []
    left, other = tmux.clients("nas", {7, 8, 9}, {7, 8, 10}, running=False)
    assert (left.level, other.level) == (Level.PROBLEM, Level.NOTE)
    assert left.fix.endswith("on nas: kill 7 8")
    assert "kill 9 there" in other.fix
    assert "2 control clients (pid 7, 8)" in left.what
    assert list(tmux.clients("nas", set(), {7}, running=False)) == []


def test_many_panes_are_cut() -> None:
    panes = [replace(pane(number), owner="other@vm") for number in range(20)]
    (found,) = tmux.owners("nas", panes, "mine")
    assert "and 12 more" in found.what
