"""Times as services write them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))? ?(?:Z|([+-])(\d\d)(?::?(\d\d))?)", re.ASCII
)
#: Epoch seconds from here on, in the year 5138, are milliseconds.
_TOO_LATE = 1e11


def moment(value: object) -> float | None:
    """The epoch seconds of a number of them, or of an ISO 8601 date and time with its zone; None for anything else."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if 0 < value < _TOO_LATE else None
    match = _ISO.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    *parts, fraction, sign, hours, minutes = match.groups()
    try:
        at = datetime(*(int(part) for part in parts), tzinfo=timezone.utc).timestamp()  # type: ignore[arg-type,misc]
    except (ValueError, OverflowError):
        return None
    zone = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)).total_seconds()
    return at + float(f"0.{fraction or 0}") - (zone if sign == "+" else -zone)


def is_before(at: float, began: float) -> bool:
    """Whether `at` lies before `began`. Most services write whole seconds: such a time means all of its second."""
    return at + 1.0 <= began if at.is_integer() else at < began
