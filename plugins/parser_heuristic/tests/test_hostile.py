"""Whatever a pane prints, the parser never raises, stays fast, and lets nothing through that could act."""

from __future__ import annotations

import random

import pytest

from tmux_sentry_parser_heuristic.matching import LONGEST
from tmux_sentry_parser_heuristic.rules import RULES

SUMMARY = "3 failed, 40 passed in 1.20s"


def test_a_line_of_ten_million_characters_is_not_read_and_hides_nothing(stream):
    huge = "3 failed, " * 1_000_000
    assert [signal.evidence for signal in stream(huge + SUMMARY, SUMMARY, huge)] == [SUMMARY]


def test_a_line_is_read_up_to_its_bound(stream):
    line = "fatal: " + "x" * (LONGEST - 7)
    (signal,) = stream(line)
    assert len(signal.evidence) <= 500
    assert len(signal.message) <= 200
    assert stream(line + "x") == []


@pytest.mark.parametrize(
    "text",
    ["\ud800", "\udfff\ud800", "\u202e", "\x00", "\x1b[31m", "\x1b]52;c;ZXZpbA==\x07", "\u2066", "\ufeff", "%s{0}#{x}"],
)
def test_what_an_error_says_is_cleaned(stream, screen, text):
    for signal in (*stream(f"fatal: a{text}b"), *screen(f"fatal: a{text}b")):
        assert signal.rule == "git.fatal"
        for out in (signal.evidence, signal.message):
            assert out.encode()
            assert out.isprintable()
            assert "\u202e" not in out
    assert stream(text, text, before=(text,) * 9, typed=(text,)) == []


def test_right_to_left_text_around_a_summary_is_no_summary(stream):
    assert stream(f"\u202e{SUMMARY}") == []
    assert stream(f"{SUMMARY}\u202e") == []


def test_changed_examples_never_raise(stream, screen):
    rng = random.Random(20261129)
    texts = [text for rule in RULES for text in (*rule.examples, *rule.counters)]
    odd = ["\ud800", "\x00", "\u202e", "✖", "\\", "(", "[", "9" * 30, " ", "\n", "\t", "é", "'"]
    read = 0
    for _ in range(1000):
        text = rng.choice(texts)
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(odd) + text[at + rng.choice((0, 1)) :]
        lines = text.split("\n")
        read += len(stream(*lines, before=lines[:2], typed=lines[:1])) + len(screen(*lines))
    assert read > 100  # some changes leave an example whole, so something was read


def test_what_would_make_a_backtracking_engine_slow_takes_linear_time(stream):
    """Anything worse than linear runs into the limit that every test has."""
    lines = ["1 passed, " * 800, "make: *** " + " Error 2" * 900 + "x", "a: " * 2700, "Tests:  " + "1 failed, " * 800]
    lines += ["FAILED (" + "a=1, " * 1600, "fish: " + "\t" * 8000, "panic: " + "(" * 8000, "Error." * 1300 + ": "]
    assert [signal.rule for signal in stream(*(lines * 20))] == []


def test_a_flood_does_not_make_the_automaton_forget(stream):
    """Its cache is bounded: what it has to build again must still find everything."""
    rng = random.Random(7)
    words = [text for rule in RULES for text in rule.examples[0].split("\n")[-1].split(" ")]
    flood = [" ".join(rng.choice(words) for _ in range(8)) + "¬" for _ in range(5000)]
    stream(*flood)
    for rule in RULES:
        lines = rule.examples[0].split("\n")
        assert rule.name in [signal.rule for signal in stream(*lines)]
