"""What becomes of what failed too often: its Run waits for a person, and people are told."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tmux_sentry.clock import Clock
from tmux_sentry.contracts import Level
from tmux_sentry.engine.conductor import Conductor
from tmux_sentry.engine.events import Notify, Order
from tmux_sentry.security.sanitize import clean
from tmux_sentry.watch import events as watched

log = logging.getLogger(__name__)


def pane_name(key: str) -> str:
    """A pane's name in quarantine; its Run has the same."""
    return f"pane {key}"


def host_name(record: watched.WatchRecord) -> str:
    """The name in quarantine of the host that a Watcher's record is about."""
    pane = getattr(record, "pane", None) or getattr(record, "info", None)
    if pane is None:
        return f"host {getattr(record, 'host', '')}"
    return f"host {getattr(pane, 'host', '') or pane.identity.host}"


class Isolation:
    """On the loop's thread, but for `pattern`. `told` is called when a message may be due, `later` runs something on
    the loop after the step in hand."""

    def __init__(
        self,
        conductor: Callable[[], Conductor],
        clock: Clock,
        told: Callable[[], None],
        later: Callable[[Callable[[], object]], object],
    ) -> None:
        self._conductor = conductor
        self._clock = clock
        self._told = told
        self._later = later

    def isolated(self, name: str) -> None:
        """Something is left alone from now on: its Run, if it is a pane, waits for a person, and people are told."""
        conductor = self._conductor()
        run = next((run for run in conductor.runs.values() if pane_name(run.pane.key) == name), None)
        try:
            if run is not None and run.open:
                reason = "internal errors, again and again; see the log. It goes on after a restart"
                conductor.order(run.id, Order(verb="hold", reason=reason))
        except Exception as error:
            log.warning("run %s cannot be held: %s", run.id if run else "", clean(str(error)))
        if run is not None and run.id in conductor.runs:
            conductor.forget(run)
        conductor.announce(
            Notify(
                event="quarantined",
                level=Level.ERROR,
                title=f"{clean(name, 200)} is left alone until the next start",
                text="It failed again and again with internal errors; everything else goes on. The log has them.",
                dedupe_key=f"quarantined/{name}/{self._clock.now():.3f}",
            )
        )
        self._told()

    def pattern(self, pattern: str, why: str) -> None:
        """A pattern is searched no more. In the middle of a step, so people are told after it."""
        notice = Notify(
            event="quarantined",
            level=Level.ERROR,
            title=f"the pattern {clean(pattern, 200)} is searched no more until the next start",
            text=f"{clean(why, 200)}. Its condition is unknown, which is never success; everything else goes on.",
            dedupe_key=f"quarantined/pattern {pattern}/{self._clock.now():.3f}",
        )

        def tell() -> None:
            self._conductor().announce(notice)
            self._told()

        self._later(tell)
