"""Checkers that raise, hang or answer nonsense: unknown, never success, and asked again."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from tmux_sentry.contracts import CheckRequest, CheckResult, CheckStatus
from tmux_sentry.engine.checking import Checks
from tmux_sentry.engine.events import CheckRemembered, StartCheck
from tmux_sentry.testing.clock import FakeClock

EFFECT = StartCheck(action_id="r/s/1/check1", type="ci", config={"repo": "x"}, started_at=1.0)


class Checker:
    def __init__(self, *answers: Callable[[], Any]) -> None:
        self.answers = list(answers)
        self.asked: list[CheckRequest] = []

    def check(self, request: CheckRequest) -> Any:
        self.asked.append(request)
        return self.answers.pop(0)()


def answer(status: CheckStatus, **more: Any) -> Callable[[], CheckResult]:
    return lambda: CheckResult(status=status, **{"next_in": 0.0, **more})


def begin(checker: Any, effect: StartCheck = EFFECT, **options: Any) -> tuple[Checks, queue.Queue[Any]]:
    reports: queue.Queue[Any] = queue.Queue()
    given = {} if checker is None else {"ci": checker}
    checks = Checks(given, lambda run, event, wait: reports.put(event), FakeClock(1000.0), **options)
    checks.start("r", "here", effect)
    return checks, reports


def test_it_asks_until_the_answer_is_final() -> None:
    checker = Checker(answer(CheckStatus.PENDING), answer(CheckStatus.UNKNOWN), answer(CheckStatus.SUCCESS))
    _, reports = begin(checker)
    got = [reports.get(timeout=10.0) for _ in range(3)]
    assert [one.status.value for one in got] == ["pending", "unknown", "success"]
    assert [(one.config, one.started_at, one.now, one.id) for one in checker.asked] == [
        ({"repo": "x"}, 1.0, 1000.0, EFFECT.action_id)
    ] * 3


def test_it_knows_what_the_checks_before_it_have_followed() -> None:
    checker = Checker(answer(CheckStatus.SUCCESS))
    _, reports = begin(checker, replace(EFFECT, earlier=({"run_id": 1},)))
    reports.get(timeout=10.0)
    assert [one.earlier for one in checker.asked] == [({"run_id": 1},)]


def test_it_can_be_asked_at_once() -> None:
    checker = Checker(answer(CheckStatus.PENDING, next_in=3600.0), answer(CheckStatus.SUCCESS))
    checks, reports = begin(checker)
    assert reports.get(timeout=10.0).status is CheckStatus.PENDING
    checks.ask_now(EFFECT.action_id)
    assert reports.get(timeout=10.0).status is CheckStatus.SUCCESS
    checks.ask_now(EFFECT.action_id)  # which is over


def fail() -> None:
    raise RuntimeError("no \x1b[31mnetwork")


def leave() -> None:
    raise SystemExit(0)


SUCCESS = CheckStatus.SUCCESS


@pytest.mark.parametrize(
    "what",
    [
        fail,
        leave,
        lambda: None,
        lambda: "success",
        lambda: SUCCESS,
        lambda: CheckResult(status="success"),  # type: ignore[arg-type]
        lambda: CheckResult(status=SUCCESS, detail=b"x"),  # type: ignore[arg-type]
        lambda: CheckResult(status=SUCCESS, percent=float("nan")),
        lambda: CheckResult(status=SUCCESS, next_in="soon"),  # type: ignore[arg-type]
    ],
)
def test_a_checker_that_fails_is_unknown(what: Callable[[], Any]) -> None:
    checks, reports = begin(Checker(what))
    report = reports.get(timeout=10.0)
    assert report.status is CheckStatus.UNKNOWN
    assert report.detail
    assert "\x1b" not in report.detail
    checks.close()


def test_a_checker_that_hangs_is_unknown_after_a_while() -> None:
    never = threading.Event()
    checks, reports = begin(Checker(never.wait), patience=0.05)
    report = reports.get(timeout=10.0)
    assert report.status is CheckStatus.UNKNOWN
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


def test_a_failure_is_asked_again_only_where_it_may_be_run_again() -> None:
    follow = replace(EFFECT, follow=True)
    checker = Checker(answer(CheckStatus.FAILURE), answer(CheckStatus.PENDING), answer(CheckStatus.SUCCESS))
    _, reports = begin(checker, follow)
    assert [reports.get(timeout=10.0).status.value for _ in range(3)] == ["failure", "pending", "success"]
    checker = Checker(answer(CheckStatus.FAILURE))
    _, reports = begin(checker)
    assert reports.get(timeout=10.0).status is CheckStatus.FAILURE
    ended("check ci")
    assert len(checker.asked) == 1


def ended(name: str) -> None:
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(10.0)
            assert not thread.is_alive()


def test_a_check_that_is_asked_already_is_not_begun_twice() -> None:
    asked, go = threading.Event(), threading.Event()

    def slow() -> CheckResult:
        asked.set()
        go.wait(10.0)
        return CheckResult(status=SUCCESS)

    checks, reports = begin(checker := Checker(slow))
    assert asked.wait(10.0)
    checks.start("r", "here", EFFECT)
    go.set()
    assert reports.get(timeout=10.0).status is SUCCESS
    ended("check ci")
    assert len(checker.asked) == 1


class Told:
    """A checker that its service tells when there is news."""

    def __init__(self) -> None:
        self.wake: Callable[[], None] | None = None
        self.done = self.closed = False

    def open(self, wake: Callable[[], None]) -> None:
        self.wake = wake

    def close(self) -> None:
        self.closed = True

    def check(self, request: CheckRequest) -> CheckResult:
        return CheckResult(status=SUCCESS if self.done else CheckStatus.PENDING, next_in=3600.0)


def test_a_checker_with_news_has_its_checks_asked_at_once() -> None:
    checker = Told()
    reports: queue.Queue[Any] = queue.Queue()
    checks = Checks({"ci": checker}, lambda run, event, wait: reports.put(event), FakeClock(0.0))
    checks.open()
    assert checker.wake is not None
    checks.start("r", "here", EFFECT)
    assert reports.get(timeout=10.0).status is CheckStatus.PENDING
    checker.done = True
    checker.wake()
    assert reports.get(timeout=10.0).status is SUCCESS
    checks.close()
    assert checker.closed


def test_a_checker_that_cannot_begin_or_end_stops_nothing() -> None:
    class Bad(Told):
        def open(self, wake: Callable[[], None]) -> None:
            raise OSError("port taken")

        def close(self) -> None:
            raise SystemExit(1)

    checks = Checks({"bad": Bad(), "ci": (good := Told())}, lambda run, event, wait: None, FakeClock(0.0))
    checks.open()
    assert good.wake is not None
    checks.close()
    assert good.closed


class Remembers:
    def __init__(self, *memories: Any) -> None:
        self.memories = list(memories)
        self.errors: list[Exception] = []
        self.asked: list[CheckRequest] = []

    def check(self, request: CheckRequest) -> CheckResult:
        self.asked.append(request)
        try:
            request.remember(self.memories.pop(0))
        except Exception as error:
            self.errors.append(error)
        return CheckResult(status=CheckStatus.PENDING if self.memories else SUCCESS, next_in=0.0)


def test_what_is_remembered_is_committed_before_the_checker_goes_on_and_comes_back() -> None:
    order: list[str] = []
    checker = Remembers({"run": 7}, {"run": 7}, {"run": 8, "seen": ["a"]})
    done = threading.Event()

    def give(run: str, event: Any, wait: bool) -> None:
        order.append(f"{event.memory} {wait}" if isinstance(event, CheckRemembered) else event.status.value)
        if order[-1] == "success":
            done.set()

    checks = Checks({"ci": checker}, give, FakeClock(0.0))
    checks.start("r", "here", replace(EFFECT, memory={"old": True}))
    assert done.wait(10.0)
    assert [request.memory for request in checker.asked] == [{"old": True}, {"run": 7}, {"run": 7}]
    assert order == ["{'run': 7} True", "pending", "pending", "{'run': 8, 'seen': ['a']} True", "success"]


@pytest.mark.parametrize("memory", [{"x": object()}, {"x": float("nan")}, {"x": "y" * 70_000}, 7, {"x": b"y"}])
def test_what_is_no_small_json_is_not_remembered(memory: Any) -> None:
    checker = Remembers(memory)
    _, reports = begin(checker)
    assert reports.get(timeout=10.0).status is SUCCESS
    assert [type(error) for error in checker.errors] in ([TypeError], [ValueError])
    assert reports.empty()


def test_after_the_end_nothing_is_remembered() -> None:
    """It would go before an effect that nobody waits for any more."""
    asked, go = threading.Event(), threading.Event()
    errors: list[str] = []

    def late(request: CheckRequest) -> CheckResult:
        asked.set()
        go.wait(10.0)
        try:
            request.remember({"dispatch": "sent"})
        except ValueError as error:
            errors.append(str(error))
        return CheckResult(status=SUCCESS)

    checks, reports = begin(SimpleNamespace(check=late))
    assert asked.wait(10.0)
    checks.stop(EFFECT.action_id)
    go.set()
    ended("check ci")
    assert errors == ["the check is over"]
    assert reports.empty()


def test_a_checker_sees_what_was_typed_and_the_host_of_the_pane() -> None:
    here: Any = SimpleNamespace(name="here")
    checker = Checker(answer(SUCCESS))
    _, reports = begin(checker, replace(EFFECT, typed=("gh workflow run x.yml",)), hosts={"here": here})
    reports.get(timeout=10.0)
    assert checker.asked[0].typed == ("gh workflow run x.yml",)
    assert checker.asked[0].host is here
