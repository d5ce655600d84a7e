"""YAML text to a node tree, with PyYAML's reader, scanner and composer; every failure becomes a Fault."""

from __future__ import annotations

import re
from typing import Any

import yaml

Place = tuple[int, int]

MAX_DEPTH = 50


class Fault(Exception):
    """What is wrong with a file: where (a path, or a word), the place (1-based; (0, 0) is none), and help."""

    def __init__(
        self,
        where: str | tuple[str | int, ...],
        what: str,
        *,
        place: Place = (0, 0),
        offset: int | None = None,
        help: str = "",
    ) -> None:
        super().__init__(what)
        self.where = where
        self.what = what
        self.place = place
        self.offset = offset  # characters from the start, when the place is not known
        self.help = help


class _Loader(yaml.SafeLoader):
    """SafeLoader that knows fewer kinds of plain scalars, and a limit of depth."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        # PyYAML composes recursively: a thousand brackets would end the process's stack first.
        self.depth += 1
        if self.depth > MAX_DEPTH:
            event: Any = self.peek_event()  # type: ignore[no-untyped-call]
            raise Fault("yaml", f"is nested more than {MAX_DEPTH} levels deep", place=place_of(event.start_mark))
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


# YAML 1.2's plain scalars. PyYAML's own (1.1) read 1:30 as 90, 010 as 8, 2026-01-01 as a date.
_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile("^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?|(?:0|[1-9][0-9]*)[eE][-+]?[0-9]+)$"),
    list("-+0123456789"),
)


def place_of(mark: Any) -> Place:
    """A PyYAML mark, 1-based."""
    return mark.line + 1, mark.column + 1


def compose(text: str) -> yaml.MappingNode:
    """The node of the one document in `text`; its top is a mapping. Raises Fault."""
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.reader.ReaderError as error:
        raise Fault("yaml", f"contains the control character {_code(error)}", offset=int(error.position)) from None
    except yaml.MarkedYAMLError as error:
        raise _marked(error) from None
    except (ValueError, OverflowError, LookupError):
        # PyYAML lets these out for escapes such as "\UFFFFFFFF" and for absurd %YAML versions.
        place = place_of(loader.get_mark()) if loader else (1, 1)
        raise Fault("yaml", "cannot be read: an escape or directive here makes no sense", place=place) from None
    if node is None:
        raise Fault("top level", "is empty", place=(1, 1))
    if not isinstance(node, yaml.MappingNode):
        kind = "a list" if isinstance(node, yaml.SequenceNode) else "a single value"
        raise Fault("top level", f"must be a mapping (key: value), not {kind}", place=place_of(node.start_mark))
    return node


def _code(error: yaml.reader.ReaderError) -> str:
    character = error.character
    return f"U+{character if isinstance(character, int) else ord(character):04X}"


def _marked(error: yaml.MarkedYAMLError) -> Fault:
    mark = error.problem_mark or error.context_mark
    place = place_of(mark) if mark else (1, 1)
    problem = (error.problem or error.context or "cannot be read").strip()
    if "'\\t'" in problem:
        return Fault("yaml", "a tab cannot indent YAML", place=place, help="use spaces")
    if problem.startswith("but found another document"):
        return Fault("yaml", "a second document starts here", place=place, help="one document a file; remove the '---'")
    if problem == "mapping values are not allowed here":
        return Fault("yaml", "a ':' makes no sense here", place=place, help="check the indentation, or quote the text")
    if problem.startswith("found undefined alias"):
        return Fault("yaml", problem.replace("found undefined alias", "no anchor is named"), place=place)
    context = f"{error.context.strip()}: " if error.context and error.context != error.problem else ""
    return Fault("yaml", f"{context}{problem}", place=place)
