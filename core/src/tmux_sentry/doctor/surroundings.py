"""Python and the locale."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from tmux_sentry.doctor.finding import Finding, note, ok

#: The versions that are tested; the oldest gets no more fixes since October 2026.
_OLDEST, _NEWEST = (3, 11), (3, 13)


def python(version: tuple[int, ...]) -> Finding:
    """The interpreter."""
    shown = f"Python {'.'.join(map(str, version[:3]))}"
    if version[:2] < _OLDEST:
        return note("python", f"{shown} gets no more security fixes", "install it with a later Python")
    if version[:2] > _NEWEST:
        return note("python", f"{shown} is later than what tmux-sentry was tested with")
    return ok("python", shown)


def locale(encoding: str) -> Iterator[Finding]:
    """In which encoding this process reads and prints text."""
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        name = encoding
    if name != "utf-8":
        what = f"this locale is {encoding}, not UTF-8: names and questions in other scripts cannot be shown"
        yield note("locale", what, "export LC_ALL=C.UTF-8")
