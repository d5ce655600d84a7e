"""Runs the external checks of the open stages, each on a thread of its own, as often as the checker wishes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from tmux_sentry.contracts import Checker, CheckResult, CheckStatus
from tmux_sentry.engine.events import CheckReported, StartCheck
from tmux_sentry.security.sanitize import clean, clean_block

log = logging.getLogger(__name__)

_FINAL = frozenset({CheckStatus.SUCCESS, CheckStatus.FAILURE})


class Checks:
    """`report` is called on a check's thread with each answer."""

    def __init__(self, checkers: Mapping[str, Checker], report: Callable[[str, CheckReported], None]) -> None:
        self._checkers = checkers
        self._report = report
        self._stops: dict[str, threading.Event] = {}

    def start(self, run_id: str, effect: StartCheck) -> None:
        """Begin to ask; the last answer is final."""
        stop = self._stops.setdefault(effect.action_id, threading.Event())
        threading.Thread(target=self._ask, args=(run_id, effect, stop), name=f"check {effect.type}", daemon=True).start()

    def stop(self, action_id: str) -> None:
        """Ask no more."""
        stop = self._stops.pop(action_id, None)
        if stop is not None:
            stop.set()

    def close(self) -> None:
        """Stop every check."""
        for action_id in list(self._stops):
            self.stop(action_id)

    def _ask(self, run_id: str, effect: StartCheck, stop: threading.Event) -> None:
        while not stop.is_set():
            result = self._once(effect)
            final = result.status in _FINAL
            if not stop.is_set():
                self._report(run_id, _reported(effect.action_id, result, final))
            if final:
                return
            stop.wait(min(max(result.next_in, 0.05), 3600.0))

    def _once(self, effect: StartCheck) -> CheckResult:
        checker = self._checkers.get(effect.type)
        if checker is None:
            return CheckResult(status=CheckStatus.UNKNOWN, detail=f"no checker {effect.type} is installed", next_in=60.0)
        try:
            return checker.check(effect.config, effect.started_at)
        except Exception as error:
            log.warning("check %s failed: %s: %s", effect.type, type(error).__name__, clean(str(error)))
            return CheckResult(status=CheckStatus.UNKNOWN, detail=f"{type(error).__name__}: {error}", next_in=30.0)


def _reported(action_id: str, result: CheckResult, final: bool) -> CheckReported:
    return CheckReported(
        action_id=action_id,
        status=result.status,
        final=final,
        detail=clean(result.detail),
        url=clean(result.url),
        log_tail=clean_block(result.log_tail),
    )
