"""What the parsers make of a recording as it goes on: a point for each change of the state, the title or a sequence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from tmux_sentry.contracts import (
    AgentState,
    Emitted,
    Lines,
    Observation,
    Osc,
    Parser,
    Screen,
    Signal,
    SignalKind,
    Title,
)
from tmux_sentry.engine.explaining import Explanation, explain
from tmux_sentry.engine.panes import KnownPane, Panes
from tmux_sentry.recording.stage import VirtualClock
from tmux_sentry.recording.telling import News
from tmux_sentry.tmux.model import PaneInfo
from tmux_sentry.watch.events import AgentSeen, WatchRecord

# Programs that work turn it; it says no more than that it turns.
_SPINNER = re.compile("[\u2800-\u28ff]")
#: The control sequence by which programs say their state.
_STATE_OSC = 7501


class Timeline:
    """A `recording.stage.Audience` without an engine. `tell` gets each point: `at` in seconds, `kind`, and the rest."""

    def __init__(
        self,
        parsers: Mapping[str, Parser],
        clock: VirtualClock,
        tell: Callable[[Mapping[str, Any]], None],
        agent: str = "",
    ) -> None:
        self._parsers, self._clock, self._tell, self._agent = parsers, clock, tell, agent
        self._panes = Panes()
        self._last: tuple[Any, ...] = (AgentState.UNKNOWN, "")
        self._titled = ""
        self._news = News()
        self._event = ""  # the digest of the last one: what redraws without a screen prints it again and again
        #: Parser -> why it could not be asked.
        self.broken: dict[str, str] = {}

    def sink(self, record: WatchRecord) -> None:
        """What the pane says."""
        match record:
            case Title():
                self._panes.retitle(record.pane, record.title)
                if (shape := _SPINNER.sub("*", record.title)) != self._titled:
                    self._titled = shape
                    self._say("title", {"title": record.title[:500]})
            case Osc(number=number) if number == _STATE_OSC:
                self._say("osc", {"number": number, "text": record.text[:500]})
            case AgentSeen():
                self._panes.recognise(record.pane, record.agent)
                return
            case Screen():
                pass
            case Lines() | Emitted():
                signals = self._explained([record]).signals
                self._events([one for one in signals if one.digest != self._event])
                return
            case _:
                return
        self._conclude(record)

    def begins(self, info: PaneInfo) -> None:
        """The pane is there."""
        self._panes.see(info)

    changed = begins

    def sent(self, keys: str) -> None:
        """Keys that `run` typed."""
        self._say("sent", {"keys": keys[:500]})

    def due(self) -> float | None:
        """When a state has lasted long enough to be believed."""
        return self._panes.due()

    def work(self) -> None:
        """Believe what has lasted."""
        for _, known in self._panes.settle(self._clock.monotonic()):
            self._state(known)

    def _explained(self, seen: list[Observation]) -> Explanation:
        facts = self._panes.facts(seen[0].pane, ())
        if self._agent:
            facts = replace(facts, agent=self._agent)
        found = explain({n: p for n, p in self._parsers.items() if n not in self.broken}, seen, facts)
        self.broken.update(found.broken)
        return found

    def _conclude(self, record: Observation) -> None:
        """What is believed of the pane now, as the engine would."""
        found = self._explained([record])
        known = self._panes.hear(
            record.pane, found.signals, screen=isinstance(record, Screen), now=self._clock.monotonic()
        )
        if isinstance(record, Screen):
            self._events(self._news.of(record, found.signals))
        if known is not None:
            self._state(known, found.agent)

    def _state(self, known: KnownPane, agent: str = "") -> None:
        conclusion = known.opinion.now
        if (conclusion.state, conclusion.winner) == self._last:
            return
        self._last = (conclusion.state, conclusion.winner)
        self._say(
            "state",
            {
                "agent": self._agent or known.agent or agent,
                "state": conclusion.state.value,
                "confidence": conclusion.confidence,
                "trust": conclusion.trust.name.lower(),
                "winner": conclusion.winner,
            },
        )

    def _events(self, signals: Iterable[Signal]) -> None:
        for signal in signals:
            if signal.kind is SignalKind.STATE and not signal.event_type:
                continue
            self._event = signal.digest
            about = {"event": signal.event_type or signal.kind.value, "stage": signal.stage, "ok": signal.ok}
            self._say("event", {**about, "parser": signal.parser, "evidence": signal.evidence[:500]})

    def _say(self, kind: str, line: Mapping[str, Any]) -> None:
        self._tell({"at": round(self._clock.monotonic(), 3), "kind": kind, **line})
