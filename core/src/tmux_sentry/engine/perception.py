"""Runs the parsers over observations, on a thread of its own, so that none of them can stop the rest.

A parser that raises for an observation loses that observation, and after three such within five minutes it is not asked
about that pane any more; one that hangs is dropped and named, and the observation goes on without it.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from tmux_sentry.bounded import TimedOut, call_bounded
from tmux_sentry.clock import SystemClock
from tmux_sentry.contracts import Emitted, Observation, PaneFacts, Parser, Signal
from tmux_sentry.engine.quarantine import Quarantine
from tmux_sentry.security.sanitize import clean
from tmux_sentry.security.trust import is_key

log = logging.getLogger(__name__)

#: Seconds one parser may take for one observation. The slowest honest one measured needs milliseconds.
PATIENCE = 5.0

Deliver = Callable[[Observation, PaneFacts, "tuple[Signal, ...]"], None]


@dataclass(slots=True)
class _Worker:
    """What a thread has in hand. One that finds another in its place was given up."""

    item: tuple[Observation, PaneFacts] | None = None
    busy: tuple[str, float] | None = None  # parser at work, since (monotonic)


class Perception:
    """Observations in (`feed`, any thread), Signals out (`deliver`, the worker's thread, in the same order)."""

    def __init__(self, parsers: Mapping[str, Parser], deliver: Deliver, *, patience: float = PATIENCE) -> None:
        self._parsers = dict(sorted(parsers.items()))  # replaced and never changed: threads go through it
        self._deliver = deliver
        self._patience = patience
        self._quarantine = Quarantine(SystemClock(), lambda name: None)
        self._inbox: queue.SimpleQueue[tuple[Observation, PaneFacts] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._worker = _Worker()
        self._start(self._worker)

    def feed(self, observation: Observation, pane: PaneFacts) -> None:
        """Queue an observation."""
        self._inbox.put((observation, pane))

    def read(self, observation: Observation, pane: PaneFacts) -> tuple[Signal, ...]:
        """Parse at once, for the capture a send is decided on; may take `patience` for a parser that hangs."""
        signals: list[Signal] = []
        for name in self._parsers:
            try:
                signals += call_bounded(partial(self._ask, name, observation, pane), self._patience, name)
            except TimedOut:
                self._drop(name)
        return tuple(signals)

    def read_here(self, observation: Observation, pane: PaneFacts) -> tuple[Signal, ...]:
        """Parse on the caller's thread, however long it takes: for a replay, which a thread for each line would slow
        down, and which nobody waits for but the person who can stop it."""
        return tuple(signal for name in self._parsers for signal in self._ask(name, observation, pane))

    def check(self) -> None:
        """Drop a parser that hangs and go on without it; called now and then by the engine."""
        with self._lock:
            stuck, busy = self._worker, self._worker.busy
            if busy is None or time.monotonic() - busy[1] < self._patience:
                return
            self._worker = _Worker(item=stuck.item)  # its own observation first, so that the order is kept
        self._drop(busy[0])
        self._start(self._worker)

    def close(self) -> None:
        """End the worker after what is queued."""
        self._inbox.put(None)

    def _start(self, worker: _Worker) -> None:
        threading.Thread(target=self._work, args=(worker,), name="parsers", daemon=True).start()

    def _drop(self, name: str) -> None:
        with self._lock:
            known, self._parsers = self._parsers, {key: one for key, one in self._parsers.items() if key != name}
        if name in known:
            log.error("parser %s did not answer in %g s and is switched off until the next start", name, self._patience)

    def _work(self, worker: _Worker) -> None:
        while (item := worker.item or self._inbox.get()) is not None:
            worker.item = item
            signals: list[Signal] = []
            # A pane's key keeps its place among the events, and is no parser's affair.
            secret = isinstance(item[0], Emitted) and is_key(item[0].text)
            for name in () if secret else self._parsers:
                worker.busy = (name, time.monotonic())  # in one step, as `check` may look at any time
                signals += self._ask(name, *item)
                with self._lock:
                    worker.busy = None
                    if worker is not self._worker:
                        return  # this thread was given up; its successor has the queue, and what was in hand
            worker.item = None
            self._deliver(*item, tuple(signals))

    def _ask(self, name: str, observation: Observation, pane: PaneFacts) -> list[Signal]:
        parser, here = self._parsers.get(name), f"parser {name} in pane {pane.identity.key}"
        if parser is None or self._quarantine.holds(here):
            return []
        try:
            return [signal for signal in parser.parse(observation, pane) if isinstance(signal, Signal)]
        except BaseException as error:  # a plugin's SystemExit too: this thread must go on
            log.warning("parser %s failed on one observation: %s: %s", name, type(error).__name__, clean(str(error)))
            self._quarantine.count(here)
            return []
