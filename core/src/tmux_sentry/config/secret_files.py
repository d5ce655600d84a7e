"""The values of env files and YAML files, with their places, and new values in the place of some of them.

Every other byte stays as it was: comments, order, quotes, line ends. What is written was read again first.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tmux_sentry.config.crypto import Malformed, is_encrypted, parse
from tmux_sentry.config.env_file import parse_env, read_env_file
from tmux_sentry.errors import InvalidConfig, SentryError, UsageError

if TYPE_CHECKING:
    import yaml

_VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A text at a place: `name` is the variable or the path of keys, `start` and `end` are in the file's text."""

    name: str
    text: str = field(repr=False)
    file: str  # as messages call it; also "environment"
    line: int = 0
    column: int = 0
    start: int = 0
    end: int = 0

    @property
    def place(self) -> str:
        """`file:line:column`, for people."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    @property
    def encrypted(self) -> bool:
        """Whether it is (or was, before it was damaged) an encrypted value."""
        return is_encrypted(self.text)

    @property
    def key_id(self) -> str:
        """The key that it needs; "" when it is damaged."""
        try:
            return parse(self.text).key_id
        except Malformed:
            return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file; the values in its order."""

    path: Path
    yaml: bool
    text: str = field(repr=False)
    values: tuple[Value, ...] = ()

    @property
    def data(self) -> bytes:
        """The file's bytes."""
        return self.text.encode("utf-8")

    def named(self, name: str) -> Value | None:
        """The value of this name; of several the last one, which counts."""
        return next((one for one in reversed(self.values) if one.name == name), None)

    def replaced(self, new: Mapping[Value, str]) -> str:
        """The text with these values replaced. Raises UsageError for one that cannot be, SentryError when the result
        would mean something else."""
        text = self.text
        for value in sorted(new, key=lambda one: one.start, reverse=True):
            place = _as_written(self, value, new[value])
            text = text[: value.start] + place + text[value.end :]
        self._verify(text, [(one.name, new.get(one, one.text)) for one in self.values])
        return text

    def appended(self, name: str, value: str) -> str:
        """The text of an env file with one more line."""
        check_variable(name)
        end = "\r\n" if "\r\n" in self.text else "\n"
        gap = "" if not self.text or self.text.endswith(("\n", "\r")) else end
        text = f"{self.text}{gap}{name}={value}{end}"
        self._verify(text, [*((one.name, one.text) for one in self.values), (name, value)])
        return text

    def _verify(self, text: str, expected: list[tuple[str, str]]) -> None:
        found: list[tuple[str, str]] | None = None
        with contextlib.suppress(UsageError):
            found = [(one.name, one.text) for one in parse_document(self.path, text, yaml=self.yaml).values]
        if found != expected:
            why = "with the new value in place, the file would say something else"
            raise SentryError(f"{self.path} cannot be changed here", why, "change it with an editor")


def read_document(path: Path, *, yaml: bool) -> Document:
    """Read an env file or a YAML file. Raises UsageError, also InvalidConfig, and Refused for an env file that others
    may write to."""
    if not yaml:
        return parse_document(path, read_env_file(path).text, yaml=False)
    from tmux_sentry.config.source import read_source

    problems = read_source(path).problems
    if problems:
        raise InvalidConfig(problems)
    return parse_document(path, path.read_bytes().decode("utf-8"), yaml=True)


def parse_document(path: Path, text: str, *, yaml: bool) -> Document:
    """The document of this text."""
    values = _yaml_values(path, text) if yaml else _env_values(path, text)
    return Document(path=path, yaml=yaml, text=text, values=tuple(values))


def check_variable(name: str) -> None:
    """Raises UsageError for what is not the name of a variable."""
    if not _VARIABLE.fullmatch(name):
        fix = "for a path in a YAML file, add --file FILE"
        raise UsageError(f"{name!r} is not a variable's name", "it is letters, digits and _", fix)


def environment(env: Mapping[str, str], names: Iterable[str]) -> list[Value]:
    """The values of those variables that are set in the environment."""
    return [Value(name=name, text=env[name], file="environment") for name in names if name in env]


def _env_values(path: Path, text: str) -> list[Value]:
    return [
        Value(
            name=one.name,
            text=one.value,
            file=str(path),
            line=one.line,
            column=one.column,
            start=one.start,
            end=one.end,
        )
        for one in parse_env(path, text).bindings
    ]


def _yaml_values(path: Path, text: str) -> list[Value]:
    from tmux_sentry.config.opening import scalars
    from tmux_sentry.config.source import parse_source
    from tmux_sentry.config.yaml_nodes import compose

    source = parse_source(text.encode("utf-8"), str(path))
    nodes = compose(text)
    values = []
    for where, name, value in scalars(source.value):
        node = _node(nodes, where)
        if node is not None:
            mark = source.mark(where)
            values.append(
                Value(
                    name=name,
                    text=value if isinstance(value, str) else "" if value is None else node.value,
                    file=str(path),
                    line=mark.line,
                    column=mark.column,
                    start=node.start_mark.index,
                    end=node.end_mark.index,
                )
            )
    return values


def _node(node: Any, where: tuple[str | int, ...]) -> yaml.ScalarNode | None:
    """The node at a place of the tree."""
    for step in where:
        if isinstance(step, int):
            node = node.value[step]
        else:
            node = next((value for key, value in node.value if key.value == step), None)
        if node is None:
            return None
    found: yaml.ScalarNode = node
    return found


def _as_written(document: Document, value: Value, new: str) -> str:
    """`new` as it has to be written in the place of `value`; quotes stay."""
    raw = document.text[value.start : value.end]
    if raw[:1] in ("'", '"'):
        return f"{raw[0]}{new}{raw[0]}"
    if not document.yaml:
        return new
    if not raw:
        return f" {new}"
    if raw[0] in "&!*":
        why, fix = "it has an anchor or a tag", "write the value out where it is used, without & and !"
        raise UsageError(f"{value.place}: {value.name} cannot be replaced", why, fix)
    if raw[0] in "|>":
        return new + raw[len(raw.rstrip()) :]
    return new
