"""The two observers that latency.py compares, and the process that each of them runs in."""

from __future__ import annotations

import math
import re
import resource
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from tmux_sentry import Lines, Observation, Osc, PaneClosed, PaneFacts, Screen, Signal
from tmux_sentry.clock import SystemClock
from tmux_sentry.engine.panes import Panes
from tmux_sentry.engine.perception import Perception
from tmux_sentry.tmux.model import TmuxAddress
from tmux_sentry.transport.local import LocalTransport
from tmux_sentry.watch.events import PaneSeen, WatchRecord
from tmux_sentry.watch.watcher import Watcher
from tmux_sentry_parser_sentry import SentryParser

POLL_EVERY = 1.0  # seconds
PATIENCE = 60.0  # seconds that an observer may take to get ready or to leave
EVENT = re.compile(r'### SENTRY \{.*"id":"([\d-]+)".*"printed_ns":(\d+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One observer's row; the latencies are None when it saw nothing."""

    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    seen: int
    missed: int
    doubled: int
    cpu_s: float  # of its process and of the tmux clients that it started


class Tally:
    """What one observer found. Thread-safe."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._lock = threading.Lock()
        self._latencies: dict[str, int] = {}  # event id -> ns
        self._doubled = 0
        self._complete = threading.Event()

    def knows(self, event_id: str) -> bool:
        """Whether the event was found before."""
        return event_id in self._latencies

    def add(self, event_id: str, printed_ns: int, found_ns: int) -> None:
        """An event was found that is taken for news."""
        with self._lock:
            self._doubled += event_id in self._latencies
            self._latencies.setdefault(event_id, found_ns - printed_ns)
            if len(self._latencies) == self._expected:
                self._complete.set()

    def wait(self, deadline: float) -> None:
        """Wait until all events were found, or for the deadline (epoch seconds)."""
        self._complete.wait(max(deadline - time.time(), 0.0))

    def result(self, cpu_s: float) -> Result:
        """The row."""
        with self._lock:
            ms = sorted(ns / 1e6 for ns in self._latencies.values())
        return Result(
            p50_ms=percentile(ms, 50),
            p99_ms=percentile(ms, 99),
            max_ms=percentile(ms, 100),
            seen=len(ms),
            missed=self._expected - len(ms),
            doubled=self._doubled,
            cpu_s=cpu_s,
        )


def percentile(ordered: Sequence[float], percent: int) -> float | None:
    """The smallest value that so many percent of the values do not exceed."""
    return ordered[max(math.ceil(len(ordered) * percent / 100), 1) - 1] if ordered else None


#: Finds events in these panes and adds them to the Tally until the block ends; the block begins when it is ready.
Observer = Callable[[TmuxAddress, Sequence[str], Tally], AbstractContextManager[None]]


@contextmanager
def read_streams(address: TmuxAddress, pane_ids: Sequence[str], tally: Tally) -> Iterator[None]:
    """Ours, joined as the engine joins it. Ready when every pane's stream is attached and its first capture taken."""
    panes = Panes()
    unread, ready = set(pane_ids), threading.Event()

    def deliver(observation: Observation, facts: PaneFacts, signals: tuple[Signal, ...]) -> None:
        found = time.time_ns()
        for signal in signals:
            # A capture after a gap shows old events again, and says so: they are not taken for news.
            if signal.event_id is not None and (signal.live or not tally.knows(signal.event_id)):
                tally.add(signal.event_id, signal.data["data"]["printed_ns"], found)

    def sink(record: WatchRecord) -> None:
        if isinstance(record, PaneSeen):
            panes.see(record.info)
        elif isinstance(record, (Lines, Screen, Osc, PaneClosed)):
            perception.feed(record, panes.facts(record.pane, ()))
            if isinstance(record, Screen) and record.resync:
                unread.discard(record.pane.pane_id)
                if not unread:
                    ready.set()

    perception = Perception({"sentry": SentryParser()}, deliver)
    transport = LocalTransport("here")
    watcher = Watcher("here", transport, address, sink, SystemClock())
    watcher.start()
    try:
        if not ready.wait(PATIENCE):
            raise TimeoutError(f"no stream of {', '.join(sorted(unread))}")
        yield
    finally:
        watcher.stop()
        perception.close()
        transport.close()


@contextmanager
def poll_captures(address: TmuxAddress, pane_ids: Sequence[str], tally: Tally) -> Iterator[None]:
    """The peer: every second a `tmux capture-pane -p` of one pane after the other."""
    stopping = threading.Event()

    def poll() -> None:
        due = time.monotonic()
        while not stopping.wait(max(due - time.monotonic(), 0.0)):
            due += POLL_EVERY
            for pane_id in pane_ids:
                argv = [*address.argv(), "capture-pane", "-p", "-t", pane_id]
                screen = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
                found = time.time_ns()
                for event_id, printed_ns in EVENT.findall(screen.stdout):
                    if not tally.knows(event_id):
                        tally.add(event_id, int(printed_ns), found)

    poller = threading.Thread(target=poll, name="poller", daemon=True)
    poller.start()
    try:
        yield
    finally:
        stopping.set()
        poller.join(PATIENCE)


def observe(observer: Observer, address: TmuxAddress, pane_ids: Sequence[str], expected: int, line: Connection) -> None:
    """An observer's process: says "ready", hears the deadline, says "complete", hears the end, sends its Result."""
    tally = Tally(expected)
    with suppress(EOFError, KeyboardInterrupt):  # nobody wants the Result any more
        with observer(address, pane_ids, tally):
            before = cpu_seconds()
            line.send("ready")
            tally.wait(line.recv())
            line.send("complete")
            line.recv()
        line.send(tally.result(cpu_seconds() - before))


def cpu_seconds() -> float:
    """Of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
