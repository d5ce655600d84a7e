"""Careful readers: whatever a service sends, nothing here raises, and nothing comes out longer than it may be."""

from __future__ import annotations

import calendar
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

# RFC 3339 as Go writes it: up to nine digits of a second, and Z or an offset.
_MOMENT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d{1,9})?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII)


def parsed(data: bytes | str) -> Any:
    """The JSON in `data`; None when it is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def mapping(value: object) -> Mapping[str, Any]:
    """`value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> Sequence[Any]:
    """`value` if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else ()


def text(value: object, limit: int = 300) -> str:
    """`value` if it is a text, at most `limit` characters of it; else ""."""
    return value[:limit] if isinstance(value, str) else ""


def whole(value: object) -> int | None:
    """`value` if it is a whole number that can be an exit status or a count; else None."""
    fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53
    return value if fits and isinstance(value, int) else None


def number(value: object) -> float | None:
    """`value` if it is a finite number, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 2**53:
        return None
    return float(value)


def moment(value: object) -> float | None:
    """Epoch seconds of a time as Docker writes it; None for no time, and for its zero time of the year 1."""
    match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[1]) < 1970:
        return None
    year, month, day, hour, minute, second = (int(match[part]) for part in range(1, 7))
    try:
        at = float(calendar.timegm((year, month, day, hour, minute, second)))
    except (ValueError, OverflowError):
        return None
    if match[8] is not None:
        at -= (1 if match[8] == "+" else -1) * (int(match[9]) * 3600 + int(match[10]) * 60)
    return at + float(match[7] or 0.0)


def last_lines(text: str, lines: int = 40, characters: int = 3900) -> str:
    """The end of `text`: what the core shows of a log is 4000 characters, and the end is what says why."""
    return "\n".join(text.rstrip().splitlines()[-lines:])[-characters:]
