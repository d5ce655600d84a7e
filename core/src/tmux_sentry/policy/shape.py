"""Ways through a policy's plain JSON that skip what has the wrong shape: the schema has said so already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tmux_sentry.config.source import Where

ACTION_LISTS = ("actions_on_start", "on_success", "on_failure", "on_timeout")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that a schema cannot say about the value (or the key) at `where`."""

    where: Where
    what: str
    help: str = ""
    key: bool = False
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A pipeline or a stage, with its name and its place."""

    name: str
    where: Where
    body: Mapping[str, Any]


def mapping(value: Any) -> Mapping[str, Any]:
    """`value` if it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Any, where: Where) -> Iterator[tuple[Where, Any]]:
    """The elements of a list and their places; nothing of anything else."""
    yield from (((*where, index), item) for index, item in enumerate(value)) if isinstance(value, list) else ()


def named(value: Any, where: Where) -> list[Named]:
    """The mappings of a list that have a name."""
    return [
        Named(name=item["name"], where=place, body=item)
        for place, item in items(value, where)
        if isinstance(item, dict) and isinstance(item.get("name"), str)
    ]


def pairs(value: Any, where: Where) -> Iterator[tuple[Where, str, Any]]:
    """(place, kind, value) for each one-key mapping of a list: triggers, actions, conditions."""
    for place, item in items(value, where):
        for kind, inner in mapping(item).items():
            yield (*place, kind), kind, inner


def conditions(value: Any, where: Where, depth: int = 1) -> Iterator[tuple[Where, str, Any, int]]:
    """(place, kind, value, depth) for each condition of a list, nested ones too."""
    for place, kind, inner in pairs(value, where):
        yield place, kind, inner, depth
        if kind in ("any_of", "all_of"):
            yield from conditions(inner, place, depth + 1)
        elif kind == "not":
            yield from _negated(inner, place, depth + 1)


def _negated(value: Any, where: Where, depth: int) -> Iterator[tuple[Where, str, Any, int]]:
    for kind, inner in mapping(value).items():
        place = (*where, kind)
        yield place, kind, inner, depth
        if kind in ("any_of", "all_of"):
            yield from conditions(inner, place, depth + 1)
        elif kind == "not":
            yield from _negated(inner, place, depth + 1)


def stage_conditions(stage: Named) -> Iterator[tuple[Where, str, Any, int]]:
    """Every condition of a stage."""
    for word in ("success_when", "failure_when"):
        yield from conditions(stage.body.get(word), (*stage.where, word))


def stage_actions(stage: Named) -> Iterator[tuple[str, Where, str, Any]]:
    """(list, place, kind, value) for every action of a stage."""
    for word in ACTION_LISTS:
        for place, kind, inner in pairs(stage.body.get(word), (*stage.where, word)):
            yield word, place, kind, inner


def words(value: Any) -> list[str]:
    """One word or a list of words, as a list."""
    return [word for word in (value if isinstance(value, list) else [value]) if isinstance(word, str)]
