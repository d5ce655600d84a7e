"""Hosts, servers and clients that go and come back."""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tmux_sentry.clock import SystemClock
from tmux_sentry.contracts import PaneClosed
from tmux_sentry.errors import NoServer, TmuxMissing, TmuxTooOld, Unreachable
from tmux_sentry.tmux.model import TmuxAddress
from tmux_sentry.transport.base import Completed
from tmux_sentry.transport.local import LocalTransport
from tmux_sentry.watch.backoff import Backoff
from tmux_sentry.watch.events import Attached, HostDown, HostUp, Inventoried, PaneSeen
from tmux_sentry.watch.watcher import Watcher

Begin = Callable[..., Watcher]
IDLE = "sleep 1000"


def test_a_server_that_appears_later_is_picked_up(tmux_server: Any, log: Any, watch: Begin) -> None:
    watcher = watch()
    log.wait(lambda: log.all(HostDown), "HostDown")
    with pytest.raises(Unreachable):
        watcher.refresh()
    pane = tmux_server.new_session()
    log.wait_ready(pane)
    assert [type(down.error) for down in log.all(HostDown)] == [NoServer]
    assert len(log.all(HostUp)) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restarted_server_has_other_panes_of_the_same_name(
    tmux_server: Any, log: Any, watch: Begin, number: signal.Signals
) -> None:
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    watch()
    log.wait_ready(pane)
    old = log.identity(pane)
    os.kill(old.server_pid, number)
    log.wait(lambda: log.all(PaneClosed), "PaneClosed")
    log.wait(lambda: log.all(HostDown), "HostDown")
    assert tmux_server.new_session() == pane
    new = log.wait(lambda: log.identity(pane) != old and log.identity(pane), "the new identity")
    assert [closed.pane for closed in log.all(PaneClosed)] == [old]
    log.wait(lambda: any(s.pane == new for s in log.screens(pane)), "its first capture")
    tmux_server.wait_prompt(pane)
    tmux_server.send(pane, "echo again", "Enter")
    log.wait(lambda: any("again" in s.lines for s in log.screens(pane)) or "again" in log.lines(pane), "its output")
    assert len(log.all(HostUp)) == 2
    assert log.all(HostUp)[1].away > 0


def test_a_person_who_detaches_everyone_does_not_end_the_watching(tmux_server: Any, log: Any, watch: Begin) -> None:
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    watcher = watch()
    log.wait_ready(pane)
    clients = tmux_server.run("list-clients", "-F", "#{client_name}").splitlines()
    assert len(clients) == 2
    for client in clients:
        tmux_server.run("detach-client", "-t", client)
    tmux_server.send(pane, "echo while away", "Enter")
    log.wait(lambda: any("while away" in s.lines for s in log.screens(pane) if s.resync), "the capture after the gap")
    log.wait(lambda: len(tmux_server.run("list-clients").splitlines()) == 2, "both clients again")
    log.wait(lambda: watcher.view(log.identity(pane)).partial == "$", "the prompt")
    tmux_server.send(pane, "echo back", "Enter")
    log.wait_line(pane, "back")
    assert not log.all(HostDown)
    assert not log.all(PaneClosed)


def test_a_flooding_pane_does_not_take_the_lines_of_another(tmux_server: Any, log: Any, watch: Begin) -> None:
    calm = tmux_server.new_session("calm")
    flood = tmux_server.new_session("flood", command="sleep 0.5; exec yes")
    tmux_server.wait_prompt(calm)
    watcher = watch()
    log.wait_ready(calm)
    log.wait_line(flood, "y")
    tmux_server.send(calm, "for i in $(seq 20); do echo calm $i; sleep 0.05; done", "Enter")
    log.wait_line(calm, "calm 20", timeout=20)
    assert [line for line in log.lines(calm) if line.startswith("calm")] == [f"calm {n}" for n in range(1, 21)]
    assert watcher.view(log.identity(flood)) is not None
    tmux_server.run("kill-session", "-t", "flood")
    log.wait(lambda: log.all(PaneClosed), "PaneClosed of the flooding pane", timeout=20)


def test_a_paused_pane_is_captured_and_goes_on(tmux_server: Any, log: Any, watch: Begin) -> None:
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    watch()
    log.wait_ready(pane)
    (stream,) = (
        name
        for name, flags in (
            row.split(" ")
            for row in tmux_server.run("list-clients", "-F", "#{client_name} #{client_flags}").splitlines()
        )
        if "pause-after" in flags
    )
    captures = len([s for s in log.screens(pane) if s.resync])
    tmux_server.run("refresh-client", "-t", stream, "-A", f"{pane}:pause")
    tmux_server.send(pane, "echo paused", "Enter")
    log.wait(lambda: len([s for s in log.screens(pane) if s.resync]) > captures, "the capture after the pause")
    tmux_server.send(pane, "echo one", "Enter")
    tmux_server.send(pane, "echo two", "Enter")
    log.wait_line(pane, "two")


def test_a_host_without_tmux_says_so_once_and_is_tried_again(log: Any) -> None:
    class Counting(LocalTransport):
        runs = 0

        def run(self, argv: Sequence[str], timeout: float = 10.0) -> Completed:
            self.runs += 1
            return super().run(argv, timeout)

    transport = Counting("here")
    watcher = Watcher("here", transport, TmuxAddress(command="no-such-tmux"), log, SystemClock())
    watcher.start()
    log.wait(lambda: transport.runs >= 3, "a third try")
    watcher.stop()
    assert [type(down.error) for down in log.all(HostDown)] == [TmuxMissing]


def test_an_old_tmux_is_refused_with_its_version(tmux_server: Any, log: Any) -> None:
    old = tmux_server.directory / "tmux"
    old.write_text("#!/bin/sh\necho tmux 2.3\n")
    old.chmod(0o755)
    watcher = Watcher(
        "here", LocalTransport("here"), replace(tmux_server.address, command=str(old)), log, SystemClock()
    )
    watcher.start()
    log.wait(lambda: log.all(HostDown), "HostDown")
    watcher.stop()
    assert [type(down.error) for down in log.all(HostDown)] == [TmuxTooOld]
    assert "2.3" in log.all(HostDown)[0].why


def test_waiting_ends_with_the_change_and_idle_tells_a_shell_from_its_script(
    tmux_server: Any, log: Any, watch: Begin
) -> None:
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    watcher = watch(interval=30.0)
    log.wait_ready(pane)
    identity = log.identity(pane)
    tmux_server.wait(lambda: watcher.idle(identity), "idle")
    assert watcher.wait_change(identity, 0.1) is False
    go = tmux_server.directory / "go"
    script = tmux_server.directory / "script"
    script.write_text(f"#!/bin/bash\necho running\nuntil [ -e {go} ]; do read -t 0.05 <> <(:); done\n")
    script.chmod(0o755)
    version = watcher.view(identity).version
    tmux_server.send(pane, str(script), "Enter")
    log.wait_line(pane, "running")
    assert watcher.wait_change(identity, 0.0, since=version) is True
    assert watcher.capture(identity).info.command in ("bash", "script")
    assert not watcher.idle(identity)
    go.touch()
    tmux_server.wait(lambda: watcher.idle(identity), "idle again")
    started = time.monotonic()
    tmux_server.run("kill-server")
    tmux_server.wait(lambda: watcher.wait_change(identity, 5.0), "the end as a change")
    assert time.monotonic() - started < 4.0


def test_a_refresh_brings_what_no_notification_told(tmux_server: Any, log: Any, watch: Begin) -> None:
    pane = tmux_server.new_session(command=IDLE)
    watcher = watch(interval=30.0)
    log.wait_ready(pane)
    old = log.identity(pane)
    tmux_server.run("respawn-pane", "-k", "-t", pane, IDLE)
    (info,) = watcher.refresh()
    assert info.identity != old
    assert watcher.panes() == (info,)
    assert [seen.info.identity for seen in log.all(PaneSeen)] == [old, info.identity]


def test_a_wait_grows_to_its_cap_and_starts_again() -> None:
    backoff = Backoff(1.0, 4.0)
    for expected in (1.0, 2.0, 4.0, 4.0, 4.0):
        assert expected / 2 <= backoff.next() <= expected
    backoff.reset()
    assert backoff.next() <= 1.0


def test_many_hosts_that_were_lost_together_are_not_tried_together() -> None:
    assert len({Backoff(1.0, 4.0).next() for _ in range(20)}) > 10


class Counted(LocalTransport):
    """A transport that counts how often its connection is given up; with `why` nothing can be started on the host."""

    def __init__(self, why: str = "") -> None:
        super().__init__("here")
        self.why, self.resets = why, 0

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> Completed:
        if self.why:
            raise Unreachable(self.why)
        return super().run(argv, timeout)

    def open(self, argv: Sequence[str]) -> Any:
        if self.why:
            raise Unreachable(self.why)
        return super().open(argv)

    def reset(self) -> None:
        self.resets += 1
        super().reset()


@pytest.mark.parametrize(
    ("why", "given_up"), [("here: it does not answer", True), ("", False)], ids=["hangs", "answers"]
)
def test_the_connection_of_a_host_that_does_not_answer_is_given_up(
    tmux_server: Any, log: Any, why: str, given_up: bool
) -> None:
    """It may hang, and whoever uses it would too; a machine that says that it has no tmux server is reached well."""
    transport = Counted(why)
    watcher = Watcher("here", transport, tmux_server.address, log, SystemClock())
    watcher.start()
    log.wait(lambda: log.all(HostDown), "HostDown")
    assert (transport.resets > 0) is given_up
    watcher.stop()


class CutChannel:
    """A channel whose link can be cut: we see its end, the program on the host does not."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._cut = threading.Event()
        self._data: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._pump, daemon=True).start()

    def _pump(self) -> None:
        while data := self._inner.read():
            self._data.put(data)
        self._data.put(b"")

    @property
    def pid(self) -> int | None:
        return self._inner.pid

    def read(self) -> bytes:
        return self._data.get()

    def write(self, data: bytes) -> None:
        if self._cut.is_set():
            raise BrokenPipeError
        self._inner.write(data)

    def close(self) -> None:
        if not self._cut.is_set():
            self._inner.close()

    def cut(self) -> None:
        self._cut.set()
        self._data.put(b"")


class CutTransport(LocalTransport):
    """A transport that remembers its channels."""

    def __init__(self) -> None:
        super().__init__("here")
        self.channels: list[CutChannel] = []

    def open(self, argv: Any) -> Any:
        self.channels.append(CutChannel(super().open(argv)))
        return self.channels[-1]


def test_clients_that_a_lost_link_left_behind_are_ended(tmux_server: Any, log: Any) -> None:
    pane = tmux_server.new_session()
    transport = CutTransport()
    watcher = Watcher("here", transport, tmux_server.address, log, SystemClock())
    watcher.start()
    log.wait_ready(pane)

    def clients() -> set[str]:
        return set(tmux_server.run("list-clients", "-F", "#{client_pid}").split())

    old = clients()
    assert len(old) == len(transport.channels) == 2
    for channel in transport.channels[:]:
        channel.cut()
    tmux_server.wait(lambda: len(clients()) == 2 and not clients() & old, "two new clients and none of the old")
    watcher.stop()
    assert clients() == set()
    transport.close()


def test_what_a_killed_process_left_attached_is_ended(tmux_server: Any, log: Any) -> None:
    tmux_server.new_session(command=IDLE)
    left = LocalTransport("here").open([*tmux_server.address.argv(), "-C", "attach", "-f", "no-output,ignore-size"])
    person = LocalTransport("here").open([*tmux_server.address.argv(), "-C", "attach"])

    def clients() -> set[str]:
        return set(tmux_server.run("list-clients", "-F", "#{client_pid}").split())

    tmux_server.wait(lambda: len(clients()) == 2, "two clients")
    assert left.pid is not None
    assert person.pid is not None
    pids = [left.pid, person.pid]
    transport = LocalTransport("here")
    watcher = Watcher("here", transport, tmux_server.address, log, SystemClock(), left=pids, interval=0.2)
    watcher.start()
    try:
        log.wait(lambda: log.all(Attached), "what is attached")
        log.wait(lambda: len(log.all(Inventoried)) >= 3, "a look at all that were left, and two more")
        tmux_server.wait(lambda: str(left.pid) not in clients(), "the end of the one that was left")
        assert str(person.pid) in clients()  # not one like ours, whatever was written down
        assert log.all(Attached)[0].pids <= set(map(int, clients()))
    finally:
        watcher.stop()
        left.close()
        person.close()
    assert log.all(Attached)[-1].pids == frozenset()
