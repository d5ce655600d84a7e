"""Whether a host is reached, said when it changes, and for how long it was not."""

from __future__ import annotations

from tmux_sentry.clock import Clock
from tmux_sentry.errors import Unreachable
from tmux_sentry.watch.events import HostDown, HostUp, Sink


class Reach:
    """The Watcher's control loop owns it."""

    def __init__(self, host: str, sink: Sink, clock: Clock) -> None:
        self._host, self._sink, self._clock = host, sink, clock
        self._up = False
        self._ever = False
        self._lost_at: float | None = None  # monotonic; None while reachable, and before the first time
        self.why = ""  # what HostDown said last, "" while the host is up
        self.words = ""  # the same, with what to do

    def up(self) -> None:
        """It answers."""
        lost_at, self._lost_at, self._ever = self._lost_at, None, True
        if not self._up:
            away = self._clock.monotonic() - lost_at if lost_at is not None else 0.0
            self._up, self.why, self.words = True, "", ""
            self._sink(HostUp(host=self._host, at=self._clock.now(), away=away))

    def lost(self) -> None:
        """It does not answer just now."""
        if self._lost_at is None and self._ever:
            self._lost_at = self._clock.monotonic()

    def down(self, error: Unreachable) -> None:
        """It cannot be reached, and this is why."""
        self.lost()
        why = error.lines()[0]
        if self._up or why != self.why:
            self._up, self.why, self.words = False, why, "; ".join(error.lines())
            self._sink(HostDown(host=self._host, at=self._clock.now(), why=why, error=error))
