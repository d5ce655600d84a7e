"""The designs that are compared. Each finds the events in some panes and adds them to a Tally.

What only one of them needs is imported by it alone: the memory of each is measured.
"""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tally import Tally

from tmux_sentry.tmux.model import TmuxAddress
from tmux_sentry.transport.target import SshTarget

if TYPE_CHECKING:
    from tmux_sentry import Observation, PaneFacts, Signal
    from tmux_sentry.transport.base import Transport
    from tmux_sentry.watch.events import WatchRecord

POLL_EVERY = 1.0  # seconds
PATIENCE = 60.0  # seconds that an observer may take to get ready or to leave
_EVENT = re.compile(r'### SENTRY \{.*"id":"([\d-]+)".*"printed_ns":(\d+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What an observer has to watch."""

    address: TmuxAddress
    pane_ids: tuple[str, ...]
    expected: int  # events
    ssh: SshTarget | None = None


#: Adds to the Tally until the block ends; the block begins when every pane is watched.
Observer = Callable[[Job, Tally], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """One way to watch."""

    name: str
    text: str  # for people
    observer: Observer | None  # None: nobody watches, to know what tmux needs alone
    ours: bool = False
    over_ssh: bool = False


@contextmanager
def watch_here(job: Job, tally: Tally) -> Iterator[None]:
    """Ours, on the machine of the panes."""
    from tmux_sentry.transport.local import LocalTransport

    with _watch(LocalTransport("here"), job, tally):
        yield


@contextmanager
def watch_over_ssh(job: Job, tally: Tally) -> Iterator[None]:
    """Ours, from another machine."""
    from tmux_sentry.transport.ssh import SshTransport

    target = job.ssh
    assert target is not None
    with _watch(SshTransport("there", lambda: target), job, tally):
        yield


@contextmanager
def _watch(transport: Transport, job: Job, tally: Tally) -> Iterator[None]:
    """Joined as the engine joins it. Ready when every pane's stream is attached and its first capture taken."""
    from tmux_sentry import Emitted, Lines, Osc, PaneClosed, Screen
    from tmux_sentry.clock import SystemClock
    from tmux_sentry.engine.panes import Panes
    from tmux_sentry.engine.perception import Perception
    from tmux_sentry.watch.events import PaneSeen
    from tmux_sentry.watch.watcher import Watcher
    from tmux_sentry_parser_sentry import SentryParser

    panes = Panes()
    unread, ready = set(job.pane_ids), threading.Event()

    def deliver(observation: Observation, facts: PaneFacts, signals: tuple[Signal, ...]) -> None:
        found = time.time_ns()
        for signal in signals:
            # A capture after a gap shows old events again, and says so: they are not taken for news.
            if signal.event_id is not None and (signal.live or not tally.knows(signal.event_id)):
                tally.add(signal.event_id, signal.data["data"]["printed_ns"], found)

    def sink(record: WatchRecord) -> None:
        if isinstance(record, PaneSeen):
            panes.see(record.info)
        elif isinstance(record, (Lines, Screen, Osc, Emitted, PaneClosed)):
            perception.feed(record, panes.facts(record.pane, ()))
            if isinstance(record, Screen) and record.resync:
                unread.discard(record.pane.pane_id)
                if not unread:
                    ready.set()

    perception = Perception({"sentry": SentryParser()}, deliver)
    watcher = Watcher(transport.host, transport, job.address, sink, SystemClock(), max_panes=len(job.pane_ids))
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
def poll_with_subprocess(job: Job, tally: Tally) -> Iterator[None]:
    """The peer: every second a `tmux capture-pane -p` of one pane after the other, which is what most tools do."""

    def screens() -> Iterator[str]:
        for pane_id in job.pane_ids:
            argv = [*job.address.argv(), "capture-pane", "-p", "-t", pane_id]
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            yield done.stdout

    with _poll(screens, tally):
        yield


@contextmanager
def poll_with_libtmux(job: Job, tally: Tally) -> Iterator[None]:
    """The same through libtmux's `Pane.capture_pane`."""
    from libtmux import Server

    known = {pane.pane_id: pane for pane in Server(socket_path=job.address.socket_path).panes}
    panes = [known[pane_id] for pane_id in job.pane_ids]

    with _poll(lambda: ("\n".join(pane.capture_pane()) for pane in panes), tally):
        yield


@contextmanager
def _poll(screens: Callable[[], Iterable[str]], tally: Tally) -> Iterator[None]:
    stopping = threading.Event()

    def poll() -> None:
        due = time.monotonic()
        while not stopping.wait(max(due - time.monotonic(), 0.0)):
            due += POLL_EVERY
            for screen in screens():
                found = time.time_ns()
                for event_id, printed_ns in _EVENT.findall(screen):
                    if not tally.knows(event_id):
                        tally.add(event_id, int(printed_ns), found)

    poller = threading.Thread(target=poll, name="poller", daemon=True)
    poller.start()
    try:
        yield
    finally:
        stopping.set()
        poller.join(PATIENCE)


#: In the order in which they are measured and shown.
DESIGNS = {
    design.name: design
    for design in (
        Design(name="none", text="no watcher", observer=None),
        Design(name="local", text="tmux-sentry", observer=watch_here, ours=True),
        Design(name="ssh", text="tmux-sentry, sshd", observer=watch_over_ssh, ours=True, over_ssh=True),
        Design(name="subprocess", text="capture-pane, 1 s", observer=poll_with_subprocess),
        Design(name="libtmux", text="libtmux, 1 s", observer=poll_with_libtmux),
    )
}
