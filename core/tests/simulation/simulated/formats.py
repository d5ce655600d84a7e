"""The part of tmux's formats and command lines that the guard uses, as tmux 3.3 reads it."""

from __future__ import annotations

import re
from collections.abc import Callable

Lookup = Callable[[str], str]

_WORD = re.compile(r"""\s*(;|(?:'[^']*'|"(?:\\.|[^"\\])*"|[^\s;'"])+)""")
_PART = re.compile(r"""'([^']*)'|"((?:\\.|[^"\\])*)"|([^'"]+)""")
_OCTAL = re.compile(r"\\([0-7]{3}|.)")


def commands(line: str) -> list[list[str]]:
    """The commands of a line, each as its words without their quotes."""
    found: list[list[str]] = [[]]
    for match in _WORD.finditer(line):
        word = match[1]
        if word == ";":
            found.append([])
        else:
            found[-1].append("".join(_unquoted(part) for part in _PART.finditer(word)))
    return [command for command in found if command]


def _unquoted(part: re.Match[str]) -> str:
    single, double, bare = part.groups()
    if double is None:
        return single if single is not None else bare
    if "\\" not in double:
        return double
    raw = _OCTAL.sub(lambda m: chr(int(m[1], 8)) if len(m[1]) == 3 else m[1], double)
    return raw.encode("latin-1").decode("utf-8")


def true(value: str) -> bool:
    """What tmux takes for true."""
    return value not in ("", "0")


def expand(text: str, get: Lookup) -> str:
    """`text` with its `#{...}` replaced; `get` knows the variables and options."""
    out, at = [], 0
    while (start := text.find("#{", at)) >= 0:
        end = _end(text, start + 2)
        out += [text[at:start], _value(text[start + 2 : end], get)]
        at = end + 1
    return "".join((*out, text[at:]))


def _value(body: str, get: Lookup) -> str:
    if body.startswith("?"):
        condition, yes, no = _arguments(body[1:])
        met = expand(condition, get) if "#{" in condition else get(condition)
        return expand(yes if true(met) else no, get)
    operator, colon, rest = body.partition(":")
    if not colon:
        return get(body)
    left, right = (expand(part, get) for part in _arguments(rest))
    match operator:
        case "==":
            return str(int(left == right))
        case "!=":
            return str(int(left != right))
        case "&&":
            return str(int(true(left) and true(right)))
        case "||":
            return str(int(true(left) or true(right)))
        case "m/r":
            return str(int(re.search(left, right) is not None))
    raise NotImplementedError(f"the simulated tmux does not know #{{{body}}}")


def _end(text: str, at: int) -> int:
    depth = 1
    while True:
        if text.startswith("#{", at):
            depth, at = depth + 1, at + 2
            continue
        if text[at] == "}":
            depth -= 1
            if not depth:
                return at
        at += 1


def _arguments(text: str) -> list[str]:
    parts, begin, at = [], 0, 0
    while at < len(text):
        if text.startswith("#{", at):
            at = _end(text, at + 2)
        elif text[at] == ",":
            parts.append(text[begin:at])
            begin = at + 1
        at += 1
    return [*parts, text[begin:]]
