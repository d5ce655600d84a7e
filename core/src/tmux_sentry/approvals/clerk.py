"""The one thread that talks to the approval backends: shows requests, closes them, brings the answers."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Mapping

from tmux_sentry.approvals.broker import Broker
from tmux_sentry.contracts import ApprovalDesk, ApprovalRequest, Complaint, Decision
from tmux_sentry.security.sanitize import clean

log = logging.getLogger(__name__)

#: Seconds between two looks for answers.
LOOK = 0.25
#: Seconds that somebody waits to know where a request is shown: a little more than a backend may take to show it.
PATIENCE = 6.0


class Clerk:
    """`show` and `close` return at once; `shown` and `decided` are called on the clerk's thread."""

    def __init__(
        self,
        broker: Broker,
        *,
        shown: Callable[[str, Mapping[str, str]], None],
        decided: Callable[[Decision], None],
    ) -> None:
        self._broker = broker
        self._shown = shown
        self._decided = decided
        self._errands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._places: dict[str, Mapping[str, str]] = {}  # of each open request, what `shown` was told
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="approvals", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def serve(self, desk: ApprovalDesk, timeout: float = 5.0) -> None:
        """Let the backends with pages begin; returns when they have, or after so many seconds.

        No link is sent before its page can be opened.
        """
        begun = threading.Event()

        def begin() -> None:
            try:
                self._tell(self._broker.serve(desk))
            finally:
                begun.set()

        self._errands.put(begin)
        begun.wait(timeout)

    def show(self, request: ApprovalRequest) -> None:
        """Put a question before people."""
        self._errands.put(lambda: self._show(request))

    def await_shown(self, approval_id: str, timeout: float = PATIENCE) -> None:
        """Return when `shown` has been told where people see this request, or after so many seconds. Any thread."""
        with self._news:
            self._news.wait_for(lambda: approval_id in self._places, timeout)

    def close(self, request: ApprovalRequest, outcome: str) -> None:
        """The question is settled."""
        self._errands.put(lambda: self._close(request, outcome))

    def stop(self, timeout: float = 3.0) -> None:
        """Do what was asked so far, then end."""
        self._errands.put(None)
        self._thread.join(timeout)
        self._broker.stop()

    def _work(self) -> None:
        while True:
            errand: Callable[[], None] | None
            try:
                errand = self._errands.get(timeout=LOOK)
            except queue.Empty:
                errand = self._look
            if errand is None:
                return
            try:
                errand()
            except Exception as error:  # a full disk, say: people must be heard afterwards
                log.warning("approvals: %s: %s", type(error).__name__, clean(str(error), 300))

    def _look(self) -> None:
        self._tell(self._broker.poll())
        for approval_id, known in list(self._places.items()):
            places = self._broker.places(approval_id)
            if places != known:  # a backend has shown it at a later try
                self._note(approval_id, places, known)

    def _show(self, request: ApprovalRequest) -> None:
        shown = self._broker.open(request)
        self._note(request.id, shown.places, {})
        self._tell(shown.complaints)

    def _note(self, approval_id: str, places: Mapping[str, str], known: Mapping[str, str]) -> None:
        try:
            self._shown(approval_id, places)
        finally:
            with self._news:
                self._places[approval_id] = dict(places)
                self._news.notify_all()
        for backend, place in places.items():
            if place and place != known.get(backend):  # a backend with pages has none without an address for them
                log.info("approval %s: %s: %s", approval_id, backend, clean(place, 300))

    def _close(self, request: ApprovalRequest, outcome: str) -> None:
        with self._news:
            self._places.pop(request.id, None)
        self._tell(self._broker.close(request, outcome))

    def _tell(self, items: Iterable[Decision | Complaint]) -> None:
        for item in items:
            if isinstance(item, Decision):
                self._decided(item)
            else:
                log.warning("approvals: %s: %s", clean(item.where, 300), clean(item.why, 300))
