"""Events that processes in panes hand over out of band, on a real tmux."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tmux_sentry.contracts import Emitted, PaneClosed
from tmux_sentry.testing.tmux_server import TmuxServer
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.tmux.control_client import ControlClient
from tmux_sentry.tmux.emitted import LONGEST, QUEUE, read_queue, remove
from tmux_sentry.transport.local import LocalTransport
from tmux_sentry.watch.watcher import Watcher

Begin = Callable[..., Watcher]
IDLE = "sleep 1000"


def entry(pane: str, number: int, text: str) -> str:
    return f"{pane}:{number}:{base64.urlsafe_b64encode(text.encode()).decode().rstrip('=')}"


def emit(server: TmuxServer, pane: str, number: int, text: str, channel: str = "sentry-t") -> None:
    """As a process in the pane does it."""
    server.run("set-option", "-as", QUEUE, f" {entry(pane, number, text)}", ";", "wait-for", "-S", channel)


def queue(server: TmuxServer) -> str:
    return server.run("show-options", "-sqv", QUEUE)


def texts(log: Any) -> list[str]:
    return [one.text for one in log.all(Emitted)]


def clients(server: TmuxServer) -> int:
    return len(server.run("list-clients").splitlines())


# ---------------------------------------------------------------------------- the queue


@pytest.fixture
def client(tmux_server: TmuxServer) -> Iterator[CommandClient]:
    tmux_server.new_session(command=IDLE)
    made = ControlClient(LocalTransport("here"), tmux_server.address)
    made.start()
    yield made
    made.close()


def test_no_queue_and_what_makes_no_sense_in_one(tmux_server: TmuxServer, client: CommandClient) -> None:
    assert read_queue(client).entries == ()
    words = ["%1:2:YQ", "x", "%1:b:YQ", "%1:3:Y!", "$(id)", "%2:4:YmM=", f"%1:5:{'A' * LONGEST}", "%1:6:A"]
    tmux_server.run("set-option", "-s", QUEUE, "\n".join(words))
    assert [(one.pane_id, one.body) for one in read_queue(client).entries] == [("%1", b"a"), ("%2", b"bc")]


def test_exactly_what_was_taken_in_is_removed(tmux_server: TmuxServer, client: CommandClient) -> None:
    for number in range(3):
        emit(tmux_server, "%0", number, f"event {number}")
    seen = read_queue(client)
    assert remove(client, seen, {seen.entries[0].text, seen.entries[2].text})
    assert queue(tmux_server).split() == [entry("%0", 1, "event 1")]
    seen = read_queue(client)
    emit(tmux_server, "%0", 3, "came in between")
    assert not remove(client, seen, {one.text for one in seen.entries}), "it was not as it had been read"
    assert [one.body for one in read_queue(client).entries] == [b"event 1", b"came in between"]
    seen = read_queue(client)
    assert remove(client, seen, {one.text for one in seen.entries})
    assert QUEUE not in tmux_server.run("show-options", "-s")


@pytest.mark.parametrize(
    "hostile", ["#{pane_id}", "'; kill-server ; '", "a\n%exit\n%begin 1 1 1", "}, x", '" ; kill-server']
)
def test_a_hostile_queue_becomes_no_command(tmux_server: TmuxServer, client: CommandClient, hostile: str) -> None:
    tmux_server.run("set-option", "-s", QUEUE, f" {entry('%0', 1, 'good')} {hostile}")
    seen = read_queue(client)
    assert [one.body for one in seen.entries] == [b"good"]
    assert remove(client, seen, set())
    assert queue(tmux_server).split() == [entry("%0", 1, "good")]
    assert client.alive


# ---------------------------------------------------------------------------- delivery


def test_an_event_arrives_once_and_stays_until_it_is_acknowledged(
    tmux_server: TmuxServer, log: Any, watch: Begin
) -> None:
    pane = tmux_server.new_session(command=IDLE)
    watcher = watch(channel="sentry-t", interval=0.2)
    log.wait_ready(pane)
    emit(tmux_server, pane, 1, '{"type":"DONE"}')
    log.wait(lambda: texts(log), "the event")
    emit(tmux_server, pane, 2, "another")
    log.wait(lambda: len(texts(log)) == 2, "the other event")
    assert texts(log) == ['{"type":"DONE"}', "another"]
    assert log.all(Emitted)[0].pane == log.identity(pane)
    assert len(queue(tmux_server).split()) == 2
    watcher.acknowledge(log.all(Emitted)[0])
    tmux_server.wait(lambda: queue(tmux_server).split() == [entry(pane, 2, "another")], "its removal")
    watcher.acknowledge(log.all(Emitted)[1])
    tmux_server.wait(lambda: not queue(tmux_server), "an empty queue")
    assert len(texts(log)) == 2


def test_a_wake_up_is_faster_than_the_inventory(tmux_server: TmuxServer, log: Any, watch: Begin) -> None:
    pane = tmux_server.new_session(command=IDLE)
    watch(channel="sentry-t", interval=60.0)
    log.wait_ready(pane)
    tmux_server.wait(lambda: clients(tmux_server) == 3, "the waiter")
    assert tmux_server.run("show-options", "-sv", "@sentry_wait") == "sentry-t"
    for number in range(5):
        emit(tmux_server, pane, number, f"event {number}")
        log.wait(lambda n=number: len(texts(log)) == n + 1, "an event before the next inventory")


def test_a_wake_up_that_went_lost_only_takes_longer(tmux_server: TmuxServer, log: Any, watch: Begin) -> None:
    pane = tmux_server.new_session(command=IDLE)
    watch(channel="sentry-t", interval=0.5)
    log.wait_ready(pane)
    emit(tmux_server, pane, 1, "unheard", channel="someone-else")
    log.wait(lambda: texts(log) == ["unheard"], "the event")


def test_what_a_process_hands_over_just_before_its_pane_ends(tmux_server: TmuxServer, log: Any, watch: Begin) -> None:
    tmux_server.new_session(command=IDLE)
    watch(channel="sentry-t")
    socket, go = tmux_server.address.socket_path, tmux_server.directory / "go"
    for number in range(5):
        body = base64.urlsafe_b64encode(f"last words {number}".encode()).decode().rstrip("=")
        hand_over = f"tmux -S {socket} set-option -as {QUEUE} \" $TMUX_PANE:1:{body}\" ';' wait-for -S sentry-t"
        pane = tmux_server.run(
            "new-window", "-dP", "-F", "#{pane_id}", f"until [ -e {go} ]; do sleep 0.02; done; {hand_over}"
        )
        log.identity(pane)
    go.touch()
    log.wait(lambda: len(texts(log)) == 5, "all last words")
    log.wait(lambda: len(log.all(PaneClosed)) == 5, "the end of all panes")
    for emitted in log.all(Emitted):
        mine = [r for r in log.everything(emitted.pane.pane_id) if isinstance(r, (Emitted, PaneClosed))]
        assert [type(one) for one in mine] == [Emitted, PaneClosed]


def test_what_nobody_took_in_comes_again_after_a_restart(tmux_server: TmuxServer, log: Any, watch: Begin) -> None:
    pane = tmux_server.new_session(command=IDLE)
    first = watch(channel="sentry-t")
    log.wait_ready(pane)
    emit(tmux_server, pane, 1, "kept")
    log.wait(lambda: texts(log) == ["kept"], "the event")
    first.stop()
    assert queue(tmux_server).split() == [entry(pane, 1, "kept")]
    assert "@sentry_wait" not in tmux_server.run("show-options", "-s")
    assert clients(tmux_server) == 0
    watch(channel="sentry-u")
    log.wait(lambda: texts(log) == ["kept", "kept"], "the event once more")


def test_a_waiter_that_was_detached_comes_back(tmux_server: TmuxServer, log: Any, watch: Begin) -> None:
    pane = tmux_server.new_session(command=IDLE)
    watch(channel="sentry-t", interval=0.2)
    log.wait_ready(pane)
    tmux_server.wait(lambda: clients(tmux_server) == 3, "the waiter")
    before = set(tmux_server.run("list-clients", "-F", "#{client_pid}").split())
    tmux_server.run("detach-client", "-s", "work")
    tmux_server.wait(
        lambda: (
            clients(tmux_server) == 3
            and not before & set(tmux_server.run("list-clients", "-F", "#{client_pid}").split())
        ),
        "three new clients",
    )
    emit(tmux_server, pane, 1, "again")
    log.wait(lambda: texts(log) == ["again"], "the event")


def test_an_event_of_no_pane_is_dropped_in_time(tmux_server: TmuxServer, log: Any, watch: Begin) -> None:
    pane = tmux_server.new_session(command=IDLE)
    watch(channel="sentry-t", interval=0.2)
    log.wait_ready(pane)
    emit(tmux_server, "%999", 1, "nobody")
    tmux_server.wait(lambda: not queue(tmux_server), "its removal", timeout=15)
    assert texts(log) == []


def test_without_a_channel_nothing_is_set_in_tmux(tmux_server: TmuxServer, log: Any, watch: Begin) -> None:
    pane = tmux_server.new_session(command=IDLE)
    watcher = watch(interval=0.2)
    log.wait_ready(pane)
    emit(tmux_server, pane, 1, "read only")
    log.wait(lambda: texts(log) == ["read only"], "the event")
    watcher.acknowledge(log.all(Emitted)[0])
    watcher.refresh()
    assert queue(tmux_server).split() == [entry(pane, 1, "read only")]
    assert (
        subprocess.run(
            [*tmux_server.address.argv(), "show-options", "-sqv", "@sentry_wait"], capture_output=True, check=True
        ).stdout
        == b""
    )
