"""How often a service is asked: soon after a change, ever more rarely without one, never sooner than it wishes."""

from __future__ import annotations

from tmux_sentry.contracts import CheckResult, CheckStatus
from tmux_sentry.engine import pace
from tmux_sentry.engine.pace import Pace


def waits(*results: CheckResult, chance: float = 0.0) -> list[float]:
    now, seen = Pace(), []
    for result in results:
        now = now.after(result)
        seen.append(now.seconds(result, chance))
    return seen


def pending(**more: object) -> CheckResult:
    return CheckResult(status=CheckStatus.PENDING, **more)  # type: ignore[arg-type]


def test_without_a_change_it_asks_ever_more_rarely_up_to_a_limit() -> None:
    seen = waits(*[pending()] * 20)
    assert seen[0] == pace.FIRST
    assert seen == sorted(seen)
    assert seen[-1] == pace.LONGEST


def test_after_a_change_it_asks_soon() -> None:
    for change in ({"detail": "step 2"}, {"percent": 50.0}, {"url": "https://example.com/2"}):
        assert waits(*[pending()] * 9, pending(**change))[-1] == pace.FIRST
    assert waits(*[pending()] * 9, CheckResult(status=CheckStatus.ATTENTION))[-1] == pace.FIRST


def test_without_an_answer_it_asks_more_rarely_whatever_the_words() -> None:
    seen = waits(*(CheckResult(status=CheckStatus.UNKNOWN, detail=f"port {port}") for port in range(30)))
    assert seen[0] == pace.FIRST_UNKNOWN
    assert seen[-1] == pace.LONGEST_UNKNOWN


def test_the_wish_of_the_service_is_never_undercut() -> None:
    for chance in (0.0, 0.5, 1.0):
        assert waits(pending(next_in=137.0), chance=chance)[0] >= 137.0
    assert waits(pending(next_in=1e9))[0] == pace.AT_MOST
    assert waits(pending(next_in=-5.0))[0] == 0.0


def test_a_service_in_trouble_is_asked_ever_more_rarely_though_it_wants_to_be_asked_each_second() -> None:
    seen = waits(*[CheckResult(status=CheckStatus.UNKNOWN, next_in=1.0)] * 30)
    assert seen[0] == pace.FIRST_UNKNOWN
    assert seen[-1] == pace.LONGEST_UNKNOWN


def test_checks_that_began_together_do_not_stay_together() -> None:
    assert waits(pending(), chance=1.0)[0] > waits(pending(), chance=0.5)[0] > waits(pending())[0] == pace.FIRST
