"""Asks the outside services that the open stages wait for, each check on a thread of its own, at its own pace."""

from __future__ import annotations

import json
import logging
import math
import random
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tmux_sentry.bounded import TimedOut, call_bounded
from tmux_sentry.clock import Clock
from tmux_sentry.contracts import Checker, CheckRequest, CheckResult, CheckStatus, HostAccess
from tmux_sentry.engine.events import CheckRemembered, CheckReported, StartCheck
from tmux_sentry.engine.pace import Pace
from tmux_sentry.security.sanitize import clean, clean_block

log = logging.getLogger(__name__)

#: Seconds that one question may take, and until the next one after a question that took longer: its thread is lost.
PATIENCE = 60.0
AFTER_HANGING = 300.0
#: Characters of JSON that a checker may remember for a check.
MEMORY = 64 * 1024

#: Hands an event for a Run to the loop; with `wait`, returns only after it was committed.
Give = Callable[[str, CheckReported | CheckRemembered, bool], None]


class Checks:
    """`give` is called on a check's thread with each answer, and with what the checker remembers."""

    def __init__(
        self,
        checkers: Mapping[str, Checker],
        give: Give,
        clock: Clock,
        *,
        hosts: Mapping[str, HostAccess] | None = None,
        patience: float = PATIENCE,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._checkers = checkers
        self._give = give
        self._clock = clock
        self._hosts = hosts or {}
        self._patience = patience
        self._chance = chance
        self._lock = threading.Lock()
        self._asking: dict[str, _Asking] = {}

    def open(self) -> None:
        """Let the checkers that wait for news of their service begin."""
        for name, checker in self._checkers.items():
            if (begin := getattr(checker, "open", None)) is not None:
                self._tell(name, partial(begin, partial(self.wake, name)))

    def start(self, run_id: str, host: str, effect: StartCheck) -> None:
        """Begin to ask; the last answer is final. A check that is being asked already goes on as it is."""
        with self._lock:
            if effect.action_id in self._asking:
                return
            asking = self._asking[effect.action_id] = _Asking(run_id, host, effect)
        threading.Thread(target=self._ask, args=(asking,), name=f"check {effect.type}", daemon=True).start()

    def stop(self, action_id: str) -> None:
        """Ask no more."""
        with self._lock:
            asking = self._asking.pop(action_id, None)
        if asking is not None:
            asking.stop()

    def ask_now(self, action_id: str) -> None:
        """Ask this check now; once more, if it is being asked in this moment."""
        with self._lock:
            asking = self._asking.get(action_id)
        if asking is not None:
            asking.news.set()

    def wake(self, type: str) -> None:
        """Ask every check of this type now: its service has said that there is news. From any thread."""
        with self._lock:
            woken = [asking for asking in self._asking.values() if asking.effect.type == type]
        for asking in woken:
            asking.news.set()

    def close(self) -> None:
        """Stop every check."""
        for action_id in list(self._asking):
            self.stop(action_id)
        for name, checker in self._checkers.items():
            if (end := getattr(checker, "close", None)) is not None:
                self._tell(name, end)

    def _tell(self, name: str, what: Callable[[], object]) -> None:
        try:
            call_bounded(what, self._patience, f"check {name}")
        except BaseException as error:  # a plugin's SystemExit too
            log.warning("check %s: %s", clean(name), clean(f"{type(error).__name__}: {error}"))

    def _ask(self, asking: _Asking) -> None:
        pace = Pace()
        while not asking.stopped:
            asking.news.clear()
            result = self._once(asking)
            if asking.stopped:
                return
            self._give(asking.run_id, _reported(asking.effect.action_id, result), False)
            if result.status is CheckStatus.SUCCESS or (result.status.final and not asking.effect.follow):
                self.stop(asking.effect.action_id)
                return
            pace = pace.after(result)
            asking.news.wait(max(pace.seconds(result, self._chance()), 0.05))

    def _once(self, asking: _Asking) -> CheckResult:
        effect = asking.effect
        checker = self._checkers.get(effect.type)
        if checker is None:
            return CheckResult(
                status=CheckStatus.UNKNOWN, detail=f"no checker {effect.type} is installed", next_in=60.0
            )
        request = CheckRequest(
            config=effect.config,
            id=effect.action_id,
            started_at=effect.started_at,
            now=self._clock.now(),
            typed=effect.typed,
            memory=asking.memory,
            earlier=effect.earlier,
            remember=lambda memory: self._remember(asking, memory),
            host=self._hosts.get(asking.host),
        )
        return ask(checker, request, effect.type, self._patience)

    def _remember(self, asking: _Asking, memory: Mapping[str, Any]) -> None:
        """Raises ValueError or TypeError for what is no small JSON, and SentryError when it cannot be committed."""
        kept = json.loads(json.dumps(dict(memory), allow_nan=False))
        if len(json.dumps(kept)) > MEMORY:
            raise ValueError(f"a check remembers at most {MEMORY} characters of JSON")
        if asking.stopped:
            raise ValueError("the check is over")  # an effect after this would be nobody's
        if kept != asking.memory:
            self._give(asking.run_id, CheckRemembered(action_id=asking.effect.action_id, memory=kept), True)
            asking.memory = kept


class _Asking:
    """One check that is being asked."""

    def __init__(self, run_id: str, host: str, effect: StartCheck) -> None:
        self.run_id, self.host, self.effect = run_id, host, effect
        self.memory: Mapping[str, Any] = effect.memory
        self.news = threading.Event()  # no need to wait any longer
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True
        self.news.set()


def ask(checker: Checker, request: CheckRequest, type_: str, patience: float = PATIENCE) -> CheckResult:
    """One answer, whatever the checker does: what raises, hangs or answers nonsense is unknown, and says why."""
    try:
        result = call_bounded(lambda: checker.check(request), patience, f"check {type_}")
        if (wrong := _wrong(result)) == "":
            return result
    except TimedOut as error:
        return CheckResult(status=CheckStatus.UNKNOWN, detail=str(error), next_in=AFTER_HANGING)
    except BaseException as error:  # a plugin's SystemExit too: the stage must hear of it
        wrong = f"{type(error).__name__}: {error}"
    log.warning("check %s failed: %s", clean(type_), clean(wrong))
    return CheckResult(status=CheckStatus.UNKNOWN, detail=wrong)


def _wrong(result: object) -> str:
    """What is wrong with an answer; "" when nothing is."""
    if not isinstance(result, CheckResult):
        return f"the checker answered with a {type(result).__name__}"
    if not isinstance(result.status, CheckStatus):
        return "the checker answered with a status that there is not"
    texts = (result.detail, result.url, result.log_tail)
    numbers = [number for number in (result.percent, result.next_in) if number is not None]
    if not all(isinstance(text, str) for text in texts):
        return "the checker answered with a text that is none"
    if not all(isinstance(number, (int, float)) and math.isfinite(number) for number in numbers):
        return "the checker answered with a number that is none"
    return ""


def _reported(action_id: str, result: CheckResult) -> CheckReported:
    percent = None if result.percent is None else min(max(float(result.percent), 0.0), 100.0)
    return CheckReported(
        action_id=action_id,
        status=result.status,
        detail=clean(result.detail),
        url=clean(result.url),
        log_tail=clean_block(result.log_tail),
        percent=percent,
    )
