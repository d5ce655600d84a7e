"""Which panes have changed, told by two inventories: for hosts and sessions without an output stream.

No format of tmux changes on every output. History size and cursor alias exactly (200 lines at the history's limit
leave both as they were), an in-place redraw changes neither, and the window's activity changes always, but in whole
seconds (measured, tmux 3.3a). So a pane has changed when any of them differs, and is looked at once more when that
second is over.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tmux_sentry.contracts import PaneIdentity
from tmux_sentry.tmux.model import PaneInfo

#: Seconds between two inventories where panes are polled; a process for each costs more.
EVERY = 0.5
EVERY_BY_EXEC = 1.0
#: Seconds after which the second of the last activity is over, whatever the two clocks say.
_SECOND = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    look: tuple[object, ...]
    again_at: float | None  # monotonic


class ChangedPanes:
    """Remembers what the last inventory showed of each polled pane."""

    def __init__(self) -> None:
        self._seen: dict[PaneIdentity, _Seen] = {}

    def update(self, infos: Iterable[PaneInfo], now: float) -> list[PaneInfo]:
        """The panes that changed or are due for the second look, not those that are new; `now` is monotonic."""
        before, self._seen = self._seen, {}
        changed = []
        for info in infos:
            look = (info.cursor, info.history, info.activity, info.alternate, info.width, info.height)
            known = before.get(info.identity)
            again_at: float | None = now + _SECOND
            if known is not None and known.look == look:
                due = known.again_at is not None and now >= known.again_at
                again_at = None if due else known.again_at
                if due:
                    changed.append(info)
            elif known is not None:
                changed.append(info)
            self._seen[info.identity] = _Seen(look=look, again_at=again_at)
        return changed
