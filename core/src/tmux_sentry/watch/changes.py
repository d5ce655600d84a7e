"""Waiting for something to change, without a cost for those who change it while nobody waits."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Changes:
    """A condition variable that is touched only while somebody waits."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._waiting = 0  # how many threads

    def wait(self, until: Callable[[], bool], timeout: float) -> bool:
        """Wait until `until` is true; what it says after `timeout` seconds at the latest."""
        with self._condition:
            self._waiting += 1  # before looking at what has changed already
            try:
                return self._condition.wait_for(until, timeout)
            finally:
                self._waiting -= 1

    def tell(self) -> None:
        """Something has changed."""
        if self._waiting:
            with self._condition:
                self._condition.notify_all()
