"""Regular expressions of users: RE2, linear in time whatever the text (`(a+)+$` on `re` takes seconds)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped, unused-ignore]  # no stubs

MAX_PATTERN = 2000

_UNSUPPORTED = {
    "(?=": "lookahead (?=...)",
    "(?!": "negative lookahead (?!...)",
    "(?<=": "lookbehind (?<=...)",
    "(?<!": "negative lookbehind (?<!...)",
    "(?>": "an atomic group (?>...)",
    "(?(": "a conditional group (?(...)...)",
    "(?#": "a comment (?#...)",
    "(?x": "the verbose flag (?x)",
}


class BadRegex(ValueError):
    """A pattern that RE2 does not take; the message names the construct, `help` says what to write instead."""

    def __init__(self, what: str, help: str = "") -> None:
        super().__init__(what)
        self.help = help


@lru_cache(maxsize=1024)
def compile_regex(pattern: str) -> Any:
    """The compiled pattern, with `search`. Raises BadRegex."""
    if not pattern:
        raise BadRegex("is an empty pattern, which matches everything")
    if len(pattern) > MAX_PATTERN:
        raise BadRegex(f"is a pattern of more than {MAX_PATTERN} characters")
    try:
        return re2.compile(pattern, options())
    except re2.error as error:
        raw = error.args[0] if error.args else ""
        raise _explain(pattern, raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)) from None


def options() -> Any:
    """How RE2 compiles here. Nobody asks for groups, and finding them is slow: `(.*a){20}` on 100 KB takes 116 ms with
    them and 1 ms without (measured, google-re2 1.1.20251105)."""
    chosen = re2.Options()
    chosen.log_errors = False  # else RE2 writes to stderr by itself
    chosen.never_capture = True
    return chosen


def _explain(pattern: str, reason: str) -> BadRegex:
    kind, _, part = reason.partition(": ")
    if kind == "invalid perl operator":
        if part.startswith("(?P") and "(?P=" in pattern:
            return BadRegex("uses a backreference (?P=name), which RE2 does not have")
        name = _UNSUPPORTED.get(part, f"the group {part}")
        look = "write a second condition inside not: instead" if "look" in name else ""
        return BadRegex(f"uses {name}, which RE2 does not have", look)
    if kind == "invalid escape sequence":
        if part[1:2].isdigit() or part == r"\k":
            return BadRegex(f"uses a backreference {part}, which RE2 does not have")
        return BadRegex(f"uses {part}, which RE2 does not have", r"the end of the text is \z" if part == r"\Z" else "")
    if kind == "bad repetition operator" and part.endswith("+"):
        return BadRegex(
            f"uses a possessive repetition {part}, which RE2 does not have", f"write {part[:-1]}: RE2 never backtracks"
        )
    if kind == "invalid repetition size":
        return BadRegex(f"uses the repetition {part}; RE2 repeats at most 1000 times")
    return BadRegex(f"is not a regular expression: {reason}")
