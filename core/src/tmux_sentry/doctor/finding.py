"""What the doctor says: one line about one thing, and for what is wrong the way out of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from tmux_sentry.errors import Diagnostic, InvalidConfig, SentryError


class Level(str, Enum):
    """`note`: worth knowing, nothing has to be done. `problem`: something has."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line. `what` and `fix` may hold text from outside: whoever prints them cleans it."""

    level: Level
    subject: str
    what: str
    fix: str = ""


def ok(subject: str, what: str) -> Finding:
    """Nothing is wrong here."""
    return Finding(level=Level.OK, subject=subject, what=what)


def note(subject: str, what: str, fix: str = "") -> Finding:
    """Worth knowing; `fix` where something can be done about it."""
    return Finding(level=Level.NOTE, subject=subject, what=what, fix=fix)


def problem(subject: str, what: str, fix: str) -> Finding:
    """Something has to be done, and `fix` says what."""
    return Finding(level=Level.PROBLEM, subject=subject, what=what, fix=fix)


def of_error(subject: str, error: SentryError, fix: str) -> Iterator[Finding]:
    """An error as problems: each finding of a configuration file, else the one; `fix` where the error has none."""
    if isinstance(error, InvalidConfig):
        yield from of_diagnostics(subject, error.diagnostics)
        return
    yield problem(subject, f"{error.what}: {error.why}" if error.why else error.what, error.fix or fix)


def of_diagnostics(subject: str, found: Iterable[Diagnostic]) -> Iterator[Finding]:
    """What is wrong with a policy or hosts file; its warnings are notes."""
    for one in found:
        if one.warning:
            yield note(subject, str(one), one.help)
        else:
            yield problem(subject, str(one), one.help or f"correct line {one.line} of {one.file}")


def count(number: int, what: str) -> str:
    """`1 pane`, `2 panes`."""
    return f"{number} {what}{'' if number == 1 else 's'}"
