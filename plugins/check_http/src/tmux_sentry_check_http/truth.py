"""Whether a condition is true, false or neither: Kleene's three values over JMESPath.

Plain JMESPath gives null for what is not there, and goes on: `status != 'running'` is true of an error page. Here a
comparison, a filter, a projection or a function that meets a missing value is neither true nor false, and so is what
is built on it, unless the rest decides alone: `false && ?` is false, `true || ?` is true.

What a missing value means can be said: by comparing with a literal `null`, by not_null(x, default), by `x || default`
inside a comparison, and by type(x).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from jmespath import exceptions, visitor  # type: ignore[import-untyped]  # ships no types

from tmux_sentry import clean
from tmux_sentry_check_http.expressions import Node, shown

#: Characters of a text that is shown where a yes or no should be.
_SHOWN = 40
#: Functions whose business is a value that may be null.
_TAKE_NULL = frozenset({"not_null", "type"})


@dataclass(frozen=True, slots=True)
class Truth:
    """True, False, or None for neither; then `why` says what is missing or no yes/no, as one short line."""

    value: bool | None
    why: str = ""


class _Neither(Exception):
    """A part of a condition has no value; the message says which."""


def judge(node: Node, data: Any) -> Truth:
    """What the condition says of `data`, plain JSON of any shape. Never raises."""
    try:
        return _Strict().judge(node, data)
    except RecursionError:
        return Truth(None, "the condition is nested too deep")


class _Strict(visitor.TreeInterpreter):  # type: ignore[misc]  # ships no types
    """jmespath's interpreter, which raises _Neither where that would go on with a null."""

    def judge(self, node: Node, data: Any) -> Truth:
        kind, children = node["type"], node["children"]
        if kind == "and_expression":
            return self._first(False, children, data)
        if kind == "or_expression":
            return self._first(True, children, data)
        try:
            if kind == "not_expression":
                inner = self.judge(children[0], data)
                return inner if inner.value is None else Truth(not inner.value)
            if kind == "pipe":
                for child in children[:-1]:
                    data = self.visit(child, data)
                return self.judge(children[-1], data)
            found = self.visit(node, data)
        except _Neither as neither:
            return Truth(None, str(neither))
        except exceptions.JMESPathError as error:
            return Truth(None, clean(str(error), 200))
        except Exception as error:  # whatever else a stranger's data does to the library
            return Truth(None, f"the condition cannot be judged ({type(error).__name__})")
        if isinstance(found, bool):
            return Truth(found)
        return Truth(None, f"{shown(node)} is {_described(found)}")

    def _first(self, decides: bool, children: Iterable[Node], data: Any) -> Truth:
        """`decides` if one of them is; its opposite if all are that; else neither."""
        neither = None
        for child in children:
            truth = self.judge(child, data)
            if truth.value is decides:
                return truth
            neither = neither or (truth if truth.value is None else None)
        return neither or Truth(not decides)

    def _held(self, node: Node, data: Any) -> bool:
        truth = self.judge(node, data)
        if truth.value is None:
            raise _Neither(truth.why)
        return truth.value

    # ------------------------------------------------------- nodes that meet what is missing

    def visit_comparator(self, node: Node, value: Any) -> bool:
        sides = node["children"]
        left, right = (self.visit(side, value) for side in sides)
        if not any(_is_null(side) for side in sides):
            _refuse_missing(zip(sides, (left, right), strict=True))
        compare = self.COMPARATOR_FUNC[node["value"]]
        if node["value"] not in self._EQUALITY_OPS and not _ordered(left, right):
            raise _Neither(f"{_short(left)} and {_short(right)} cannot be put in order")
        return bool(compare(left, right))

    def visit_not_expression(self, node: Node, value: Any) -> bool:
        return self._held(node, value)

    def visit_function_expression(self, node: Node, value: Any) -> Any:
        arguments = [self.visit(child, value) for child in node["children"]]
        if node["value"] not in _TAKE_NULL:
            _refuse_missing(zip(node["children"], arguments, strict=True))
        return self._functions.call_function(node["value"], arguments)

    def visit_filter_projection(self, node: Node, value: Any) -> Any:
        base = self.visit(node["children"][0], value)
        if not isinstance(base, list):
            return None
        kept = [element for element in base if self._held(node["children"][2], element)]
        return [self._there(node["children"][1], element) for element in kept]

    def visit_projection(self, node: Node, value: Any) -> Any:
        base = self.visit(node["children"][0], value)
        return [self._there(node["children"][1], element) for element in base] if isinstance(base, list) else None

    def visit_value_projection(self, node: Node, value: Any) -> Any:
        base = self.visit(node["children"][0], value)
        if not isinstance(base, dict):
            return None
        return [self._there(node["children"][1], element) for element in base.values()]

    def _there(self, node: Node, element: Any) -> Any:
        """An element's value: plain JMESPath drops one that is null, and `!contains(...)` would come true of it."""
        found = self.visit(node, element)
        _refuse_missing([(node, found)])
        return found


def _refuse_missing(pairs: Iterable[tuple[Node, Any]]) -> None:
    for node, found in pairs:
        for missing in _missing(node, found):
            raise _Neither(f"{shown(missing)} is missing or null")


def _missing(node: Node, found: Any) -> Iterator[Node]:
    """The part of an expression that led to null; inside a list or mapping that the expression makes, too."""
    if _is_null(node):
        return
    if found is None:
        yield node
    elif node["type"] == "multi_select_list":
        for child, item in zip(node["children"], found, strict=True):
            yield from _missing(child, item)
    elif node["type"] == "multi_select_dict":
        for pair in node["children"]:
            yield from _missing(pair["children"][0], found[pair["value"]])
    elif node["type"] in ("subexpression", "pipe"):
        yield from _missing(node["children"][-1], found)


def _is_null(node: Node) -> bool:
    return bool(node["type"] == "literal" and node["value"] is None)


def _ordered(left: Any, right: Any) -> bool:
    """Numbers have an order, and texts; true and 1 do not."""
    return all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in (left, right)) or (
        isinstance(left, str) and isinstance(right, str)
    )


def _described(found: Any) -> str:
    """What was found where a yes or no should be; bounded."""
    if found is None:
        return "missing or null"
    return f"{_short(found)}, which is no yes/no"


def _short(found: Any) -> str:
    if isinstance(found, (dict, list)):
        return f"a {'mapping' if isinstance(found, dict) else 'list'}"
    if isinstance(found, str):  # whole or not at all: half of a secret would not be known for one
        return f"'{clean(found, _SHOWN)}'" if len(found) <= _SHOWN else f"a text of {len(found)} characters"
    return clean(str(found), _SHOWN)
