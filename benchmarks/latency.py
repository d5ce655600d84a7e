"""How long after a line was printed do we know? tmux-sentry beside a subprocess `capture-pane` poller, in one run.

Every pane of a private tmux server runs a program that prints one SENTRY line a second with the time of the print in
it. Two observers, each in a process of its own, watch the same panes at the same time:

* `tmux-sentry`: Watcher, Perception and the `sentry` parser, up to the Signal;
* `capture-pane`: once a second a `tmux capture-pane -p` for each pane, as most tools do it, and a regex.

Exit status 0 when the required ratios are reached and tmux-sentry missed and doubled nothing, else 1.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import platform
import re
import resource
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from tmux_sentry import Lines, Observation, Osc, PaneClosed, PaneFacts, Screen, Signal
from tmux_sentry.clock import SystemClock
from tmux_sentry.engine.panes import Panes
from tmux_sentry.engine.perception import Perception
from tmux_sentry.testing.tmux_server import TmuxServer, running_server
from tmux_sentry.tmux.model import TmuxAddress
from tmux_sentry.transport.local import LocalTransport
from tmux_sentry.watch.events import PaneSeen, WatchRecord
from tmux_sentry.watch.watcher import Watcher
from tmux_sentry_parser_sentry import SentryParser

SESSIONS = 4
POLL_EVERY = 1.0  # seconds
#: How many times longer the poller must take: (percentile, ratio).
REQUIRED = ((50, 100.0), (99, 20.0))
LEAD = 2.0  # seconds from the word to start to the first line
LATE = 5.0  # seconds after the last line in which it may still be found
PATIENCE = 60.0  # seconds that an observer may take to get ready or to leave

# It learns on its terminal when to start. Pane k of n prints k/n seconds into each second.
PRINTER = """
import os, sys, time
pane, panes, lines = map(int, sys.argv[1:])
start = float(input()) + pane / panes
for number in range(lines):
    time.sleep(max(start + number - time.time(), 0))
    event = '### SENTRY {"type":"STATUS","stage":"bench","id":"%d-%d","data":{"printed_ns":%d}}\\n'
    os.write(1, (event % (pane, number, time.time_ns())).encode())
time.sleep(3600)
"""
EVENT = re.compile(r'### SENTRY \{.*"id":"([\d-]+)".*"printed_ns":(\d+)')


# -------------------------------------------------------------------------- observers


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
        """An event was found that claims to be news."""
        with self._lock:
            self._doubled += event_id in self._latencies
            self._latencies.setdefault(event_id, found_ns - printed_ns)
            if len(self._latencies) == self._expected:
                self._complete.set()

    def wait(self, deadline: float) -> None:
        """Wait until all events were found, or for the deadline (epoch seconds)."""
        self._complete.wait(max(deadline - time.time(), 0.0))

    def result(self, cpu_s: float) -> Result:
        """The end of it."""
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


Observer = Callable[[TmuxAddress, Sequence[str], Tally], AbstractContextManager[None]]


@contextmanager
def tmux_sentry(address: TmuxAddress, pane_ids: Sequence[str], tally: Tally) -> Iterator[None]:
    """Ours, joined as the engine joins it; ready when every pane's stream is attached and its first capture taken."""
    panes = Panes()
    unread, ready = set(pane_ids), threading.Event()

    def deliver(observation: Observation, facts: PaneFacts, signals: tuple[Signal, ...]) -> None:
        found = time.time_ns()
        for signal in signals:
            # A capture after a gap shows old events again, and says so: that is no second event.
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
            raise TimeoutError(f"no stream of {sorted(unread)}")
        yield
    finally:
        watcher.stop()
        perception.close()
        transport.close()


@contextmanager
def capture_pane(address: TmuxAddress, pane_ids: Sequence[str], tally: Tally) -> Iterator[None]:
    """The peer: every second one `tmux capture-pane -p` after the other."""
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
    """An observer's process: says "ready", learns the deadline, says "complete", leaves when told, sends its Result."""
    tally = Tally(expected)
    with observer(address, pane_ids, tally):
        before = cpu_seconds()
        line.send("ready")
        tally.wait(line.recv())
        line.send("complete")
        line.recv()
    line.send(tally.result(cpu_seconds() - before))


# ------------------------------------------------------------------------------- run


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is printed."""

    panes: int
    sessions: int
    seconds: int
    setting: str
    observers: dict[str, Result]
    tmux_cpu_s: float | None  # the server's, for both observers and the panes; None where it cannot be told
    ratios: dict[str, float | None]  # "p50" -> how many times longer the poller took
    ok: bool


def run(panes: int, seconds: int) -> Report:
    """Measure; each pane prints `seconds` lines. Raises TimeoutError or EOFError when an observer fails."""
    sessions = min(SESSIONS, panes)
    spawn = multiprocessing.get_context("spawn")
    children, lines = [], []
    with running_server() as server:
        version = server.run("-V")
        pane_ids = [open_pane(server, number, sessions, panes, seconds) for number in range(panes)]
        try:
            for observer in (tmux_sentry, capture_pane):
                line, far_end = spawn.Pipe()
                args = (observer, server.address, pane_ids, panes * seconds, far_end)
                child = spawn.Process(target=observe, args=args, daemon=True)
                child.start()
                far_end.close()  # so that the end of the child is the end of the line
                children.append(child)
                lines.append(line)
            ours, theirs, tmux_cpu = follow(server, pane_ids, seconds, lines)
        finally:
            for child in children:
                child.join(5.0)
                child.kill()
    ratios = {f"p{n}": ratio(getattr(theirs, f"p{n}_ms"), getattr(ours, f"p{n}_ms")) for n, _ in REQUIRED}
    reached = all((ratios[f"p{n}"] or 0.0) >= least for n, least in REQUIRED)
    return Report(
        panes=panes,
        sessions=sessions,
        seconds=seconds,
        setting=f"{version}, Python {platform.python_version()}, {os.cpu_count()} cores",
        observers={"tmux-sentry": ours, "capture-pane": theirs},
        tmux_cpu_s=tmux_cpu,
        ratios=ratios,
        ok=reached and not ours.missed and not ours.doubled,
    )


def follow(
    server: TmuxServer, pane_ids: Sequence[str], seconds: int, lines: Sequence[Connection]
) -> tuple[Result, Result, float | None]:
    """Both observers' results and the CPU seconds of the tmux server between the start and the last line found."""
    for line in lines:
        hear(line, PATIENCE)
    pid, start = server.pid, time.time() + LEAD
    before = cpu_seconds_of(pid)
    typed = [word for pane_id in pane_ids for word in ("send-keys", "-t", pane_id, str(start), "Enter", ";")]
    server.run(*typed[:-1])
    deadline = start + seconds + LATE
    for line in lines:
        line.send(deadline)
    for line in lines:
        hear(line, deadline - time.time() + PATIENCE)
    after = cpu_seconds_of(pid)
    for line in lines:
        line.send("leave")
    ours, theirs = (hear(line, PATIENCE) for line in lines)
    return ours, theirs, None if before is None or after is None else after - before


def open_pane(server: TmuxServer, number: int, sessions: int, panes: int, lines: int) -> str:
    """A window with a printer, in one session after the other; returns its pane id."""
    printer = [sys.executable, "-I", "-S", "-c", PRINTER, str(number), str(panes), str(lines)]
    session, command = f"work{number % sessions}", shlex.join(["exec", *printer])
    if number < sessions:
        return server.new_session(session, command=command)
    return server.run("new-window", "-d", "-P", "-F", "#{pane_id}", "-t", f"{session}:", command)


def hear(line: Connection, timeout: float) -> Result:
    """The next word of an observer. Raises TimeoutError, or EOFError when it has ended."""
    if not line.poll(timeout):
        raise TimeoutError(f"an observer said nothing for {timeout:.0f} s")
    word: Result = line.recv()
    return word


# --------------------------------------------------------------------------- numbers


def percentile(ordered: Sequence[float], percent: int) -> float | None:
    """The smallest value that so many percent of the values do not exceed."""
    return ordered[max(math.ceil(len(ordered) * percent / 100), 1) - 1] if ordered else None


def ratio(theirs: float | None, ours: float | None) -> float | None:
    """How many times longer theirs took."""
    return theirs / ours if theirs is not None and ours else None


def cpu_seconds() -> float:
    """Of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def cpu_seconds_of(pid: int) -> float | None:
    """Of another process, where there is a /proc."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return None
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def text(report: Report) -> str:
    """The report as a table, the ratios on a line of their own."""

    def number(value: float | None, digits: int) -> str:
        return "-" if value is None else f"{value:.{digits}f}"

    rows = [
        f"{report.panes} panes in {report.sessions} sessions, one line a second each, {report.seconds} s; {report.setting}",
        f"{'':14}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}{'printed':>9}{'seen':>7}{'missed':>8}{'doubled':>9}{'CPU s':>8}",
    ]
    for name, row in report.observers.items():
        times = "".join(f"{number(value, 2):>9}" for value in (row.p50_ms, row.p99_ms, row.max_ms))
        counts = f"{row.seen + row.missed:>9}{row.seen:>7}{row.missed:>8}{row.doubled:>9}"
        rows.append(f"{name:14}{times}{counts}{number(row.cpu_s, 2):>8}")
    rows.append(f"{'tmux server':14}{number(report.tmux_cpu_s, 2):>68}  (for both and the panes)")
    said = (f"p{n} {number(report.ratios[f'p{n}'], 0)}x (at least {least:.0f}x)" for n, least in REQUIRED)
    rows.append(f"ratios: {', '.join(said)}: {'reached' if report.ok else 'NOT reached'}")
    return "\n".join(rows)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--panes", type=int, default=20, help="how many panes (default 20)")
    parser.add_argument("--seconds", type=int, default=30, help="how long each prints (default 30)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    args = parser.parse_args()
    if args.panes < 1 or args.seconds < 1:
        parser.error("--panes and --seconds are at least 1")
    report = run(args.panes, args.seconds)
    print(json.dumps(asdict(report), indent=2) if args.json else text(report))
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
