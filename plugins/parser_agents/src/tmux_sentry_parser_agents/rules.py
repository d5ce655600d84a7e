"""An agent's rules: read from YAML, checked, compiled."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import re2  # type: ignore[import-untyped, unused-ignore]  # no stubs

from tmux_sentry import AgentState, Meaning, checked_yaml
from tmux_sentry_parser_agents.layout import Box

#: The rules that every agent has, and those for a program that no file knows.
COMMON, GENERIC = "common", "generic"
#: Bytes of a rules file.
LARGEST = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRule:
    """What is read of a usage limit; `reset` has one group."""

    reset: Any | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One sign of a state. It holds when `match` is found in the part, and nothing speaks against it."""

    id: str
    state: AgentState
    confidence: float
    priority: int
    part: str
    rows: int
    match: Any | None
    without: Any | None
    box: bool | None  # whether a prompt box has to be there
    title: Any | None  # what the title has to be, too
    same_as_title: bool
    typing: bool  # the cursor stands behind the text in the box
    command: Any | None  # the program in the foreground, where it is known
    unless: tuple[str, ...]
    limit: LimitRule | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceRule:
    """What a choice means and which keys make it; `key` is a list of them, "number" or "shown" (in brackets)."""

    label: Any
    meaning: Meaning
    key: tuple[str, ...] | str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRule:
    """Where a dialog shows the command that it asks about: from below `after` (with `inline`, from there) to `before`.

    Where a description follows it, `block` is what opens a block above the dialog, and `verify` is what the last of
    these is, with the command as its group.
    """

    after: Any
    before: Any
    row: Any  # one group: the command's part of a row
    inline: bool
    gap: bool  # an empty row lies between
    block: Any | None
    verify: Any | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DialogRule:
    """One kind of dialog; when it holds, the state is `waiting`."""

    id: str
    kind: str
    confidence: float
    priority: int
    start: Any
    end: Any
    require: tuple[Any, ...]
    without: Any | None
    question: Any
    choice: Any | None  # two groups: number, label
    cursor: Any | None
    choices: tuple[ChoiceRule, ...]
    command: CommandRule | None
    cwd: Any | None
    cut: Any | None
    edges: str
    doubt: str
    unless: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OscRule:
    """A state that an agent tells by a control sequence."""

    number: int
    match: Any
    state: AgentState


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRules:
    """All that is known of one agent's screens; `checked` is the newest version that they were compared with."""

    agent: str
    checked: tuple[int, ...]
    version: Any | None
    recognise: Any | None
    box: Box | None
    block: Any | None
    rules: tuple[Rule, ...]
    dialogs: tuple[DialogRule, ...]
    osc: tuple[OscRule, ...]


def load(folder: Path | None) -> dict[str, AgentRules]:
    """The rules of every agent, by name, with those of the user's `folder` in their place or added.

    Raises InvalidConfig for a file with mistakes, with its line and column.
    """
    raw = {one["agent"]: one for one in (_read(data, name) for name, data in _built_in())}
    for path in sorted(folder.glob("*.yaml")) if folder is not None and folder.is_dir() else ():
        with path.open("rb") as stream:
            own = _read(stream.read(LARGEST + 1), str(path))
        raw[own["agent"]] = _merged(raw.get(own["agent"], {}), own)
    common = raw.pop(COMMON)
    # A shell without an agent has not exited.
    return {name: _compiled(_merged(common if name != GENERIC else {}, one)) for name, one in raw.items()}


def parse_version(text: str) -> tuple[int, ...]:
    """ "2.1.197" as numbers."""
    return tuple(int(part) for part in text.split(".")[:4] if part.isascii() and part.isdigit())


def _built_in() -> Iterable[tuple[str, bytes]]:
    folder = resources.files(__package__) / "rules"
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".yaml"):
            yield entry.name, entry.read_bytes()


def _read(data: bytes, name: str) -> dict[str, Any]:
    return checked_yaml(data, name, schema())


@lru_cache(maxsize=1)
def schema() -> Mapping[str, Any]:
    """The JSON Schema of a rules file."""
    text = (resources.files(__package__) / "rules.schema.json").read_text(encoding="utf-8")
    loaded: Mapping[str, Any] = json.loads(text)
    return loaded


def _merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`own` over `base`: keys replace keys, and a rule or dialog the one with its id."""
    merged = {**base, **own}
    for key in ("rules", "dialogs"):
        mine = {one["id"]: one for one in own.get(key, [])}
        before = [mine.pop(one["id"], one) for one in base.get(key, [])]
        merged[key] = [one for one in (*before, *mine.values()) if not one.get("drop", False)]
    return merged


def _compiled(raw: Mapping[str, Any]) -> AgentRules:
    box = raw.get("box")
    return AgentRules(
        agent=raw["agent"],
        checked=parse_version(raw.get("checked", "")),
        version=_pattern(raw.get("version")),
        recognise=_pattern(raw.get("recognise")),
        box=_box(box) if box else None,
        block=_pattern(raw.get("block")),
        rules=tuple(map(_rule, raw["rules"])),
        dialogs=tuple(map(_dialog, raw["dialogs"])),
        osc=tuple(
            OscRule(number=one["number"], match=_pattern(one["match"]), state=AgentState(one["state"]))
            for one in raw.get("osc", [])
        ),
    )


def _box(raw: Mapping[str, Any]) -> Box:
    patterns = {key: _pattern(raw.get(key)) for key in ("row", "above", "close", "under", "apart", "grow")}
    return Box(**patterns, below=raw.get("below", 4), reach=raw.get("reach", 1))


def _rule(raw: Mapping[str, Any]) -> Rule:
    limit = raw.get("limit")
    return Rule(
        id=raw["id"],
        state=AgentState(raw["state"]),
        confidence=raw["confidence"],
        priority=raw.get("priority", 50),
        part=raw["in"],
        rows=raw.get("rows", 6),
        match=_pattern(raw.get("match")),
        without=_pattern(raw.get("without")),
        box=raw.get("box"),
        title=_pattern(raw.get("title")),
        same_as_title=raw.get("same_as_title", False),
        typing=raw.get("typing", False),
        command=_pattern(raw.get("command")),
        unless=tuple(raw.get("unless", ())),
        limit=LimitRule(reset=_pattern(limit.get("reset"))) if limit is not None else None,
    )


def _dialog(raw: Mapping[str, Any]) -> DialogRule:
    command = raw.get("command")
    return DialogRule(
        id=raw["id"],
        kind=raw.get("kind", "question"),
        confidence=raw["confidence"],
        priority=raw.get("priority", 90),
        start=_pattern(raw["start"]),
        end=_pattern(raw["end"]),
        require=tuple(map(_pattern, raw.get("require", ()))),
        without=_pattern(raw.get("without")),
        question=_pattern(raw.get("question")),
        choice=_pattern(raw.get("choice")),
        cursor=_pattern(raw.get("cursor")),
        choices=tuple(_choice(one) for one in raw.get("choices", ())),
        command=_command(command) if command else None,
        cwd=_pattern(raw.get("cwd")),
        cut=_pattern(raw.get("cut")),
        edges=raw.get("edges", ""),
        doubt=raw.get("doubt", ""),
        unless=tuple(raw.get("unless", ())),
    )


def _choice(raw: Mapping[str, Any]) -> ChoiceRule:
    key: str | Sequence[str] = raw["key"]
    return ChoiceRule(
        label=_pattern(raw["label"]), meaning=raw["meaning"], key=key if isinstance(key, str) else tuple(key)
    )


def _command(raw: Mapping[str, Any]) -> CommandRule:
    return CommandRule(
        after=_pattern(raw["after"]),
        before=_pattern(raw["before"]),
        row=_pattern(raw["row"]),
        inline=raw.get("inline", False),
        gap=raw.get("gap", False),
        block=_pattern(raw.get("block")),
        verify=_pattern(raw.get("verify")),
    )


def _pattern(text: str | None) -> Any:
    """RE2, as for everything that is matched against what a pane shows: linear, whatever it shows."""
    if text is None:
        return None
    options = re2.Options()
    options.log_errors = False
    return re2.compile("(?m)" + text, options)
