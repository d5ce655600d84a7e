"""What a person may ask of the outbox: try again, work again, be silent."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tmux_sentry.clock import Clock
from tmux_sentry.contracts import DeliveryResult
from tmux_sentry.contracts.messages import Delivery
from tmux_sentry.errors import UsageError
from tmux_sentry.notify import health
from tmux_sentry.security.sanitize import clean
from tmux_sentry.state.records import ChannelHealth, Silence
from tmux_sentry.state.store import Store
from tmux_sentry.state.times import iso

#: Seconds that a silence may last: longer ones are forgotten ones.
LONGEST = 31 * 86400.0


class NotifyOrders:
    """One method an order. `changed` is called when something may be due now."""

    def __init__(
        self, store: Store, clock: Clock, changed: Callable[[], None] = lambda: None, language: str = "en"
    ) -> None:
        self._language = language
        self._store = store
        self._clock = clock
        self._changed = changed
        self.verbs: Mapping[str, Callable[..., Any]] = {
            "notify_retry": self.retry,
            "notify_works": self.works,
            "notify_silence": self.silence,
            "notify_speak": self.speak,
        }

    def retry(self, ids: list[int] | None = None, channel: str | None = None) -> dict[str, Any]:
        """Give dead messages another day, and let a channel that is off, or rests, try at once."""
        for one in self._store.unwell_channels():
            if channel in (None, one.name):
                with self._store.transaction() as tx:
                    tx.save_channel(replace(one, state="failing", until=None))  # until a message has arrived
        revived = self._store.revive_messages(ids, channel)
        self._changed()
        return {"revived": revived}

    def works(self, channel: str) -> dict[str, Any]:
        """A test message has arrived by a channel: it is on."""
        now = self._clock.now()
        with self._store.transaction() as tx:
            before = tx.channel(channel)
            if before.state != "on":
                tx.save_channel(ChannelHealth(name=channel, since=now))
                told, _ = tx.end_matter(health.matter(channel))
                notice = health.recovered(before, now, self._language)
                tx.enqueue(notice, told, notice.id, ends=health.matter(channel))
        self._changed()
        return {"channel": channel, "was": before.state}

    def silence(
        self, seconds: float, reason: str, by: str, pipeline: str = "", host: str = "", event: str = ""
    ) -> dict[str, Any]:
        """Tell nothing that matches for a while."""
        if not 0 < seconds <= LONGEST:
            raise UsageError("a silence lasts up to 31 days", "", "name a time such as --for 2h")
        if not reason.strip():
            raise UsageError(
                "a silence needs a reason", "whoever wonders why nobody was told reads it", "--reason TEXT"
            )
        now = self._clock.now()
        one = Silence(
            id=secrets.token_hex(3),
            until=now + seconds,
            reason=clean(reason),
            by=clean(by, 100),
            created_at=now,
            pipeline=clean(pipeline, 100),
            host=clean(host, 100),
            event=clean(event, 100),
        )
        with self._store.transaction() as tx:
            tx.silence(one)
        return {"id": one.id, "until": iso(one.until)}

    def speak(self, id: str) -> dict[str, Any]:
        """End a silence."""
        with self._store.transaction() as tx:
            if not tx.speak(id):
                raise UsageError(f"there is no silence {clean(id, 40)}", "", "see: tmux-sentry notify silences")
        return {"id": id}


def shown(result: DeliveryResult) -> dict[str, Any]:
    """One result for people and for `--json`."""
    return {
        "outcome": result.outcome.value,
        "delivered": result.outcome is Delivery.DELIVERED,
        "detail": result.detail,
        "retry_after": result.retry_after,
        "whole_channel": result.whole_channel,
    }
