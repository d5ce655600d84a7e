"""The seam to time: whatever waits, expires or measures takes a Clock."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time; `tmux_sentry.testing.clock.FakeClock` is the one for tests."""

    def now(self) -> float:
        """Wall time in epoch seconds: for records and deadlines that people see. It may jump."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that never go back: for measuring and for timeouts."""


class SystemClock:
    """This machine's clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()
