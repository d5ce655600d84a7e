"""Delivers what waits in the outbox: a worker a channel, so that a slow one never holds up the others."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tmux_sentry.bounded import TimedOut, call_bounded
from tmux_sentry.clock import Clock
from tmux_sentry.contracts import Delivery, DeliveryResult, Message, Notifier, Rate
from tmux_sentry.failpoints import reach
from tmux_sentry.notify import health, together, undelivered
from tmux_sentry.security.sanitize import clean
from tmux_sentry.state.outbox import FAILING
from tmux_sentry.state.records import ChannelHealth, Outgoing
from tmux_sentry.state.store import Store

log = logging.getLogger(__name__)

#: The longest a worker sleeps; a wake-up is a hint, the table is the truth.
NAP = 5.0
#: Seconds that a channel may take for one message.
PATIENCE = 60.0
#: Seconds back to which UNDELIVERED looks.
REMEMBERED = 86400.0


Dress = Callable[[Message, str, Notifier], Message]


def _as_it_is(message: Message, _channel: str, _notifier: Notifier) -> Message:
    return message


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """What is known of a channel besides how to send. `settings` is a fingerprint of its variables."""

    rate: Rate | None = None
    local: bool = False
    settings: str = ""


class Outbox:
    """Start once; `wake` after each commit that may have queued a message. `home` is where UNDELIVERED is written."""

    def __init__(
        self,
        store: Store,
        notifiers: Mapping[str, Notifier],
        clock: Clock,
        *,
        channels: Mapping[str, Channel] | None = None,
        home: Path | None = None,
        language: str = "en",
        patience: float = PATIENCE,
        dress: Dress = _as_it_is,
    ) -> None:
        """`dress` gives a message what only the delivered one has."""
        self._dress = dress
        self._patience = patience
        self._store = store
        self._notifiers = notifiers
        self._clock = clock
        self._channels = {name: (channels or {}).get(name, Channel()) for name in notifiers}
        self._local = {name for name, channel in self._channels.items() if channel.local}
        self._home = home
        self._language = language
        self._stopping = False
        self._shown: tuple[int, ...] | None = None
        self._showing = threading.Lock()
        self._wakes = {name: threading.Event() for name in notifiers}
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to deliver, also what an earlier run left."""
        try:
            self._show_undelivered()
        except Exception as error:
            log.warning("%s cannot be written: %s", undelivered.NAME, clean(str(error)))
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
                wait = min(max(self.round(channel), 0.0), NAP)
            except Exception as error:  # a full disk ends some day: this channel must go on then
                if not self._stopping:
                    log.warning("notifications by %s: %s: %s", channel, type(error).__name__, clean(str(error)))
            if stopping:
                return
            self._wakes[channel].wait(wait)
            self._wakes[channel].clear()

    def round(self, channel: str) -> float:
        """Send what is due by a channel, as far as it may; returns the seconds until it is worth looking again."""
        known, now = self._channels[channel], self._clock.now()
        state = self._store.channel(channel)
        if state.state == "off" and state.settings == known.settings:
            if self._store.give_up_messages(channel):
                self._show_undelivered()
            return NAP
        if state.state == "resting" and state.until is not None and now < state.until:
            return state.until - now
        waiting = self._store.due_messages(channel)
        if known.rate is not None and waiting:
            attempts = self._store.attempts_since(channel, now - known.rate.seconds)
            free, wait = together.allowance(known.rate, attempts, now)
            if free == 0:
                return wait
            waiting = self._within(waiting, free)
        for outgoing in waiting:
            reach("message.before")
            result = self._deliver(outgoing)
            reach("message.sent")
            if self._settle(outgoing, result).state in ("resting", "off"):
                break
        at = self._store.next_message_due(channel)
        return NAP if at is None else at - self._clock.now()

    def _within(self, waiting: Sequence[Outgoing], free: int) -> list[Outgoing]:
        """What of it goes out in `free` messages, some of them told in one."""
        chosen = together.arrange(waiting, free)
        if not chosen.together:
            return list(chosen.alone)
        message = together.digest(chosen.together, self._clock.now(), self._language)
        with self._store.transaction() as tx:
            tx.merge(chosen.together, message)
        merged = [one for one in self._store.due_messages(waiting[0].channel) if one.message.id == message.id]
        return [*chosen.alone, *merged]

    def _settle(self, outgoing: Outgoing, result: DeliveryResult) -> ChannelHealth:
        """Commit what became of an attempt and what it says about its channel, with what others are told of that."""
        name, now = outgoing.channel, self._clock.now()
        others = [other for other in self._notifiers if other != name]
        with self._store.transaction() as tx:
            dead = tx.tried(outgoing, result)
            before = tx.channel(name)
            state = health.after(before, result, now, self._channels[name].settings)
            if state != before:
                tx.save_channel(state)
            notice = health.notice(before, state, now, self._language)
            if notice is not None:
                tx.enqueue(notice, others, notice.id, matter=health.matter(name))
            if state.state == "on" and before.state != "on":
                told, _ = tx.end_matter(health.matter(name))
                notice = health.recovered(before, now, self._language)
                tx.enqueue(notice, told, notice.id, ends=health.matter(name))
        if notice is not None:
            self.wake()
        failing = result.outcome is not Delivery.DELIVERED and outgoing.tries + 1 >= FAILING
        if dead or failing or state.state != before.state or self._shown:
            self._show_undelivered()
        return state

    def _show_undelivered(self) -> None:
        """Bring UNDELIVERED up to date."""
        if self._home is None:
            return
        with self._showing:
            found = self._store.undelivered(self._clock.now() - REMEMBERED, self._local)
            shown = tuple(one.id for one in found)
            if shown != self._shown:
                undelivered.show(self._home, [(one.message, one.detail) for one in found])
                self._shown = shown

    def _deliver(self, outgoing: Outgoing) -> DeliveryResult:
        notifier, name = self._notifiers[outgoing.channel], f"notify {outgoing.channel}"
        result: object
        try:
            message = self._dress(outgoing.message, outgoing.channel, notifier)
            result = call_bounded(lambda: notifier.send(message), self._patience, name)
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
