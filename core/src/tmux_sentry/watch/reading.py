"""What is read of a host's panes, and how: by output streams, or by polling for changes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from typing import Literal

from tmux_sentry.clock import Clock
from tmux_sentry.contracts import PaneIdentity
from tmux_sentry.security.sanitize import clean
from tmux_sentry.tmux.model import PaneInfo
from tmux_sentry.tmux.version import Ability
from tmux_sentry.watch.feeds import Feeds
from tmux_sentry.watch.pane import WatchedPane
from tmux_sentry.watch.polling import EVERY, EVERY_BY_EXEC, ChangedPanes
from tmux_sentry.watch.registry import Panes

_log = logging.getLogger(__name__)

#: `auto`: streams, and polling where tmux has none or where a session's stream failed twice in a row.
Method = Literal["auto", "stream", "poll"]

#: How much a pane's text is needed: a larger number comes first.
Need = Callable[[PaneInfo], int]
#: A run goes on in the pane, or is to begin there.
URGENT = 2


def always_polled(method: Method, able: Ability) -> bool:
    """Whether no pane of a host with such a tmux is ever read by a stream."""
    return method == "poll" or able < Ability.STREAM


class Reading:
    """The Watcher's control loop owns it."""

    def __init__(
        self,
        feeds: Feeds,
        clock: Clock,
        method: Method,
        max_panes: int,
        touched: Callable[[WatchedPane, int], None],
    ) -> None:
        """`touched(pane, history)` is called for a polled pane that has changed, `history` rows above its screen."""
        self._feeds, self._clock = feeds, clock
        self._method, self._max_panes, self._touched = method, max_panes, touched
        self._able = Ability.STREAM
        self._changed = ChangedPanes()
        self._polled = False  # whether any pane is
        self._too_many = False
        self._told: set[PaneIdentity] = set()  # panes that matter and are not read

    def begin(self, able: Ability) -> None:
        """A command client is attached whose tmux can do this."""
        if self._method == "stream" and able < Ability.STREAM:
            _log.warning("tmux before 3.2 has no output streams: its panes are polled")
        self._able = able

    def choose(self, panes: Panes, wanted: Sequence[PaneInfo], infos: Sequence[PaneInfo], need: Need) -> None:
        """Say of each pane whether it is read, and whether by polling. Where there are too many, those that are needed
        come first, then the oldest."""
        if (len(wanted) > self._max_panes) is not self._too_many:
            self._too_many = not self._too_many
            if self._too_many:
                _log.warning(
                    "%s: %d panes, of which only %d are read (watch.max_panes)",
                    wanted[0].identity.host, len(wanted), self._max_panes,
                )  # fmt: skip
        read = {info.identity for info in self._first(wanted, need)}
        failing = self._feeds.failing() if self._method == "auto" else set()
        for info in infos:
            if (pane := panes.get(info.identity)) is not None:
                pane.reading = info.identity in read
                pane.poll(not self._streaming or info.session_id in failing)

    def _first(self, wanted: Sequence[PaneInfo], need: Need) -> Sequence[PaneInfo]:
        """As many as are read; a pane that is needed and left out is told of once."""
        if not self._too_many:
            return wanted
        needs = {info.identity: need(info) for info in wanted}
        order = sorted(wanted, key=lambda info: (-needs[info.identity], int(info.identity.pane_id[1:])))
        for info in order[self._max_panes :]:
            if needs[info.identity] >= URGENT and info.identity not in self._told:
                self._told.add(info.identity)
                name = clean(f"{info.identity.host} {info.name} {info.identity.pane_id}", 200)
                _log.warning("%s: a run waits for this pane, which is not read (watch.max_panes)", name)
        return order[: self._max_panes]

    def follow(self, read: Collection[WatchedPane], infos: Sequence[PaneInfo], every: Collection[str]) -> None:
        """Let the streams and the polling follow: `read` as `choose` said, `every` names all panes of the server."""
        if self._streaming:
            self._feeds.follow(read, every)
        by_id = {pane.identity: pane for pane in read if pane.polled}
        self._polled = bool(by_id)
        polled = [info for info in infos if info.identity in by_id]
        for info in self._changed.update(polled, self._clock.monotonic()):
            self._touched(by_id[info.identity], info.history)

    def again_in(self) -> float | None:
        """Seconds until the next inventory is due for what is read."""
        every = EVERY if self._able is Ability.STREAM else EVERY_BY_EXEC
        waits = [self._feeds.retry_in(), every if self._polled else None]
        return min((wait for wait in waits if wait is not None), default=None)

    def pids(self) -> set[int | None]:
        """Process ids of the streams' clients."""
        return self._feeds.pids()

    def take_ended(self) -> set[int]:
        """Process ids of streams' clients that ended since the last call, as far as one can know from here."""
        return self._feeds.take_ended()

    def close(self) -> None:
        """Leave every session."""
        self._feeds.close()
        self._changed = ChangedPanes()

    @property
    def _streaming(self) -> bool:
        return not always_polled(self._method, self._able)
