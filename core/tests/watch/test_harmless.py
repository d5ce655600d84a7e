"""Watching is never felt by the people attached to the same tmux, and leaves nothing of ours behind."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.contracts import PaneClosed
from tmux_sentry.testing.desk import Desk
from tmux_sentry.tmux.guard import Expect, Word, adopt, paste, press
from tmux_sentry.watch.events import HostDown, Inventoried
from tmux_sentry.watch.watcher import Watcher

Begin = Callable[..., Watcher]
IDLE = "sleep 1000"

PEOPLE = {
    "nobody": [],
    "one person": [(100, 30)],
    "two people with terminals of different size": [(100, 30), (140, 50)],
}

#: Notes its terminal's size whenever it is told that it changed.
FEELS = """\
import os, signal, sys, time

def note(*_):
    with open(sys.argv[1], "a") as felt:
        felt.write(f"{time.monotonic()} %dx%d\\n" % os.get_terminal_size())

signal.signal(signal.SIGWINCH, note)
note()
while True:
    signal.pause()
"""


class Felt:
    """A program in a pane that feels each change of its terminal's size."""

    def __init__(self, server: Any) -> None:
        self._server, self._log = server, Path(server.directory / "felt")
        script = server.directory / "feels.py"
        script.write_text(FEELS)
        self.command = f"exec {sys.executable} {script} {self._log}"

    @property
    def changes(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []

    def settle(self, pane: str) -> None:
        """Wait until it knows the pane's size, and nothing has come since for a while."""
        size = "#{pane_width}x#{pane_height}"

        def settled() -> bool:
            at, known = (self.changes or ["inf -"])[-1].split()
            return known == self._server.show(pane, size) and time.monotonic() - float(at) > 0.7

        self._server.wait(settled, f"the size of {pane}")


@pytest.fixture
def felt(tmux_server: Any) -> Felt:
    return Felt(tmux_server)


def sizes(server: Any) -> list[str]:
    return server.run(
        "list-panes", "-a", "-F",
        "#{session_name} #{window_id} #{window_width}x#{window_height} #{pane_id} #{pane_width}x#{pane_height}",
    ).splitlines()  # fmt: skip


def window(server: Any, pane: str) -> str:
    return server.show(pane, "#{window_width}x#{window_height}")


def wait_inventories(log: Any, count: int = 3) -> None:
    before = len(log.all(Inventoried))
    log.wait(lambda: len(log.all(Inventoried)) >= before + count, f"{count} more inventories")


# ------------------------------------------------------------------------------- what is seen


@pytest.mark.parametrize("terminals", PEOPLE.values(), ids=PEOPLE.keys())
def test_no_window_changes_its_size_and_nothing_is_drawn(
    tmux_server: Any, log: Any, watch: Begin, human: Any, felt: Felt, terminals: list[tuple[int, int]]
) -> None:
    pane = tmux_server.new_session("work", command=felt.command)
    tmux_server.run("set-option", "-g", "status-interval", "0")
    split = tmux_server.run("split-window", "-d", "-P", "-F", "#{pane_id}", "-t", "work", IDLE)
    other = tmux_server.new_session("other", command=IDLE)
    people = [human("-t", "work", columns=columns, rows=rows) for columns, rows in terminals]
    if terminals:
        columns, rows = terminals[-1]
        tmux_server.wait(lambda: window(tmux_server, pane) == f"{columns}x{rows - 1}", "the person's size")
    felt.settle(pane)
    before, changes, drawn = sizes(tmux_server), felt.changes, [person.drawn for person in people]

    watcher = watch(interval=0.2)
    for each in (pane, split, other):
        log.wait_ready(each)
    wait_inventories(log)
    assert sizes(tmux_server) == before
    watcher.stop()
    assert sizes(tmux_server) == before
    felt.settle(pane)
    assert felt.changes == changes
    assert [person.drawn for person in people] == drawn


def test_a_shared_window_that_nobody_looks_at_keeps_its_size(
    tmux_server: Any, log: Any, watch: Begin, human: Any
) -> None:
    """It would take the person's size as soon as anyone attached to the other session, where it is in front."""
    seen = tmux_server.new_session("work", command=IDLE)
    shared = tmux_server.run("new-window", "-d", "-P", "-F", "#{pane_id}", "-t", "work:7", IDLE)
    tmux_server.new_session("other", command=IDLE)
    tmux_server.run("link-window", "-s", "work:7", "-t", "other:7")
    tmux_server.run("select-window", "-t", "other:7")
    before = window(tmux_server, shared)
    human("-t", "work", columns=100, rows=30)
    tmux_server.wait(lambda: window(tmux_server, seen) == "100x29", "the person's size")
    assert window(tmux_server, shared) == before

    watch(want=lambda info: info.identity.pane_id == seen, interval=0.2)
    log.wait_ready(seen)
    wait_inventories(log)
    assert window(tmux_server, shared) == before


def test_a_window_takes_the_size_of_who_types_and_of_who_stays_as_ever(
    tmux_server: Any, log: Any, watch: Begin, human: Any
) -> None:
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    small, large = human(columns=100, rows=30), human(columns=140, rows=50)
    tmux_server.wait(lambda: window(tmux_server, pane) == "140x49", "the size of the one who came last")
    watcher = watch(interval=0.2)
    log.wait_ready(pane)
    small.type("echo ty''ped\r")
    tmux_server.wait(lambda: window(tmux_server, pane) == "100x29", "the size of the one who types")
    log.wait_line(pane, "typed")
    assert log.lines(pane).count("typed") == 1
    large.type("\r")
    tmux_server.wait(lambda: window(tmux_server, pane) == "140x49", "the size of the other who types")
    large.detach()
    tmux_server.wait(lambda: window(tmux_server, pane) == "100x29", "the size of the one who stays")
    small.detach()
    wait_inventories(log)
    assert window(tmux_server, pane) == "100x29"
    watcher.stop()
    assert window(tmux_server, pane) == "100x29"


# ----------------------------------------------------------------------------- what is left


def everything(server: Any) -> dict[str, str]:
    """What a person could find changed in their tmux, by the command that shows it."""

    def ids(command: str, field: str) -> list[str]:
        return server.run(command, *([] if command == "list-sessions" else ["-a"]), "-F", field).split()

    names = "#{session_id} #{session_name} #{session_group} #{session_attached}"
    panes = "#{session_id} #{window_id} #{window_name} #{window_layout} #{pane_id} #{pane_pid} #{pane_title}"
    commands = [
        ["show-options", "-s"], ["show-options", "-g"], ["show-options", "-gw"], ["show-hooks", "-g"],
        ["show-hooks", "-gw"], ["show-environment", "-g"], ["list-keys"], ["list-buffers"],
        ["list-clients", "-F", "#{client_name} #{client_session} #{client_flags}"],
        ["list-sessions", "-F", names],
        ["list-panes", "-a", "-F", f"{panes} #{{pane_mode}} #{{pane_pipe}} #{{pane_input_off}} #{{pane_marked}}"],
    ]  # fmt: skip
    for session in ids("list-sessions", "#{session_id}"):
        commands += [["show-options", "-t", session], ["show-hooks", "-t", session]]
    for each in ids("list-windows", "#{window_id}"):
        commands += [["show-options", "-w", "-t", each], ["show-hooks", "-w", "-t", each]]
    for pane in ids("list-panes", "#{pane_id}"):
        commands += [["show-options", "-p", "-t", pane], ["show-hooks", "-p", "-t", pane]]
    return {" ".join(command): server.run(*command) for command in commands}


@pytest.fixture
def furnished(tmux_server: Any, human: Any) -> str:
    """A tmux as people have it: their options, a hook, a buffer, a linked window; the pane of a shell."""
    pane = tmux_server.new_session("work")
    tmux_server.wait_prompt(pane)
    tmux_server.new_session("other")
    tmux_server.run("link-window", "-d", "-s", "other:main", "-t", "work:7")
    tmux_server.run("set-hook", "-g", "pane-died", "display-message died")
    tmux_server.run("set-option", "-p", "-t", pane, "@theirs", "kept")
    tmux_server.run("set-buffer", "-b", "theirs", "their text")
    person = human("-t", "work")
    # A window of an attached session is resized only when someone looks at it, in whatever session.
    for index, place in (("7", "work:7"), ("0", pane)):
        person.type(f"\x02{index}")
        tmux_server.wait(lambda place=place: window(tmux_server, place) == "100x29", "the person's size")
    return pane


def test_a_clean_stop_leaves_the_server_as_it_was(tmux_server: Any, log: Any, watch: Begin, furnished: str) -> None:
    before = everything(tmux_server)
    watcher = watch(interval=0.2)
    log.wait_ready(furnished)
    watcher.capture(log.identity(furnished), None)
    wait_inventories(log)
    watcher.stop()
    assert everything(tmux_server) == before


def test_after_a_send_only_epoch_marker_and_owner_remain(
    tmux_server: Any, log: Any, watch: Begin, furnished: str
) -> None:
    before = everything(tmux_server)
    watcher = watch(interval=0.2)
    log.wait_ready(furnished)
    desk = Desk.set_up(tmux_server, watcher.client, furnished)
    expect = desk.expect()
    assert paste(watcher.client, expect, "echo se''nt", 1, enter=True).word is Word.SENT
    assert paste(watcher.client, expect, "echo twice", 2, enter=True).word is Word.REFUSED
    log.wait_line(furnished, "sent")
    tmux_server.wait_prompt(furnished)
    watcher.stop()
    after = everything(tmux_server)
    where = f"show-options -p -t {furnished}"
    assert {command for command in after if after[command] != before[command]} == {where}
    assert set(after[where].splitlines()) - set(before[where].splitlines()) == {
        "@sentry_epoch 1",
        "@sentry_last 1",
        "@sentry_owner me",
    }


def test_new_windows_get_the_environment_that_the_person_attached_with(
    tmux_server: Any, log: Any, watch: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tmux copies SSH_AUTH_SOCK, DISPLAY and the like from whoever attaches into the session."""
    monkeypatch.setenv("SSH_AUTH_SOCK", "/their/agent")
    panes = [tmux_server.new_session(name) for name in ("one", "two")]
    monkeypatch.setenv("SSH_AUTH_SOCK", "/ours")
    before = [tmux_server.run("show-environment", "-t", name) for name in ("one", "two")]
    watcher = watch()
    for pane in panes:
        log.wait_ready(pane)
    watcher.stop()
    assert [tmux_server.run("show-environment", "-t", name) for name in ("one", "two")] == before


# ------------------------------------------------------------------------- what people do


def test_a_person_who_attaches_with_d_stays_and_no_line_is_lost(
    tmux_server: Any, log: Any, watch: Begin, human: Any, count: Any
) -> None:
    counting = count("n")
    pane = tmux_server.new_session(command=counting.command + "; exec sleep 1000")
    watch()
    log.wait_ready(pane)
    counting.wait_more(pane)

    def ours() -> set[str]:
        rows = tmux_server.run("list-clients", "-F", "#{client_pid} #{client_control_mode}").splitlines()
        return {row.split()[0] for row in rows if row.endswith(" 1")}

    tmux_server.wait(lambda: len(ours()) == 2, "both of our clients")
    before = ours()
    person = human("-d", "-t", "work")
    tmux_server.wait(lambda: len(ours()) == 2 and not ours() & before, "two new clients of ours")
    counting.wait_more(pane, 50)
    counting.end_once(pane)
    assert person.attached
    assert not log.all(HostDown)
    assert not log.all(PaneClosed)


def test_copy_mode_stays_where_it_is_and_keeps_keys_out(tmux_server: Any, log: Any, watch: Begin, human: Any) -> None:
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    go = tmux_server.directory / "go"
    person = human(columns=100, rows=30)
    person.type(f"seq 300; (until [ -e {go} ]; do sleep 0.02; done; printf '\\nla%s\\n' te) &\r")
    tmux_server.wait(lambda: "\n300\n" in tmux_server.screen(pane), "the numbers")

    def mode() -> str:
        return tmux_server.show(pane, "#{pane_mode} #{scroll_position} #{copy_cursor_x},#{copy_cursor_y}")

    person.type("\x02[")
    tmux_server.wait(lambda: mode().startswith("copy-mode 0 "), "copy mode")
    person.type("\x1b[5~")  # tmux takes keys that come at once for a paste
    tmux_server.wait(lambda: not mode().startswith("copy-mode 0 "), "a page up")
    before = mode()

    watcher = watch(interval=0.2)
    log.wait_ready(pane)
    go.touch()
    log.wait_line(pane, "late")
    identity = log.identity(pane)
    tmux_server.wait(lambda: "late" in watcher.capture(identity, None).lines, "the line in a capture")
    wait_inventories(log)
    assert watcher.pane(identity).in_mode
    assert mode() == before

    adopt(watcher.client, identity, "me", 1, 0)
    seen = watcher.capture(identity)
    expect = Expect(identity=identity, epoch=1, previous=0, command=seen.info.command, cursor=seen.cursor)
    for outcome in (
        paste(watcher.client, expect, "echo PLANNED", 1, enter=True),
        press(watcher.client, expect, ("P", "Enter"), 1),
    ):
        assert outcome.word is Word.REFUSED
        assert outcome.reasons == ("the pane is in copy mode",)
    watcher.stop()
    assert mode() == before

    person.type("q")
    tmux_server.wait(lambda: tmux_server.show(pane, "#{pane_in_mode}") == "0", "the end of copy mode")
    # What is typed last is seen last: nothing of the refused text came before it.
    person.type("echo la''st\r")
    tmux_server.wait(lambda: "\nlast" in tmux_server.screen(pane), "the last word")
    assert "P" not in tmux_server.screen(pane)
