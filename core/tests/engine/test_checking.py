"""Checkers that raise, hang or answer nonsense: unknown, never success, and asked again."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tmux_sentry.contracts import CheckResult, CheckStatus
from tmux_sentry.engine.checking import Checks
from tmux_sentry.engine.events import CheckReported, StartCheck

EFFECT = StartCheck(action_id="r/s/1/check1", type="ci", config={"repo": "x"}, started_at=1.0)


class Checker:
    def __init__(self, *answers: Callable[[], Any]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[Mapping[str, Any], float]] = []

    def check(self, config: Mapping[str, Any], started_at: float) -> Any:
        self.asked.append((config, started_at))
        return self.answers.pop(0)()


def answer(status: CheckStatus, **more: Any) -> Callable[[], CheckResult]:
    return lambda: CheckResult(status=status, next_in=0.0, **more)


def begin(checker: Checker | None, **options: Any) -> tuple[Checks, queue.Queue[CheckReported]]:
    reports: queue.Queue[CheckReported] = queue.Queue()
    checks = Checks({} if checker is None else {"ci": checker}, lambda run, event: reports.put(event), **options)
    checks.start("r", EFFECT)
    return checks, reports


def test_it_asks_until_the_answer_is_final() -> None:
    checker = Checker(answer(CheckStatus.PENDING), answer(CheckStatus.UNKNOWN), answer(CheckStatus.SUCCESS))
    _, reports = begin(checker)
    got = [reports.get(timeout=10.0) for _ in range(3)]
    assert [(one.status.value, one.final) for one in got] == [("pending", False), ("unknown", False), ("success", True)]
    assert checker.asked == [({"repo": "x"}, 1.0)] * 3


def fail() -> None:
    raise RuntimeError("no \x1b[31mnetwork")


def leave() -> None:
    raise SystemExit(0)


@pytest.mark.parametrize("what", [fail, leave, lambda: None, lambda: "success", lambda: CheckStatus.SUCCESS])
def test_a_checker_that_fails_is_unknown(what: Callable[[], Any]) -> None:
    checks, reports = begin(Checker(what))
    report = reports.get(timeout=10.0)
    assert (report.status, report.final) == (CheckStatus.UNKNOWN, False)
    assert report.detail
    assert "\x1b" not in report.detail
    checks.close()


def test_a_checker_that_hangs_is_unknown_after_a_while() -> None:
    never = threading.Event()
    checks, reports = begin(Checker(never.wait), patience=0.05)
    report = reports.get(timeout=10.0)
    assert (report.status, report.final) == (CheckStatus.UNKNOWN, False)
    assert "did not finish" in report.detail
    checks.close()
    never.set()


def test_a_check_that_nobody_provides_is_unknown() -> None:
    checks, reports = begin(None)
    assert reports.get(timeout=10.0).status is CheckStatus.UNKNOWN
    checks.close()


def test_a_stopped_check_says_nothing_more() -> None:
    asked, go = threading.Event(), threading.Event()

    def slow() -> CheckResult:
        asked.set()
        go.wait(10.0)
        return CheckResult(status=CheckStatus.SUCCESS)

    checks, reports = begin(Checker(slow))
    assert asked.wait(10.0)
    threads = [thread for thread in threading.enumerate() if thread.name == "check ci"]
    checks.stop(EFFECT.action_id)
    go.set()
    for thread in threads:
        thread.join(10.0)
    assert reports.empty()
