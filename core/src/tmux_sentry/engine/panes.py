"""What is known of every watched pane, for `pane_states`, for matching and for deciding sends."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tmux_sentry.contracts import AgentState, Origin, PaneFacts, PaneIdentity, Signal, SignalKind, Trust
from tmux_sentry.engine import chain
from tmux_sentry.engine.chain import BELIEVED, Opinion
from tmux_sentry.engine.relay import prompts
from tmux_sentry.tmux.model import PaneInfo
from tmux_sentry.watch.source import agent_of, text_source

#: What an agent says of itself besides a LIMIT that still stands there, and what ends its being LIMITED.
_PAST_LIMIT = frozenset({AgentState.STARTING, AgentState.WORKING, AgentState.WAITING, AgentState.EXITED})


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPane:
    """One pane as far as it is known."""

    info: PaneInfo
    agent: str
    facts: PaneFacts  # without what was typed; kept, as the parsers are told with every line
    opinion: Opinion = field(default_factory=Opinion)
    pipeline: str = ""
    stage: str = ""
    last_signal: str = ""
    ready: bool = False  # its first capture was seen: what was there before is known
    digests: frozenset[str] = frozenset()  # of the Signals on the last capture
    prompts: tuple[Signal, ...] = ()  # the dialogs on it
    limits: tuple[Signal, ...] = ()  # its LIMITs, or those of the stream since

    @property
    def state(self) -> AgentState:
        """What its agent is doing."""
        return self.opinion.now.state

    @property
    def confidence(self) -> float:
        """How sure that is, 0..1."""
        return self.opinion.now.confidence

    @property
    def trust(self) -> Trust:
        """How hard that is to forge."""
        return self.opinion.now.trust


class Panes:
    """The panes that are there now, by identity. Thread-safe: watchers, the loop and senders use it."""

    def __init__(self, hosts: Iterable[str] = ()) -> None:
        """`hosts` are those whose panes will be listed; until then none of them is known."""
        self._unlisted = {host: f"{host}: its panes are not known yet" for host in hosts}
        self._known: dict[str, KnownPane] = {}
        self._agents: dict[str, str] = {}  # what the watcher makes of a pane that its inventory row does not say
        self._lock = threading.RLock()

    def get(self, identity: PaneIdentity) -> KnownPane | None:
        """What is known of a pane."""
        return self._known.get(identity.key)

    def all(self) -> list[KnownPane]:
        """Every pane."""
        with self._lock:
            return list(self._known.values())

    @property
    def unlisted(self) -> dict[str, str]:
        """The hosts that may have panes which are not known here, and why."""
        with self._lock:
            return dict(self._unlisted)

    def listed(self, host: str) -> None:
        """Every pane of the host has been seen."""
        with self._lock:
            self._unlisted.pop(host, None)

    def lost(self, host: str, why: str) -> None:
        """The host is not reached: what is known of its panes may be old."""
        with self._lock:
            self._unlisted[host] = why

    def see(self, info: PaneInfo) -> KnownPane:
        """Take in a pane of the inventory."""
        with self._lock:
            return self._see(info, self._agents.get(info.identity.key, agent_of(info.command, info.title)))

    def recognise(self, identity: PaneIdentity, agent: str) -> None:
        """The watcher has found out which agent a pane shows, or that it shows none any more."""
        with self._lock:
            self._agents[identity.key] = agent
            known = self._known.get(identity.key)
            if known is not None and known.agent != agent:
                self._see(known.info, agent)

    def retitle(self, identity: PaneIdentity, title: str) -> None:
        """The title changed since the last inventory: a capture is read with the title that it was taken with."""
        with self._lock:
            known = self._known.get(identity.key)
            if known is not None:
                facts = replace(known.facts, title=title)
                self._put(replace(known, info=replace(known.info, title=title), facts=facts))

    def _see(self, info: PaneInfo, agent: str) -> KnownPane:
        facts = PaneFacts(
            identity=info.identity,
            agent=agent,
            command=info.command,
            title=info.title,
            width=info.width,
            source=text_source(info, agent),
        )
        known = self._known.get(info.identity.key)
        if known is None:
            known = KnownPane(info=info, agent=agent, facts=facts)
        if known.agent != agent or known.info.command != info.command:
            # Another program: what the last one said of itself is void.
            known = replace(known, opinion=Opinion())
        self._end_predecessors(info.identity)
        return self._put(replace(known, info=info, agent=agent, facts=facts))

    def _end_predecessors(self, identity: PaneIdentity) -> None:
        """A respawned pane has its predecessor's id; that its program has ended is still on its way to us."""
        for other in list(self._known.values()):
            if _place(other.info.identity) == _place(identity) and other.info.identity != identity:
                self._put(replace(other, info=replace(other.info, dead=True)))

    def hear(self, identity: PaneIdentity, signals: Iterable[Signal], *, screen: bool, now: float) -> KnownPane | None:
        """Take in Signals at `now` (monotonic seconds)."""
        with self._lock:
            known = self._known.get(identity.key)
            return None if known is None else self._put(_heard(known, tuple(signals), screen, now))

    def settle(self, now: float) -> list[tuple[KnownPane, KnownPane]]:
        """Believe what has been agreed upon for long enough; returns the panes whose state changed, as they
        were and as they are."""
        changed = []
        with self._lock:
            for known in list(self._known.values()):
                at = chain.due(known.opinion)
                if at is not None and at <= now:
                    after = self._put(replace(known, opinion=chain.settle(known.opinion, now)))
                    if after.state is not known.state:
                        changed.append((known, after))
        return changed

    def due(self) -> float | None:
        """When `settle` has something to do, monotonic seconds."""
        times = [at for known in self.all() if (at := chain.due(known.opinion)) is not None]
        return min(times, default=None)

    def assign(self, identity: PaneIdentity, pipeline: str, stage: str) -> KnownPane | None:
        """Note which pipeline and stage the pane is in."""
        with self._lock:
            known = self._known.get(identity.key)
            return self._put(replace(known, pipeline=pipeline, stage=stage)) if known else None

    def close(self, identity: PaneIdentity) -> KnownPane | None:
        """The pane is gone; returns what was known of it."""
        self._agents.pop(identity.key, None)
        return self._known.pop(identity.key, None)

    def facts(self, identity: PaneIdentity, typed: tuple[str, ...]) -> PaneFacts:
        """What a parser may know."""
        known = self._known.get(identity.key)
        facts = known.facts if known is not None else PaneFacts(identity=identity)
        return replace(facts, typed=typed) if typed else facts

    def mark_ready(self, identity: PaneIdentity) -> None:
        """The pane was seen from its first byte on: nothing was there before."""
        with self._lock:
            known = self._known.get(identity.key)
            if known is not None:
                self._put(replace(known, ready=True))

    def _put(self, state: KnownPane) -> KnownPane:
        self._known[state.info.identity.key] = state
        return state


def _place(identity: PaneIdentity) -> tuple[str, str, str]:
    return identity.host, identity.server, identity.pane_id


def states(known: KnownPane | None, signals: Iterable[Signal]) -> list[Signal]:
    """The STATEs among the Signals of one observation. A believed LIMIT is one too, LIMITED, whatever else is idle.

    `known` is what was known before. A notice that is still on the screen when the agent has gone on is old.
    """
    signals = tuple(signals)
    said = [signal for signal in signals if signal.kind is SignalKind.STATE and signal.state is not None]
    limited = known is not None and known.state is AgentState.LIMITED
    limits = [s for s in signals if s.kind is SignalKind.LIMIT and s.confidence >= BELIEVED]
    limits = [signal for signal in limits if limited or _is_fresh(known, signal)]
    past = any(signal.state in _PAST_LIMIT and signal.confidence >= BELIEVED for signal in said)
    return said if past or not limits else [replace(limits[-1], kind=SignalKind.STATE, state=AgentState.LIMITED)]


def _is_fresh(known: KnownPane | None, signal: Signal) -> bool:
    return known is None or signal.live or signal.digest not in known.digests


def _heard(known: KnownPane, signals: tuple[Signal, ...], screen: bool, now: float) -> KnownPane:
    was = known
    # An event that a capture still shows was said once; what a parser sees there is so now.
    limited = was.state is AgentState.LIMITED
    stated = [s for s in states(was, signals) if s.origin is not Origin.EVENT or limited or _is_fresh(was, s)]
    known = replace(known, opinion=chain.hear(known.opinion, stated, now))
    for signal in signals:
        if _is_fresh(was, signal):
            known = replace(known, last_signal=f"{signal.event_type or signal.kind.value} {signal.evidence}"[:200])
    limits = tuple(signal for signal in signals if signal.kind is SignalKind.LIMIT)
    if limits or screen:
        known = replace(known, limits=limits)
    if screen:
        digests = frozenset(signal.digest for signal in signals)
        known = replace(known, ready=True, digests=digests, prompts=prompts(signals))
    return known
