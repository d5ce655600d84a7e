"""Where things go wrong: the journal's and tmux's callers are killed, stopped, overtaken; commands get lost or late."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulated.ledger import Sender
from simulated.schedule import DEPTH, Killed
from tmux_sentry.contracts import PaneIdentity
from tmux_sentry.errors import Unreachable
from tmux_sentry.tmux.capture import PaneGone
from tmux_sentry.tmux.client import Reply
from tmux_sentry.tmux.model import Capture, PaneInfo
from tmux_sentry.tmux.version import Ability

if TYPE_CHECKING:
    from simulated.process import Process
    from tmux_sentry.engine.job import Job
    from tmux_sentry.state.store import Store
    from tmux_sentry.state.transaction import Transaction

#: Seconds after which a lost command may still arrive.
LATEST = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How often, per call into the journal or tmux."""

    killed: float = 0.0
    stopped: float = 0.0  # SIGSTOP: everything else goes on, for up to minutes
    overtaken: float = 0.0  # another thread goes first
    answer_lost: float = 0.0
    never_arrives: float = 0.0
    arrives_late: float = 0.0
    claimed: float = 0.0  # killed or stopped between a claim and the first keys
    noticed: float = 0.0  # people see that a command hangs, and move over or start the pane's program anew


class Point:
    """A place in a process's code where it may be killed, stopped or overtaken."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def __call__(self, where: str, *, alone: bool = False, likely: float = 0.0) -> None:
        """`alone`: the process's only thread that may be here, so nothing of it can overtake."""
        process = self._process
        schedule, rates = process.world.schedule, process.world.rates
        chance = schedule.random.random()
        if schedule.random.random() < likely:
            chance *= rates.killed + rates.stopped
        if chance < rates.killed:
            process.kill(where)
            raise Killed
        if schedule.depth >= DEPTH:
            return
        if chance < rates.killed + rates.stopped:
            seconds = schedule.random.choice((1.0, 10.0, 60.0, 400.0))
            schedule.note("stopped", process.name, where, seconds)
            process.stopped += 1
            try:
                schedule.sleep(process, seconds)
            finally:
                process.stopped -= 1
        elif not alone and chance < rates.killed + rates.stopped + rates.overtaken:
            schedule.sleep(process, schedule.random.uniform(0.0, 3.0))


class LoopStore:
    """The Store as the loop's thread uses it."""

    def __init__(self, store: Store, point: Point) -> None:
        self._store, self._point = store, point

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        self._point("before a commit", alone=True)
        with self._store.transaction() as tx:
            yield tx
        self._point("after a commit", alone=True)

    def settle(self, *args: Any) -> None:
        """As the Store."""
        self._point("before settle", alone=True)
        self._store.settle(*args)
        self._point("after settle", alone=True)


class JobStore:
    """The Store as a send's thread uses it. What was intended travels beside the command that follows."""

    def __init__(self, store: Store, point: Point, worker: str, text: str) -> None:
        self._store, self._point, self._worker, self._text = store, point, worker, text
        self.sender: Sender | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def intend(self, action_id: str, step: str, **values: Any) -> None:
        """As the Store."""
        self._point(f"before intend {step}")
        self._store.intend(action_id, step, **values)  # type: ignore[arg-type]
        self.sender = Sender(
            worker=self._worker,
            action_id=action_id,
            step=step,
            pane_key=values["pane"].key,
            epoch=values["epoch"],
            marker=values["marker"],
            text=self._text,
        )
        self._point(f"after intend {step}")

    def settle(self, action_id: str, step: Any, status: Any, reason: str = "") -> None:
        """As the Store."""
        self._point(f"before settle {step}")
        self._store.settle(action_id, step, status, reason)
        if status != "injected":
            self.sender = None
        self._point(f"after settle {step}")

    def save_fence(self, *args: Any) -> None:
        """As the Store."""
        self._point("before save_fence")
        self._store.save_fence(*args)
        self._point("after save_fence")


class Link:
    """A `CommandClient` to one simulated server, for one send."""

    ability = Ability.STREAM

    def __init__(self, process: Process, host: str, sender: Callable[[], Sender | None]) -> None:
        self.host, self._process, self._sender = host, process, sender

    def command(self, line: str, timeout: float = 5.0) -> Reply:
        """One line with one command."""
        return self.converse(line, lambda reply: True, timeout)[-1]

    def converse(self, line: str, until: Callable[[Reply], bool], timeout: float = 5.0) -> list[Reply]:
        """One line; its answer, unless the network has other plans."""
        process, world, sender = self._process, self._process.world, self._sender()
        schedule, rates, server = world.schedule, world.rates, world.servers[self.host]

        def late() -> None:
            if server.alive:
                schedule.note("late", self.host)
                server.carry_out(line, sender)

        try:
            process.point("before tmux")
        except Killed:
            if schedule.chance(0.5):  # it was on its way already
                schedule.after(0.0, LATEST, late)
            raise
        self._check_up(server.alive)
        chance = schedule.random.random()
        if chance < rates.never_arrives + rates.arrives_late:
            if chance < rates.arrives_late:
                # Often in the moment in which its sender has given it up and looks again.
                schedule.after(*((timeout, timeout + 2.0) if schedule.chance(0.3) else (0.0, LATEST)), late)
                pane = next((pane for pane in server.panes.values() if f" {pane.pane_id} " in line), None)
                if sender is not None and pane is not None and schedule.chance(rates.noticed):
                    world.people.noticed(process, pane)
            schedule.sleep(process, timeout)
            raise Unreachable(f"{self.host} does not answer")
        replies = server.carry_out(line, sender)
        claimed = any(text.startswith("CLAIMED") for reply in replies for text in reply.lines)
        process.point("after claim" if claimed else "after tmux", likely=rates.claimed if claimed else 0.0)
        if schedule.chance(rates.answer_lost):
            schedule.sleep(process, timeout)
            raise Unreachable(f"{self.host} does not answer")
        told = []
        for reply in replies:
            told.append(reply)
            if until(reply) or not reply.ok:
                return told
        schedule.sleep(process, timeout)
        raise Unreachable(f"{self.host}: no answer to the end")

    def _check_up(self, alive: bool) -> None:
        if not alive or self._process.is_cut_off:
            raise Unreachable(f"{self.host} cannot be reached")


class SimulatedWatcher:
    """What a send needs of the Watcher of its host."""

    def __init__(self, process: Process, job: Job, store: JobStore) -> None:
        self._process, self._job, self._store = process, job, store

    @property
    def client(self) -> Any:
        """A new Link; raises Unreachable while the host is away."""
        if self._process.is_cut_off:
            raise Unreachable(f"{self._job.pane.host} cannot be reached")
        return Link(self._process, self._job.pane.host, lambda: self._store.sender)

    def pane(self, identity: PaneIdentity) -> PaneInfo | None:
        """The pane, as last seen."""
        found = self._process.world.find(identity)
        return found.info() if found is not None else None

    def capture(self, identity: PaneIdentity, history: int | None = 0) -> Capture:
        """The pane now."""
        process = self._process
        process.point("before capture")
        if process.is_cut_off or process.world.schedule.chance(process.world.rates.never_arrives):
            raise Unreachable(f"{identity.host} cannot be reached")
        found = process.world.find(identity)
        if found is None:
            raise PaneGone(f"pane {identity.pane_id} is gone")
        return found.capture()

    def polled(self, identity: PaneIdentity) -> bool:
        """No pane is."""
        return False

    def in_foreground(self, pid: int) -> bool | None:
        """A command of the shell shows as itself here, never as the shell."""
        return True

    def wait_change(self, identity: PaneIdentity, timeout: float) -> object:
        """A while."""
        self._process.world.schedule.sleep(self._process, timeout)
        return None


class Flag:
    """A `threading.Event` in virtual time."""

    def __init__(self, process: Process) -> None:
        self._process, self._set = process, False

    def set(self) -> None:
        """Nobody wants the send any more."""
        self._set = True

    def is_set(self) -> bool:
        """Whether that is so."""
        return self._set

    def wait(self, timeout: float) -> bool:
        """Sleep in virtual time, whether or not it is set meanwhile."""
        if not self._set:
            self._process.world.schedule.sleep(self._process, timeout)
        return self._set
