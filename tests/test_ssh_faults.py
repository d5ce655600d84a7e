"""A watched host behind a network that fails: after each gap every event is there, and none counts twice."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tmux_sentry import Lines, Observation, Osc, PaneClosed, PaneFacts, Screen, Signal
from tmux_sentry.clock import SystemClock
from tmux_sentry.engine.panes import Panes
from tmux_sentry.engine.perception import Perception
from tmux_sentry.testing.ssh_server import SshServer, running_ssh_server
from tmux_sentry.testing.tcp_proxy import TcpProxy, running_proxy
from tmux_sentry.testing.tmux_server import TmuxServer
from tmux_sentry.transport.ssh import SshTransport
from tmux_sentry.watch.events import HostDown, HostUp, PaneSeen, WatchRecord
from tmux_sentry.watch.watcher import Watcher
from tmux_sentry_parser_sentry import SentryParser

#: Prints an event every 50 ms with a number of its own until the file `stop` is there, then one last line.
PRINTER = (
    "n=0; until [ -e {stop} ]; do n=$((n+1)); "
    'printf \'@@SENTRY {{"type":"PROGRESS","stage":"x","id":"{name}-%d"}}\\n\' $n; sleep 0.05; done; '
    "echo {name} printed $n; exec sleep 1000"
)


class Tally:
    """What the parsers found, counted as the engine counts it: live events as news, those of captures by their id."""

    def __init__(self) -> None:
        self.live: Counter[str] = Counter()
        self.ids: set[str] = set()
        self.printed: dict[str, int] = {}
        self.records: list[WatchRecord] = []
        self._panes = Panes()
        self.perception = Perception({"sentry": SentryParser()}, self._found)

    def __call__(self, record: WatchRecord) -> None:
        self.records.append(record)
        if isinstance(record, PaneSeen):
            self._panes.see(record.info)
        elif isinstance(record, (Lines, Screen, Osc, PaneClosed)):
            self.perception.feed(record, self._panes.facts(record.pane, ()))

    def _found(self, observation: Observation, facts: PaneFacts, signals: tuple[Signal, ...]) -> None:
        for one in signals:
            assert one.event_id is not None
            if one.live:
                self.live[one.event_id] += 1
            self.ids.add(one.event_id)
        if isinstance(observation, (Lines, Screen)):
            for line in observation.lines:
                name, _, count = line.partition(" printed ")
                if count.isdigit():
                    self.printed[name] = int(count)

    def count(self, kind: type[Any]) -> int:
        return sum(isinstance(record, kind) for record in self.records)


@pytest.fixture
def tally() -> Iterator[Tally]:
    made = Tally()
    yield made
    made.perception.close()


@pytest.fixture
def proxied(ssh_server: SshServer) -> Iterator[TcpProxy]:
    with running_proxy(ssh_server.port) as proxy:
        key = ssh_server.host_key.with_suffix(".pub").read_text().split()[:2]
        ssh_server.known_hosts.write_text(f"[{proxy.host}]:{proxy.port} {' '.join(key)}\n")
        yield proxy


Watch = Callable[..., Watcher]


@pytest.fixture
def watch(tmux_server: TmuxServer, tally: Tally) -> Iterator[Watch]:
    parts: list[tuple[Watcher, SshTransport]] = []

    def begin(server: SshServer, port: int | None = None, **options: Any) -> Watcher:
        transport = SshTransport("nas", lambda: server.target(port=port or server.port))
        watcher = Watcher("nas", transport, tmux_server.address, tally, SystemClock(), **options)
        parts.append((watcher, transport))
        watcher.start()
        return watcher

    yield begin
    for watcher, transport in parts:
        watcher.stop()
        transport.close()


def begin_printing(server: TmuxServer, names: str) -> None:
    for name in names:
        server.new_session(name, command=PRINTER.format(stop=server.directory / "stop", name=name))


def end_printing(server: TmuxServer, tally: Tally, names: str) -> None:
    """Every event of every pane was seen, and none was news twice."""
    (server.directory / "stop").touch()
    server.wait(lambda: set(tally.printed) == set(names), "the last lines", timeout=40)
    expected = {f"{name}-{n}" for name in names for n in range(1, tally.printed[name] + 1)}
    server.wait(lambda: tally.ids >= expected, f"the missing {sorted(expected - tally.ids)[:5]}")
    assert tally.ids == expected
    assert [event for event, times in tally.live.items() if times > 1] == []


def grown(tally: Tally) -> Callable[[], bool]:
    """Whether ten more live events came than there are now."""
    before = tally.live.total()
    return lambda: tally.live.total() >= before + 10


def test_killed_and_reset_connections(
    tmux_server: TmuxServer, ssh_server: SshServer, proxied: TcpProxy, tally: Tally, watch: Watch
) -> None:
    begin_printing(tmux_server, "ab")
    watch(ssh_server, proxied.port)
    for fault in (
        lambda: ssh_server.signal(signal.SIGKILL),
        proxied.reset,
        lambda: ssh_server.signal(signal.SIGKILL),
        lambda: [tmux_server.run("detach-client", "-s", name) for name in "ab"],
    ):
        tmux_server.wait(grown(tally), "live events", timeout=30)
        assert fault()
    tmux_server.wait(grown(tally), "live events", timeout=30)
    end_printing(tmux_server, tally, "ab")


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_hung_link_is_noticed_and_caught_up_with(
    tmux_server: TmuxServer, ssh_server: SshServer, proxied: TcpProxy, tally: Tally, watch: Watch
) -> None:
    begin_printing(tmux_server, "ab")
    watch(ssh_server, proxied.port)
    tmux_server.wait(grown(tally), "live events", timeout=30)
    proxied.drop()
    began = time.monotonic()
    tmux_server.wait(lambda: tally.count(HostDown), "HostDown", timeout=20)
    assert time.monotonic() - began < 15.0
    proxied.passing()
    tmux_server.wait(lambda: tally.count(HostUp) == 2, "HostUp", timeout=40)
    tmux_server.wait(grown(tally), "live events", timeout=30)
    end_printing(tmux_server, tally, "ab")


def test_a_machine_that_restarts_its_sshd(
    tmux_server: TmuxServer, ssh_server: SshServer, tally: Tally, watch: Watch
) -> None:
    begin_printing(tmux_server, "a")
    watch(ssh_server)
    tmux_server.wait(grown(tally), "live events", timeout=30)
    ssh_server.stop()
    tmux_server.wait(lambda: tally.count(HostDown), "HostDown")
    ssh_server.start()
    tmux_server.wait(grown(tally), "live events", timeout=30)
    end_printing(tmux_server, tally, "a")


@pytest.mark.parametrize("sessions", [2, 10])
def test_more_sessions_than_channels(tmux_server: TmuxServer, tally: Tally, watch: Watch, sessions: int) -> None:
    names = "abcdefghijkl"
    with running_ssh_server(f"MaxSessions {sessions}") as server:
        begin_printing(tmux_server, names)
        watch(server)
        tmux_server.wait(grown(tally), "live events", timeout=40)
        tmux_server.wait(
            lambda: {event.partition("-")[0] for event in tally.live} == set(names), "all streams", timeout=40
        )
        assert server.log.count("Accepted publickey") == -(-13 // sessions)
        end_printing(tmux_server, tally, names)


def test_sessions_beyond_all_channels_are_polled(tmux_server: TmuxServer, tally: Tally, watch: Watch) -> None:
    names = "abcdefghij"  # eight connections with one channel each: the command client's and seven streams
    with running_ssh_server("MaxSessions 1") as server:
        begin_printing(tmux_server, names)
        watch(server)
        tmux_server.wait(
            lambda: {event.partition("-")[0] for event in tally.ids} == set(names), "all sessions", timeout=40
        )
        tmux_server.wait(lambda: len({event.partition("-")[0] for event in tally.live}) == 7, "the streams", timeout=40)
        end_printing(tmux_server, tally, names)


def test_stopping_waits_for_no_host(
    tmux_server: TmuxServer, ssh_server: SshServer, proxied: TcpProxy, tally: Tally, watch: Watch
) -> None:
    tmux_server.new_session()
    watcher = watch(ssh_server, proxied.port)
    tmux_server.wait(lambda: tally.count(HostUp), "HostUp")
    proxied.drop()
    ended = threading.Event()
    threading.Thread(target=lambda: (watcher.stop(), ended.set()), daemon=True).start()
    assert ended.wait(5.0)
    proxied.passing()
    tmux_server.wait(lambda: tmux_server.run("list-clients") == "", "the end of our clients", timeout=20)
