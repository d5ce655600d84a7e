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
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tmux_sentry.approvals.broker import Broker
from tmux_sentry.approvals.by_hand import LinkOrders
from tmux_sentry.approvals.clerk import Clerk
from tmux_sentry.approvals.links import Links
from tmux_sentry.approvals.tokens import Tokens
from tmux_sentry.approvals.window import Ports, Window
from tmux_sentry.clock import Clock
from tmux_sentry.contracts import (
    AgentState,
    Checker,
    Decision,
    Emitted,
    HostAccess,
    Lines,
    Notifier,
    Observation,
    Osc,
    PaneClosed,
    PaneFacts,
    Parser,
    Screen,
    Signal,
    Title,
)
from tmux_sentry.engine.checking import Checks
from tmux_sentry.engine.conductor import Conductor, Step, Unseal
from tmux_sentry.engine.desk import Desk
from tmux_sentry.engine.doubts import Doubts
from tmux_sentry.engine.effects import Effects
from tmux_sentry.engine.events import CheckReported, Event, Keys
from tmux_sentry.engine.herald import Herald
from tmux_sentry.engine.housekeeping import Housekeeper
from tmux_sentry.engine.intake import Intake
from tmux_sentry.engine.isolation import Isolation, host_name, pane_name
from tmux_sentry.engine.narrate import narrate
from tmux_sentry.engine.observing import notice
from tmux_sentry.engine.panes import Panes
from tmux_sentry.engine.patterns import Patterns
from tmux_sentry.engine.perception import Perception
from tmux_sentry.engine.progress import signal_of
from tmux_sentry.engine.quarantine import Quarantine
from tmux_sentry.engine.run import Run
from tmux_sentry.engine.starting import Starter
from tmux_sentry.engine.table import PaneTable
from tmux_sentry.engine.tails import Tails
from tmux_sentry.errors import SentryError
from tmux_sentry.limits.zones import Zones
from tmux_sentry.notify.outbox import Channel, Outbox
from tmux_sentry.policy.model import Policy
from tmux_sentry.security.sanitize import clean
from tmux_sentry.security.trust import PaneKeys
from tmux_sentry.state.observe import sentence
from tmux_sentry.state.records import StoredApproval
from tmux_sentry.state.store import Store
from tmux_sentry.watch import events as watched
from tmux_sentry.watch.watcher import Watcher
from tmux_sentry.watchdog import Watchdog

log = logging.getLogger(__name__)

HEARTBEAT = 10.0  # seconds between notes of "still here" in the database
TICK = 0.25  # the longest the loop sleeps
#: Seconds without a turn after which a Watcher hangs: longer than its longest wait for a host and every timeout.
STUCK = 120.0

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
    access: Mapping[str, HostAccess] = field(default_factory=dict)  # by host: what checkers may run there
    zones: Mapping[str, str | None] = field(default_factory=dict)  # by host: `timezone` of hosts.yaml
    broker: Broker
    herald: Herald
    tokens: Tokens = field(default_factory=lambda: Tokens(()))
    token_ttl: float = 3600.0  # seconds that an approval link lives
    channels: Mapping[str, Channel] = field(default_factory=dict)
    observe: Callable[[Step], None] = field(default=lambda step: None)
    env: Mapping[str, str] = field(default_factory=dict)
    home: Path | None = None  # where UNDELIVERED is written
    unseal: Unseal = field(default=lambda source: source)
    dry_run: bool = False
    once: bool = False
    take_over: bool = False


class Runner:
    """Built by the command, run on its main thread; `ask` and `stop` may be called from any."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._clock = parts.clock
        self._inbox: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._finished = False
        self._typed: dict[str, tuple[str, ...]] = {}
        self._watchdog = Watchdog(parts.clock)
        isolation = Isolation(lambda: self.conductor, parts.clock, lambda: self.outbox.wake(), self._inbox.put)
        self.quarantine = Quarantine(parts.clock, isolation.isolated)
        self.panes = Panes(parts.watchers)
        self.watchers = {name: make(self._on_watch) for name, make in parts.watchers.items()}
        self.perception = Perception(parts.parsers, self._on_signals)
        self.clerk = Clerk(
            parts.broker, shown=self._shown, decided=lambda decision: self._inbox.put(lambda: self._decide(decision))
        )
        links = Links(
            store=parts.store,
            clock=parts.clock,
            tokens=parts.tokens,
            address=parts.broker.address,
            ttl=parts.token_ttl,
            await_shown=self.clerk.await_shown,
            local=[name for name, channel in parts.channels.items() if channel.local],
        )
        self.outbox = Outbox(
            parts.store,
            parts.notifiers,
            parts.clock,
            channels=parts.channels,
            home=parts.home,
            language=parts.herald.language,
            dress=links.dress,
        )
        self.checks = Checks(parts.checkers, self._give, parts.clock, hosts=parts.access)
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
        tails, patterns = Tails(), Patterns(parts.clock, isolation.pattern)
        herald = replace(parts.herald, tail=tails.of)
        self.conductor = Conductor(parts.store, parts.clock, herald, self._let_out, parts.unseal, patterns.search)
        ports = Ports(
            store=parts.store,
            clock=parts.clock,
            on_loop=self.ask,
            decide=self.conductor.decide,
            screen=lambda pane: self.ask(lambda: tails.of(pane)),
            resend=self._ask_again,
            redact=parts.herald.redact,
            zone=parts.herald.zone,
        )
        self.window = Window(ports, parts.tokens)
        self.housekeeper = Housekeeper(parts.store, parts.clock)
        self.table = PaneTable(parts.store, parts.clock, self.panes)
        self.starter = Starter(
            parts.policy,
            parts.store,
            parts.clock,
            self.conductor,
            self.panes,
            parts.env,
            self.quarantine,
            limits=lambda pane: self.intake.limits(pane),
            hosts=tuple(parts.watchers),
        )
        for watcher in self.watchers.values():
            watcher.prefer(self.starter.need)
        self.desk = Desk(
            parts.store,
            parts.clock,
            self.conductor,
            self.starter,
            self.panes,
            parts.env,
            self.outbox.wake,
            herald.language,
            further=LinkOrders(parts.store, self.window, parts.tokens, parts.broker.address).verbs,
        )
        self._zones = Zones(parts.zones, parts.access, parts.policy.timezone, parts.clock, self._zone_known)
        self.intake = Intake(
            store=parts.store,
            clock=parts.clock,
            conductor=self.conductor,
            starter=self.starter,
            panes=self.panes,
            table=self.table,
            effects=self.effects,
            checks=self.checks,
            tails=tails,
            keys=PaneKeys(parts.store.pane_secret, parts.store.save_pane_secret),
            doubts=Doubts(lambda pane: self.watchers[pane.host].replaced(pane), self._inbox.put),
            tell_states=parts.tell_states,
            zones=self._zones,
            taken=self._taken,
        )

    # -------------------------------------------------------------------- from outside

    @property
    def store(self) -> Store:
        """The database."""
        return self._parts.store

    @property
    def succeeded(self) -> bool:
        """Whether every Run that was seen ended well."""
        return self.starter.all_succeeded()

    @property
    def unreachable(self) -> bool:
        """Whether no Run was seen, and some host could not be watched."""
        return self.starter.nothing_reached()

    def handle(self, verb: str, args: Mapping[str, Any], by: str) -> Any:
        """One request of the control socket, given by the user `by`, on the socket's thread."""
        if verb == "call_off":
            return self.effects.call_off(f"send/{args['token']}")
        if verb != "send":
            return self.ask(lambda: self.desk.handle(verb, args, by))
        pane = self.ask(lambda: self.desk.find_pane(args["pane"], args.get("host")))
        return self.effects.send_by_hand(
            pane.info, Keys(text=args["text"], enter=args["enter"]), args["wait_idle"], args["token"]
        )

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
        self._watchdog.ready()
        beat = self._clock.monotonic()
        try:
            while not self._stopping.is_set() and not self._finished:
                self._work_off(self._nap())
                self._due()
                self.intake.settle()
                self.perception.check()
                self.table.write()
                if self._clock.monotonic() - beat >= HEARTBEAT:
                    self._parts.store.heartbeat()
                    beat = self._clock.monotonic()
                self._finished = self._is_over()
                if self._makes_progress():
                    self._watchdog.progress()
        finally:
            self._watchdog.stopping()
            self._close_down()

    def _is_over(self) -> bool:
        """A dry run ends when it has said what it would do first, `once` when its Runs have ended."""
        if self._parts.dry_run:
            return self.starter.all_begun(self.watchers)
        return self._parts.once and self.starter.all_over(self.watchers)

    def _makes_progress(self) -> bool:
        """Whether the threads that do the work have turned lately; the loop itself just has."""
        now = self._clock.monotonic()
        return self.outbox.alive and all(now - watcher.turned < STUCK for watcher in self.watchers.values())

    def _due(self) -> float | None:
        return self.conductor.due(lambda run, work: self.quarantine.contain(pane_name(run.pane.key), work))

    def _nap(self) -> float:
        due, calm = self._due(), self.panes.due()
        waits = [TICK]
        if due is not None:
            waits.append(due - self._clock.now())
        if calm is not None:
            waits.append(calm - self._clock.monotonic())
        return max(min(waits), 0.0)

    def _work_off(self, patience: float) -> None:
        try:
            self._inbox.get(timeout=patience)()
            for _ in range(1000):  # then look at the clock again, however busy the panes are
                self._inbox.get_nowait()()
        except queue.Empty:
            pass

    def _open_up(self) -> None:
        if (only := self._parts.store.observing) is not None:
            log.warning("%s", sentence(only))
            self.conductor.announce(notice(only, self._parts.notifiers))
        for run in self.conductor.load(self._parts.env):
            self.starter.resumed(run)
            self._note_typed(run)
            self.intake.lose(run, self._parts.store.seen_at() or self._clock.now())
        self.clerk.start()
        if self._parts.tokens and not self._parts.dry_run:  # without a secret no page would open for anybody
            self.clerk.serve(self.window)
        for stored in self._parts.store.pending_approvals() if not self._parts.dry_run else []:
            self.effects.show(stored.request.id)
        if not self._parts.dry_run:
            self.checks.open()
        self.outbox.start()
        self.housekeeper.start()
        for watcher in self.watchers.values():
            watcher.start()

    def _close_down(self) -> None:
        self._stopping.set()
        self.effects.stop()
        self._zones.close()
        stops = [self.outbox.stop, self.housekeeper.stop, *(watcher.stop for watcher in self.watchers.values())]
        leaving = [threading.Thread(target=stop, daemon=True) for stop in stops]
        for thread in leaving:
            thread.start()
        for thread in leaving:
            thread.join()
        self.clerk.stop()
        self.perception.close()
        self.table.write()
        self._parts.store.heartbeat()

    # ------------------------------------------------------------------- what comes in

    def _on_watch(self, record: watched.WatchRecord) -> None:
        """Called on the watchers' threads."""
        if isinstance(record, watched.PaneSeen):
            self.panes.see(record.info)
        elif isinstance(record, watched.AgentSeen):
            self.panes.recognise(record.pane, record.agent)
        elif isinstance(record, Title):
            self.panes.retitle(record.pane, record.title)
        if isinstance(record, (Lines, Screen, Title, Osc, Emitted, PaneClosed)):
            self.perception.feed(record, self.panes.facts(record.pane, self._typed.get(record.pane.key, ())))
        else:
            self._inbox.put(lambda: self.quarantine.contain(host_name(record), lambda: self.intake.record(record)))

    def _on_signals(self, observation: Observation, facts: PaneFacts, signals: tuple[Signal, ...]) -> None:
        name = pane_name(observation.pane.key)
        self._inbox.put(lambda: self.quarantine.contain(name, lambda: self.intake.observation(observation, signals)))

    def _zone_known(self, host: str) -> None:
        """Called on a thread of its own."""
        self._inbox.put(lambda: self.quarantine.contain(f"host {host}", lambda: self.intake.zone_known(host)))

    def _taken(self, observation: Observation) -> None:
        if not isinstance(observation, Emitted) or self._parts.dry_run:
            return
        if not self.starter.is_for_twin(observation.pane):
            self.watchers[observation.pane.host].acknowledge(observation)

    # -------------------------------------------------------------------- what goes out

    def _let_out(self, step: Step) -> None:
        narrate(step, dry=self._parts.dry_run)
        self._note_typed(step.run)
        attempt = step.run.attempt
        pipeline = step.run.pipeline.name if step.run.open else ""
        self.table.assign(step.run.pane, pipeline, attempt.stage if attempt else "")
        if isinstance(step.event, CheckReported) and (signal := signal_of(step.run, self._clock.now())) is not None:
            self.table.hear(step.run.pane, (signal,), screen=False)
        self.effects.carry_out(step)
        self.starter.stepped(step.run)
        self._parts.observe(step)

    def _give(self, run_id: str, event: Event, wait: bool) -> None:
        def take() -> None:
            run = self.conductor.runs.get(run_id)
            if run is None:
                return
            work = partial(self.conductor.step, run_id, event)
            if not self.quarantine.contain(pane_name(run.pane.key), work) and wait:
                raise SentryError(f"run {run_id} cannot go on", "an internal error, see the log")

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

    def _ask_again(self, stored: StoredApproval, channel: str) -> None:
        """Tell the question once more by one channel, for somebody whose link is too old."""
        self.conductor.ask_again(stored, channel)
        self.outbox.wake()

    def _decide(self, decision: Decision) -> None:
        try:
            what = self.conductor.decide(decision).words
        except Exception as error:
            what = str(error)
        log.info("approval %s by %s: %s", clean(decision.request_id, 40), clean(decision.by, 60), what)
