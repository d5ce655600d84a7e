"""`engine: regex`: what RE2 does not take, within a limit; a pattern that takes too long is unknown, and told once."""

from __future__ import annotations

import builtins
import logging
import time
from typing import Any

import pytest

from tmux_sentry.clock import SystemClock
from tmux_sentry.config import backtracking
from tmux_sentry.config.backtracking import TooSlow, compile_backtracking, search_bounded
from tmux_sentry.config.regex import BadRegex
from tmux_sentry.engine.conditions import LINE_LIMIT, evaluate
from tmux_sentry.engine.events import OutputSeen
from tmux_sentry.engine.machine import step
from tmux_sentry.engine.patterns import LIMIT, SHARE, Patterns
from tmux_sentry.engine.run import from_json, to_json
from tmux_sentry.policy.model import LogRegex, Not
from tmux_sentry.testing.clock import FakeClock

EVIL = r"^(a|aa)+$"
TEXT = "a" * 60 + "!"


def leaf(pattern: str, engine: str = "regex") -> LogRegex:
    return LogRegex(pattern=pattern, engine=engine)  # type: ignore[arg-type]


@pytest.fixture
def told() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def patterns(told: list[tuple[str, str]]) -> Patterns:
    return Patterns(SystemClock(), lambda pattern, why: told.append((pattern, why)))


@pytest.mark.parametrize(
    ("pattern", "line", "found"),
    [
        (r"(?<!\d)0 problems", "0 problems", True),
        (r"(?<!\d)0 problems", "10 problems", False),
        (r"(\w+) \1", "done done", True),
        (r"ok(?! not)", "ok not", False),
        ("\\?", "\ud800", True),
        ("b$", "a" * LINE_LIMIT + "b", False),
    ],
)
def test_what_re2_does_not_take_is_searched(patterns: Patterns, pattern: str, line: str, found: bool) -> None:
    assert patterns.search(leaf(pattern), line) is found


def test_re2_stays_re2(patterns: Patterns) -> None:
    assert patterns.search(leaf("(?i)OK", "re2"), "ok") is True
    assert patterns.search(leaf(EVIL, "re2"), TEXT) is False


def test_a_search_that_takes_too_long_is_given_up() -> None:
    began = time.process_time()
    with pytest.raises(TooSlow):
        search_bounded(EVIL, TEXT)
    assert time.process_time() - began < 10 * backtracking.SEARCH_TIMEOUT


def test_after_three_times_a_pattern_is_left_alone_and_told_once(
    patterns: Patterns, told: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answers = [patterns.search(leaf(EVIL), TEXT) for _ in range(LIMIT + 2)]
    assert answers == [None] * (LIMIT + 2)
    assert [pattern for pattern, _ in told] == [EVIL]
    assert "too long 3 times" in told[0][1]
    assert len(caplog.records) == 1
    assert patterns.search(leaf(EVIL), "a") is None  # not even where it would be quick
    assert patterns.search(leaf("a(?=!)"), TEXT) is True  # others go on


def test_twice_is_not_three_times(patterns: Patterns, told: list[tuple[str, str]]) -> None:
    for _ in range(LIMIT - 1):
        assert patterns.search(leaf(EVIL), TEXT) is None
    assert patterns.search(leaf(EVIL), "a") is True
    assert told == []


class Ticking(FakeClock):
    """A clock that goes on by `each` seconds whenever it is asked."""

    each = 0.0

    def monotonic(self) -> float:
        self.advance(self.each)
        return super().monotonic()


def test_a_flood_of_lines_that_are_just_quick_enough_is_too_slow(told: list[tuple[str, str]]) -> None:
    clock = Ticking()
    patterns = Patterns(clock, lambda pattern, why: told.append((pattern, why)))
    clock.each = 0.04
    searched = 0
    while not told and searched < 100:
        searched += patterns.search(leaf("x(?!y)"), "x") is True
    assert LIMIT * (SHARE / 0.04 - 1) <= searched <= LIMIT * (SHARE / 0.04 + 2)
    assert len(told) == 1


def test_lines_that_come_now_and_then_may_take_their_time(told: list[tuple[str, str]]) -> None:
    clock = Ticking()
    patterns = Patterns(clock, lambda pattern, why: told.append((pattern, why)))
    clock.each = 0.04
    for _ in range(100):
        assert patterns.search(leaf("x(?!y)"), "x") is True
        clock.advance(1.0)
    assert told == []


def test_without_the_module_the_pattern_is_unknown_and_says_what_to_install(
    patterns: Patterns, told: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any, **more: Any) -> Any:
        if name == "regex":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    pattern = "never seen before(?!x)"
    assert patterns.search(leaf(pattern), "x") is None
    assert told == [(pattern, f"needs the module regex, which is not installed {backtracking.INSTALL}")]


@pytest.mark.parametrize("pattern", ["", "(", "a" * 3000, "(?P<a>x)(?P<a", "(?z)"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(BadRegex):
        compile_backtracking(pattern)


# ---------------------------------------------------------------------------------- the machine


def stage(**conditions: Any) -> dict[str, Any]:
    return {"name": "build", "actions_on_start": [{"send_keys": "make"}], **conditions}


END = {"log_regex": "^end"}
SLOW = {"log_regex": {"pattern": EVIL, "engine": "regex"}}


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ({"success_when": [SLOW]}, "running"),
        ({"success_when": [{"not": SLOW}, END]}, "running"),
        ({"success_when": [{"any_of": [SLOW, END]}]}, "succeeded"),
        ({"success_when": [END], "failure_when": [SLOW]}, "succeeded"),
        ({"success_when": [{"log_regex": "z"}], "failure_when": [{"all_of": [{"not": SLOW}, END]}]}, "running"),
    ],
)
def test_unknown_is_neither_success_nor_failure(
    world: Any, patterns: Patterns, conditions: dict[str, Any], status: str
) -> None:
    made = world(stage(**conditions)).type()
    for line in ("make", TEXT, TEXT, "end"):
        made.run, _ = step(made.run, OutputSeen(lines=(line,)), made.now, patterns.search)
    assert made.run.stages["build"].status == status


def test_it_is_remembered_with_the_run(world: Any, patterns: Patterns) -> None:
    made = world(stage(success_when=[{"not": SLOW}, END])).type()
    run, _ = step(made.run, OutputSeen(lines=("make", TEXT)), made.now, patterns.search)
    data = to_json(run)
    again = from_json(data, run.pipeline, {})
    assert again.attempt is not None
    assert evaluate(Not(of=leaf(EVIL)), again, again.attempt, 0.0) is None
    del data["attempt"]["unsearched"]  # as an earlier version wrote it
    older = from_json(data, run.pipeline, {})
    assert older.attempt is not None
    assert older.attempt.unsearched == frozenset()


def test_a_line_that_matches_later_counts(world: Any, patterns: Patterns) -> None:
    made = world(stage(success_when=[SLOW])).type()
    run, _ = step(made.run, OutputSeen(lines=("make", TEXT)), made.now, patterns.search)
    run, _ = step(run, OutputSeen(lines=("aaa",)), made.now, patterns.search)
    assert run.stages["build"].status == "succeeded"
