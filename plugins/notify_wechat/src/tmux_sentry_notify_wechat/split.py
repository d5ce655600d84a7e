"""Cuts a text into parts of so many bytes: never in a character or a mention, and no fenced block stays open."""

from __future__ import annotations

import re
from collections.abc import Iterator

FENCE = "```"
CUT = "… (cut)"

# What follows a character and is shown as one with it: accents, variants, skin tones; two regional letters are a flag.
_MARKS = "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\U0001f3fb-\U0001f3ff]{0,16}"
_ATOM = re.compile(
    "<@[^<>\\s]{1,64}>"
    f"|(?:(?!<@)[!-~]){{1,100}}{_MARKS} ?"
    "|[\U0001f1e6-\U0001f1ff]{2}"
    f"|.{_MARKS}(?:\u200d.{_MARKS}){{0,8}}",
    re.DOTALL,
)
_LINE = re.compile("[^\n]*\n|[^\n]+")


def size(text: str) -> int:
    """What the provider counts: bytes of UTF-8."""
    return len(text.encode("utf-8"))


def split(text: str, limit: int, label: str = "") -> list[str]:
    """`text` itself, or parts of at most `limit` bytes that end with their number and `label`: "(1/3) #k3x7qa"."""
    if size(text) <= limit:
        return [text]
    parts = _packed(text, limit - size(f"\n(99/99) {label}"))
    if len(parts) == 1:  # only line ends at the edges were too much
        return parts
    return [f"{part}\n({number}/{len(parts)}) {label}".rstrip() for number, part in enumerate(parts, start=1)]


def shortened(text: str, limit: int) -> str:
    """The beginning of `text` in `limit` bytes, with a mark that says so."""
    return f"{_packed(text, limit - size(CUT) - 1)[0]}\n{CUT}"


def _packed(text: str, room: int) -> list[str]:
    """`text` in parts of at most `room` bytes; a fence that is open at a part's end is closed there and reopened."""
    parts: list[str] = []
    part, fence = "", ""
    for atom, after in _atoms(text, room):
        closing = size(f"\n{FENCE}") if after else 0
        opens = bool(after) and not fence
        full = size(part) + size(atom) + closing > room or (opens and size(part) > room * 3 // 4)
        if part and full:
            parts.append(_closed(part, fence))
            part = f"{fence}\n" if fence else ""
        part += atom
        fence = after
    parts.append(_closed(part, fence))
    return [part for part in parts if part] or [""]


def _atoms(text: str, room: int) -> Iterator[tuple[str, str]]:
    """What is not cut, each with the fence that is open after it: whole lines, or the pieces of a very long one."""
    fence = ""
    for line in _LINE.findall(text):
        if line.startswith(FENCE):
            fence = "" if fence else line.rstrip()
        for atom in [line] if size(line) <= room // 2 else _ATOM.findall(line):
            yield atom, fence


def _closed(part: str, fence: str) -> str:
    return part.rstrip("\n") + f"\n{FENCE}" if fence else part.strip("\n")
