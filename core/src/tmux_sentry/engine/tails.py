"""The last lines of every pane as they were seen, for messages that show them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from tmux_sentry.contracts import Lines, Observation, PaneClosed, PaneIdentity, Screen

#: Lines that a message shows of a pane.
LINES = 20


class Tails:
    """The loop's thread owns it."""

    def __init__(self) -> None:
        self._tails: dict[str, deque[str]] = {}
        self._streamed: dict[str, str] = {}  # the last line of a stream, until a gap

    def note(self, observation: Observation) -> None:
        """Remember what an observation shows."""
        key = observation.pane.key
        if isinstance(observation, PaneClosed):
            self._tails.pop(key, None)
            self._streamed.pop(key, None)
        elif isinstance(observation, Screen):
            last = self._streamed.get(key)
            if last is not None and observation.resync and not self._is_older(key, observation.lines):
                last = None  # after a gap; what the stream had brought is gone
            if last is None or last in observation.lines:  # else it was taken before that line came
                self._tails[key] = deque(observation.lines[-LINES:], LINES)
                self._streamed.pop(key, None)
        elif isinstance(observation, Lines) and observation.lines:
            self._tails.setdefault(key, deque(maxlen=LINES)).extend(observation.lines)
            self._streamed[key] = observation.lines[-1]

    def _is_older(self, key: str, lines: Sequence[str]) -> bool:
        """Whether a capture ends with a line that the stream has brought already, so that more has come since."""
        shown = next((line for line in reversed(lines) if line.strip()), "")
        return shown in self._tails.get(key, ())

    def of(self, pane: PaneIdentity) -> list[str]:
        """The last lines of a pane, oldest first, blank ones at the end left out."""
        lines = list(self._tails.get(pane.key, ()))
        while lines and not lines[-1].strip():
            lines.pop()
        return lines
