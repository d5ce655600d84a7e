"""The check `webhook`: looks through what was delivered, and keeps the listener."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace

from tmux_sentry import CheckRequest, CheckResult, CheckStatus, clean
from tmux_sentry_check_http.expressions import BadExpression
from tmux_sentry_check_http.intake import Intake
from tmux_sentry_check_http.listen_settings import BadSetting, ListenSettings
from tmux_sentry_check_http.listener import Listener, ListenError
from tmux_sentry_check_http.reading import NotJson, read_json
from tmux_sentry_check_http.store import Delivery, Store, StoreError
from tmux_sentry_check_http.taken import Taken, behind, taken
from tmux_sentry_check_http.verdict import Conditions, Verdict
from tmux_sentry_check_http.wire import PATH

log = logging.getLogger(__name__)

#: Seconds: a delivery that came so shortly before the stage is mentioned to those who wait for it.
RECENT = 600.0
#: Checks whose place is kept; one that is forgotten reads its deliveries again.
MOST_PLACES = 256
_BATCH = 100


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a check has read, and what it has seen: the last delivery that decides, and what the last at all says."""

    seq: int = 0
    decided: Taken | None = None
    last: CheckResult | None = None


class WebhookChecker:
    """One listener for all checks; each of them reads the deliveries for itself. `clock` gives epoch seconds."""

    def __init__(self, settings: Mapping[str, str], home: str, clock: Callable[[], float] = time.time) -> None:
        self._settings, self._home, self._clock = settings, home, clock
        self._lock = threading.Lock()
        self._store: Store | None = None
        self._listener: Listener | None = None
        self._over = False
        self._wake: Callable[[], None] = lambda: None
        self._places: OrderedDict[Hashable, _Place] = OrderedDict()

    def open(self, wake: Callable[[], None]) -> None:
        """Listen from now on. What keeps it from that is said by the checks, and each of them tries again."""
        self._over, self._wake = False, wake
        try:
            self._ready()
        except (BadSetting, ListenError, StoreError) as error:
            # Without a secret it is not set up: that is how most people have it, who use no webhook.
            wanted = self._settings.get("WEBHOOK_LISTEN_SECRET", "").strip()
            log.log(logging.WARNING if wanted else logging.DEBUG, "webhook: %s", error)

    def close(self) -> None:
        """Stop listening. Idempotent."""
        with self._lock:
            self._over = True
            if self._listener is not None:
                self._listener.close()
            if self._store is not None:
                self._store.close()
            self._listener = self._store = None
            self._places.clear()

    def check(self, request: CheckRequest) -> CheckResult:
        try:
            conditions = Conditions.of(request.config)
            event = request.config.get("event")
            path = request.config.get("path", "/")
            if conditions.success is None and not isinstance(event, str):
                raise BadExpression("the action needs success_when or event: nothing says what success is")
            if not isinstance(path, str) or not PATH.fullmatch(path):  # the schema has not seen what was filled in
                raise BadExpression("path is no / with letters, digits, . _ ~ / and -")
            store, where = self._ready()
            return self._looked(request, conditions, path, event, store, where)
        except BadExpression as error:
            return _unknown(f"{error}; correct the policy")
        except (BadSetting, ListenError, StoreError) as error:
            return _unknown(str(error))

    def _ready(self) -> tuple[Store, str]:
        """The store and the listener's address. Raises BadSetting, ListenError and StoreError."""
        with self._lock:
            if self._over:
                raise ListenError("the listener is closed")
            settings = ListenSettings.of(self._settings)
            if not self._home:
                raise StoreError("there is no directory to keep deliveries in: set TMUX_SENTRY_HOME")
            store = self._store = self._store or Store(self._home)
            if self._listener is None or not self._listener.alive:
                intake = Intake(settings, store, self._news, self._clock)
                self._listener = Listener(settings.host, settings.port, intake)
            return store, self._listener.address

    def _news(self) -> None:
        try:
            self._wake()
        except Exception:
            log.exception("webhook: the waiting checks were not woken")

    def _looked(
        self, request: CheckRequest, conditions: Conditions, path: str, event: str | None, store: Store, where: str
    ) -> CheckResult:
        before = taken(request.memory, path)
        if before is not None and before.result.status is CheckStatus.SUCCESS:
            return before.result
        texts = (str(request.config.get(key)) for key in ("success_when", "fail_when"))
        key = (request.id, request.started_at, path, event, *texts)
        since = request.started_at  # `received` is of the same clock
        with self._lock:
            place = self._places.get(key) or _Place(before.seq if before else 0, before)
        begun = place = replace(place, seq=max(place.seq, behind(request.earlier, path)))
        while batch := store.after(place.seq, path, since, _BATCH):
            for delivery in batch:
                result = _judged(delivery, conditions, event)
                final = result is not None and result.status.final
                decided = Taken(delivery.seq, result) if result is not None and final else place.decided
                place = _Place(delivery.seq, decided, result or place.last)
        if place.decided is not None and place.decided != begun.decided:
            request.remember(place.decided.memory(path))
        with self._lock:
            self._places[key] = place
            self._places.move_to_end(key)
            while len(self._places) > MOST_PLACES:
                self._places.popitem(last=False)
        if (found := place.decided.result if place.decided is not None else place.last) is not None:
            return found
        return CheckResult(status=CheckStatus.PENDING, detail=_waiting(store, path, since, where))


def _waiting(store: Store, path: str, since: float, where: str) -> str:
    """What is waited for; and what came, but not for this stage."""
    said = f"no delivery at {path} yet; listening on {where}"
    if (early := store.last(path, since - RECENT, since)) is not None:
        name, ago = clean(early.name, 80), since - early.received
        said = f"no delivery at {path} since the stage began ({name} came {ago:.1f} s before it); listening on {where}"
    if other := store.elsewhere(path, since):
        said += f" (one came at {clean(other, 100)}: is the path right?)"
    return clean(said)


def _judged(delivery: Delivery, conditions: Conditions, event: str | None) -> CheckResult | None:
    """What a delivery says; None when it is not one of those that are waited for."""
    try:
        data = read_json(delivery.body)
    except NotJson:  # it was JSON when it was taken: the file has been changed
        return None
    if event is not None and event not in (delivery.event, data.get("type") if isinstance(data, dict) else None):
        return None
    if delivery.event == "ping" and event is None:  # GitHub's greeting of a new webhook
        return None
    verdict: Verdict = conditions.decide(data)
    named = f"delivery {clean(delivery.name, 80)}" + (f" ({clean(delivery.event, 60)})" if delivery.event else "")
    return CheckResult(status=verdict.status, detail=clean(f"{named}: {verdict.why}"))


def _unknown(why: str) -> CheckResult:
    return CheckResult(status=CheckStatus.UNKNOWN, detail=clean(why))
