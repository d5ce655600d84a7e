"""Delivers what waits in the outbox: a worker a channel, so that a slow one never holds up the others."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping

from tmux_sentry.bounded import TimedOut, call_bounded
from tmux_sentry.clock import Clock
from tmux_sentry.contracts import Delivery, DeliveryResult, Notifier
from tmux_sentry.failpoints import reach
from tmux_sentry.security.sanitize import clean
from tmux_sentry.state.records import Outgoing
from tmux_sentry.state.store import Store

log = logging.getLogger(__name__)

#: The longest a worker sleeps; a wake-up is a hint, the table is the truth.
NAP = 5.0
#: Seconds that a channel may take for one message.
PATIENCE = 60.0


class Outbox:
    """Start once; `wake` after each commit that may have queued a message."""

    def __init__(
        self, store: Store, notifiers: Mapping[str, Notifier], clock: Clock, *, patience: float = PATIENCE
    ) -> None:
        self._patience = patience
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

    @property
    def alive(self) -> bool:
        """Whether every channel has its worker."""
        return all(thread.is_alive() for thread in self._threads)

    def wake(self) -> None:
        """Something may be due."""
        for event in self._wakes.values():
            event.set()

    def stop(self, timeout: float = 3.0) -> None:
        """Deliver what is due, but wait at most `timeout` seconds in all; the rest stays for the next start."""
        self._stopping = True
        self.wake()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self, channel: str) -> None:
        while True:
            stopping = self._stopping
            wait = NAP
            try:
                for outgoing in self._store.due_messages(channel):
                    reach("message.before")
                    result = self._deliver(outgoing)
                    reach("message.sent")
                    self._store.message_tried(outgoing, result)
                at = self._store.next_message_due(channel)
                wait = NAP if at is None else min(max(at - self._clock.now(), 0.0), NAP)
            except Exception as error:  # a full disk ends some day: this channel must go on then
                if not self._stopping:
                    log.warning("notifications by %s: %s: %s", channel, type(error).__name__, clean(str(error)))
            if stopping:
                return
            self._wakes[channel].wait(wait)
            self._wakes[channel].clear()

    def _deliver(self, outgoing: Outgoing) -> DeliveryResult:
        notifier, name = self._notifiers[outgoing.channel], f"notify {outgoing.channel}"
        result: object
        try:
            result = call_bounded(lambda: notifier.send(outgoing.message), self._patience, name)
        except TimedOut as error:
            result = DeliveryResult(outcome=Delivery.UNKNOWN, detail=str(error))
        except BaseException as error:  # a plugin's SystemExit too: the other messages must go out
            result = DeliveryResult(outcome=Delivery.RETRY, detail=clean(f"{type(error).__name__}: {error}"))
        if not isinstance(result, DeliveryResult):
            detail = f"the channel answered with a {type(result).__name__}"
            result = DeliveryResult(outcome=Delivery.UNKNOWN, detail=detail)
        if result.outcome is not Delivery.DELIVERED:
            log.warning("notification by %s: %s: %s", outgoing.channel, result.outcome.value, clean(result.detail))
        return result
