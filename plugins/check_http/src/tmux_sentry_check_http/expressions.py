"""JMESPath expressions of a policy: read once, with every mistake that can be seen before there is data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import jmespath  # type: ignore[import-untyped]  # ships no types
from jmespath import exceptions, functions

from tmux_sentry import clean
from tmux_sentry_check_http.schemas import LONGEST

#: A node of jmespath's tree: {"type": ..., "children": [...], "value": ...}.
Node = Mapping[str, Any]

_FUNCTIONS: Mapping[str, Any] = functions.Functions.FUNCTION_TABLE
#: Words that are literals in most languages, and the names of fields in this one.
_LITERALS = ("true", "false", "null")


class BadExpression(ValueError):
    """What is wrong with an expression, and where; harmless and short."""


@lru_cache(maxsize=256)
def read(text: str) -> Node:
    """The tree of an expression. Raises BadExpression."""
    if len(text) > LONGEST:
        raise BadExpression(f"has more than {LONGEST} characters")
    try:
        tree: Node = jmespath.compile(text).parsed
        mistake = next(_mistakes({"type": "root", "children": [tree]}), "")
    except exceptions.EmptyExpressionError:
        raise BadExpression("is empty") from None
    except exceptions.IncompleteExpressionError:
        raise BadExpression(f"is no JMESPath: it breaks off after character {len(text)}") from None
    except exceptions.ParseError as error:
        what = f"{error.token_value!s}" if error.token_value else "the end"
        raise BadExpression(f"is no JMESPath: character {error.lex_position + 1}: {clean(what, 60)}") from None
    except RecursionError:
        raise BadExpression("is nested too deep") from None
    except Exception as error:  # the library's parser lets others through: an index of 5000 digits, for one
        raise BadExpression(f"is no JMESPath: {clean(str(error), 100)}") from None
    if mistake:
        raise BadExpression(mistake)
    return tree


def value(text: str, data: Any) -> Any:
    """What a path leads to, as plain JMESPath says; None where there is nothing or it cannot be read."""
    try:
        read(text)
        return jmespath.search(text, data)
    except Exception:  # the data is a stranger's, and this is only for show
        return None


def shown(node: Node) -> str:
    """A node as people would write it, as far as it is a path; bounded."""
    return clean(_written(node), 100) or "the value"


def _written(node: Node) -> str:
    kind, children = node["type"], node["children"]
    if kind == "field":
        return str(node["value"])
    if kind in ("subexpression", "index_expression", "projection", "filter_projection", "value_projection", "flatten"):
        parts = [_written(child) for child in (children[:1] if kind == "flatten" else children[:2])]
        between = {"projection": "[*].", "filter_projection": "[?].", "value_projection": ".*.", "flatten": ""}
        return between.get(kind, "." if kind == "subexpression" else "").join(parts).rstrip(".")
    if kind == "index":
        return f"[{node['value']}]"
    if kind == "function_expression":
        return f"{node['value']}(...)"
    if kind == "current":
        return "@"
    return ""


def _mistakes(node: Node) -> Iterator[str]:
    """What jmespath itself would notice only with data, or never."""
    kind, children = node["type"], node["children"]
    if kind == "function_expression":
        if (known := _FUNCTIONS.get(node["value"])) is None:
            yield f"there is no function {clean(str(node['value']), 60)}()"
        else:
            wants, has = known["signature"], len(children)
            if has < len(wants) or (has > len(wants) and not wants[-1].get("variadic")):
                yield f"{node['value']}() takes {len(wants)} arguments, not {has}"
    if kind in ("root", "comparator", "and_expression", "or_expression", "not_expression"):
        for child in children:
            if child["type"] == "field" and child["value"] in _LITERALS:
                yield f"{child['value']} is the name of a field here; for the value write `{child['value']}`"
    for child in children:
        if isinstance(child, dict):  # a slice has numbers
            yield from _mistakes(child)
