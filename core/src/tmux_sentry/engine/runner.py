"""The loop of `tmux-sentry run`: observations in, steps committed, effects out.

One thread owns the Runs; everything else (watchers, parsers, senders, checks, approvals, the control socket)
hands it closures through one queue. Nothing in the loop waits for a host or a person.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tmux_sentry.approvals.broker import Broker
from tmux_sentry.approvals.clerk import Clerk
from tmux_sentry.clock import Clock
from tmux_sentry.contracts import (
    AgentState,
    Checker,
    Decision,
    Level,
    Lines,
    Notifier,
    Observation,
    Osc,
    PaneClosed,
    PaneFacts,
    Parser,
    Screen,
    Signal,
    SignalKind,
)
from tmux_sentry.engine import resume
from tmux_sentry.engine.by_hand import send_by_hand
from tmux_sentry.engine.checking import Checks
from tmux_sentry.engine.conductor import Conductor, Step
from tmux_sentry.engine.desk import Desk
from tmux_sentry.engine.effects import Effects
from tmux_sentry.engine.events import (
    Activity,
    Event,
    ExitSeen,
    Keys,
    Notify,
    OutputSeen,
    PaneGone,
    Reachable,
    ScreenSeen,
    Send,
    StateSeen,
    Unreachable,
)
from tmux_sentry.engine.narrate import narrate
from tmux_sentry.engine.panes import KnownPane, Panes
from tmux_sentry.engine.perception import Perception
from tmux_sentry.engine.run import Run
from tmux_sentry.engine.starting import Starter
from tmux_sentry.engine.table import PaneTable
from tmux_sentry.errors import SentryError
from tmux_sentry.notify.outbox import Outbox
from tmux_sentry.notify.routing import Router
from tmux_sentry.policy.model import Policy
from tmux_sentry.security.redact import Redactor
from tmux_sentry.security.sanitize import clean
from tmux_sentry.state.store import Store
from tmux_sentry.watch import events as watched
from tmux_sentry.watch.watcher import Watcher

log = logging.getLogger(__name__)

HEARTBEAT = 10.0  # seconds between notes of "still here" in the database
TICK = 0.25  # the longest the loop sleeps

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything a Runner is made of, chosen by the command. `watchers` are by host name and not started."""

    policy: Policy
    watchers: Mapping[str, Callable[[watched.Sink], Watcher]]
    prompts: Mapping[str, str | None]
    tell_states: Mapping[str, Collection[AgentState]] = field(default_factory=dict)  # by host: `watch.notify`
    store: Store
    clock: Clock
    parsers: Mapping[str, Parser]
    notifiers: Mapping[str, Notifier]
    checkers: Mapping[str, Checker]
    broker: Broker
    router: Router
    redact: Redactor
    observe: Callable[[Step], None] = field(default=lambda step: None)
    env: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False
    once: bool = False
    take_over: bool = False


class Runner:
    """Built by the command, run on its main thread; `ask` and `stop` may be called from any."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._clock = parts.clock
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._finished = False
        self._away: dict[str, float] = {}  # Runs whose pane is not watched, since when (epoch seconds)
        self._typed: dict[str, tuple[str, ...]] = {}
        self.panes = Panes()
        self.watchers = {name: make(self._on_watch) for name, make in parts.watchers.items()}
        self.perception = Perception(parts.parsers, self._on_signals)
        self.outbox = Outbox(parts.store, parts.notifiers, parts.clock)
        self.checks = Checks(parts.checkers, lambda run_id, event: self._give(run_id, event, False))
        self.clerk = Clerk(
            parts.broker, shown=self._shown, decided=lambda decision: self._inbox.put(lambda: self._decide(decision))
        )
        self.effects = Effects(
            watchers=self.watchers,
            prompts=parts.prompts,
            store=parts.store,
            clock=parts.clock,
            panes=self.panes,
            perception=self.perception,
            checks=self.checks,
            clerk=self.clerk,
            outbox=self.outbox,
            give=self._give,
            take_over=parts.take_over,
            dry_run=parts.dry_run,
        )
        self.conductor = Conductor(parts.store, parts.clock, parts.router, parts.redact, self._let_out)
        self.table = PaneTable(parts.store, parts.clock, self.panes)
        self.starter = Starter(parts.policy, parts.store, parts.clock, self.conductor, self.panes, parts.env)
        self.desk = Desk(parts.store, parts.clock, self.conductor, self.starter, self.panes, parts.env)

    # -------------------------------------------------------------------- from outside

    @property
    def store(self) -> Store:
        """The database."""
        return self._parts.store

    @property
    def succeeded(self) -> bool:
        """Whether every Run that was seen ended well."""
        return self.starter.all_succeeded()

    def handle(self, verb: str, args: Mapping[str, Any]) -> Any:
        """One request of the control socket, on the socket's thread."""
        if verb != "send":
            return self.ask(lambda: self.desk.handle(verb, args))
        pane = self.ask(lambda: self.desk.find_pane(args["pane"], args.get("host")))
        watcher = self.watchers[pane.info.identity.host]
        keys = Keys(text=args["text"], enter=args["enter"])
        return send_by_hand(pane.info, keys, args["wait_idle"], self.effects.ports(watcher, pane.info.identity.host, None))

    def ask(self, question: Callable[[], T], timeout: float = 30.0) -> T:
        """Run `question` on the loop's thread and return its answer, or raise what it raised.

        Raises SentryError when the loop ends first.
        """
        answer: Future[T] = Future()

        def run() -> None:
            try:
                answer.set_result(question())
            except Exception as error:
                answer.set_exception(error)

        self._inbox.put(run)
        deadline = self._clock.monotonic() + timeout
        while True:
            try:
                return answer.result(TICK)
            except FutureTimeout:
                if self._stopping.is_set() or self._clock.monotonic() >= deadline:
                    raise SentryError("tmux-sentry is stopping", "", "try again when it runs") from None

    def stop(self) -> None:
        """End the loop after the commit in hand. Safe in a signal handler."""
        self._stopping.set()
        self._inbox.put(lambda: None)

    # ------------------------------------------------------------------------ the loop

    def run(self) -> None:
        """Watch until stopped, or, with `once`, until the Runs matched at the start have ended."""
        self._open_up()
        beat = self._clock.monotonic()
        try:
            while not self._stopping.is_set() and not self._finished:
                self._work_off(self._nap())
                self.conductor.due()
                self.perception.check()
                self.table.write()
                if self._clock.monotonic() - beat >= HEARTBEAT:
                    self._parts.store.heartbeat()
                    beat = self._clock.monotonic()
                self._finished = self._is_over()
        finally:
            self._close_down()

    def _is_over(self) -> bool:
        """A dry run ends when it has said what it would do first, `once` when its Runs have ended."""
        if self._parts.dry_run:
            return self.starter.all_begun(self.watchers)
        return self._parts.once and self.starter.all_over(self.watchers)

    def _nap(self) -> float:
        due = self.conductor.due()
        return TICK if due is None else min(max(due - self._clock.now(), 0.0), TICK)

    def _work_off(self, patience: float) -> None:
        try:
            self._inbox.get(timeout=patience)()
            for _ in range(1000):  # then look at the clock again, however busy the panes are
                self._inbox.get_nowait()()
        except queue.Empty:
            pass

    def _open_up(self) -> None:
        for run in self.conductor.load(self._parts.env):
            self.starter.resumed(run)
            self._note_typed(run)
            self._lose(run, self._parts.store.seen_at() or self._clock.now())
        for stored in self._parts.store.pending_approvals() if not self._parts.dry_run else []:
            self.effects.show(stored.request.id)
        self.outbox.start()
        self.clerk.start()
        for watcher in self.watchers.values():
            watcher.start()

    def _close_down(self) -> None:
        self._stopping.set()
        self.effects.stop()
        for watcher in self.watchers.values():
            watcher.stop()
        self.clerk.stop()
        self.perception.close()
        self.table.write()
        self._parts.store.heartbeat()
        self.outbox.stop()

    # ------------------------------------------------------------------- what comes in

    def _on_watch(self, record: watched.WatchRecord) -> None:
        """Called on the watchers' threads."""
        if isinstance(record, watched.PaneSeen):
            self.panes.see(record.info)
        if isinstance(record, (Lines, Screen, Osc, PaneClosed)):
            self.perception.feed(record, self.panes.facts(record.pane, self._typed.get(record.pane.key, ())))
        else:
            self._inbox.put(lambda: self._watched(record))

    def _on_signals(self, observation: Observation, facts: PaneFacts, signals: tuple[Signal, ...]) -> None:
        self._inbox.put(lambda: self._observed(observation, signals))

    def _watched(self, record: watched.WatchRecord) -> None:
        match record:
            case watched.Inventoried():
                for info in record.panes:
                    self.panes.see(info)
                self.starter.inventoried(record.host)
                self.table.inventoried(record.host, record.panes)
                self._lose_missing(record)
                self._start_runs()
            case watched.HostUp():
                log.info("%s: watching", clean(record.host))
            case watched.HostDown():
                log.warning("%s: %s", clean(record.host), clean(record.why))
                self.starter.lost(record.host)
                for run in self._runs_on(record.host):
                    self._lose(run, self._clock.now())
            case watched.Whole():
                self.panes.mark_ready(record.pane)
                self._start_runs()
            case watched.Activity():
                if (active := self.conductor.of_pane(record.pane.key)) is not None:
                    self.conductor.step(active.id, Activity())
            case _:
                pass

    def _observed(self, observation: Observation, signals: tuple[Signal, ...]) -> None:
        pane = observation.pane
        before = self.panes.get(pane)
        if isinstance(observation, PaneClosed):
            self.table.closed(pane)
        else:
            self.table.hear(pane, signals, screen=isinstance(observation, Screen))
            self._tell_state(before)
        for signal in signals:
            log.debug("%s %s: %s", clean(pane.pane_id), signal.kind.value, clean(signal.evidence, 120))
        run = self.conductor.of_pane(pane.key)
        if run is None:
            first_look = isinstance(observation, Screen) and before is not None and not before.ready
            if self.starter.heard(pane, _news(before, observation, signals)) or first_look:
                self._start_runs()
            return
        for event in _events(observation, signals):
            if run.open:  # the one before may have ended it
                run = self.conductor.step(run.id, event)
        if isinstance(observation, Screen) and observation.resync and run.open and run.unreachable:
            self._back(run)

    def _tell_state(self, before: KnownPane | None) -> None:
        """Tell people that an agent's state has become one that the host's `watch.notify` names."""
        now = self.panes.get(before.info.identity) if before is not None else None
        if before is None or now is None or now.state is before.state:
            return
        if now.state not in self._parts.tell_states.get(now.info.identity.host, ()):
            return
        name = f"{now.info.identity.host} {now.info.name} {now.info.identity.pane_id}"
        self.conductor.announce(
            Notify(
                event=f"agent.{now.state.value}",
                level=Level.WARNING,
                title=f"{name}: {now.agent or 'the agent'} is {now.state.value}",
                text=now.last_signal,
                dedupe_key=f"{now.info.identity.key}/{now.state.value}/{self._clock.now():.3f}",
            )
        )
        self.outbox.wake()

    def _lose(self, run: Run, since: float) -> None:
        """The pane of a Run is not watched: nothing is decided before it was seen again."""
        self._away.setdefault(run.id, since)
        self.conductor.step(run.id, Unreachable())

    def _back(self, run: Run) -> None:
        """The pane of a Run was seen again: its clocks go on, and what was in hand is settled."""
        since = self._away.pop(run.id, self._clock.now())
        run = self.conductor.step(run.id, Reachable(away=max(self._clock.now() - since, 0.0)))
        if not self.starter.is_resumed(run):
            return
        self.starter.caught_up(run)
        if not run.open:
            return
        for check in resume.checks_in_hand(run):
            self.checks.start(run.id, check)
        known, send = self.panes.get(run.pane), resume.send_in_hand(run)
        if known is None or send is None:
            return
        answer = resume.settle(self._parts.store, send, known.info)
        if isinstance(answer, Send):
            self.effects.send(run, answer)
        else:
            self.conductor.step(run.id, answer)

    def _lose_missing(self, inventory: watched.Inventoried) -> None:
        """A resumed Run whose pane is not in the inventory has lost it."""
        present = {info.identity.key for info in inventory.panes}
        server = f"{inventory.host}/{inventory.server_pid}-{inventory.server_start}"
        for run in self._runs_on(inventory.host):
            if run.pane.key not in present:
                gone = "its tmux server is gone" if run.pane.server != server else "the pane is gone"
                self.conductor.step(run.id, PaneGone(reason=gone))

    def _start_runs(self) -> None:
        for run in self.starter.start():
            self._note_typed(run)

    def _runs_on(self, host: str) -> list[Run]:
        return [run for run in self.conductor.runs.values() if run.pane.host == host and run.open]

    # -------------------------------------------------------------------- what goes out

    def _let_out(self, step: Step) -> None:
        narrate(step, dry=self._parts.dry_run)
        self._note_typed(step.run)
        attempt = step.run.attempt
        self.table.assign(step.run.pane, step.run.pipeline.name if step.run.open else "", attempt.stage if attempt else "")
        self.effects.carry_out(step)
        self.starter.stepped(step.run)
        self._parts.observe(step)

    def _give(self, run_id: str, event: Event, wait: bool) -> None:
        def take() -> None:
            if run_id in self.conductor.runs:
                self.conductor.step(run_id, event)

        if wait:
            self.ask(take)
        else:
            self._inbox.put(take)

    def _note_typed(self, run: Run) -> None:
        """What a parser must know to tell the echo of our own text from an event."""
        if run.open and run.attempt is not None:
            self._typed[run.pane.key] = run.attempt.typed
        elif not run.open:
            self._typed.pop(run.pane.key, None)

    def _shown(self, approval_id: str, places: Mapping[str, str]) -> None:
        with self._parts.store.transaction() as tx:
            tx.show_approval(approval_id, places)

    def _decide(self, decision: Decision) -> None:
        try:
            what = self.conductor.decide(decision)
        except Exception as error:
            what = str(error)
        log.info("approval %s by %s: %s", clean(decision.request_id, 40), clean(decision.by, 60), what)


def _news(before: KnownPane | None, observation: Observation, signals: tuple[Signal, ...]) -> list[Signal]:
    """What a pane without a Run says now; a capture also shows what it said long ago."""
    old = isinstance(observation, Screen) and (observation.resync or before is None or not before.ready)
    seen = before.digests if before is not None else frozenset()
    return [signal for signal in signals if signal.live or (not old and signal.digest not in seen)]


def _events(observation: Observation, signals: tuple[Signal, ...]) -> list[Event]:
    """What an observation and its Signals are to the machine."""
    events: list[Event] = []
    match observation:
        case Lines():
            events.append(OutputSeen(lines=observation.lines, signals=signals))
        case Screen():
            events.append(ScreenSeen(lines=observation.lines, signals=signals, resync=observation.resync))
        case Osc(number=133) if observation.text.startswith("D;"):
            code = observation.text[2:].split(";")[0]
            if code.isascii() and code.isdigit() and len(code) <= 3:
                events.append(ExitSeen(code=int(code)))
        case PaneClosed():
            events.append(PaneGone(reason="the pane is gone", status=observation.status))
        case _:
            pass
    for signal in signals:
        if signal.kind is SignalKind.STATE and signal.state is not None:
            events.append(StateSeen(state=signal.state, confidence=signal.confidence))
    return events
