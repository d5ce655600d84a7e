"""Parts of a long text: within the limit, complete, and each of them readable by itself."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmux_sentry_notify_wechat.split import shortened, size, split

MENTION = re.compile(r"<@[^<>\s]+>")
LABEL = re.compile(r"\n\((\d+)/(\d+)\) #k3x7qa\Z")
ACCENT = "\u0301"

_words = st.sampled_from(
    ["a", "构建", "🔨", "é", f"e{ACCENT}", "👍🏽", "🇩🇪", " ", "word ", "https://example.org/a/b?c=d", "<", "@"]
)
_line = st.tuples(st.lists(_words, max_size=6).map("".join), st.integers(1, 60)).map(lambda pair: pair[0] * pair[1])
_mentions = st.lists(
    st.sampled_from(["<@all>", "<@zhangsan>", f"<@{'x' * 64}>", "<@wang.qing-1@example.org>"]), max_size=30
)
_block = st.one_of(
    _line,
    _mentions.map(" ".join),
    _mentions.map("".join),
    st.tuples(_mentions, st.integers(1, 130)).map(lambda pair: ("x" * pair[1]).join(["", *pair[0]])),
    st.tuples(st.sampled_from(["```", "```text"]), st.lists(_line, max_size=12)).map(
        lambda pair: "\n".join([pair[0], *pair[1], "```"])
    ),
)
texts = st.lists(_block, min_size=1, max_size=12).map("\n".join)
limits = st.integers(500, 4096)


def unlabelled(parts: list[str]) -> list[str]:
    return [LABEL.sub("", part) for part in parts] if len(parts) > 1 else parts


def halves(text: str) -> tuple[str, str, bool]:
    """The characters outside and inside of fenced blocks, and whether the last one is closed. Line ends left out."""
    sides, inside = ["", ""], False
    for line in text.split("\n"):
        if line.startswith("```"):
            inside = not inside
        else:
            sides[inside] += line
    return sides[0], sides[1], not inside


@settings(deadline=None, max_examples=150)
@given(texts, limits)
def test_parts_keep_to_the_limit_and_say_which_they_are(text: str, limit: int) -> None:
    parts = split(text, limit, "#k3x7qa")
    assert all(size(part) <= limit for part in parts)
    if size(text) <= limit:
        assert parts == [text]
        return
    numbers = [found.groups() for part in parts if (found := LABEL.search(part))]
    if len(parts) > 1:
        assert numbers == [(str(number), str(len(parts))) for number in range(1, len(parts) + 1)]


@settings(deadline=None, max_examples=150)
@given(texts, limits)
def test_nothing_is_lost_and_code_stays_code(text: str, limit: int) -> None:
    parts = [halves(part) for part in unlabelled(split(text, limit, "#k3x7qa"))]
    assert all(closed for *_, closed in parts), "a part leaves a block open"
    outside, inside, _ = halves(text)
    assert "".join(part[1] for part in parts) == inside
    assert "".join(part[0] for part in parts) == outside


@settings(deadline=None, max_examples=150)
@given(texts, limits)
def test_no_mention_and_no_character_is_cut(text: str, limit: int) -> None:
    parts = unlabelled(split(text, limit, "#k3x7qa"))
    assert [found for part in parts for found in MENTION.findall(part)] == MENTION.findall(text)
    starts = [part.removeprefix("```text\n").removeprefix("```\n")[:1] for part in parts]
    assert not {ACCENT, "🏽"} & set(starts)
    assert all(len(re.findall("[\U0001f1e6-\U0001f1ff]", part)) % 2 == 0 for part in parts), "half a flag"


@settings(deadline=None, max_examples=100)
@given(texts, limits)
def test_what_is_shortened_fits_says_so_and_closes_its_blocks(text: str, limit: int) -> None:
    short = shortened(text, limit)
    assert size(short) <= limit
    assert short.endswith("\n… (cut)")
    assert size(short) > min(size(text), limit) // 3, "more is left out than need be"
    assert halves(short)[2]


@pytest.mark.parametrize("limit", [500, 2048, 4096])
@pytest.mark.parametrize("letter", ["a", "é", "构", "🔨"])
def test_exactly_the_limit_is_one_part_and_one_byte_more_is_two(limit: int, letter: str) -> None:
    width = size(letter)
    text = letter * (limit // width) + "x" * (limit % width)
    assert split(text, limit) == [text]
    more = split(text + "x", limit)
    assert len(more) == 2
    assert "".join(part.rsplit("\n", 1)[0] for part in more) == text + "x"


def test_a_block_that_goes_on_is_closed_and_opened_again() -> None:
    text = "output:\n```text\n" + "\n".join(f"line {number}" for number in range(200)) + "\n```\nend"
    first, *middle, last = split(text, 600)
    assert first.startswith("output:\n```text\nline 0\n")
    assert re.search(r"\n```\n\(1/\d+\)\Z", first)
    assert all(part.startswith("```text\nline ") for part in middle)
    assert re.search(r"\n```\nend\n\((\d+)/\1\)\Z", last)


def test_a_line_goes_whole_into_the_next_part() -> None:
    text = "\n".join("x" * 100 for _ in range(20))
    lines = [line for part in split(text, 777) for line in part.split("\n")[:-1]]
    assert lines == ["x" * 100] * 20


def test_a_block_does_not_begin_at_the_foot_of_a_part() -> None:
    text = "\n".join(["x" * 99] * 7) + "\n```\n" + "y" * 300 + "\n```"
    first, second = split(text, 760)
    assert "```" not in first
    assert second.startswith("```\nyyy")
