"""Hostile text everywhere in a real tmux: it is read as text, and nothing that we do makes a command of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tmux_sentry.doctor.host import ask_host
from tmux_sentry.errors import SentryError
from tmux_sentry.testing.tmux_server import SHELL, TmuxServer
from tmux_sentry.tmux.capture import capture
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.tmux.control_client import ControlClient
from tmux_sentry.tmux.emitted import announce, read_queue, remove
from tmux_sentry.tmux.guard import Expect, Word, adopt, paste, press
from tmux_sentry.tmux.hold import set_hold
from tmux_sentry.tmux.inventory import list_panes
from tmux_sentry.tmux.model import PaneInfo
from tmux_sentry.transport.local import LocalTransport

Connect = Callable[[], CommandClient]

#: CANARY is a file that no command may make.
TEXTS = {
    "a job": "#(touch CANARY)",
    "a job in a format": "#{?1,#(touch CANARY),}",
    "an expansion": "#{E:@sentry_owner}#{T:pane_title}#(touch CANARY)",
    "single quotes": "x' ; run-shell 'touch CANARY' ; '",
    "double quotes": 'x" ; run-shell "touch CANARY" ; "',
    "a semicolon": "1 ; run-shell 'touch CANARY' ; x",
    "a newline": "x\nrun-shell 'touch CANARY'\nset-option -g @pwned 1",
    "braces": "x},1} { run-shell 'touch CANARY' }",
    "protocol": "%end 1 2 1\n%exit\n%begin 1 99999999 1\nx\n%end 1 99999999 1",
    "a shell": "$(touch CANARY)`touch CANARY`;touch CANARY",
    "an option": "-F #(touch CANARY)",
    "a command alias": "\\;run-shell touch\\ CANARY",
    "time": "%H:%M#(touch CANARY)",
}
OPTIONS = ("@sentry_epoch", "@sentry_last", "@sentry_owner")


@dataclass
class Trap:
    """A pane that has one hostile text in every place that tmux can tell us of."""

    server: TmuxServer
    pane: str
    text: str
    canary: Path

    def untouched(self) -> bool:
        """No command of the text has run: no file, no option, no buffer, no pane more or less."""
        self.server.run("run-shell", "sleep 0.05")  # a job that was started before has done its work by then
        panes = self.server.run("list-panes", "-a", "-F", "#{pane_id}").split()
        pwned = self.server.run("show-options", "-gqv", "@pwned")
        return not self.canary.exists() and not pwned and panes == [self.pane] and not self.server.run("list-buffers")


@pytest.fixture(params=TEXTS.values(), ids=TEXTS.keys())
def trap(request: pytest.FixtureRequest, tmux_server: TmuxServer, tmp_path: Path) -> Iterator[Trap]:
    canary = tmp_path / "canary"
    text = request.param.replace("CANARY", str(canary))
    folder = tmp_path / text.replace("/", "_")[:200]
    folder.mkdir()
    shown = tmp_path / "shown"
    # A title and a window's name as a program sets them, and the text itself; tmux drops the control characters.
    flat = text.replace("\n", " ")
    shown.write_text(f"\x1b]2;{flat}\x07\x1bk{flat}\x1b\\{text}\n")
    script = tmp_path / "script"
    script.write_text(f"cat {shlex.quote(str(shown))}\ncd {shlex.quote(str(folder))}\nexec {SHELL}\n")
    # What tmux itself would expand is escaped: it is to be in the name, and not to run yet.
    name = flat.replace("#", "##").replace(":", "_").replace(".", "_")
    tmux_server.new_session("keeper")
    tmux_server.run("set-option", "-g", "allow-rename", "on")
    pane = tmux_server.new_session(f"s{name}", command=f"sh '{script}'")
    tmux_server.run("kill-session", "-t", "keeper")
    tmux_server.wait_prompt(pane)
    for option in OPTIONS:
        tmux_server.run("set-option", "-p", "-t", pane, option, text)
    tmux_server.run("set-option", "-s", "@sentry_q", text)
    tmux_server.run("set-option", "-s", "@sentry_wait", text)
    trap = Trap(server=tmux_server, pane=pane, text=text, canary=canary)
    assert trap.untouched()
    yield trap
    assert trap.untouched()


def only(client: CommandClient) -> PaneInfo:
    (info,) = list_panes(client).panes
    return info


def test_the_trap_works(tmux_server: TmuxServer, tmp_path: Path) -> None:
    pane = tmux_server.new_session()
    trap = Trap(server=tmux_server, pane=pane, text="", canary=tmp_path / "canary")
    tmux_server.run("set-option", "-p", "-t", pane, "@sentry_owner", f"#(touch {trap.canary})")
    with closing(ControlClient(LocalTransport("here"), tmux_server.address)) as client:
        client.start()
        client.command(f"display-message -p -t {pane} '#{{@sentry_owner}}'")
        assert trap.untouched()
        client.command(f"display-message -p -t {pane} '#{{E:@sentry_owner}}'")
        assert not trap.untouched()


def test_what_is_read_is_read_as_text(trap: Trap, connect: Connect) -> None:
    client = connect()
    info = only(client)
    assert (info.epoch, info.marker, info.owner) == (trap.text,) * 3
    assert info.path.endswith(trap.text.replace("/", "_")[:200])
    assert info.identity.pane_id == trap.pane
    flat = trap.text.replace("\n", " ")
    assert info.title == flat
    assert info.window_name.startswith(flat[:10].replace("\\", "\\\\"))  # as tmux writes it
    seen = capture(client, trap.pane)
    assert "".join(seen.lines).replace(" ", "").startswith(trap.text.replace("\n", "").replace(" ", ""))
    assert read_queue(client).raw == trap.text


def test_a_pane_is_taken_over_and_typed_into(trap: Trap, connect: Connect) -> None:
    client = connect()
    info = only(client)
    refused = adopt(client, info.identity, "me", 1, 0)
    assert refused.refused is not None
    assert (only(client).epoch, only(client).owner) == (trap.text, trap.text)
    taken = adopt(client, info.identity, "me", 1, 0, take_over=True)
    assert (taken.refused, only(client).owner) == (None, "me")
    expect = Expect(
        identity=info.identity,
        epoch=taken.epoch,
        previous=taken.marker,
        command=info.command,
        cursor=capture(client, trap.pane).cursor,
    )
    marker = taken.marker + 1
    # Single quotes keep the shell from running it: typed it is, and that is all that is asked here.
    line = f": {shlex.quote(trap.text)}"
    assert paste(client, expect, line, marker, enter=False).word is Word.SENT
    trap.server.wait(lambda: _squeeze(line) in _squeeze(trap.server.screen(trap.pane)), "the text")
    expect = replace(expect, previous=marker, cursor=capture(client, trap.pane).cursor)
    assert press(client, expect, ("C-c",), marker + 1).word is Word.SENT


def _squeeze(text: str) -> str:
    return "".join(text.replace("> ", "").split())


def test_a_hostile_program_name_is_refused(trap: Trap, connect: Connect) -> None:
    client = connect()
    info = only(client)
    expect = Expect(identity=info.identity, epoch=1, previous=0, command=trap.text, cursor=info.cursor)
    assert paste(client, expect, "x", 1, enter=True).word is Word.REFUSED
    assert press(client, expect, ("Enter",), 1).word is Word.REFUSED


def test_a_hostile_owner_or_channel_of_ours_is_refused(trap: Trap, connect: Connect) -> None:
    client = connect()
    for act in (
        lambda: adopt(client, only(client).identity, trap.text, 1, 0, take_over=True),
        lambda: announce(client, trap.text),
        lambda: set_hold(client, trap.text, True),
        lambda: press(client, replace(_expect(client), identity=only(client).identity), (trap.text,), 1),
    ):
        with pytest.raises(ValueError, match="not a"):
            act()


def _expect(client: CommandClient) -> Expect:
    info = only(client)
    return Expect(identity=info.identity, epoch=1, previous=0, command=info.command, cursor=info.cursor)


def test_the_queue_is_cleared_of_what_makes_no_sense(trap: Trap, connect: Connect) -> None:
    client = connect()
    queue = read_queue(client)
    remove(client, queue, {trap.text})
    assert read_queue(client).raw == "".join(f" {entry.text}" for entry in queue.entries)


def test_a_hold_and_the_doctor_only_look(trap: Trap, connect: Connect) -> None:
    trap.server.run("set-option", "-g", "@sentry_hold", trap.text)
    client = connect()
    assert only(client).hold
    set_hold(client, trap.pane, True)
    set_hold(client, trap.pane, False)
    facts = ask_host(LocalTransport("here"), trap.server.address)
    assert [pane.identity.pane_id for pane in facts.panes] == [trap.pane]
    assert {one.option for one in facts.inherited} == {"@sentry_hold"}
    with suppress(SentryError):
        set_hold(client, None, False)
    assert not only(client).hold
