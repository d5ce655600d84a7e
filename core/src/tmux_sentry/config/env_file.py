"""An env file, read once: its values, and where in the text each one stands. Read literally: `$` refers to nothing."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from pathlib import Path

from tmux_sentry.config.permissions import read_trusted
from tmux_sentry.errors import UsageError

_BOM = "\ufeff"
# As python-dotenv 1 reads a line (dotenv/parser.py), which says what a value is, not where it stands.
_TO_VALUE = re.compile(r"\s*(?:export[^\S\r\n]+)?(?:'[^']+'|[^=\#\s]+)[^\S\r\n]*=")
_BLANKS = re.compile(r"[^\S\r\n]*")
_QUOTED = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\"""", re.DOTALL)
_REST = re.compile(r"[^\r\n]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """`NAME=value`. `start` and `end` are the value's place in the text, quotes included; `line` and `column` are
    1-based."""

    name: str
    value: str = field(repr=False)
    start: int
    end: int
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvFile:
    """`bindings` in the order of the file; of two with one name the last one counts. `without` have no `=`: (line,
    name). `readable`: by others."""

    path: Path
    text: str = field(repr=False)
    bindings: tuple[Binding, ...]
    without: tuple[tuple[int, str], ...] = ()
    readable: bool = False

    @property
    def last(self) -> dict[str, Binding]:
        """The bindings that count, by name."""
        return {one.name: one for one in self.bindings}


def read_env_file(path: Path) -> EnvFile:
    """Read one. Raises UsageError when it cannot be read or understood, Refused when others may write to it."""
    text, readable = read_trusted(path, "env file")
    return parse_env(path, text, readable=readable)


def parse_env(path: Path, text: str, *, readable: bool = False) -> EnvFile:
    """The file of this text. Raises UsageError with the line, which may hold a secret and is not shown."""
    from dotenv.parser import parse_stream

    bindings: list[Binding] = []
    without: list[tuple[int, str]] = []
    offset = len(_BOM) if text.startswith(_BOM) else 0
    for found in parse_stream(io.StringIO(text)):
        original = found.original.string
        if found.error:
            line = found.original.line + len(original) - len(original.lstrip("\r\n"))
            why = "a line is NAME=value; a value that opens a quote closes it"
            raise UsageError(f"{path}:{line} cannot be read", why)
        if found.key is not None and found.value is None:
            without.append((found.original.line, found.key))
        elif found.key is not None and found.value is not None:
            if "\0" in found.value:
                raise UsageError(f"{path}: {found.key} contains a NUL character")
            start, end = _place(original)
            line, column = _line_and_column(text, offset + start)
            bindings.append(
                Binding(
                    name=found.key,
                    value=found.value,
                    start=offset + start,
                    end=offset + end,
                    line=line,
                    column=column,
                )
            )
        offset += len(original)
    return EnvFile(path=path, text=text, bindings=tuple(bindings), without=tuple(without), readable=readable)


def _place(line: str) -> tuple[int, int]:
    """Where in `NAME=value  # comment` the value stands."""
    match = _TO_VALUE.match(line)
    after = match.end() if match else len(line)
    blanks = _BLANKS.match(line, after)
    start = blanks.end() if blanks else after
    quoted = _QUOTED.match(line, start)
    if quoted:
        return start, quoted.end()
    rest = _REST.match(line, start)
    value = re.sub(r"\s+#.*", "", rest[0] if rest else "").rstrip()
    if not value or (start > after and value.startswith("#")):
        return after, after
    return start, start + len(value)


def _line_and_column(text: str, offset: int) -> tuple[int, int]:
    lines = re.split("\r\n|[\r\n]", text[:offset])
    return len(lines), len(lines[-1].removeprefix(_BOM)) + 1
