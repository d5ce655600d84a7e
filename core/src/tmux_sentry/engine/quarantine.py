"""Keeps a defect where it is: what fails again and again is left alone, and everything else goes on."""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from collections.abc import Callable

from tmux_sentry.clock import Clock
from tmux_sentry.errors import SentryError
from tmux_sentry.security.sanitize import clean

log = logging.getLogger(__name__)

#: So many failures within so many seconds, as an Erlang supervisor counts them.
LIMIT, WINDOW = 3, 300.0


class Quarantine:
    """Counts failures by name ("pane here/…", "pipeline ci"). Lasts as long as the process; one thread counts."""

    def __init__(self, clock: Clock, isolated: Callable[[str], None]) -> None:
        """`isolated(name)` is called once for each name that is left alone from now on."""
        self._clock, self._isolated = clock, isolated
        self._failures: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=LIMIT))
        self._names: set[str] = set()

    def holds(self, name: str) -> bool:
        """Whether it is left alone."""
        return name in self._names

    def contain(self, name: str, work: Callable[[], object]) -> bool:
        """Do `work` for `name`, unless it is left alone; True if it was done.

        A SentryError passes: a full disk or a damaged database is nobody's defect, and must stop the program.
        """
        if name in self._names:
            return False
        try:
            work()
        except SentryError:
            raise
        except Exception:
            log.exception("%s: an internal error; the others go on", clean(name, 200))
            self.count(name)
            return False
        return True

    def count(self, name: str) -> None:
        """`name` has failed once more."""
        failures, now = self._failures[name], self._clock.monotonic()
        failures.append(now)
        if len(failures) < LIMIT or now - failures[0] > WINDOW:
            return
        self._names.add(name)
        log.error("%s failed %d times within %g minutes and is left alone until the next start",
                  clean(name, 200), LIMIT, WINDOW / 60)  # fmt: skip
        self._isolated(name)
