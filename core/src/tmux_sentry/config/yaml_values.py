"""A YAML node tree to plain values, noting where each came from."""

from __future__ import annotations

import math
from typing import Any

import yaml

from tmux_sentry.config.yaml_nodes import MAX_DEPTH, Fault, Place, place_of

MAX_VALUES = 100_000

_Where = tuple[str | int, ...]
_YES_NO = {"yes": True, "on": True, "y": True, "no": False, "off": False, "n": False}
_TAG = "tag:yaml.org,2002:"


class Builder:
    """Builds the value of one document; `keys` and `values` fill with places, `faults` with what is wrong."""

    def __init__(self) -> None:
        self.keys: dict[_Where, Place] = {}
        self.values: dict[_Where, Place] = {}
        self.faults: list[Fault] = []
        self._count = 0

    def build(self, node: yaml.Node, where: _Where = ()) -> Any:
        """The value of `node`, aliases written out. Raises Fault when there is no end to it."""
        place = place_of(node.start_mark)
        self.values[where] = place
        self._count += 1
        # A small file can name itself, or one list a billion times over.
        if len(where) > MAX_DEPTH:
            raise Fault(where[:3], f"is nested more than {MAX_DEPTH} levels deep (an alias of itself?)", place=place)
        if self._count > MAX_VALUES:
            raise Fault(where[:3], f"holds more than {MAX_VALUES} values once its aliases are written out", place=place)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, where)
        if isinstance(node, yaml.SequenceNode):
            self._tag(node, where, "seq")
            return [self.build(child, (*where, index)) for index, child in enumerate(node.value)]
        return self._scalar(node, where)

    def _mapping(self, node: yaml.MappingNode, where: _Where) -> dict[str, Any]:
        self._tag(node, where, "map")
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, where)
            if key is None:
                continue
            path = (*where, key)
            if key in built:
                first = self.keys[path][0]
                self._fault(path, f"duplicate key '{key[:60]}' (first in line {first})", key_node)
                continue
            self.keys[path] = place_of(key_node.start_mark)
            built[key] = self.build(value_node, path)
        return built

    def _key(self, node: yaml.Node, where: _Where) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._fault(where, "a key must be text", node)
            return None
        if node.value == "<<" and node.style is None:
            self._fault(where, "merge keys (<<) are not supported", node, "write the keys out")
            return None
        if self._is_yes_no(node):
            self._fault((*where, node.value), f"{node.value} as a key is a boolean in YAML", node, "quote it")
            return None
        if node.tag != f"{_TAG}str":
            self._fault(where, f"a key must be text, not {node.value[:60] or 'nothing'}", node, "quote it")
            return None
        return self._text(node, where)

    def _scalar(self, node: yaml.Node, where: _Where) -> Any:
        text: str = node.value
        kind = node.tag.removeprefix(_TAG)
        if self._is_yes_no(node):
            self._fault(where, f"{text} is ambiguous in YAML", node, "write true or false, or quote it")
            return _YES_NO[text.lower()]
        if kind == "str":
            return self._text(node, where)
        if kind == "null":
            return None
        if kind == "bool" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if kind in ("int", "float"):
            return self._number(node, where, kind)
        self._tag(node, where, "str")
        return text

    def _number(self, node: yaml.Node, where: _Where, kind: str) -> int | float:
        try:
            number = int(node.value) if kind == "int" else float(node.value)
        except ValueError:
            number = math.inf
        if not abs(number) < 2**53:
            self._fault(where, "is not a number that can be used (too large?)", node)
            return 0
        return number

    def _text(self, node: yaml.Node, where: _Where) -> str:
        text: str = node.value
        bad = next((c for c in text if c == "\0" or "\ud800" <= c <= "\udfff"), None)
        if bad is None:
            return text
        self._fault(where, f"contains U+{ord(bad):04X}, which is not text", node)
        return text.replace(bad, "?").encode("utf-8", "replace").decode().replace("\0", "?")

    def _tag(self, node: yaml.Node, where: _Where, kind: str) -> None:
        if node.tag != f"{_TAG}{kind}":
            self._fault(where, f"the tag {node.tag.replace(_TAG, '!!')[:60]} is not allowed", node)

    @staticmethod
    def _is_yes_no(node: yaml.Node) -> bool:
        return isinstance(node, yaml.ScalarNode) and node.style is None and node.value.lower() in _YES_NO

    def _fault(self, where: _Where, what: str, node: yaml.Node, help: str = "") -> None:
        self.faults.append(Fault(where, what, place=place_of(node.start_mark), help=help))
