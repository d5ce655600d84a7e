"""Every word of the pages has its Chinese, with the same places for values."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from tmux_sentry_approval_web import words

SOURCE = Path(words.__file__).parent


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def used() -> set[str]:
    """Sentences that the templates and the code say."""
    found: set[str] = set()
    for page in SOURCE.glob("templates/*.html"):
        found |= set(re.findall(r"""_\((?:"([^"]+)")""", page.read_text())) | set(
            re.findall(r"""_\('([^']+)'\)""", page.read_text())
        )
    for module in SOURCE.glob("*.py"):
        found |= set(re.findall(r'\bsay\(\s*"([^"]+)"', module.read_text()))
    return found


def test_every_sentence_has_its_translation() -> None:
    assert len(used()) > 60
    assert sorted(used() - set(words._CHINESE)) == []


def test_no_translation_is_without_its_sentence() -> None:
    source = "".join(path.read_text() for path in (*SOURCE.glob("*.py"), *SOURCE.glob("templates/*")))
    assert [text for text in words._CHINESE if source.count(f'"{text}"') + source.count(f"'{text}'") < 2] == []


@pytest.mark.parametrize("text", sorted(words._CHINESE))
def test_a_translation_has_the_same_values(text: str) -> None:
    assert fields(text) == fields(words._CHINESE[text])


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh", "zh"),
        ("zh-TW,zh;q=0.8,en;q=0.5", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("fr,zh;q=0.2", "zh"),
        ("en;q=0.2,zh;q=0.9", "zh"),
        ("zh;q=0", "en"),
        ("zh;q=x", "en"),
        ("zhx", "en"),
        ("*", "en"),
        (",;,q=;zh", "en"),
        ("zh;q=nan", "en"),
    ],
)
def test_the_language_is_what_the_browser_likes_best(header: str, language: str) -> None:
    assert words.language(header) == language


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.5, "less than a minute"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h 0 min"),
        (90_061, "1 d 1 h"),
        (1e9, "11574 d 1 h"),
    ],
)
def test_how_long_that_is(seconds: float, text: str) -> None:
    assert words.left(seconds, words.speaker("en")) == text
