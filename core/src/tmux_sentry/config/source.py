"""A YAML file, read once: its plain values, and the line and column of every key and value.

Stricter than YAML 1.1, because a policy must not mean something else than it says: duplicate keys,
yes/no booleans, tags, merge keys and several documents are errors; dates, octal and sexagesimal
numbers stay text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tmux_sentry.config.yaml_nodes import Fault, Place, compose
from tmux_sentry.config.yaml_values import Builder
from tmux_sentry.errors import Diagnostic, InvalidConfig

MAX_BYTES = 1_000_000

Where = tuple[str | int, ...]
# Such a line is not shown with an error: its value may be a secret, whatever is wrong on the line.
_SECRET = re.compile(r"""(pass(word|phrase)|secret|token|api_?key|webhook)["']?\s*:""", re.IGNORECASE)
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


class Mark(NamedTuple):
    """A place in a file; both 1-based."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file: `value` is plain JSON types; `keys` and `values` are marks by path (`("pipelines", 0, "name")`).

    `problems` are the findings of the reading itself that did not stop it; `secret` are the places of values that
    were encrypted in the file.
    """

    name: str
    value: Any
    lines: tuple[str, ...]
    keys: Mapping[Where, Mark]
    values: Mapping[Where, Mark]
    problems: tuple[Diagnostic, ...] = ()
    secret: frozenset[Where] = frozenset()

    def diagnostic(
        self, where: Where, what: str, *, help: str = "", key: bool = False, warning: bool = False, secret: bool = False
    ) -> Diagnostic:
        """A finding at `where`: at its value, or (`key`) at its key; `secret` leaves the source line out."""
        mark = (self.keys.get(where) if key else None) or self.mark(where)
        return Diagnostic(
            file=self.name,
            line=mark.line,
            column=mark.column,
            where=dotted(where),
            what=what,
            help=help,
            warning=warning,
            source="" if secret else _line(self.lines, mark.line),
        )

    def mark(self, where: Where) -> Mark:
        """The place of the value at `where`, or of the nearest thing around it."""
        while where and where not in self.values:
            where = where[:-1]
        return self.values.get(where, Mark(1, 1))


def read_source(path: Path, name: str | None = None) -> Source:
    """Read a file of at most 1 MB. Raises InvalidConfig with the place, also when it cannot be read."""
    name = name or str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidConfig([_finding(name, "", Fault("file", f"cannot be read: {error.strerror or error}"))]) from None
    return parse_source(data, name)


def parse_source(data: bytes, name: str) -> Source:
    """Parse one YAML document whose top is a mapping. Raises InvalidConfig for what stops the reading."""
    text = ""
    try:
        text = _decode(data)
        builder = Builder()
        value = builder.build(compose(text))
    except Fault as fault:
        raise InvalidConfig([_finding(name, text, fault)]) from None
    return Source(
        name=name,
        value=value,
        lines=tuple(_LINE_BREAK.split(text)),
        keys={where: Mark(*place) for where, place in builder.keys.items()},
        values={where: Mark(*place) for where, place in builder.values.items()},
        problems=tuple(_finding(name, text, fault) for fault in builder.faults),
    )


def dotted(where: Where) -> str:
    """`pipelines[0].stages[1].name`, for people."""
    text = ""
    for step in where:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "top level"


def _decode(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise Fault("file", f"is larger than {MAX_BYTES // 1_000_000} MB")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Fault("encoding", "is UTF-16; save it as UTF-8", place=(1, 1))
    if data.startswith(b"\xef\xbb\xbf"):
        raise Fault("encoding", "starts with a byte order mark; save it as UTF-8 without one", place=(1, 1))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = _place(data[: error.start].decode("utf-8"))
        raise Fault("encoding", f"is not UTF-8: byte 0x{data[error.start]:02x}", place=place) from None


def _place(before: str) -> Place:
    lines = _LINE_BREAK.split(before)
    return len(lines), len(lines[-1]) + 1


def _line(lines: tuple[str, ...], number: int) -> str:
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    return "" if _SECRET.search(line) else line


def _finding(name: str, text: str, fault: Fault) -> Diagnostic:
    place = fault.place if fault.offset is None else _place(text[: fault.offset])
    return Diagnostic(
        file=name,
        line=place[0],
        column=place[1],
        where=fault.where if isinstance(fault.where, str) else dotted(fault.where),
        what=fault.what,
        help=fault.help,
        source=_line(tuple(_LINE_BREAK.split(text)), place[0]),
    )
