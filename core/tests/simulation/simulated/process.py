"""One process of the product: the real Conductor, Intake, journal and senders, over a database that outlives it."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from simulated.faults import Flag, JobStore, LoopStore, Point, SimulatedWatcher
from tmux_sentry.contracts import Decision, PaneClosed, PaneIdentity, Screen
from tmux_sentry.engine.conductor import Conductor, Step
from tmux_sentry.engine.effects import owner
from tmux_sentry.engine.events import AboutToSend, Ask, Event, Order, Send, SendDone, SendHeld, StopSend
from tmux_sentry.engine.herald import Herald
from tmux_sentry.engine.intake import Intake
from tmux_sentry.engine.machine import next_due
from tmux_sentry.engine.panes import Panes
from tmux_sentry.engine.run import Run
from tmux_sentry.engine.sending import Job, Ports, carry_out
from tmux_sentry.engine.tails import Tails
from tmux_sentry.errors import SentryError, Unreachable
from tmux_sentry.limits.zones import Zones
from tmux_sentry.notify.routing import Defaults, Router
from tmux_sentry.policy.model import Pipeline
from tmux_sentry.security.trust import PaneKeys
from tmux_sentry.state.database import Database
from tmux_sentry.state.records import RunNames
from tmux_sentry.state.store import Store
from tmux_sentry.tmux.model import Capture
from tmux_sentry.watch.events import HostDown, Inventoried

if TYPE_CHECKING:
    from simulated.world import World

NAMES = RunNames(session_name="s", window_name="w", window_index=0, pane_index=0)


@dataclass
class Worker:
    """An instance: its database, and the process that runs on it, if one does. In memory, for speed; a transaction
    that a kill interrupts is rolled back as SQLite would at the next open."""

    name: str
    database: Database
    process: Process | None = None
    wanted: bool = False  # a supervisor starts it again
    take_over: bool = False


class _Resumed:
    """The part of `Starter` that a restart needs; the people of the simulation start Runs themselves."""

    def __init__(self) -> None:
        self.waiting: set[str] = set()

    def is_resumed(self, run: Run) -> bool:
        return run.id in self.waiting

    def caught_up(self, run: Run) -> Run:
        self.waiting.discard(run.id)
        return run

    def heard(self, *_: object) -> bool:
        return False

    def start(self, *_: object) -> None: ...

    inventoried = lost = start


class Process:
    """Everything in here is lost when it is killed."""

    def __init__(self, world: World, worker: Worker) -> None:
        self.world, self.worker, self.take_over = world, worker, worker.take_over
        self.name = worker.name
        self.dead, self.stopped, self.wakes_at, self.cut_off_until = False, 0, 0.0, 0.0
        self.jobs: dict[str, tuple[float, Job]] = {}
        self.point = Point(self)
        self._tick_at = inf
        self._plain = Store(worker.database, world.schedule)
        self.store: Any = LoopStore(self._plain, self.point)
        self.panes = Panes()
        self._resumed = _Resumed()
        clock: Any = world.schedule
        self.conductor = Conductor(
            self.store,
            clock,
            Herald(router=Router(defaults=Defaults(channels=("people",), local=("people",)))),
            self._let_out,
        )
        self.intake = Intake(
            store=self.store,
            clock=clock,
            conductor=self.conductor,
            starter=self._resumed,  # type: ignore[arg-type]
            panes=self.panes,
            table=SimpleNamespace(inventoried=lambda *_: None, closed=self.panes.close, hear=lambda *_, **__: None),  # type: ignore[arg-type]
            keys=PaneKeys(self.store.pane_secret, self.store.save_pane_secret),
            tails=Tails(),
            effects=SimpleNamespace(send=self._send, wake_outbox=lambda: None),  # type: ignore[arg-type]
            checks=SimpleNamespace(),  # type: ignore[arg-type]
            doubts=SimpleNamespace(about=lambda _: False, hold=lambda *_: False),  # type: ignore[arg-type]
            tell_states={},
            zones=Zones({}, {}, "UTC", clock, lambda host: None),
            taken=lambda _: None,
        )

    @property
    def is_cut_off(self) -> bool:
        """Whether its network is down."""
        return self.world.schedule.now() < self.cut_off_until

    @property
    def stands_still(self) -> bool:
        """Whether it is stopped, or its machine hangs."""
        return self.stopped > 0 or self.wakes_at > self.world.schedule.now()

    # ------------------------------------------------------------------ life and death

    def start(self) -> None:
        """What `Runner` does first."""
        now = self.world.schedule.now()
        for run in self.conductor.load({}):
            self._resumed.waiting.add(run.id)
            self.intake.lose(run, self._plain.seen_at() or now)
        for stored in self._plain.pending_approvals():
            self.world.people.asked(self, stored.request.id)
        self.look_around(3.0)
        self._beat()

    def _beat(self) -> None:
        self._plain.heartbeat()
        self.world.schedule.after(120.0, 120.0, self._beat, self)

    def kill(self, where: str) -> None:
        """From here on nothing of it goes on; a supervisor starts it again."""
        self.world.schedule.note("killed", self.name, where)
        self.dead = True
        if self.worker.process is self:
            self.worker.process = None
            if self.worker.wanted:
                self.world.schedule.after(0.5, 20.0, lambda: self.world.start(self.worker))

    # --------------------------------------------------------------------- what is seen

    def look_around(self, patience: float) -> None:
        """An inventory of every host, and in a moment a capture of every pane."""
        if self.is_cut_off:
            return
        now = self.world.schedule.now()
        for server in self.world.servers.values():
            panes = tuple(pane.info() for pane in server.panes.values() if not pane.dead)
            record = Inventoried(
                host=server.host, at=now, server_pid=server.pid, server_start=server.start, panes=panes
            )
            self.intake.record(record)
            for info in panes:
                self.world.schedule.after(0.0, patience, lambda pane=info.identity: self._caught_up(pane), self)

    def _caught_up(self, pane: PaneIdentity) -> None:
        found = self.world.find(pane)
        if self.is_cut_off:
            return
        if found is None:
            self.closed(pane)
            return
        seen = found.capture()
        screen = Screen(pane=pane, at=self.world.schedule.now(), lines=seen.lines, cursor=seen.cursor, resync=True)
        self.intake.observation(screen, ())
        self._rearm()

    def closed(self, pane: PaneIdentity) -> None:
        """The pane's end is noticed."""
        self.intake.observation(PaneClosed(pane=pane, at=self.world.schedule.now()), ())

    def cut_off(self, seconds: float) -> None:
        """No host is reached for a while."""
        now = self.world.schedule.now()
        self.cut_off_until = now + seconds
        for host in self.world.servers:
            self.intake.record(HostDown(host=host, at=now, why="", error=Unreachable(f"{host} cannot be reached")))
        self.world.schedule.after(seconds, seconds + 5.0, lambda: self.look_around(3.0), self)

    # -------------------------------------------------------------------- what it does

    def begin(self, pane: PaneIdentity, pipeline: Pipeline, run_id: str) -> None:
        """A Run on a pane."""
        now = self.world.schedule.now()
        run = Run(
            id=run_id, pipeline=pipeline, pane=pane, pane_name="s:w.0", policy_digest=pipeline.digest, started_at=now
        )
        self.conductor.add(run, NAMES)
        self._rearm()

    def order(self, run_id: str, order: Order) -> None:
        """A person's order."""
        self.conductor.order(run_id, order)
        self._rearm()

    def decide(self, approval_id: str, approved: bool) -> None:
        """A person's answer."""
        now = self.world.schedule.now()
        self.conductor.decide(Decision(request_id=approval_id, approved=approved, by="ann", channel="terminal", at=now))
        self._rearm()

    def _rearm(self) -> None:
        at = min((due for run in self.conductor.runs.values() if (due := next_due(run, 0.0))), default=inf)
        if at < self._tick_at:
            self._tick_at = at
            self.world.schedule.at(at, self._tick, self)

    def _tick(self) -> None:
        if self._tick_at > self.world.schedule.now():
            return  # an earlier one has been here
        self._tick_at = inf
        self.conductor.due()
        self._rearm()

    def _let_out(self, step: Step) -> None:
        if isinstance(step.event, SendDone) and step.before is not None:
            self.world.ledger.believed_done(self.name, step.event.action_id)
        for effect in step.effects:
            match effect:
                case Send():
                    self._send(step.run, effect)
                case StopSend() if effect.action_id in self.jobs:
                    self.jobs[effect.action_id][1].stopped.set()
                case Ask():
                    self.world.people.asked(self, effect.approval_id)
                case _:
                    pass

    def _send(self, run: Run, effect: Send) -> None:
        if effect.action_id in self.jobs:
            return
        stopped: Any = Flag(self)
        job = Job(
            action_id=effect.action_id, pane=run.pane, keys=effect.keys, wait_idle=effect.wait_idle, stopped=stopped
        )
        schedule = self.world.schedule
        self.jobs[job.action_id] = (schedule.now(), job)
        found = self.world.find(run.pane)
        busy = max(found.busy_until - schedule.now(), 0.0) if found is not None and schedule.chance(0.9) else 0.0
        schedule.after(busy, busy + 2.0, lambda: self._carry_out(run.id, job), self)

    def _carry_out(self, run_id: str, job: Job) -> None:
        """As `Effects` does, on what would be a thread of its own."""

        def announce(job: Job, event: AboutToSend, capture: Capture) -> None:
            self._give(run_id, event)

        store: Any = JobStore(self._plain, self.point, self.name, job.keys.text)
        watcher: Any = SimulatedWatcher(self, job, store)
        ports = Ports(
            watcher=watcher,
            store=store,
            clock=self.world.schedule,
            owner=owner(self._plain, job.pane.host),
            take_over=self.take_over,
            announce=announce,
            agent_state=self.world.agent_state,
        )
        answer: Event | None
        try:
            answer = carry_out(job, ports)
        except SentryError as error:
            answer = SendHeld(action_id=job.action_id, reason=error.what)
        self.jobs.pop(job.action_id, None)
        self.world.schedule.note(
            "answer", self.name, job.action_id, type(answer).__name__, getattr(answer, "reason", "")
        )
        if answer is not None:
            self._give(run_id, answer)

    def _give(self, run_id: str, event: Event) -> None:
        if run_id in self.conductor.runs:
            self.conductor.step(run_id, event)
            self._rearm()
