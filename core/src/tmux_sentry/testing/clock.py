"""A clock that stands still until a test moves it."""

from __future__ import annotations


class FakeClock:
    """A `tmux_sentry.clock.Clock` under the test's control; `start` is in epoch seconds."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start
        self._monotonic = 0.0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass on both clocks; ValueError when negative, as monotonic time never goes back."""
        if seconds < 0:
            raise ValueError("time does not run backwards; use jump() for a wall clock that was set back")
        self._now += seconds
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back, as NTP or a person does; the monotonic clock does not notice."""
        self._now += seconds
