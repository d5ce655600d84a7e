"""The panes of one host by identity: announces new ones, closes those that went."""

from __future__ import annotations

import threading

from tmux_sentry.clock import Clock
from tmux_sentry.contracts import PaneIdentity
from tmux_sentry.tmux.model import PaneInfo
from tmux_sentry.watch.events import PaneSeen, Sink
from tmux_sentry.watch.pane import WatchedPane
from tmux_sentry.watch.tap import Tap, nobody

#: A pane that vanished or died is closed only after so many seconds: its last lines may be under way in the stream.
#: What tmux itself dropped at the end of a program only a dead pane still shows, not one that vanished.
GRACE = 0.25


class Panes:
    """Not the judge of what is wanted; it keeps one WatchedPane for each identity, dead ones included."""

    def __init__(self, sink: Sink, clock: Clock, tap: Tap = nobody) -> None:
        self._sink, self._clock, self._tap = sink, clock, tap
        self._lock = threading.Lock()
        self._panes: dict[PaneIdentity, WatchedPane] = {}
        self._missing: dict[PaneIdentity, float] = {}  # since when (monotonic)

    def get(self, identity: PaneIdentity) -> WatchedPane | None:
        """The pane, also one that is dead but still listed."""
        with self._lock:
            return self._panes.get(identity)

    def by_id(self, pane_id: str) -> WatchedPane | None:
        """The pane that has this id now."""
        with self._lock:
            panes = [pane for identity, pane in self._panes.items() if identity.pane_id == pane_id]
        return next((pane for pane in panes if not pane.closed), None)

    @property
    def closing(self) -> bool:
        """Whether a pane waits for its last lines; `update` has to be called again soon."""
        return bool(self._missing)

    def all(self) -> list[WatchedPane]:
        """Every pane that is listed."""
        with self._lock:
            return list(self._panes.values())

    def update(self, infos: tuple[PaneInfo, ...], began: float) -> None:
        """Take an inventory that began at `began` (monotonic). One call at a time."""
        listed = {info.identity: info for info in infos}
        self._close_missing(listed)
        for identity, info in listed.items():
            pane = self.get(identity)
            if pane is None:
                self._sink(PaneSeen(info=info, at=self._clock.now()))
                pane = WatchedPane(info, self._sink, self._clock, self._tap)
                with self._lock:
                    self._panes[identity] = pane
            else:
                pane.update(info, began)
            if info.dead and not pane.closed:
                pane.finish()
                if self._settled(identity, pane):
                    pane.close(info.dead_status)

    def close_all(self) -> None:
        """The server is gone for good."""
        with self._lock:
            panes, self._panes = list(self._panes.values()), {}
            self._missing.clear()
        for pane in panes:
            pane.close(None)

    def _close_missing(self, listed: dict[PaneIdentity, PaneInfo]) -> None:
        servers = {(identity.server_pid, identity.server_start) for identity in listed}
        ids = {identity.pane_id for identity in listed}
        with self._lock:
            self._missing = {identity: at for identity, at in self._missing.items() if identity in self._panes}
            gone = [(identity, pane) for identity, pane in self._panes.items() if identity not in listed]
        for identity, pane in gone:
            # A respawned pane prints under the same id already, and the panes of another server print no more.
            replaced = identity.pane_id in ids or (identity.server_pid, identity.server_start) not in servers
            if replaced or pane.closed or self._settled(identity, pane):
                pane.close(None)
                with self._lock:
                    del self._panes[identity]
                    self._missing.pop(identity, None)

    def _settled(self, identity: PaneIdentity, pane: WatchedPane) -> bool:
        """Whether the pane has had the time for its last lines and its last capture."""
        now = self._clock.monotonic()
        since = self._missing.setdefault(identity, now)
        busy = pane.pending or now - max(since, pane.last_output) < GRACE
        if busy and now - since < 4 * GRACE:
            return False
        self._missing.pop(identity, None)
        return True
