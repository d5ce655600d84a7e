"""How many links that open nothing may be tried from one address."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

#: Refused links that are explained at once, and seconds until one more is.
BURST, SECONDS = 10, 6.0
#: Addresses that are remembered; the one not heard of for longest is forgotten first.
ADDRESSES = 10_000


class Buckets:
    """Counts refused tokens only. A good one is looked up first and never waits, so that nobody who tries bad ones
    behind the same proxy or phone network can keep others from answering. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def refuse(self, client: str) -> int:
        """Note a refused token; returns 0, or after too many the seconds to wait."""
        now = self._clock()
        with self._lock:
            left, at = self._left.pop(client, (float(BURST), now))
            left = min(left + (now - at) / SECONDS, float(BURST))
            enough = left >= 1.0
            self._left[client] = (left - 1.0 if enough else left, now)
            while len(self._left) > ADDRESSES:
                self._left.popitem(last=False)
        return 0 if enough else max(math.ceil((1.0 - left) * SECONDS), 1)
