"""Each rule is held against its own examples, and against those of all others."""

from __future__ import annotations

from dataclasses import replace

import pytest
import re2

from tmux_sentry import SignalKind
from tmux_sentry_parser_heuristic.matching import Matcher
from tmux_sentry_parser_heuristic.rule import Rule, passed, problems
from tmux_sentry_parser_heuristic.rules import FAMILIES, RULES

EVERY = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
SOUND = passed("a.b", 0.5, "x", yes=("x",), no=("y",))


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher(RULES)


def concluded(matcher: Matcher, text: str) -> list[tuple[str, int]]:
    return [(one.rule.name, one.index) for one in matcher.read(text.split("\n")) if not one.vetoed_by]


@EVERY
def test_its_examples_are_read_as_this_rule_and_its_counter_examples_are_not(matcher: Matcher, rule: Rule) -> None:
    for text in rule.examples:
        last = text.count("\n")
        assert [name for name, index in concluded(matcher, text) if index == last] == [rule.name]
    alone = Matcher([rule])  # no other rule's match may hide that this one matches as well
    for text in rule.counters:
        assert concluded(alone, text) == [], text


@EVERY
def test_quoted_or_told_an_example_says_nothing(matcher: Matcher, rule: Rule) -> None:
    """As an editor, a log with times, `grep` and prose show it: with something else on the line."""
    for text in rule.examples:
        line = text.split("\n")[-1]
        if not line.strip() or rule.name == "compiler.error":  # a blank line; and `grep -n` looks like a compiler
            continue
        for told in (f'the test printed: "{line}"', f"> {line}", f"12: {line}", f"# {line}"):
            assert concluded(matcher, told) == [], told
        if rule.name not in FREE_ENDS:
            assert concluded(matcher, f"{line} <- here") == []


#: These end with a text of the program's own, which may be anything.
FREE_ENDS = {
    "bun.failed", "cargo-test.failed", "cargo-test.passed", "cargo.built", "cargo.failed", "cmake.passed",
    "docker.failed", "gh.failed", "git.conflict", "git.fatal", "git.merge", "git.push", "java.exception",
    "jest.coverage", "ninja.failed", "npm.failed", "pnpm.failed", "pytest.coverage", "rspec.failed", "rust.panic",
    "rustc.error", "shell.crashed", "shell.killed", "tsc.error", "tsc.failed", "vague.error", "yarn.berry",
}  # fmt: skip


def test_the_rules_are_sound() -> None:
    assert problems(RULES) == []
    assert sum(map(len, FAMILIES.values())) == len(RULES) > 80


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (replace(SOUND, name="Bad Name"), "not of the form"),
        (replace(SOUND, kind=SignalKind.STATE), "concludes state"),
        (replace(SOUND, ok=None), "a status has an ok"),
        (replace(SOUND, kind=SignalKind.ERROR), "a status has an ok"),
        (replace(SOUND, confidence=1.0), "never surer"),
        (replace(SOUND, within=5), "looks 5 lines back"),
        (replace(SOUND, vetoes=("",)), "empty veto"),
        (replace(SOUND, counters=()), "lacks an example"),
    ],
)
def test_an_unsound_rule_is_refused_when_it_is_loaded(rule: Rule, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Matcher([rule])


def test_a_rule_that_is_there_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        Matcher([SOUND, SOUND])


def test_a_pattern_that_is_not_linear_is_refused() -> None:
    with pytest.raises(re2.error):
        Matcher([replace(SOUND, pattern=r"(a)\1")])


ZERO = [
    ("0 failed, 2 passed in 0.10s", True),
    ("10 failed, 20 passed in 0.10s", False),
    ("0 problems", True),
    ("10 problems", False),
    ("No problems found", True),
    ("0 errors", True),
    ("100 errors", False),
    ("5 examples, 0 failures", True),
    ("5 examples, 10 failures", False),
    ("100% tests passed, 0 tests failed out of 5", True),
    ("✖ 10 problems (0 errors, 10 warnings)", True),
    ("✖ 10 problems (10 errors, 0 warnings)", False),
    ("10:01:02 AM - Found 0 errors. Watching for file changes.", True),
    ("10:01:02 AM - Found 10 errors. Watching for file changes.", False),
    ("[INFO] Tests run: 10, Failures: 0, Errors: 0, Skipped: 0", True),
    ("[ERROR] Tests run: 10, Failures: 0, Errors: 10, Skipped: 0", False),
    ("[        10 tests failed          ]", False),
    ("[         0 tests failed          ]", True),
]


@pytest.mark.parametrize(("line", "ok"), ZERO, ids=[line for line, _ in ZERO])
def test_nought_is_not_ten(matcher: Matcher, line: str, ok: bool) -> None:
    assert [one.rule.ok for one in matcher.read([line])] == [ok]
