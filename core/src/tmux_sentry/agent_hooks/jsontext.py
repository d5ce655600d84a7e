"""Edits a JSON text in place: what is added fits in, what is taken out leaves no trace, the rest stays byte for byte.

Texts come from `load`, which refuses what a strict reader would, so everything below may trust the grammar.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_WORD = re.compile(_STRING.pattern + "|-?[A-Za-z]+", re.DOTALL)
_SPACE = re.compile(r"[ \t\r\n]*")
_BARE = re.compile(r"[^\s,\]}]+")
_BRACKETS = re.compile(r'["{}\[\]]')
Path = tuple[str | int, ...]


class NotStrict(Exception):
    """A text that cannot be edited: why, and the place of it (1-based)."""

    def __init__(self, why: str, line: int, column: int) -> None:
        super().__init__(why)
        self.why, self.line, self.column = why, line, column


class _Word(Exception):
    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


def _refuse(word: str) -> NoReturn:
    raise _Word(word)


@dataclass(frozen=True, slots=True)
class Child:
    """One member or item: its name or number, where it starts (with its name), where its value does, where it ends."""

    key: str | int
    start: int
    value: int
    end: int


def load(text: str) -> Any:
    """The value of `text`. Raises NotStrict for comments, trailing commas, a name twice, NaN, and what is no JSON."""
    try:
        value = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        comment = text[error.pos : error.pos + 2] in ("//", "/*")
        why = "it has comments, which cannot be kept" if comment else error.msg
        raise NotStrict(why, error.lineno, error.colno) from None
    except _Word as error:
        at = next(word.start() for word in _WORD.finditer(text) if word[0] == error.word)
        raise NotStrict(f"{error.word} is not JSON", *_line_and_column(text, at)) from None
    except RecursionError:
        raise NotStrict("it is nested too deeply", 1, 1) from None
    except ValueError as error:  # a number of thousands of digits
        raise NotStrict(str(error), 1, 1) from None
    if found := _twice(text):
        raise NotStrict(f"the name {found[0]} stands twice in one mapping", *_line_and_column(text, found[1]))
    return value


def children(text: str, start: int) -> list[Child]:
    """What is in the mapping or list that starts at `start`."""
    found: list[Child] = []
    mapping = text[start] == "{"
    at = _skip(text, start + 1)
    while text[at] not in "}]":
        first, key = at, len(found)  # type: int, str | int
        if mapping:
            name = _STRING.match(text, at)
            assert name is not None
            key = json.loads(name[0])
            at = _skip(text, _skip(text, name.end()) + 1)
        end = _end(text, at)
        found.append(Child(key, first, at, end))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found


def find(text: str, path: Path) -> int:
    """Where the value at `path` starts. Raises KeyError when there is none."""
    at = _skip(text, 0)
    for step in path:
        inside = children(text, at) if text[at] in "{[" else []
        at = next((child.value for child in inside if child.key == step), -1)
        if at < 0:
            raise KeyError(path)
    return at


def place(text: str, path: Path) -> tuple[int, int]:
    """Line and column of the value at `path`, 1-based."""
    return _line_and_column(text, find(text, path))


def append(text: str, path: Path, key: str | None, value: object) -> str:
    """`text` with `value` as the last in the mapping (under `key`) or list at `path`, written as the rest is."""
    start = find(text, path)
    end, inside = _end(text, start), children(text, start)
    newline, unit = _style(text)
    depth = len(path) + 1
    new = json.dumps(value, ensure_ascii=False, indent=unit)
    if key is not None:
        new = f"{json.dumps(key, ensure_ascii=False)}: {new}"
    if unit is None:
        between, after = ("", "") if not inside else (" ", "")
    else:
        between = newline + unit * depth
        after = newline + unit * (depth - 1)
        new = new.replace("\n", between)
    if inside:
        return f"{text[: inside[-1].end]},{between}{new}{text[inside[-1].end :]}"
    return f"{text[: start + 1]}{between}{new}{after}{text[end - 1 :]}"


def remove(text: str, path: Path) -> str:
    """`text` without the member or item at `path`, and without the comma and the blanks that came with it."""
    start = find(text, path[:-1])
    inside = children(text, start)
    number = next(index for index, child in enumerate(inside) if child.key == path[-1])
    if len(inside) == 1:
        return f"{text[: start + 1]}{text[_end(text, start) - 1 :]}"
    if number:
        return f"{text[: inside[number - 1].end]}{text[inside[number].end :]}"
    return f"{text[: inside[0].start]}{text[inside[1].start :]}"


def _style(text: str) -> tuple[str, str | None]:
    """The line break, and the indentation of the first level; None where everything stands on one line."""
    newline = "\r\n" if "\r\n" in text else "\n"
    first = children(text, find(text, ()))[:1]
    if not first:
        return newline, "  "
    before = text[: first[0].start]
    blank = before[before.rfind("\n") + 1 :]
    return newline, blank if "\n" in before and not blank.strip(" \t") and blank else None


def _end(text: str, at: int) -> int:
    """Where the value that starts at `at` ends."""
    if text[at] not in '{["':
        bare = _BARE.match(text, at)
        assert bare is not None
        return bare.end()
    depth = 0
    while True:
        token = _BRACKETS.search(text, at)
        assert token is not None
        at = token.end()
        if token[0] == '"':
            string = _STRING.match(text, token.start())
            assert string is not None
            at = string.end()
        else:
            depth += 1 if token[0] in "{[" else -1
        if depth == 0:
            return at


def _skip(text: str, at: int) -> int:
    blank = _SPACE.match(text, at)
    return blank.end() if blank is not None else at


def _twice(text: str) -> tuple[str, int] | None:
    """A name that stands twice in one mapping, and where it does so again."""
    left = [find(text, ())]
    while left:
        at = left.pop()
        names: set[str | int] = set()
        for child in children(text, at) if text[at] in "{[" else ():
            if child.key in names:
                return str(child.key), child.start
            names.add(child.key)
            left.append(child.value)
    return None


def _line_and_column(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
