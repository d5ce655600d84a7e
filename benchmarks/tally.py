"""What one observer found of the lines that were printed."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The latencies run from print to Signal; they are None when nothing was seen."""

    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    seen: int
    missed: int
    doubled: int


class Tally:
    """Counts events and their latencies. Thread-safe."""

    def __init__(self, expected: int) -> None:
        """`expected` is how many events there will be."""
        self._expected = expected
        self._lock = threading.Lock()
        self._latencies: dict[str, int] = {}  # event id -> ns
        self._doubled = 0
        self._complete = threading.Event()

    def knows(self, event_id: str) -> bool:
        """Whether the event was found before."""
        return event_id in self._latencies

    def add(self, event_id: str, printed_ns: int, found_ns: int) -> None:
        """An event was found that is taken for news; the times are epoch nanoseconds."""
        with self._lock:
            self._doubled += event_id in self._latencies
            self._latencies.setdefault(event_id, found_ns - printed_ns)
            if len(self._latencies) == self._expected:
                self._complete.set()

    def wait(self, deadline: float) -> None:
        """Wait until all events were found, or for the deadline (epoch seconds)."""
        self._complete.wait(max(deadline - time.time(), 0.0))

    def found(self) -> Found:
        """The outcome so far."""
        with self._lock:
            ms = sorted(ns / 1e6 for ns in self._latencies.values())
            return Found(
                p50_ms=percentile(ms, 50),
                p99_ms=percentile(ms, 99),
                max_ms=percentile(ms, 100),
                seen=len(ms),
                missed=self._expected - len(ms),
                doubled=self._doubled,
            )


def percentile(ordered: Sequence[float], percent: int) -> float | None:
    """The smallest value that so many percent of the values do not exceed."""
    return ordered[max(math.ceil(len(ordered) * percent / 100), 1) - 1] if ordered else None
