"""A pane that is not as it was when the send was decided gets nothing, and people read why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tmux_sentry.testing.desk import Desk
from tmux_sentry.testing.tmux_server import SHELL, running_server
from tmux_sentry.tmux.control_client import ControlClient
from tmux_sentry.tmux.guard import Outcome, Word, adopt, paste, press
from tmux_sentry.tmux.inventory import list_panes
from tmux_sentry.transport.local import LocalTransport


def test_text_that_someone_has_half_typed_is_never_submitted(desk: Desk) -> None:
    expect = desk.expect()
    desk.server.send(desk.pane, "rm -rf ./build ")
    desk.server.wait(lambda: "./build" in desk.server.screen(desk.pane), "the text")
    outcome = paste(desk.client, expect, "echo PLANNED", 1, enter=True)
    assert outcome == Outcome(
        word=Word.REFUSED,
        reasons=("someone is typing or the screen moved (cursor 17,0, expected 2,0)",),
        marker="0",
    )
    assert desk.server.screen(desk.pane) == "$ rm -rf ./build"
    assert desk.buffers() == ""


REFUSALS = {
    "copy mode": ("copy-mode -t {pane}", "the pane is in copy mode"),
    "input off": ("select-pane -d -t {pane}", "the pane's input is off"),
    "synchronized panes": ("set-option -w -t {pane} synchronize-panes on", "all panes of the window"),
    "a hold everywhere": ("set-option -g @sentry_hold 1", "held by @sentry_hold"),
    "a hold of the session": ("set-option -t {pane} @sentry_hold on", "held by @sentry_hold"),
    "a hold of the window": ("set-option -w -t {pane} @sentry_hold 1", "held by @sentry_hold"),
    "a hold of the pane": ("set-option -p -t {pane} @sentry_hold 1", "held by @sentry_hold"),
    "a later send": ("set-option -p -t {pane} @sentry_last 9", "another send went first (marker 9, expected 0)"),
    "no marker": ("set-option -p -u -t {pane} @sentry_last", "another send went first (marker ?, expected 0)"),
    "a hostile marker": ("set-option -p -t {pane} @sentry_last 0/SENT", "(marker x, expected 0)"),
    "a marker like ours": ("set-option -p -t {pane} @sentry_last 00", "(marker 00, expected 0)"),
    "another owner": (
        "set-option -p -t {pane} @sentry_epoch 2",
        "another instance owns the pane (epoch 2, expected 1)",
    ),
    "no epoch": ("set-option -p -u -t {pane} @sentry_epoch", "another instance owns the pane (epoch ?, expected 1)"),
    "a respawned pane": ("respawn-pane -k -t {pane} bash", "the pane was respawned (process"),
}


@pytest.mark.parametrize("enter", [True, False])
@pytest.mark.parametrize(("change", "reason"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_pane_that_changed_gets_nothing(desk: Desk, change: str, reason: str, enter: bool) -> None:
    expect = desk.expect()
    desk.server.run(*change.format(pane=desk.pane).split())
    marker = desk.server.show(desk.pane, "#{@sentry_last}")
    for outcome in (
        paste(desk.client, expect, "echo PLANNED", 1, enter=enter),
        press(desk.client, expect, ("P", "Enter"), 1),
    ):
        assert outcome.word is Word.REFUSED
        assert any(reason in said for said in outcome.reasons), outcome.reasons
    assert desk.server.show(desk.pane, "#{@sentry_last}") == marker
    assert desk.buffers() == ""
    # What is typed last is seen last: nothing of the refused text came before it.
    desk.server.run("set-option", "-w", "-t", desk.pane, "synchronize-panes", "off")
    desk.server.run("select-pane", "-e", "-t", desk.pane)
    desk.server.run("if-shell", "-F", "-t", desk.pane, "#{pane_in_mode}", f"send-keys -t {desk.pane} -X cancel")
    desk.server.send(desk.pane, "echo la''st", "Enter")
    desk.server.wait(lambda: "\nlast" in desk.server.screen(desk.pane), "the last word")
    assert "P" not in desk.server.screen(desk.pane)


def test_the_global_release_value_is_no_hold(desk: Desk) -> None:
    desk.server.run("set-option", "-g", "@sentry_hold", "0")
    assert press(desk.client, desk.expect(), ("Space",), 1).word is Word.SENT


def test_another_program_in_the_foreground_gets_nothing(desk: Desk) -> None:
    expect = desk.expect()
    desk.server.send(desk.pane, "cat", "Enter")
    desk.server.wait(lambda: desk.expect().command == "cat", "cat")
    expect = replace(desk.expect(), command=expect.command)  # all else is as expected
    outcome = paste(desk.client, expect, "echo PLANNED", 1, enter=True)
    assert outcome.reasons == ("another program is in the foreground (expected bash)",)
    assert "PLANNED" not in desk.server.screen(desk.pane)


def test_a_dead_pane_gets_nothing(desk: Desk) -> None:
    expect = desk.expect()
    desk.server.run("set-option", "-g", "remain-on-exit", "on")
    desk.server.send(desk.pane, "exit", "Enter")
    desk.server.wait(lambda: desk.server.show(desk.pane, "#{pane_dead}") == "1", "the pane's end")
    outcome = paste(desk.client, expect, "echo PLANNED", 1, enter=True)
    assert outcome.word is Word.REFUSED
    assert "the pane is dead" in outcome.reasons
    assert desk.buffers() == ""


def test_a_pane_that_is_gone_does_not_mean_the_active_one(desk: Desk) -> None:
    other = desk.server.run("split-window", "-P", "-F", "#{pane_id}", "-t", desk.pane, SHELL)
    desk.server.wait_prompt(other)
    expect = desk.expect()
    desk.server.run("kill-pane", "-t", desk.pane)
    outcome = paste(desk.client, expect, "echo PLANNED", 1, enter=True)
    assert outcome == Outcome(word=Word.REFUSED, reasons=(f"pane {desk.pane} is gone",))
    assert desk.server.screen(other) == "$"
    assert desk.buffers() == ""


def test_the_same_pane_id_on_another_server_gets_nothing(desk: Desk) -> None:
    with running_server() as second:
        pane = second.new_session(command=SHELL)
        second.wait_prompt(pane)
        assert pane == desk.pane
        client = ControlClient(LocalTransport("here"), second.address)
        client.start()
        mine = list_panes(client).panes[0].identity
        adopt(client, mine, "me", 1, 0)
        outcome = paste(client, desk.expect(), "echo PLANNED", 1, enter=True)
        assert outcome == Outcome(
            word=Word.REFUSED, reasons=("this is another tmux server than the one that was addressed",)
        )
        assert second.screen(pane) == "$"
        client.close()


@pytest.mark.parametrize("field", ["host", "server_pid", "server_start", "pane_pid", "pane_id"])
def test_each_part_of_the_identity_counts(desk: Desk, field: str) -> None:
    expect = desk.expect()
    # tmux evaluates the active pane for a pane id that does not exist, and here all else is true of that one.
    is_now = getattr(expect.identity, field)
    wrong: Any = {"pane_id": "%99", "host": "nas"}.get(field) or is_now + 1
    other = replace(expect.identity, **{field: wrong})
    assert paste(desk.client, replace(expect, identity=other), "echo PLANNED", 1, enter=True).word is Word.REFUSED
    assert desk.server.screen(desk.pane) == "$"


@pytest.mark.parametrize("cursor", [(3, 0), (2, 1)])
def test_column_and_row_count(desk: Desk, cursor: tuple[int, int]) -> None:
    outcome = press(desk.client, replace(desk.expect(), cursor=cursor), ("Enter",), 1)
    assert outcome.reasons == (f"someone is typing or the screen moved (cursor 2,0, expected {cursor[0]},{cursor[1]})",)


def test_every_difference_is_named(desk: Desk) -> None:
    expect = desk.expect()
    desk.server.run("set-option", "-g", "@sentry_hold", "1")
    desk.server.run("copy-mode", "-t", desk.pane)
    outcome = paste(desk.client, replace(expect, epoch=3, cursor=(9, 9)), "x", 1, enter=True)
    assert len(outcome.reasons) == 4


@pytest.mark.parametrize("command", ["", "a b", "bash,", "}", "#{pane_current_command}"])
def test_a_program_whose_name_cannot_be_compared_gets_nothing(desk: Desk, command: str) -> None:
    outcome = paste(desk.client, replace(desk.expect(), command=command), "echo PLANNED", 1, enter=True)
    assert outcome.word is Word.REFUSED
    assert "can not be compared" in outcome.reasons[0]
    assert desk.server.screen(desk.pane) == "$"
