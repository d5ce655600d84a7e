"""Puts together a JSON object that an agent has hard-wrapped over several rows.

`capture-pane -J` joins only what tmux itself wrapped; these breaks are the agent's own.
One join is built, in linear time, and never more: outside strings JSON needs no whitespace, and inside
strings only an escape minds an extra space, so whenever any join parses, the join without spaces does,
and the only question is where free text had a space. Measured on six agents:

* usually the break replaces a space (Claude, Gemini, Qwen and aider in answers);
* Codex and opencode also break after `/` and `-`, and before `"`, with no space;
* Claude and Gemini cut tool output anywhere, also inside a word: there every cut row is equally full;
* Chinese and Japanese text is cut between any two characters and has no spaces.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

MAX_ROWS = 12  # continuation rows
MAX_CHARS = 4096
MAX_DEPTH = 8
# Strings under these keys are words, not prose: a break inside one cut the word.
_WORDS = frozenset({"type", "id", "run", "stage", "state"})
_OPEN_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row's share of an event: its text, and the column (0-based) where that text ends on the screen."""

    text: str
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A complete object: its text, the text after it on its last row, and how many rows it took."""

    text: str
    after: str
    rows: int


class _Scanner:
    """Follows JSON text far enough to know where the object ends and what a row break cuts."""

    def __init__(self) -> None:
        self.deepest = 0
        self._open: list[str] = []
        self._quoted = False
        self._escaped = False
        self._string: list[str] = []
        self._key: str | None = None  # of the value that is being read; None while a key is

    @property
    def prose(self) -> bool:
        """Whether the text so far ends inside a string that may hold spaces."""
        return self._quoted and self._key is not None and self._key not in _WORDS

    def feed(self, text: str) -> int | None:
        """Read on. The offset just after the object's end, -1 when it goes on, None when it is no object."""
        for offset, char in enumerate(text):
            if self._quoted:
                self._in_string(char)
            elif not self._open and char != "{":
                if not char.isspace():
                    return None
            elif char == '"':
                self._quoted = True
                self._string.clear()
            elif char in "{[":
                self._open.append(char)
                self.deepest = max(self.deepest, len(self._open))
                self._key = None if char == "{" else self._key
            elif char in "}]":
                self._open.pop()
                if not self._open:
                    return offset + 1
            elif char == ":":
                self._key = "".join(self._string)
            elif char == "," and self._open[-1] == "{":
                self._key = None
        return -1

    def _in_string(self, char: str) -> None:
        if self._escaped:
            self._escaped = False
        elif char == "\\":
            self._escaped = True
        elif char == '"':
            self._quoted = False
            return
        self._string.append(char)


def join(rows: Iterable[Row]) -> Joined | None:
    """The object that starts on the first of `rows`, or None when it is incomplete, too big or too deep."""
    scanner = _Scanner()
    taken: list[Row] = []
    prose: list[bool] = []  # for each break: whether it cut free text
    size = 0
    for row in rows:
        size += len(row.text)
        if len(taken) > MAX_ROWS or size > MAX_CHARS:
            return None
        end = scanner.feed(row.text)
        if end is None or scanner.deepest > MAX_DEPTH:
            return None
        taken.append(row)
        if end >= 0:
            last = Row(text=row.text[:end], end=row.end)
            return Joined(text=_glue([*taken[:-1], last], prose), after=row.text[end:], rows=len(taken))
        prose.append(scanner.prose)
    return None


def _glue(rows: list[Row], prose: list[bool]) -> str:
    """The rows' texts, with a space where one was most likely dropped."""
    breaks = list(zip(rows[:-1], rows[1:], prose, strict=True))
    # A word or number that was cut in two shows how full a row is when this renderer cuts words.
    full = max((left.end for left, right, free in breaks if not free and _cuts_word(left, right)), default=None)
    parts = [rows[0].text]
    for left, right, free in breaks:
        cut_word = full is not None and left.end >= full
        parts.append(" " if free and not cut_word and _dropped_space(left.text, right.text) else "")
        parts.append(right.text)
    return "".join(parts)


def _cuts_word(left: Row, right: Row) -> bool:
    return left.text[-1:].isalnum() and right.text[:1].isalnum()


def _dropped_space(left: str, right: str) -> bool:
    if left.endswith(("/", "-")) or right.startswith('"') or _OPEN_ESCAPE.search(left):
        return False
    return not any(unicodedata.east_asian_width(char) in "WF" for char in left[-1:] + right[:1])
