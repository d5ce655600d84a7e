"""What is known of every watched pane, for `pane_states`, for matching and for deciding sends."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace

from tmux_sentry.contracts import AgentState, PaneFacts, PaneIdentity, Signal, SignalKind, Trust
from tmux_sentry.engine.relay import prompts
from tmux_sentry.tmux.model import PaneInfo
from tmux_sentry.watch.source import agent_of, text_source

#: A STATE below this confidence is shown, not believed.
BELIEVED = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPane:
    """One pane as far as it is known."""

    info: PaneInfo
    agent: str
    facts: PaneFacts  # without what was typed; kept, as the parsers are told with every line
    state: AgentState = AgentState.UNKNOWN
    confidence: float = 0.0
    trust: Trust = Trust.GUESSED
    pipeline: str = ""
    stage: str = ""
    last_signal: str = ""
    ready: bool = False  # its first capture was seen: what was there before is known
    digests: frozenset[str] = frozenset()  # of the Signals on the last capture
    prompts: tuple[Signal, ...] = ()  # the dialogs on it


class Panes:
    """The panes that are there now, by identity. Thread-safe: watchers, the loop and senders use it."""

    def __init__(self) -> None:
        self._known: dict[str, KnownPane] = {}
        self._lock = threading.RLock()

    def get(self, identity: PaneIdentity) -> KnownPane | None:
        """What is known of a pane."""
        return self._known.get(identity.key)

    def all(self) -> list[KnownPane]:
        """Every pane."""
        with self._lock:
            return list(self._known.values())

    def see(self, info: PaneInfo) -> KnownPane:
        """Take in a pane of the inventory."""
        agent = agent_of(info.command, info.title)
        facts = PaneFacts(
            identity=info.identity,
            agent=agent,
            command=info.command,
            title=info.title,
            width=info.width,
            source=text_source(info, agent),
        )
        with self._lock:
            known = self._known.get(info.identity.key)
            if known is None:
                known = KnownPane(info=info, agent=agent, facts=facts)
            if known.agent != agent or known.info.command != info.command:
                # Another program: what the last one said of itself is void.
                known = replace(known, state=AgentState.UNKNOWN, confidence=0.0, trust=Trust.GUESSED)
            self._end_predecessors(info.identity)
            return self._put(replace(known, info=info, agent=agent, facts=facts))

    def _end_predecessors(self, identity: PaneIdentity) -> None:
        """A respawned pane has its predecessor's id; that its program has ended is still on its way to us."""
        for other in list(self._known.values()):
            if _place(other.info.identity) == _place(identity) and other.info.identity != identity:
                self._put(replace(other, info=replace(other.info, dead=True)))

    def hear(self, identity: PaneIdentity, signals: Iterable[Signal], *, screen: bool) -> KnownPane | None:
        """Take in Signals; a STATE that is believed becomes the pane's state."""
        with self._lock:
            known = self._known.get(identity.key)
            return None if known is None else self._put(_heard(known, tuple(signals), screen))

    def assign(self, identity: PaneIdentity, pipeline: str, stage: str) -> KnownPane | None:
        """Note which pipeline and stage the pane is in."""
        with self._lock:
            known = self._known.get(identity.key)
            return self._put(replace(known, pipeline=pipeline, stage=stage)) if known else None

    def close(self, identity: PaneIdentity) -> KnownPane | None:
        """The pane is gone; returns its last state, as exited."""
        known = self._known.pop(identity.key, None)
        return replace(known, state=AgentState.EXITED, confidence=1.0) if known else None

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


def _heard(known: KnownPane, signals: tuple[Signal, ...], screen: bool) -> KnownPane:
    fresh = [s for s in signals if s.live or s.digest not in known.digests]
    for signal in fresh:
        known = replace(known, last_signal=f"{signal.event_type or signal.kind.value} {signal.evidence}"[:200])
        if signal.kind is SignalKind.STATE and signal.state is not None and signal.confidence >= BELIEVED:
            known = replace(known, state=signal.state, confidence=signal.confidence, trust=signal.trust)
    if screen:
        digests = frozenset(signal.digest for signal in signals)
        known = replace(known, ready=True, digests=digests, prompts=prompts(signals))
    return known
