"""What the agent in a pane is doing, by what several places say of it: one of them decides at a time.

An event that a process handed over, or signed, goes before a control sequence, that before the title, that before a
printed event, that before what the screen shows, and the screen before lines of output. A place that has not spoken, or
says that it does not know, is passed over. Times are monotonic seconds, and passed in.

Two things keep this honest. Hooks tell nothing when a person presses Escape or says no (measured on Claude and Codex):
a higher place that the screen contradicts for a while has missed something, and is dropped. And between two pieces of
work a screen looks idle for a moment: from working to idle, and to unknown, it takes some time of agreement, to waiting
it takes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from tmux_sentry.contracts import AgentState, Origin, Signal, SignalKind, Trust

#: A STATE below this confidence is shown, not believed.
BELIEVED = 0.8
#: Seconds for which work has to look idle, or nothing be known, before it counts (about 700 ms; measured elsewhere).
CALM = 0.7
#: Seconds after which what the screen shows counts against a higher place.
OVERRULED = 3.0

#: The places, the highest first, as people are told of them.
_PLACES = ("event", "sequence", "title", "printed event", "screen", "output")
_SCREEN = _PLACES.index("screen")
_QUIET = (AgentState.IDLE, AgentState.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one place says, and since when it has been saying so."""

    state: AgentState
    confidence: float
    trust: Trust
    since: float
    winner: str  # parser/rule
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What it comes to."""

    state: AgentState = AgentState.UNKNOWN
    confidence: float = 0.0
    trust: Trust = Trust.GUESSED
    winner: str = ""
    why: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What is believed of one pane. `pending` is another state and since when it has been agreed upon."""

    claims: Mapping[int, Claim] = field(default_factory=lambda: MappingProxyType({}))
    now: Conclusion = Conclusion()
    pending: tuple[AgentState, float] | None = None

    @property
    def settled(self) -> bool:
        """Whether no other state is about to be believed."""
        return self.pending is None


def hear(opinion: Opinion, signals: Iterable[Signal], now: float) -> Opinion:
    """Take in the STATE Signals of one observation."""
    claims = dict(opinion.claims)
    for signal in signals:
        if signal.kind is not SignalKind.STATE or signal.state is None or signal.confidence < BELIEVED:
            continue
        place = _place(signal)
        before = claims.get(place)
        if signal.state is AgentState.UNKNOWN:
            claims.pop(place, None)
            continue
        # What a process says is said at that moment; what is seen lasts.
        lasting = before is not None and before.state is signal.state and signal.origin is not Origin.EVENT
        claims[place] = Claim(
            state=signal.state,
            confidence=signal.confidence,
            trust=signal.trust,
            since=before.since if before is not None and lasting else now,
            winner=f"{signal.parser}/{signal.rule}" if signal.rule else signal.parser,
            message=signal.message,
        )
    return settle(replace(opinion, claims=MappingProxyType(claims)), now)


def settle(opinion: Opinion, now: float) -> Opinion:
    """Believe what has been agreed upon for long enough by now."""
    claims = dict(opinion.claims)
    place = _deciding(claims, now)
    for higher in [other for other in claims if other < place]:
        del claims[higher]  # contradicted for too long: it has missed something
    opinion = replace(opinion, claims=MappingProxyType(claims))
    claim = claims.get(place)
    wanted = _conclusion(place, claim)
    if wanted.state is opinion.now.state or not _waits(opinion.now.state, wanted.state, place):
        return replace(opinion, now=wanted, pending=None)
    since = opinion.pending[1] if opinion.pending is not None and opinion.pending[0] is wanted.state else now
    if now >= since + CALM:  # as `due` has it: a difference may be a hair too small
        return replace(opinion, now=wanted, pending=None)
    return replace(opinion, pending=(wanted.state, since))


def due(opinion: Opinion) -> float | None:
    """When `settle` has something to do, monotonic seconds."""
    times = [opinion.pending[1] + CALM] if opinion.pending is not None else []
    screen, top = opinion.claims.get(_SCREEN), min(opinion.claims, default=_SCREEN)
    if screen is not None and top < _SCREEN and opinion.claims[top].state is not screen.state:
        times.append(max(screen.since, opinion.claims[top].since) + _patience(screen, opinion.claims[top]))
    return min(times, default=None)


def conclude(signals: Sequence[Signal]) -> Conclusion:
    """What Signals of one moment come to."""
    claims: dict[int, Claim] = {}
    weak: list[Signal] = []
    for signal in signals:
        if signal.kind is not SignalKind.STATE or signal.state in (None, AgentState.UNKNOWN):
            continue
        if signal.confidence < BELIEVED:
            weak.append(signal)
            continue
        best = claims.get(_place(signal))
        if best is None or signal.confidence > best.confidence:
            claims |= hear(Opinion(), [signal], 0.0).claims
    if not claims and weak:
        best_weak = max(weak, key=lambda signal: signal.confidence)
        return Conclusion(
            confidence=best_weak.confidence,
            trust=best_weak.trust,
            winner=f"{best_weak.parser}/{best_weak.rule}",
            why=f"it looks {best_weak.state.value if best_weak.state else ''}, not surely enough to be believed",
        )
    place = min(claims, default=_SCREEN)
    return _conclusion(place, claims.get(place))


def _conclusion(place: int, claim: Claim | None) -> Conclusion:
    if claim is None:
        return Conclusion(why="no rule matched")
    return Conclusion(
        state=claim.state,
        confidence=claim.confidence,
        trust=claim.trust,
        winner=claim.winner,
        why=f"the {_PLACES[place]} decides",
        message=claim.message,
    )


def _place(signal: Signal) -> int:
    if signal.origin is Origin.EVENT:
        return 0 if signal.trust >= Trust.SIGNED else 3
    return {Origin.OSC: 1, Origin.TITLE: 2, Origin.SCREEN: _SCREEN, Origin.LOG: 5}[signal.origin]


def _deciding(claims: Mapping[int, Claim], now: float) -> int:
    """The highest place, unless the screen has been saying something else for long enough. That a program starts is
    said by whoever starts it, once: it has started when any other place speaks."""
    started = [place for place, claim in claims.items() if claim.state is not AgentState.STARTING]
    top, screen = min(started or claims, default=_SCREEN), claims.get(_SCREEN)
    if screen is None or top >= _SCREEN or claims[top].state is screen.state:
        return top
    overruled = now >= max(screen.since, claims[top].since) + _patience(screen, claims[top])
    return _SCREEN if overruled else top


def _patience(screen: Claim, higher: Claim) -> float:
    """How long it may contradict: a dialog that has come since is believed sooner. One that was answered may stand
    there for a moment longer (measured: Codex, 0.7 s)."""
    return CALM if screen.state is AgentState.WAITING and screen.since > higher.since else OVERRULED


def _waits(before: AgentState, after: AgentState, place: int) -> bool:
    """Whether the change takes some time of agreement."""
    if after is AgentState.UNKNOWN:
        return before is not AgentState.UNKNOWN
    told = place <= 1  # it is said, and not seen
    return after in _QUIET and before is AgentState.WORKING and not told
