"""Sends Messages to the services of APPRISE_URLS, each once, and adds up what became of them."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tmux_sentry import Delivery, DeliveryResult, Message, clean
from tmux_sentry_notify_apprise.urls import Refusal, entries, loaded, name

if TYPE_CHECKING:
    from apprise import NotifyBase

    from tmux_sentry_notify_apprise.service import Told

log = logging.getLogger("tmux_sentry.notify.apprise")

#: Seconds that all services together may take; the core gives up after 60.
PATIENCE = 45.0
#: Messages whose delivered services are remembered, for their retries.
REMEMBERED = 1000
#: Seconds to wait after "too many requests": Apprise does not tell how long the service asked for.
REST = 60.0


_MISSING = "APPRISE_URLS is not set: give the URLs of your services, as in ntfy://topic"


class AppriseNotifier:
    """The channel. Apprise is imported when the first message is sent."""

    def __init__(self, urls: str, *, patience: float = PATIENCE) -> None:
        self._urls = urls
        self._patience = patience
        self._lock = threading.Lock()
        self._services: dict[str, NotifyBase] | None = None
        self._refused: list[str] = []
        self._delivered: OrderedDict[str, set[str]] = OrderedDict()
        self._warned: set[str] = set()

    def problem(self) -> str:
        """That there are no settings. What is wrong with one is only known once Apprise is loaded, which is heavy."""
        return "" if self._urls.strip() else _MISSING

    def send(self, message: Message) -> DeliveryResult:
        services = self._load()
        if not services:
            why = clean("; ".join(self._refused) or _MISSING)
            return DeliveryResult(outcome=Delivery.PERMANENT, detail=why, whole_channel=True)
        told = self._send_to_each(services, message)
        return self._summary(told)

    def _load(self) -> Mapping[str, NotifyBase]:
        """The services that can be used, by name. They are kept: each keeps to its service's rate."""
        with self._lock:
            if self._services is None:
                found, refused = {}, []
                for number, url in enumerate(entries(self._urls), start=1):
                    from tmux_sentry_notify_apprise.service import asset

                    try:
                        service = loaded(url, number, asset())
                    except Refusal as refusal:
                        refused.append(str(refusal))
                    else:
                        found[name(service, number)] = service
                self._services, self._refused = found, refused
            return self._services

    def _send_to_each(self, services: Mapping[str, NotifyBase], message: Message) -> dict[str, Told]:
        """What became of the message at each service that does not have it yet, all at the same time."""
        from tmux_sentry_notify_apprise.service import Told, hand_over

        told: dict[str, Told] = {}
        with self._lock:
            done = self._delivered.setdefault(message.id, set())
            self._delivered.move_to_end(message.id)
            while len(self._delivered) > REMEMBERED:
                self._delivered.popitem(last=False)
            had = set(done)

        def work(which: str, service: NotifyBase) -> None:
            try:
                result = hand_over(service, message)
            except BaseException as error:  # a plugin of Apprise; what it says may hold the URL
                result = Told(Delivery.RETRY, type(error).__name__)
            with self._lock:
                told[which] = result
                if result.outcome is Delivery.DELIVERED:
                    done.add(which)  # also when nobody waits for it any more

        threads = {}
        for which, service in services.items():
            if which not in had:
                # Daemons: a service that hangs must not keep the process from ending.
                threads[which] = threading.Thread(target=work, args=(which, service), name=which, daemon=True)
                threads[which].start()
        deadline = time.monotonic() + self._patience
        for thread in threads.values():
            thread.join(max(deadline - time.monotonic(), 0.0))
        with self._lock:
            late = {which: Told(Delivery.UNKNOWN, "no answer in time") for which in threads if which not in told}
            before = {which: Told(Delivery.DELIVERED) for which in had}
            return {which: {**before, **late, **told}[which] for which in services}

    def _summary(self, told: Mapping[str, Told]) -> DeliveryResult:
        """One outcome for all: as long as one service may still get it, it is tried again (there only)."""
        outcomes = {one.outcome for one in told.values()}
        missed = [f"{which}: {one.why}" for which, one in told.items() if one.outcome is not Delivery.DELIVERED]
        taken = [which for which, one in told.items() if one.outcome is Delivery.DELIVERED]
        parts = [*missed, *self._refused, f"delivered: {', '.join(taken)}" if taken else ""]
        detail = clean("; ".join(part for part in parts if part), 1000)
        if Delivery.RETRY in outcomes:
            waiting = [one for one in told.values() if one.outcome is not Delivery.DELIVERED]
            limited = any(one.limited for one in waiting)
            return DeliveryResult(
                outcome=Delivery.RETRY,
                detail=detail,
                retry_after=REST if limited else None,
                whole_channel=limited and all(one.limited for one in told.values()),
            )
        if Delivery.UNKNOWN in outcomes:
            return DeliveryResult(outcome=Delivery.UNKNOWN, detail=detail)
        if taken:
            self._warn(missed + self._refused)
            return DeliveryResult(outcome=Delivery.DELIVERED, detail=detail)
        barred = all(one.barred for one in told.values())
        return DeliveryResult(outcome=Delivery.PERMANENT, detail=detail, whole_channel=barred)

    def _warn(self, missed: list[str]) -> None:
        """Some services have it and others never will: that counts as delivered, so it is said here, once each."""
        for what in missed:
            if what not in self._warned:
                self._warned.add(what)
                log.warning("notification by apprise was not taken everywhere: %s", clean(what))
