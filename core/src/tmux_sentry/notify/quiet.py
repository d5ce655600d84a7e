"""Quiet hours: a range of the clock in somebody's time zone, "22:00-07:00"."""

from __future__ import annotations

from datetime import datetime, time, timedelta, tzinfo


def quiet_until(now: float, hours: str, zone: tzinfo | None) -> float | None:
    """When the quiet hours end that `now` (epoch seconds) lies in; None outside of them. `zone` None is the system's.

    The end is a time of the clock: in the night of a change it is an hour sooner or later. Raises ValueError for what
    is no range.
    """
    begin, end = (time.fromisoformat(part.strip()) for part in hours.split("-"))
    here = datetime.fromtimestamp(now, zone) if zone is not None else datetime.fromtimestamp(now).astimezone()
    clock = here.time()
    inside = begin <= clock < end if begin < end else clock >= begin or clock < end
    if not inside or begin == end:
        return None
    day = here.date() + timedelta(days=clock >= end)
    over = datetime.combine(day, end, zone) if zone is not None else datetime.combine(day, end).astimezone()
    return max(over.timestamp(), now)
