"""Delivers what waits in the outbox: a worker a channel, so that a slow one never holds up the others."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

from tmux_sentry.clock import Clock
from tmux_sentry.contracts import Delivery, DeliveryResult, Notifier
from tmux_sentry.security.sanitize import clean
from tmux_sentry.state.records import Outgoing
from tmux_sentry.state.store import Store

log = logging.getLogger(__name__)

#: The longest a worker sleeps; a wake-up is a hint, the table is the truth.
NAP = 5.0


class Outbox:
    """Start once; `wake` after each commit that may have queued a message."""

    def __init__(self, store: Store, notifiers: Mapping[str, Notifier], clock: Clock) -> None:
        self._store = store
        self._notifiers = notifiers
        self._clock = clock
        self._stopping = False
        self._wakes = {name: threading.Event() for name in notifiers}
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to deliver, also what an earlier run left."""
        for name in self._notifiers:
            thread = threading.Thread(target=self._work, args=(name,), name=f"notify {name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def wake(self) -> None:
        """Something may be due."""
        for event in self._wakes.values():
            event.set()

    def stop(self, timeout: float = 2.0) -> None:
        """Finish what is in hand, deliver what is due, wait at most `timeout` seconds for it."""
        self._stopping = True
        self.wake()
        for thread in self._threads:
            thread.join(timeout)

    def _work(self, channel: str) -> None:
        while True:
            stopping = self._stopping
            for outgoing in self._store.due_messages(channel):
                self._store.message_tried(outgoing, self._deliver(outgoing))
            if stopping:
                return
            at = self._store.next_message_due(channel)
            wait = NAP if at is None else min(max(at - self._clock.now(), 0.0), NAP)
            self._wakes[channel].wait(wait)
            self._wakes[channel].clear()

    def _deliver(self, outgoing: Outgoing) -> DeliveryResult:
        try:
            result = self._notifiers[outgoing.channel].send(outgoing.message)
        except Exception as error:
            result = DeliveryResult(outcome=Delivery.RETRY, detail=clean(f"{type(error).__name__}: {error}"))
        if result.outcome is not Delivery.DELIVERED:
            log.warning("notification by %s: %s: %s", outgoing.channel, result.outcome.value, clean(result.detail))
        return result
