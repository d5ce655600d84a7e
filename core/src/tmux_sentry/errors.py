"""Errors that a user sees, and the exit codes that scripts depend on.

    SentryError                  1   the work failed
    +-- UsageError               2   bad usage or settings
    |   +-- InvalidConfig        2   policy or hosts file, with every Diagnostic
    +-- Refused                  3   refused for safety
    |   +-- Locked               3   another instance holds the lock
    |   +-- DatabaseDamaged      3   the state database cannot be trusted
    +-- Unreachable              4   a host or its tmux server
        +-- TmuxMissing          4   no tmux program on the host
        +-- TmuxTooOld           4   tmux before 2.4
        +-- NoServer             4   tmux is there, no server runs
        +-- HostKeyRefused       4   an SSH server's key is not known, has changed or is revoked

Each carries three lines: what happened, why, and what to do about it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_REFUSED = 3
EXIT_UNREACHABLE = 4
EXIT_INTERRUPTED = 130


class SentryError(Exception):
    """What, why, and what to do; one line each. `exit_code` is the process's."""

    exit_code = EXIT_FAILED

    def __init__(self, what: str, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix

    def lines(self) -> list[str]:
        """The message as it is printed on stderr, empty parts left out."""
        return [line for line in (self.what, self.why, self.fix) if line]


class UsageError(SentryError):
    """Bad usage, or a setting that cannot be used."""

    exit_code = EXIT_USAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding in a file. `line` and `column` are 1-based, 0 when the finding has no place."""

    file: str
    line: int
    column: int
    where: str  # "pipelines[0].stages[1].triggers[0]"
    what: str
    help: str = ""
    warning: bool = False
    source: str = ""  # the line of the file, for showing; "" when it holds a secret or there is none

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.where}: {self.what}"

    def lines(self) -> list[str]:
        """The finding as it is printed: itself, the source line with a caret under the place, and the help."""
        first = (
            str(self)
            if not self.warning
            else f"{self.file}:{self.line}:{self.column}: warning: {self.where}: {self.what}"
        )
        return [first, *self._excerpt(), *([f"  = help: {self.help}"] if self.help else [])]

    def _excerpt(self) -> list[str]:
        if not self.source.strip():
            return []
        start = max(0, self.column - 1 - 60)
        shown = "".join(char if char.isprintable() else " " for char in self.source[start : start + 100])
        before = shown[: self.column - 1 - start]
        width = sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in before)
        return [f"  {self.line} | {shown.rstrip()}", f"  {' ' * len(str(self.line))} | {' ' * width}^"]


class InvalidConfig(UsageError):
    """A policy or hosts file that does not validate; `diagnostics` holds every finding."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        count = sum(1 for d in diagnostics if not d.warning)
        super().__init__(f"{count} error{'s' if count != 1 else ''} in the configuration")
        self.diagnostics = tuple(diagnostics)

    def lines(self) -> list[str]:
        out: list[str] = []
        for diagnostic in self.diagnostics:
            out.extend(diagnostic.lines())
        return [*out, self.what]


class Refused(SentryError):
    """Refused for safety."""

    exit_code = EXIT_REFUSED


class Locked(Refused):
    """Another instance holds `sentry.lock`."""


class DatabaseDamaged(Refused):
    """The state database cannot be trusted."""


class Unreachable(SentryError):
    """A host, or its tmux server, cannot be reached."""

    exit_code = EXIT_UNREACHABLE


class TmuxMissing(Unreachable):
    """No tmux program on the host."""


class TmuxTooOld(Unreachable):
    """The host's tmux is older than 2.4."""


class NoServer(Unreachable):
    """tmux is installed, but no server runs on that socket."""


class HostKeyRefused(Unreachable):
    """An SSH server offers a key that is not known, is not the known one, or is revoked."""
