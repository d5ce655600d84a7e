"""JSON as strict as hostile text needs: what this accepts can be stored, compared and shown."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_INT64 = 2**63


def read(text: str) -> dict[str, Any] | None:
    """The object in `text`, or None.

    Refused: duplicate keys, NaN and Infinity, numbers outside 64-bit integers and finite floats,
    raw control characters, lone surrogates (also escaped ones). The caller bounds length and depth.
    """
    found = read_first(text)
    return found[0] if found and not text[found[1] :].strip(" ") else None


def read_first(text: str) -> tuple[dict[str, Any], int] | None:
    """The object at the start of `text`, as `read` has it, and the offset just after it; None when there is none."""
    try:
        value, end = _READER.raw_decode(text, len(text) - len(text.lstrip(" ")))
        # An escaped lone surrogate passes the decoder and then crashes the first thing that encodes it.
        if "\\u" in text or not text.isascii():
            _PLAIN.encode(value).encode("utf-8")
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or (not text.isprintable() and _CONTROL.search(text, 0, end)):
        return None
    return value, end


def canonical(value: dict[str, Any]) -> str:
    """`value` as the one text that stands for it: sorted keys, no spaces, ASCII."""
    return _CANONICAL.encode(value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("duplicate key")
    return value


def _integer(digits: str) -> int:
    # Length first: turning thousands of digits into an int is slow, and an error in itself in new Pythons.
    if len(digits) > 20 or not -_INT64 <= (number := int(digits)) < _INT64:
        raise ValueError("integer out of range")
    return number


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return number


def _refuse(word: str) -> float:
    raise ValueError(word)


# Made once: json.loads and json.dumps would make them anew for every event.
_READER = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_integer, parse_float=_finite, parse_constant=_refuse)
_PLAIN = json.JSONEncoder(ensure_ascii=False)
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)
