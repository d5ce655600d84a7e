"""What becomes of a request: refused, or verified, written to disk, and then answered."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tmux_sentry import clean
from tmux_sentry_check_http.listen_settings import ListenSettings
from tmux_sentry_check_http.reading import NotJson, read_json
from tmux_sentry_check_http.signatures import GITHUB_EVENT, GITHUB_ID, NotGenuine, is_github, precheck, verify
from tmux_sentry_check_http.store import Delivery, Store, StoreError
from tmux_sentry_check_http.wire import PATH, Head, Refused, body_length

log = logging.getLogger(__name__)

#: Deliveries that are not genuine: so many at once, and so many a second for ever, are told what is wrong with them.
BURST, RATE = 20.0, 2.0
#: Seconds between two lines in the log about them.
QUIET = 60.0


class Intake:
    """Used by the listener's thread. `wake` is called after a delivery was written; `clock` gives epoch seconds."""

    def __init__(
        self, settings: ListenSettings, store: Store, wake: Callable[[], None], clock: Callable[[], float]
    ) -> None:
        self._settings, self._store, self._wake, self._clock = settings, store, wake, clock
        self._tokens, self._at = BURST, clock()
        self._refused, self._told = 0, float("-inf")

    def expect(self, head: Head) -> int:
        """How many bytes to read of the body. Raises Refused for what will not be taken whatever they are."""
        if not PATH.fullmatch(head.path):
            raise Refused(404, "nothing here")
        if head.method != "POST":
            raise Refused(405, "POST only", Allow="POST")
        length = body_length(head)
        kind = head.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
            raise Refused(415, "Content-Type must be application/json; it can be chosen where the webhook is set up")
        try:
            precheck(head.headers, self._settings)
        except NotGenuine as error:
            raise self._not_genuine(error) from None
        return length

    def take(self, head: Head, body: bytes) -> str:
        """What to say to a delivery that is on disk now, or was before. Raises Refused."""
        now = self._clock()
        try:
            ids = verify(head.headers, body, self._settings, now)
        except NotGenuine as error:
            raise self._not_genuine(error) from None
        try:
            read_json(body)
        except NotJson as error:
            raise Refused(400, f"the body is {error}") from None
        github = is_github(head.headers)
        delivery = Delivery(
            received=now,
            path=head.path,
            name=head.headers[GITHUB_ID] if github else head.headers["webhook-id"],
            event=clean(head.headers.get(GITHUB_EVENT, ""), 100) if github else "",
            body=body,
        )
        try:
            new = self._store.add(delivery, ids)
        except StoreError as error:
            log.error("webhook: a delivery is sent away, to be sent again: %s", error)
            raise Refused(503, "cannot be kept now; send it again", Retry_After="60") from None
        if not new:
            log.warning("webhook: %s at %s came again and changes nothing", clean(delivery.name, 200), head.path)
            return "already received"
        log.info("webhook: %s was received at %s", clean(delivery.name, 200), head.path)
        self._wake()
        return "received"

    def _not_genuine(self, error: NotGenuine) -> Refused:
        """401 and why; 429 and nothing more in a flood. Genuine deliveries have been told apart before this."""
        now = self._clock()
        self._tokens = min(BURST, self._tokens + max(now - self._at, 0.0) * RATE)
        self._at = now
        self._refused += 1
        if now - self._told >= QUIET:
            log.warning("webhook: %d deliveries refused; the last: %s", self._refused, error)
            self._refused, self._told = 0, now
        if self._tokens < 1.0:
            return Refused(429, "too many of these", Retry_After="60")
        self._tokens -= 1.0
        return Refused(401, str(error))
