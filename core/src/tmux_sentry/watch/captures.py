"""The capture worker of one host: takes the captures that its panes want, no more often than they allow."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from tmux_sentry.clock import Clock
from tmux_sentry.errors import Unreachable
from tmux_sentry.tmux.capture import PaneGone, capture
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.watch.pane import WatchedPane

_log = logging.getLogger(__name__)


class CaptureWorker:
    """One daemon thread. Panes that a capture finds gone are reported to `on_lost`."""

    def __init__(
        self, client: Callable[[], CommandClient], clock: Clock, on_lost: Callable[[], None], name: str
    ) -> None:
        """`client()` raises Unreachable while there is none; captures then wait for the next `want`."""
        self._client, self._clock, self._on_lost = client, clock, on_lost
        self._wake = threading.Condition()
        self._wanting: set[WatchedPane] = set()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"captures@{name}", daemon=True)
        self._thread.start()

    def want(self, pane: WatchedPane) -> None:
        """The pane may be due now or later."""
        due = pane.due()
        if due is None:
            return
        with self._wake:
            if pane not in self._wanting or due < self._clock.monotonic():
                self._wanting.add(pane)
                self._wake.notify()

    def stop(self, timeout: float = 5.0) -> None:
        """End the thread. Idempotent."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._wake:
                delay = self._delay()
                while not self._stopping and (delay is None or delay > 0):
                    self._wake.wait(delay)
                    delay = self._delay()
                if self._stopping:
                    return
                now = self._clock.monotonic()
                panes = [pane for pane in self._wanting if (due := pane.due()) is not None and due <= now]
            for pane in panes:
                self._take(pane)

    def _delay(self) -> float | None:
        """Seconds to the next pane that is due; forgets those that want nothing."""
        dues = {pane: pane.due() for pane in self._wanting}
        self._wanting = {pane for pane, due in dues.items() if due is not None}
        return min((due - self._clock.monotonic() for due in dues.values() if due is not None), default=None)

    def _take(self, pane: WatchedPane) -> None:
        wanted = pane.begin_capture()
        if wanted is None:
            return
        try:
            taken = capture(self._client(), pane.identity.pane_id, wanted.history)
            pane.captured(taken, resync=wanted.resync)
        except PaneGone:
            pane.missed(resync=False)
            self._on_lost()
        except Unreachable:
            pane.missed(resync=wanted.resync)
            with self._wake:
                self._wanting.discard(pane)  # it is wanted anew when the host is back
            self._on_lost()
        except Exception:
            _log.exception("a capture of %s could not be handled", pane.identity.key)
