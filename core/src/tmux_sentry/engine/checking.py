"""Runs the external checks of the open stages, each on a thread of its own, as often as the checker wishes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from tmux_sentry.bounded import TimedOut, call_bounded
from tmux_sentry.contracts import Checker, CheckResult, CheckStatus
from tmux_sentry.engine.events import CheckReported, StartCheck
from tmux_sentry.security.sanitize import clean, clean_block

log = logging.getLogger(__name__)

#: Seconds that one question may take, and until the next one after a question that took longer: its thread is lost.
PATIENCE = 60.0
AFTER_HANGING = 300.0

_FINAL = frozenset({CheckStatus.SUCCESS, CheckStatus.FAILURE})


class Checks:
    """`report` is called on a check's thread with each answer."""

    def __init__(
        self,
        checkers: Mapping[str, Checker],
        report: Callable[[str, CheckReported], None],
        *,
        patience: float = PATIENCE,
    ) -> None:
        self._checkers = checkers
        self._report = report
        self._patience = patience
        self._stops: dict[str, threading.Event] = {}

    def start(self, run_id: str, effect: StartCheck) -> None:
        """Begin to ask; the last answer is final."""
        stop = self._stops.setdefault(effect.action_id, threading.Event())
        threading.Thread(
            target=self._ask, args=(run_id, effect, stop), name=f"check {effect.type}", daemon=True
        ).start()

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
                self._stops.pop(effect.action_id, None)
                return
            stop.wait(min(3600.0, max(0.05, result.next_in)))

    def _once(self, effect: StartCheck) -> CheckResult:
        checker = self._checkers.get(effect.type)
        if checker is None:
            return CheckResult(
                status=CheckStatus.UNKNOWN, detail=f"no checker {effect.type} is installed", next_in=60.0
            )
        try:
            result = call_bounded(
                lambda: checker.check(effect.config, effect.started_at), self._patience, f"check {effect.type}"
            )
            if isinstance(result, CheckResult):
                return result
            why = f"the checker answered with a {type(result).__name__}"
        except TimedOut as error:
            return CheckResult(status=CheckStatus.UNKNOWN, detail=str(error), next_in=AFTER_HANGING)
        except BaseException as error:  # a plugin's SystemExit too: the stage must hear of it
            why = f"{type(error).__name__}: {error}"
        log.warning("check %s failed: %s", effect.type, clean(why))
        return CheckResult(status=CheckStatus.UNKNOWN, detail=why, next_in=30.0)


def _reported(action_id: str, result: CheckResult, final: bool) -> CheckReported:
    return CheckReported(
        action_id=action_id,
        status=result.status,
        final=final,
        detail=clean(result.detail),
        url=clean(result.url),
        log_tail=clean_block(result.log_tail),
    )
