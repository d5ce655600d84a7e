"""The parser: observation in, Signals out."""

from __future__ import annotations

from tmux_sentry import Emitted, Lines, Observation, PaneFacts, Screen, Signal, Trust
from tmux_sentry_parser_sentry.events import NAME, to_signal
from tmux_sentry_parser_sentry.grammar import WORD, find
from tmux_sentry_parser_sentry.picture import Echoes, quoted

__all__ = ["NAME", "SentryParser"]


class SentryParser:
    """Reads `### SENTRY {...}` and `@@SENTRY {...}`, and on Screens also what Markdown and wrapping leave of them.

    Stateless; it finds what stands there, and whether an event is news is for the engine to know.
    """

    def parse(self, observation: Observation, pane: PaneFacts) -> list[Signal]:
        """The events in one Observation, oldest first; [] for anything that is not one."""
        if isinstance(observation, Emitted):
            return _emitted(observation)
        if not isinstance(observation, (Lines, Screen)) or WORD not in "\n".join(observation.lines):
            return []
        return _signals(observation, pane)


def _emitted(observation: Emitted) -> list[Signal]:
    """The one event that a process handed over, within the bounds of a printed one. How it came makes it worth more."""
    found = next(find((f"@@{WORD} {observation.text.strip()}",), capture=False), None)
    if found is None:
        return []
    signal = to_signal(
        found.value,
        evidence=found.body,
        at=observation.at,
        live=True,
        confidence=1.0,
        trust=Trust.EMITTED,
        signature=found.signature,
    )
    return [signal] if signal else []


def _signals(observation: Lines | Screen, pane: PaneFacts) -> list[Signal]:
    signals = []
    capture = isinstance(observation, Screen)
    before = () if isinstance(observation, Screen) else observation.before
    rows = (*before, *observation.lines)
    agent_screen = capture and bool(pane.agent)
    echoes = Echoes(pane.typed) if pane.typed else None
    for found in find(rows, capture=capture, start=len(before)):
        # A shell's screen may start with output after `clear`; an agent's starts where its transcript scrolled off.
        if echoes and echoes.shows(rows, found, scrolled=agent_screen):
            continue
        if quoted(rows, found, agent_screen=agent_screen):
            continue
        signal = to_signal(
            found.value,
            evidence=found.text,
            at=observation.at,
            live=not capture,
            confidence=1.0 if found.plain else 0.9,
            signature=found.signature,
        )
        if signal:
            signals.append(signal)
    return signals
