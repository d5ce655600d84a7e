"""What comes in from the panes: watch records and Signals, turned into events of the Runs they are about."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial

from tmux_sentry.clock import Clock
from tmux_sentry.contracts import (
    AgentState,
    Emitted,
    Level,
    Lines,
    Observation,
    Osc,
    PaneClosed,
    Screen,
    Signal,
    SignalKind,
)
from tmux_sentry.engine import external, resume
from tmux_sentry.engine.checking import Checks
from tmux_sentry.engine.conductor import Conductor
from tmux_sentry.engine.doubts import Doubts, Seen
from tmux_sentry.engine.effects import Effects
from tmux_sentry.engine.events import (
    Activity,
    Event,
    ExitSeen,
    LimitsRead,
    Notify,
    OutputBegins,
    OutputSeen,
    PaneGone,
    Reachable,
    ScreenSeen,
    Send,
    StateSeen,
    Unreachable,
)
from tmux_sentry.engine.limited import LimitNotice, notices
from tmux_sentry.engine.panes import KnownPane, Panes
from tmux_sentry.engine.run import Run
from tmux_sentry.engine.starting import Starter
from tmux_sentry.engine.table import PaneTable
from tmux_sentry.engine.tails import Tails
from tmux_sentry.limits.zones import Zones
from tmux_sentry.security.sanitize import clean
from tmux_sentry.security.trust import PaneKeys
from tmux_sentry.state.store import Store
from tmux_sentry.watch import events as watched

log = logging.getLogger(__name__)

#: Agents that are newer than what is known of them, of which the doctor hears.
_NEWER = 20


class Intake:
    """The loop's thread owns it. `tell_states` are the agent states that people want to hear of, by host."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        conductor: Conductor,
        starter: Starter,
        panes: Panes,
        table: PaneTable,
        effects: Effects,
        checks: Checks,
        doubts: Doubts,
        tails: Tails,
        keys: PaneKeys,
        tell_states: Mapping[str, Collection[AgentState]],
        zones: Zones,
        taken: Callable[[Observation], None],
    ) -> None:
        """`taken(observation)` is called when all that an observation led to is committed."""
        self._store = store
        self._clock = clock
        self._conductor = conductor
        self._starter = starter
        self._panes = panes
        self._table = table
        self._effects = effects
        self._checks = checks
        self._doubts = doubts
        self._tails = tails
        self._keys = keys
        self._let_go = taken
        self._tell_states = tell_states
        self._newer: set[str] = set()
        self._swept: set[str] = set()  # hosts whose old keys were looked through
        self._zones = zones
        self._away: dict[str, float] = {}  # Runs whose pane is not watched, since when (epoch seconds)

    def record(self, record: watched.WatchRecord) -> None:
        """Take in what a Watcher says besides observations."""
        match record:
            case watched.Inventoried():
                for info in record.panes:
                    self._panes.see(info)
                self._panes.listed(record.host)
                self._starter.inventoried(record.host)
                self._table.inventoried(record.host, record.panes)
                self._sweep_keys(record)
                self._lose_missing(record)
                self._starter.start()
            case watched.Attached():
                self._store.save_clients(record.host, record.pids)
            case watched.HostUp():
                log.info("%s: watching", clean(record.host))
                self._zones.ask(record.host)
            case watched.HostDown():
                log.warning("%s", clean("; ".join(record.error.lines()), 1000))
                self._panes.lost(record.host, "; ".join(record.error.lines()))
                self._starter.lost(record.host)
                for run in self._runs_on(record.host):
                    self.lose(run, self._clock.now())
            case watched.Whole():
                self._panes.mark_ready(record.pane)
                self._starter.start()
            case watched.Activity():
                if (active := self._conductor.of_pane(record.pane.key)) is not None:
                    self._conductor.step(active.id, Activity())
            case _:
                pass

    def observation(self, observation: Observation, signals: tuple[Signal, ...]) -> None:
        """Take in an observation with what the parsers made of it."""
        signals = self._keys.judge(observation, signals)
        if self._doubts.hold(observation, signals):
            return
        self._tails.note(observation)
        pane = observation.pane
        before = self._panes.get(pane)
        if isinstance(observation, PaneClosed):
            self._table.closed(pane)
            self._keys.forget(pane)
        else:
            self._table.hear(pane, signals, screen=isinstance(observation, Screen))
        self._note_newer(signals)
        now = self._panes.get(pane)
        became = now.state if now is not None and before is not None and now.state is not before.state else None
        if became is not None:
            self._tell_state(now)
        for signal in signals:
            log.debug("%s %s: %s", clean(pane.pane_id), signal.kind.value, clean(signal.evidence, 120))
        run = self._conductor.of_pane(pane.key)
        if run is None:
            first_look = isinstance(observation, Screen) and before is not None and not before.ready
            if self._starter.heard(pane, _news(before, observation, signals), became) or first_look:
                self._starter.start()
            self._taken(observation)
            return
        back = isinstance(observation, Screen) and observation.resync and run.unreachable
        in_hand: list[Send] = []
        if back:
            run, in_hand = self._settle(run)
        events = self._events(run, observation, signals, before)
        if now is not None and (became is not None or (_states(signals) and now.opinion.settled)):
            events.append(StateSeen(state=now.state, confidence=now.confidence))
        self._move(run, observation, events)
        if back and run.id in self._conductor.runs:
            self._back(self._conductor.runs[run.id], in_hand)

    def _taken(self, observation: Observation) -> None:
        self._keys.taken(observation)
        self._let_go(observation)

    def _events(
        self, run: Run, observation: Observation, signals: tuple[Signal, ...], before: KnownPane | None
    ) -> list[Event]:
        folder = before.info.path if before is not None else ""
        limits = notices(signals, self._clock.now(), self._zones.of(run.pane.host))
        return _events(observation, signals, limits, folder)

    def limits(self, pane: KnownPane) -> tuple[LimitNotice, ...]:
        """What a pane says of usage limits now."""
        return notices(pane.limits, self._clock.now(), self._zones.of(pane.info.identity.host))

    def zone_known(self, host: str) -> None:
        """A host has said in which zone it is, or cannot: read the reset times that waited for that."""
        zone = self._zones.of(host)
        if zone is not None:
            log.debug("%s: a usage limit's time is read in the zone %s", clean(host), clean(zone.name))
        for run in self._runs_on(host):
            if (pane := self._panes.get(run.pane)) is not None and pane.limits:
                self._conductor.step(run.id, LimitsRead(limits=self.limits(pane)))

    def _move(self, run: Run, observation: Observation, events: Sequence[Event], *, sure: bool = False) -> None:
        """Step the Run through the events of an observation, and ask first whose they are before one has an effect."""
        sure = sure or not self._doubts.about(observation)
        for number, event in enumerate(events):
            if not run.open:  # the one before has ended it
                break
            moved = self._conductor.step(run.id, event) if sure else self._conductor.try_step(run.id, event)
            if moved is None:
                self._doubts.ask(observation.pane, partial(self._settled, run.id, observation, events[number:]))
                return
            run = moved
        self._taken(observation)

    def _settled(
        self, run_id: str, observation: Observation, events: Sequence[Event], replaced: bool, held: Sequence[Seen]
    ) -> None:
        """Go on where `_move` stopped; `replaced`: the events are another program's."""
        run = self._conductor.runs.get(run_id)
        if run is None or replaced:
            self._taken(observation)
        else:
            self._move(run, observation, events, sure=True)
        for seen in held:
            self.observation(*seen)

    def _note_newer(self, signals: Iterable[Signal]) -> None:
        """For the doctor: agents that their parser does not know in this version."""
        newer = {clean(signal.newer, 100) for signal in signals if signal.newer} - self._newer
        if newer and len(self._newer) < _NEWER:
            self._newer |= newer
            self._store.save_newer_agents(self._newer)

    def settle(self) -> None:
        """Believe the states that have been agreed upon for long enough."""
        for _, now in self._panes.settle(self._clock.monotonic()):
            pane = now.info.identity
            self._tell_state(now)
            run = self._conductor.of_pane(pane.key)
            if run is not None:
                self._conductor.step(run.id, StateSeen(state=now.state, confidence=now.confidence))
            elif self._starter.heard(pane, (), now.state):
                self._starter.start()

    def _tell_state(self, now: KnownPane | None) -> None:
        """Tell people that an agent's state has become one that the host's `watch.notify` names."""
        if now is None or now.state not in self._tell_states.get(now.info.identity.host, ()):
            return
        name = f"{now.info.identity.host} {now.info.name} {now.info.identity.pane_id}"
        self._conductor.announce(
            Notify(
                event=f"agent.{now.state.value}",
                level=Level.WARNING,
                title=f"{name}: {now.agent or 'the agent'} is {now.state.value}",
                text=now.last_signal,
                dedupe_key=f"{now.info.identity.key}/{now.state.value}/{self._clock.now():.3f}",
            )
        )
        self._effects.wake_outbox()

    def _sweep_keys(self, inventory: watched.Inventoried) -> None:
        """Once: the keys of panes that have gone while nobody watched."""
        if inventory.host not in self._swept:
            self._swept.add(inventory.host)
            present = {info.identity.key for info in inventory.panes}
            self._keys.keep(self._store.panes_with_secrets(inventory.host), present)

    def lose(self, run: Run, since: float) -> None:
        """The pane of a Run is not watched: nothing is decided before it was seen again."""
        self._away.setdefault(run.id, since)
        self._conductor.step(run.id, Unreachable())

    def _settle(self, run: Run) -> tuple[Run, list[Send]]:
        """What an earlier process was about to type when it stopped: done, held, or returned because it is to be typed.

        What a step has handed out since is none of it.
        """
        if not self._starter.is_resumed(run):
            return run, []
        known = self._panes.get(run.pane)
        in_hand: list[Send] = []
        for send in resume.sends_in_hand(run):
            answer = resume.settle(self._store, send, known.info) if known is not None else None
            if isinstance(answer, Send):
                in_hand.append(answer)
            elif answer is not None:
                run = self._conductor.step(run.id, answer)
        return self._starter.caught_up(run), in_hand

    def _back(self, run: Run, in_hand: Sequence[Send]) -> None:
        """The pane of a Run was seen again: its clocks go on, and so does what was in hand and still is."""
        since = self._away.pop(run.id, self._clock.now())
        run = self._conductor.step(run.id, Reachable(away=max(self._clock.now() - since, 0.0)))
        for check in external.in_hand(run):
            self._checks.start(run.id, run.pane.host, check)
        for send in in_hand:
            if resume.is_wanted(run, send):
                self._effects.send(run, send)

    def _lose_missing(self, inventory: watched.Inventoried) -> None:
        """A Run that comes back and whose pane is not in the inventory has lost it.

        For the others the Watcher says so itself, once their last lines have come.
        """
        present = {info.identity.key for info in inventory.panes}
        server = f"{inventory.host}/{inventory.server_pid}-{inventory.server_start}"
        for run in self._runs_on(inventory.host):
            if run.id in self._away and run.pane.key not in present:
                gone = "its tmux server is gone" if run.pane.server != server else "the pane is gone"
                self._conductor.step(run.id, PaneGone(reason=gone))

    def _runs_on(self, host: str) -> list[Run]:
        return [run for run in self._conductor.runs.values() if run.pane.host == host and run.open]


def _news(before: KnownPane | None, observation: Observation, signals: tuple[Signal, ...]) -> list[Signal]:
    """What a pane without a Run says now; a capture also shows what it said long ago."""
    old = isinstance(observation, Screen) and (observation.resync or before is None or not before.ready)
    seen = before.digests if before is not None else frozenset()
    return [signal for signal in signals if signal.live or (not old and signal.digest not in seen)]


def _events(
    observation: Observation, signals: tuple[Signal, ...], limits: tuple[LimitNotice, ...], folder: str
) -> list[Event]:
    """What an observation and its Signals are to the machine, but for states; `folder` is the pane's."""
    events: list[Event] = []
    match observation:
        case Lines():
            events.append(OutputSeen(lines=observation.lines, signals=signals, limits=limits))
        case Emitted():
            events.append(OutputSeen(lines=(), signals=signals, limits=limits))
        case Screen():
            lines, resync = observation.lines, observation.resync
            events.append(ScreenSeen(lines=lines, signals=signals, limits=limits, resync=resync, folder=folder))
        case Osc(number=133) if observation.text.startswith("D;"):
            code, _, who = observation.text[2:].partition(";")
            if code.isascii() and code.isdigit() and len(code) <= 3:
                events.append(ExitSeen(code=int(code), reported=who == "sentry"))
        case Osc(number=133) if observation.text.startswith("C"):
            events.append(OutputBegins())
        case PaneClosed():
            events.append(PaneGone(reason="the pane is gone", status=observation.status))
        case _:
            pass
    return events


def _states(signals: tuple[Signal, ...]) -> bool:
    return any(signal.kind in (SignalKind.STATE, SignalKind.LIMIT) for signal in signals)
