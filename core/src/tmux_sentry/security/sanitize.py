"""The one sanitiser: text from a pane, host, provider or plugin passes it before it leaves.

It removes what could act instead of being read: C0, DEL and C1 controls (terminal escapes),
bidirectional overrides, zero-width and other invisible characters,
lone surrogates, and anything over a length.
"""

from __future__ import annotations

import re

REMOVED = "\N{REPLACEMENT CHARACTER}"
CUT = "…"
# Characters read for each one shown: room for colours, and a bound on the work for hostile text.
_READ = 8

# Escape sequences go as a whole, so that "ESC[31m" does not leave "[31m" behind. The string forms
# (OSC, DCS, APC/PM/SOS) end at BEL or ST, and here also at the line's end: one that is broken off
# must not hide the lines after it.
SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[\]PX^_][^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
# One class, negated where newline may stay. U+00AD soft hyphen, U+034F, U+061C, U+115F/1160, U+17B4/5,
# U+180B-180F, U+200B-200F, U+2028-202E, U+2060-206F, U+3164, U+FE00-FE0F, U+FEFF, U+FFA0, U+FFF0-FFFB,
# U+1BCA0-1BCA3, U+1D173-1D17A, tags U+E0000-E0FFF: what Unicode calls default ignorable, and line separators.
INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_BAD_LINE = re.compile(f"[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff{INVISIBLE}]")
# Spaces that are not the space, and an empty braille cell: harmless to show, but not what they seem when typed.
_ODD_SPACE = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000"
_NOT_PLAIN = re.compile(f"[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff{INVISIBLE}{_ODD_SPACE}]")
_BAD_BLOCK = re.compile(f"[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\ud800-\\udfff{INVISIBLE}]")


def clean(text: str, limit: int = 500) -> str:
    """`text` as one harmless line of at most `limit` characters.

    Newlines and tabs become spaces; escape sequences disappear; every other character that
    would not be seen as itself becomes U+FFFD, so that a reader sees that something was there.
    """
    part = text[: limit * _READ]
    if len(text) <= limit and part.isascii() and part.isprintable():
        return part  # nearly every text: nothing below would change it
    part = SEQUENCES.sub("", part)
    part = part.replace("\r\n", " ").replace("\n", " ").replace("\t", " ")
    return _cut(_BAD_LINE.sub(REMOVED, part), limit, more=len(text) > limit * _READ)


def clean_block(text: str, limit: int = 4000) -> str:
    """`text` as harmless lines, newlines kept, of at most `limit` characters in all."""
    part = SEQUENCES.sub("", text[: limit * _READ]).replace("\r\n", "\n").replace("\t", "    ")
    return _cut(_BAD_BLOCK.sub(REMOVED, part), limit, more=len(text) > limit * _READ)


def visible(text: str, limit: int = 4000) -> str:
    """`text` with every control or invisible character and odd space written out (`\\n`, `\\x1b`, `\\u202e`).

    For showing a person exactly what will be typed: nothing is dropped, and a cut is said.
    """
    text = text.replace("\\", "\\\\")
    shown = _NOT_PLAIN.sub(lambda m: m.group().encode("unicode_escape", "surrogatepass").decode("ascii"), text)
    if len(shown) > limit:
        return f"{shown[:limit]}{CUT} (+{len(shown) - limit} characters)"
    return shown


def file_part(text: str, limit: int = 60) -> str:
    """`text` as one part of a file name: letters, digits, dot, dash and underscore; never empty, never hidden."""
    part = re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:limit].strip("-.")
    return re.sub("_{2,}", "_", part) or "x"


def _cut(text: str, limit: int, *, more: bool) -> str:
    """`text` in `limit` characters; `more`: some of it was not even read, which must show too."""
    return text if len(text) <= limit and not more else text[: max(limit - 1, 0)] + CUT
