"""Runs the parsers over observations, on a thread of its own, so that none of them can stop the rest.

A parser that raises for an observation loses that observation; one that hangs is dropped and named.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping

from tmux_sentry.contracts import Observation, PaneFacts, Parser, Signal

log = logging.getLogger(__name__)

#: Seconds one parser may take for one observation. The slowest honest one measured needs milliseconds.
PATIENCE = 5.0

Deliver = Callable[[Observation, PaneFacts, "tuple[Signal, ...]"], None]


class Perception:
    """Observations in (`feed`, any thread), Signals out (`deliver`, the worker's thread, in the same order)."""

    def __init__(self, parsers: Mapping[str, Parser], deliver: Deliver, *, patience: float = PATIENCE) -> None:
        self._parsers = dict(sorted(parsers.items()))
        self._deliver = deliver
        self._patience = patience
        self._inbox: queue.SimpleQueue[tuple[Observation, PaneFacts] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._busy: tuple[str, float] | None = None  # parser at work, since (monotonic)
        self._generation = 0
        self._start_worker()

    def feed(self, observation: Observation, pane: PaneFacts) -> None:
        """Queue an observation."""
        self._inbox.put((observation, pane))

    def read(self, observation: Observation, pane: PaneFacts) -> tuple[Signal, ...]:
        """Parse at once, on the caller's thread; for the capture a send is decided on."""
        return tuple(signal for name in list(self._parsers) for signal in self._ask(name, observation, pane))

    def check(self) -> None:
        """Drop a parser that hangs and go on without it; called now and then by the engine."""
        busy = self._busy
        if busy is None or time.monotonic() - busy[1] < self._patience:
            return
        with self._lock:
            name = busy[0]
            self._parsers.pop(name, None)
            self._generation += 1
            self._busy = None
        log.error("parser %s did not answer in %g s and is switched off until the next start", name, self._patience)
        self._start_worker()

    def close(self) -> None:
        """End the worker after what is queued."""
        self._inbox.put(None)

    def _start_worker(self) -> None:
        threading.Thread(target=self._work, args=(self._generation,), name="parsers", daemon=True).start()

    def _work(self, generation: int) -> None:
        while (item := self._inbox.get()) is not None:
            observation, pane = item
            signals: list[Signal] = []
            for name in list(self._parsers):
                self._busy = (name, time.monotonic())
                signals += self._ask(name, observation, pane)
                if generation != self._generation:
                    return  # this thread was given up; its successor has the queue
                self._busy = None
            self._deliver(observation, pane, tuple(signals))

    def _ask(self, name: str, observation: Observation, pane: PaneFacts) -> list[Signal]:
        parser = self._parsers.get(name)
        if parser is None:
            return []
        try:
            return list(parser.parse(observation, pane))
        except Exception as error:
            log.warning("parser %s failed on one observation: %s: %s", name, type(error).__name__, error)
            return []
