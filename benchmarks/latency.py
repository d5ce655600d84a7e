"""How long after a line was printed is it known? tmux-sentry beside a subprocess `capture-pane` poller, in one run.

Each pane of a private tmux server runs a program that prints one SENTRY line a second, with the time of the print in
it. Two observers, each in a process of its own, watch the same panes at the same time:

* `tmux-sentry`: the Watcher, the parsers' thread and the `sentry` parser, up to the Signal;
* `capture-pane`: once a second `tmux capture-pane -p` for each pane and a regex, which is what most tools do.

The exit status is 0 when the required ratios are reached and tmux-sentry missed and doubled nothing, else 1.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from observers import PATIENCE, Observer, Result, observe, poll_captures, read_streams

from tmux_sentry.testing.tmux_server import TmuxServer, running_server

SESSIONS = 4
#: How many times longer the poller has to take.
REQUIRED = {"p50": 100.0, "p99": 20.0}
LEAD = 1.0  # seconds from the word to start to the first line
LATE = 5.0  # seconds after the last line in which it may still be found

# It learns on its terminal when to start. Steps of the golden ratio spread the panes evenly over the second, for any
# number of them, and not in the order in which the poller goes through them.
PRINTER = """
import os, sys, time
pane, lines = map(int, sys.argv[1:])
start = float(input()) + pane * 0.618034 % 1
for number in range(lines):
    time.sleep(max(start + number - time.time(), 0))
    event = '### SENTRY {"type":"STATUS","stage":"bench","id":"%d-%d","data":{"printed_ns":%d}}\\n'
    os.write(1, (event % (pane, number, time.time_ns())).encode())
time.sleep(3600)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is printed."""

    panes: int
    sessions: int
    seconds: int
    setting: str
    ours: Result
    theirs: Result
    tmux_cpu_s: float | None  # the server's, for both observers and the panes; None where it cannot be told
    ratios: dict[str, float]  # how many times longer the poller took, 0 where there is nothing to compare
    faults: list[str]


def run(panes: int, seconds: int) -> Report:
    """Measure; each pane prints `seconds` lines. Raises TimeoutError or EOFError when an observer fails."""
    sessions = min(SESSIONS, panes)
    with running_server() as server:
        setting = f"{server.run('-V')}, Python {platform.python_version()}, {os.cpu_count()} cores"
        pane_ids = [open_pane(server, number, sessions, seconds) for number in range(panes)]
        job = (server.address, pane_ids, panes * seconds)
        with process(read_streams, *job) as our_line, process(poll_captures, *job) as their_line:
            ours, theirs, tmux_cpu_s = measure(server, pane_ids, seconds, our_line, their_line)
    ratios = {name: ratio(getattr(theirs, f"{name}_ms"), getattr(ours, f"{name}_ms")) for name in REQUIRED}
    return Report(
        panes=panes,
        sessions=sessions,
        seconds=seconds,
        setting=setting,
        ours=ours,
        theirs=theirs,
        tmux_cpu_s=tmux_cpu_s,
        ratios=ratios,
        faults=faults(ours, ratios),
    )


def open_pane(server: TmuxServer, number: int, sessions: int, lines: int) -> str:
    """A window with a printer, in one session after the other; returns its pane id."""
    printer = [sys.executable, "-I", "-S", "-c", PRINTER, str(number), str(lines)]
    session, command = f"work{number % sessions}", shlex.join(["exec", *printer])
    if number < sessions:
        return server.new_session(session, command=command)
    return server.run("new-window", "-d", "-P", "-F", "#{pane_id}", "-t", f"{session}:", command)


@contextmanager
def process(observer: Observer, *job: Any) -> Iterator[Connection]:
    """The line to an observer in a process of its own, which is gone at the end of the block."""
    spawn = multiprocessing.get_context("spawn")
    line, far_end = spawn.Pipe()
    child = spawn.Process(target=observe, args=(observer, *job, far_end), daemon=True)
    child.start()
    far_end.close()  # so that each side sees the end of the other
    try:
        yield line
    finally:
        line.close()
        child.join(5.0)
        child.kill()


def measure(
    server: TmuxServer, pane_ids: Sequence[str], seconds: int, *lines: Connection
) -> tuple[Result, Result, float | None]:
    """Let the panes print; returns both Results and the CPU seconds that the tmux server took for it all."""
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


def hear(line: Connection, timeout: float) -> Any:
    """The next word of an observer. Raises TimeoutError, or EOFError when it has ended."""
    if not line.poll(timeout):
        raise TimeoutError(f"an observer said nothing for {timeout:.0f} s")
    return line.recv()


def cpu_seconds_of(pid: int) -> float | None:
    """User and system time of a process, where there is a /proc."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return None
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ratio(theirs: float | None, ours: float | None) -> float:
    """How many times longer theirs took; 0 where there is nothing to compare."""
    return theirs / ours if theirs and ours else 0.0


def faults(ours: Result, ratios: dict[str, float]) -> list[str]:
    """What is not as it has to be."""
    slow = [f"the {name} ratio is below {least:.0f}x" for name, least in REQUIRED.items() if ratios[name] < least]
    counts = {"missed": ours.missed, "doubled": ours.doubled}
    return slow + [f"tmux-sentry {what} {count}" for what, count in counts.items() if count]


def text(report: Report) -> str:
    """The report as a table, with the ratios on a line of their own."""
    head = ("p50 ms", "p99 ms", "max ms", "printed", "seen", "missed", "doubled", "CPU s")
    rows: list[tuple[str, ...]] = [("", *head)]
    for name, row in (("tmux-sentry", report.ours), ("capture-pane", report.theirs)):
        times = [show(value) for value in (row.p50_ms, row.p99_ms, row.max_ms)]
        counts = map(str, (row.seen + row.missed, row.seen, row.missed, row.doubled))
        rows.append((name, *times, *counts, show(row.cpu_s)))
    rows.append(("tmux server", *[""] * (len(head) - 1), show(report.tmux_cpu_s)))
    said = (f"{name} {report.ratios[name]:.0f}x (at least {least:.0f}x)" for name, least in REQUIRED.items())
    return "\n".join(
        [
            f"{report.panes} panes in {report.sessions} sessions, a line a second each for {report.seconds} s",
            report.setting,
            *(f"{name:13}" + "".join(f"{cell:>9}" for cell in cells) for name, *cells in rows),
            f"ratios: {', '.join(said)}",
            *(f"FAILED: {fault}" for fault in report.faults),
        ]
    )


def show(value: float | None) -> str:
    """A cell of the table."""
    return "-" if value is None else f"{value:.2f}"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--panes", type=int, default=20, help="how many panes (default 20)")
    parser.add_argument("--seconds", type=int, default=30, help="how long each prints (default 30)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    args = parser.parse_args()
    if args.panes < 1 or args.seconds < 1:
        parser.error("--panes and --seconds are at least 1")
    try:
        report = run(args.panes, args.seconds)
    except (EOFError, TimeoutError) as error:
        sys.exit(f"latency: {str(error) or 'an observer ended before its time'}")
    except KeyboardInterrupt:
        return 130
    print(json.dumps(asdict(report), indent=2) if args.json else text(report))
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
