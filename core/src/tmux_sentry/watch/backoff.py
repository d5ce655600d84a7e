"""How long to wait before the next try."""

from __future__ import annotations

import random


class Backoff:
    """Doubling delays with a cap; the jitter keeps many hosts from being tried at the same instant."""

    def __init__(self, first: float = 0.5, cap: float = 30.0) -> None:
        """`first` and `cap` are in seconds."""
        self._first, self._cap = first, cap
        self._tries = 0

    def next(self) -> float:
        """Seconds to wait: between half of the delay and all of it."""
        delay = min(self._first * 2.0 ** min(self._tries, 16), self._cap)
        self._tries += 1
        return delay * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """It worked: start with the first delay again."""
        self._tries = 0
