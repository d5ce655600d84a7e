"""One measurement: a load, a fresh tmux server, and one design in a process of its own that watches it."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from loads import Load, open_panes, start
from observers import PATIENCE, Design, Job, Observer
from proc import cpu_seconds, cpu_seconds_of_all, peak_megabytes
from tally import Found, Tally

from tmux_sentry.testing.ssh_server import SshServer, running_ssh_server
from tmux_sentry.testing.tmux_server import TmuxServer, running_server

LEAD = 2.0  # seconds from the word to start to the first line
LATE = 5.0  # seconds after the last line in which it may still be found


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """CPU seconds, None where they are not known or there is no such thing."""

    watcher: float | None  # with the tmux clients that it started on its own machine
    tmux: float | None  # the server's
    sshd: float | None  # with what it started for the watcher: shells and tmux clients

    def since(self, before: Cost, minutes: float) -> Cost:
        """CPU seconds a minute."""

        def rate(now: float | None, then: float | None) -> float | None:
            return None if now is None or then is None else (now - then) / minutes

        return Cost(
            watcher=rate(self.watcher, before.watcher),
            tmux=rate(self.tmux, before.tmux),
            sshd=rate(self.sshd, before.sshd),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of one design under one load."""

    load: str
    design: str
    printed: int
    found: Found | None  # None when nobody watched
    cpu: Cost  # a minute
    peak_mb: float | None  # of the watcher's process, without the tmux clients that it started


def measure(load: Load, design: Design, seconds: int) -> Row:
    """Each pane prints `seconds` lines. Raises TimeoutError or EOFError when the observer fails."""
    with ExitStack() as stack:
        server = stack.enter_context(running_server())
        sshd = stack.enter_context(running_ssh_server()) if design.over_ssh else None
        pane_ids = open_panes(server, load, seconds)
        watcher = None
        if design.observer is not None:
            job = Job(
                address=server.address,
                pane_ids=tuple(pane_ids),
                expected=load.panes * seconds,
                ssh=sshd.target() if sshd else None,
            )
            watcher = stack.enter_context(_watching(design.observer, job))
            watcher.hear(PATIENCE)
        cpu, deadline = _print(server, pane_ids, seconds, watcher, sshd)
        found = watcher.finish(deadline) if watcher else None
        peak = peak_megabytes(watcher.pid) if watcher else None
    return Row(load=load.name, design=design.name, printed=load.panes * seconds, found=found, cpu=cpu, peak_mb=peak)


def _print(
    server: TmuxServer, pane_ids: list[str], seconds: int, watcher: _Watching | None, sshd: SshServer | None
) -> tuple[Cost, float]:
    """Let the panes print; returns what it cost from the first line on, and when (epoch) no line will come any more."""
    tmux, served = server.pid, sshd.connections() if sshd else []

    def cost() -> Cost:
        return Cost(
            watcher=cpu_seconds_of_all([watcher.pid]) if watcher else None,
            tmux=cpu_seconds(tmux),
            sshd=cpu_seconds_of_all(served) if served else None,
        )

    begin = time.time() + LEAD
    start(server, pane_ids, begin)
    time.sleep(max(begin - time.time(), 0.0))
    before = cost()
    time.sleep(max(begin + seconds - time.time(), 0.0))
    return cost().since(before, seconds / 60), begin + seconds + LATE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watching:
    """An observer in a process of its own, from outside."""

    pid: int
    line: Connection

    def hear(self, timeout: float) -> Any:
        """Its next word. Raises TimeoutError, or EOFError when it has ended."""
        if not self.line.poll(timeout):
            raise TimeoutError(f"an observer said nothing for {timeout:.0f} s")
        return self.line.recv()

    def finish(self, deadline: float) -> Found:
        """What it found when it had found everything, or at the deadline."""
        self.line.send(deadline)
        found: Found = self.hear(max(deadline - time.time(), 0.0) + PATIENCE)
        return found


@contextmanager
def _watching(observer: Observer, job: Job) -> Iterator[_Watching]:
    """An observer's process, gone at the end of the block."""
    spawn = multiprocessing.get_context("spawn")
    line, far_end = spawn.Pipe()
    child = spawn.Process(target=_observe, args=(observer, job, far_end), daemon=True)
    child.start()
    far_end.close()  # so that each side sees the end of the other
    assert child.pid is not None
    try:
        yield _Watching(pid=child.pid, line=line)
    finally:
        line.close()
        child.join(PATIENCE)
        child.kill()


def _observe(observer: Observer, job: Job, line: Connection) -> None:
    """The observer's process: says "ready", hears the deadline, says what it found, leaves when the line ends."""
    tally = Tally(job.expected)
    with suppress(EOFError, KeyboardInterrupt), observer(job, tally):  # nobody wants to know any more
        line.send("ready")
        tally.wait(line.recv())
        time.sleep(0.2)  # for what might come twice
        line.send(tally.found())
        line.recv()
