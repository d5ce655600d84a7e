"""A text without what hides a part of it, and the way back: where each of its characters was in the original."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator

from tmux_sentry.security.sanitize import INVISIBLE, REMOVED, SEQUENCES

# What can stand inside a secret and is not seen: controls (newline and tab are space), invisible characters, and
# what the sanitiser left in their place.
_CHARACTERS = f"[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\ud800-\\udfff{REMOVED}{INVISIBLE}]"
_HIDDEN_CHARACTERS = re.compile(f"{_CHARACTERS}+")
#: Escape sequences as a whole, and every single character that is not seen.
HIDDEN = re.compile(f"(?:{SEQUENCES.pattern}|{_CHARACTERS})+")
# A screen's lines: blanks, and the upright strokes of the boxes that agents draw.
_BOX = "│┃║▌▐▏▕"
_SPACE = re.compile(f"[\\s{_BOX}]+")
_BOX_ONLY = re.compile(f"[{_BOX}]+")
# Rows are as wide as the pane; no pane in use is narrower.
_NARROWEST = 20


class View:
    """A text with some spans taken out. `origin(i)` is where its character i was in the original."""

    __slots__ = ("_kept", "_origins", "text")

    def __init__(self, text: str, removed: Iterable[tuple[int, int]] = ()) -> None:
        pieces: list[str] = []
        self._kept: list[int] = []  # where each piece begins in this text
        self._origins: list[int] = []  # and where in the original
        at = length = 0
        for start, end in (*removed, (len(text), len(text))):
            if start > at:
                self._kept.append(length)
                self._origins.append(at)
                pieces.append(text[at:start])
                length += start - at
            at = end
        self.text = "".join(pieces)

    def origin(self, index: int) -> int:
        """Where the character at `index` was."""
        piece = bisect_right(self._kept, index) - 1
        return self._origins[piece] + index - self._kept[piece]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original that shows as `start`..`end` here, with whatever was hidden in it."""
        return self.origin(start), self.origin(end - 1) + 1


def without_hidden(text: str) -> list[View]:
    """`text` without hidden characters: once without escape sequences too, once with what is written in them.

    Empty when nothing is hidden.
    """
    if (text.isascii() and text.isprintable()) or not HIDDEN.search(text):
        return []
    return [View(text, _spans(pattern, text)) for pattern in (HIDDEN, _HIDDEN_CHARACTERS)]


def blanked(text: str) -> str:
    """`text` with a space for each hidden character: words that an escape sequence parted stay parted."""
    return HIDDEN.sub(lambda found: " " * len(found.group()), text)


def squeezed(text: str) -> str:
    """`text` without any space, line break or stroke of a box: what a narrow pane has torn apart is whole again."""
    joined = "".join(text.split())
    return joined if joined.isascii() else _BOX_ONLY.sub("", joined)


def squeezed_view(text: str) -> View:
    """`squeezed`, with the way back."""
    return View(text, _spans(_SPACE, text))


def joined_rows(text: str) -> View | None:
    """A screen whose full rows go on in the next one, as a terminal wraps; None where no row can be full."""
    if "\n" not in text:
        return None
    rows = text.split("\n")
    width = max(map(len, rows[:-1]))
    if width < _NARROWEST:
        return None
    breaks, at = [], 0
    for row in rows[:-1]:
        at += len(row)
        if len(row) == width:
            breaks.append((at, at + 1))
        at += 1
    return View(text, breaks)


def _spans(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    return (found.span() for found in pattern.finditer(text))
