"""Virtual time, one seeded source of chance, and the order in which things happen."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from random import Random
from typing import Protocol

#: How deep one thing may happen while another waits: each level is a stack of frames.
DEPTH = 4
START = 1_700_000_000.0


class Killed(BaseException):
    """kill -9 of a process: no `except Exception` of its code sees it."""


class Owner(Protocol):
    """Whose an event is: a process that may be stopped (SIGSTOP) or dead by then."""

    dead: bool
    wakes_at: float
    stopped: int  # frames of it that stand still below us on the stack


class Schedule:
    """A `tmux_sentry.clock.Clock` whose time passes only here. Same seed, same calls, same trace."""

    def __init__(self, seed: int, say: Callable[[str], None] | None = None) -> None:
        self.random = Random(seed)
        self.depth = 0
        self._now = START
        self._events: list[tuple[float, int, Owner | None, Callable[[], None]]] = []
        self._number = count()
        self._hash = hashlib.sha256()
        self._say = say

    def now(self) -> float:
        """Epoch seconds."""
        return self._now

    def monotonic(self) -> float:
        """Seconds."""
        return self._now - START

    def note(self, *words: object) -> None:
        """Add a line to the trace."""
        line = f"{self._now - START:.3f} {' '.join(map(str, words))}"
        self._hash.update(line.encode())
        if self._say is not None:
            self._say(line)

    @property
    def trace(self) -> str:
        """The hash of every line so far."""
        return self._hash.hexdigest()

    def at(self, when: float, do: Callable[[], None], owner: Owner | None = None) -> None:
        """Let something happen."""
        heapq.heappush(self._events, (when, next(self._number), owner, do))

    def after(self, least: float, most: float, do: Callable[[], None], owner: Owner | None = None) -> None:
        """Let something happen in a while."""
        self.at(self._now + self.random.uniform(least, most), do, owner)

    def often(self, mean: float, do: Callable[[], None]) -> None:
        """Let something happen again and again, `mean` seconds apart."""

        def again() -> None:
            do()
            self.at(self._now + self.random.expovariate(1 / mean), again)

        self.at(self._now + self.random.expovariate(1 / mean), again)

    def chance(self, probability: float) -> bool:
        """True that often."""
        return self.random.random() < probability

    def run(self, until: float) -> None:
        """Let everything happen up to a time. Called again while something waits, it goes one level deeper."""
        with self._deeper():
            while self._events and self._events[0][0] <= until:
                when, number, owner, do = heapq.heappop(self._events)
                self._now = max(self._now, when)
                if owner is not None and owner.dead:
                    continue
                # The stack must not grow without end: at the bottom only what belongs to no process goes on.
                stopped = owner is not None and (owner.stopped or self.depth > DEPTH)
                if owner is not None and (stopped or owner.wakes_at > self._now):
                    later = max(owner.wakes_at, until + 0.001 if stopped else 0.0)
                    heapq.heappush(self._events, (later, number, owner, do))
                    continue
                with suppress(Killed):  # that process is gone; its supervisor knows
                    do()
            self._now = max(self._now, until)

    def sleep(self, owner: Owner, seconds: float) -> None:
        """`owner`'s code waits; everything else goes on. Raises Killed when its process does not survive that."""
        self.run(self._now + seconds)
        while not owner.dead and owner.wakes_at > self._now:  # its machine hangs meanwhile
            self.run(owner.wakes_at)
        if owner.dead:
            raise Killed

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1
