"""What `run` does for its database besides its work: regular backups, and an end to what is old."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from tmux_sentry.clock import Clock
from tmux_sentry.errors import SentryError
from tmux_sentry.security.sanitize import clean
from tmux_sentry.state import backup
from tmux_sentry.state.store import Store

log = logging.getLogger(__name__)

#: Seconds between two looks at whether something is due.
LOOK = 60.0
#: Seconds that what is in hand gets at the end; a snapshot that is cut off is not counted as one.
SETTLE = 5.0
DAY = 86400.0


class Housekeeper:
    """A thread of its own: a large database takes a while, and nothing waits for it."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._stopped = threading.Event()
        self._failing: set[str] = set()  # told once, until it works again
        self._pruned: float | None = None
        self._thread = threading.Thread(target=self._work, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Look at once, then every `LOOK` seconds. Does nothing for a database in memory."""
        if self._store.path is not None:
            self._thread.start()

    def stop(self) -> None:
        """Finish what is in hand. Idempotent."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(SETTLE)

    def tend(self) -> None:
        """Do what is due. Never raises: a full disk must not stop the runs."""
        self._attempt("no backup could be made", self._back_up)
        self._attempt("old rows could not be removed", self._prune)

    def _work(self) -> None:
        while not self._stopped.is_set():
            self.tend()
            self._stopped.wait(LOOK)

    def _back_up(self) -> None:
        assert self._store.path is not None
        kind = backup.due(self._store.path, self._clock.now())
        if kind is not None:
            made = self._store.backup(kind)
            log.debug("backup: %s", made)

    def _prune(self) -> None:
        now = self._clock.now()
        if self._pruned is not None and 0 <= now - self._pruned < DAY:
            return
        gone = 0
        while not self._stopped.is_set() and (batch := self._store.prune()):
            gone += batch
        self._pruned = now
        if gone:
            log.info("removed %d rows of runs and messages that ended long ago", gone)

    def _attempt(self, what: str, work: Callable[[], None]) -> None:
        try:
            work()
        except (SentryError, OSError, sqlite3.Error, SQLAlchemyError) as error:
            if what not in self._failing:
                why = "; ".join(error.lines()) if isinstance(error, SentryError) else str(error)
                log.warning("%s: %s", what, clean(why, 1000))
            self._failing.add(what)
        except Exception:
            if what not in self._failing:
                log.exception("%s", what)
            self._failing.add(what)
        else:
            self._failing.discard(what)
