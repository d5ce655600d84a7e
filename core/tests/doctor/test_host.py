"""Asking a real tmux server."""

from __future__ import annotations

from contextlib import closing

import pytest

from tmux_sentry.doctor import host
from tmux_sentry.doctor.host import HostFacts, Inherited, ask_host
from tmux_sentry.errors import NoServer, TmuxMissing
from tmux_sentry.testing.tmux_server import TmuxServer
from tmux_sentry.tmux.exec_client import ExecClient
from tmux_sentry.tmux.model import TmuxAddress
from tmux_sentry.tmux.version import Ability
from tmux_sentry.transport.local import LocalTransport


def ask(server: TmuxServer) -> HostFacts:
    with closing(LocalTransport("here")) as transport:
        return ask_host(transport, server.address)


def test_a_clean_server_has_nothing_of_ours(tmux_server: TmuxServer) -> None:
    pane = tmux_server.new_session()
    facts = ask(tmux_server)
    assert facts.error is None
    assert [one.identity.pane_id for one in facts.panes] == [pane]
    assert (facts.inherited, facts.clients, facts.focus_events) == ((), frozenset(), False)
    assert facts.version.startswith("tmux ")
    assert facts.offset is not None
    assert abs(facts.offset) < 5
    # What asked has left.
    tmux_server.wait(lambda: tmux_server.run("list-clients") == "", "the end of the client")


def test_focus_events_are_seen(tmux_server: TmuxServer) -> None:
    tmux_server.new_session()
    tmux_server.run("set-option", "-s", "focus-events", "on")
    assert ask(tmux_server).focus_events


def test_options_above_the_panes_are_found_at_every_level(
    tmux_server: TmuxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tmux_server.new_session("one")
    tmux_server.new_session("two")
    session, window = tmux_server.show(first, "#{session_id} #{window_id}").split()
    for flags, option in (
        (["-s"], "@sentry_owner"),
        (["-g"], "@sentry_epoch"),
        (["-gw"], "@sentry_last"),
        (["-t", session], "@sentry_hold"),
        (["-w", "-t", window], "@sentry_epoch"),
    ):
        tmux_server.run("set-option", *flags, option, "1")
    # A pane's own options are how it should be; others' options are none of ours.
    tmux_server.run("set-option", "-p", "-t", first, "@sentry_owner", "x")
    tmux_server.run("set-option", "-g", "@sentry_epochs", "1")
    expected = {
        Inherited(option="@sentry_owner", level="-s"),
        Inherited(option="@sentry_epoch", level="-g"),
        Inherited(option="@sentry_last", level="-gw"),
        Inherited(option="@sentry_hold", level=f"-t '{session}'"),
        Inherited(option="@sentry_epoch", level=f"-w -t {window}"),
    }
    facts = ask(tmux_server)
    assert set(facts.inherited) == expected
    assert len(facts.inherited) == len(expected)
    # However many levels go into one line.
    monkeypatch.setattr(host, "_CHUNK", 2)
    assert set(ask(tmux_server).inherited) == expected


def test_an_old_tmux_is_asked_in_the_same_way(tmux_server: TmuxServer) -> None:
    pane = tmux_server.new_session()
    tmux_server.run("set-option", "-g", "@sentry_epoch", "1")
    tmux_server.run("set-option", "-w", "-t", pane, "@sentry_last", "1")
    window = tmux_server.show(pane, "#{window_id}")
    client = ExecClient(LocalTransport("here"), tmux_server.address, Ability.TYPE)
    client.start()
    panes = host.list_panes(client).panes
    assert list(host._inherited(client, panes)) == [
        Inherited(option="@sentry_epoch", level="-g"),
        Inherited(option="@sentry_last", level=f"-w -t {window}"),
    ]


def test_only_clients_like_ours_are_told(tmux_server: TmuxServer) -> None:
    tmux_server.new_session()
    argv = tmux_server.address.argv()
    with closing(LocalTransport("here")) as transport:
        ours = transport.open([*argv, "-C", "attach", "-f", "no-output,ignore-size"])
        transport.open([*argv, "-C", "attach"])
        tmux_server.wait(lambda: len(tmux_server.run("list-clients").splitlines()) == 2, "two clients")
        assert ask(tmux_server).clients == {ours.pid}


def test_a_server_that_is_not_there_is_told_beside_the_version(tmux_server: TmuxServer) -> None:
    facts = ask(tmux_server)
    assert isinstance(facts.error, NoServer)
    assert facts.version.startswith("tmux ")


def test_no_tmux_is_raised() -> None:
    with closing(LocalTransport("here")) as transport, pytest.raises(TmuxMissing):
        ask_host(transport, TmuxAddress(command="no-such-tmux"))
