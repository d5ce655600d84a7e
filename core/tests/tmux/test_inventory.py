"""The list of panes, with everything in it that a hostile program can choose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tmux_sentry.testing.tmux_server import SHELL, TmuxServer
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.tmux.hold import set_hold
from tmux_sentry.tmux.inventory import list_panes
from tmux_sentry.tmux.model import PaneInfo

Connect = Callable[[], CommandClient]


def only(client: CommandClient) -> PaneInfo:
    (pane,) = list_panes(client).panes
    return pane


def test_one_pane_is_described_as_tmux_knows_it(tmux_server: TmuxServer, connect: Connect, tmp_path: Path) -> None:
    pane = tmux_server.new_session("work", "agent:codex-ci", f"cd '{tmp_path}'; exec {SHELL}", width=100, height=30)
    tmux_server.wait_prompt(pane)
    inventory = list_panes(connect())
    (info,) = inventory.panes
    assert inventory.server_pid == tmux_server.pid == info.identity.server_pid
    assert inventory.server_start == int(tmux_server.show(pane, "#{start_time}")) == info.identity.server_start
    assert inventory.version == tmux_server.show(pane, "#{version}")
    assert inventory.pane(pane) == info
    assert inventory.pane("%99") is None
    assert (info.identity.host, info.identity.pane_id) == ("here", pane)
    assert info.identity.pane_pid == int(tmux_server.show(pane, "#{pane_pid}"))
    assert (info.name, info.session_id, info.window_id) == ("work:agent:codex-ci.0", "$0", "@0")
    assert (info.command, info.path, info.cursor) == ("bash", str(tmp_path), (2, 0))
    assert (info.width, info.height) == (100, 30)
    assert (info.epoch, info.marker, info.owner, info.hold) == ("", "", "", False)
    assert info.is_shell


@pytest.mark.parametrize(
    ("arrange", "field", "value"),
    [
        ("copy-mode -t {pane}", "in_mode", True),
        ("select-pane -d -t {pane}", "input_off", True),
        ("set-option -w -t {pane} synchronize-panes on", "synchronized", True),
        ("set-option -p -t {pane} @sentry_epoch 7", "epoch", "7"),
        ("set-option -p -t {pane} @sentry_last 41", "marker", "41"),
        ("set-option -p -t {pane} @sentry_owner me@nas", "owner", "me@nas"),
        ("set-option -p -t {pane} @sentry_hold 1", "hold", True),
        ("set-option -w -t {pane} @sentry_hold yes", "hold", True),
        ("set-option -t {pane} @sentry_hold 1", "hold", True),
        ("set-option -g @sentry_hold 1", "hold", True),
        ("set-option -s @sentry_hold 1", "hold", True),
        ("set-option -g @sentry_hold 0", "hold", False),
    ],
)
def test_a_pane_s_state_shows(
    tmux_server: TmuxServer, connect: Connect, arrange: str, field: str, value: object
) -> None:
    pane = tmux_server.new_session()
    client = connect()
    assert getattr(only(client), field) != value or value is False
    tmux_server.run(*arrange.format(pane=pane).split())
    assert getattr(only(client), field) == value


def test_a_dead_pane_tells_its_status(tmux_server: TmuxServer, connect: Connect) -> None:
    tmux_server.new_session("keep")
    tmux_server.run("set-option", "-g", "remain-on-exit", "on")
    pane = tmux_server.new_session("dead", command="exit 3")
    client = connect()

    def has_status() -> bool:
        # tmux notices the end of the output before it has the status. On a busy machine tmux 3.3a sometimes leaves the
        # process unreaped until another child of its ends, so one does.
        tmux_server.run("run-shell", "-b", "true")
        return tmux_server.show(pane, "#{pane_dead_status}") == "3"

    tmux_server.wait(has_status, "the pane's end")
    info = list_panes(client).pane(pane)
    assert info is not None
    assert (info.dead, info.dead_status) == (True, 3)


def test_the_alternate_screen_shows(tmux_server: TmuxServer, connect: Connect) -> None:
    tmux_server.new_session(command="printf '\\033[?1049h'; sleep 60")
    client = connect()
    tmux_server.wait(lambda: only(client).alternate, "the alternate screen")


def test_a_directory_name_cannot_forge_a_pane(tmux_server: TmuxServer, connect: Connect, tmp_path: Path) -> None:
    hostile = tmp_path / "a\nb\n123|456|%99|$0|%exit\n%end 1 2 1\n<>|#{pane_id}#(id)'\""
    hostile.mkdir()
    (tmp_path / "name").write_text(str(hostile))
    tmux_server.new_session(command=f"cd \"$(cat '{tmp_path}/name')\"; exec sleep 60")
    client = connect()
    tmux_server.wait(lambda: only(client).path.endswith("\n<>|#{pane_id}#(id)'\""), "the directory")
    assert only(client).path == str(hostile)
    assert client.alive


@pytest.mark.parametrize(
    "title", ["a\tb|c\t%99", "中文 🚀", "#{pane_id}#(touch /tmp/x)#[fg=red]", "a;b'c\"d\\e", "%H:%M %end 1 2 1"]
)
def test_a_title_comes_as_it_is_and_runs_nothing(tmux_server: TmuxServer, connect: Connect, title: str) -> None:
    file = f"{tmux_server.directory}/title"
    Path(file).write_bytes(b"\033]2;" + title.encode() + b"\007")
    tmux_server.new_session(command=f"cat {file}; sleep 60")
    client = connect()
    tmux_server.wait(lambda: only(client).title == title.replace("\t", ""), "the title " + repr(only(client).title))


def test_an_option_cannot_forge_a_pane(tmux_server: TmuxServer, connect: Connect) -> None:
    pane = tmux_server.new_session()
    client = connect()
    hostile = "x\n%exit\n%end 1 2 1\nrow|row <>"
    tmux_server.run("set-option", "-p", "-t", pane, "@sentry_owner", hostile)
    assert only(client).owner == hostile
    assert client.alive


def test_a_pane_in_several_sessions_is_listed_once(tmux_server: TmuxServer, connect: Connect) -> None:
    first = tmux_server.new_session("zulu", "one")
    second = tmux_server.new_session("alpha", "two")
    tmux_server.run("new-session", "-d", "-t", "zulu", "-s", "aaa-group")
    tmux_server.run("link-window", "-s", "zulu:0", "-t", "alpha:5")
    panes = list_panes(connect()).panes
    assert {(pane.identity.pane_id, pane.session_name) for pane in panes} == {(first, "zulu"), (second, "alpha")}
    assert len(panes) == 2


def test_a_hold_of_any_of_its_sessions_holds_a_pane(tmux_server: TmuxServer, connect: Connect) -> None:
    tmux_server.new_session("zulu", "one")
    tmux_server.run("new-session", "-d", "-t", "zulu", "-s", "group")
    tmux_server.run("set-option", "-t", "group", "@sentry_hold", "1")
    assert only(connect()).hold


def test_hold_and_release(tmux_server: TmuxServer, connect: Connect) -> None:
    pane = tmux_server.new_session()
    client = connect()
    steps = ((pane, True, True), (pane, False, False), (None, True, True), (pane, False, True), (None, False, False))
    for where, on, held in steps:
        set_hold(client, where, on)
        assert only(client).hold is held
