"""When a usage limit ends, read from the words that an agent shows. Unknown is better than a guess.

    3pm   3:30 PM   15:00   9am tomorrow   Mon 9am          the next such time; over, if it was less than OVER ago
    2h 5m   in 2 hours 5 minutes   in 45s                   from now on
    Nov 30, 9:00 AM   30 Nov 2026 at 9am                    that day; without a year the nearest one
    2026-12-01T09:00:00Z   1764491234                       as they stand

A zone in the text wins: (Europe/Berlin), UTC, CET, +02:00, UTC+2. Words around it ("resets", "try again at") are
skipped; anything else that is not understood makes the whole unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo

from tmux_sentry.limits import words

#: A time of day without a date that was reached no longer ago than this is over, and not tomorrow's (seconds). A notice
#: may have stood there for a while before anybody read it; and a limit for more than 23 hours comes with a date.
OVER = 3600.0
#: What has no date is at most this far ahead, in seconds: the longest limits without one are weekly.
AHEAD = 8 * 86400.0
#: A date is at most this far away, in either direction, in seconds.
FAR = 366 * 86400.0
#: Characters of the text that are read; what is longer is no reset time.
LONGEST = 200

_SPAN = re.compile(r"([0-9]{1,5}) ?(days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)(?![a-z])")
_UNIT = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_CLOCK = re.compile(r"(?<![0-9:])([0-9]{1,2})(?::([0-9]{2}))?(?::([0-9]{2}))? ?(am|pm)?(?![0-9a-z:])")
_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})[t ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]{1,9})?)?")
_EPOCH = re.compile(r"[0-9]{10}(?:[0-9]{3})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostZone:
    """The zone of a host, and what to call it to people: its name and who said so."""

    zone: tzinfo
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """When a limit ends (epoch seconds). `zoned`: it was read in the zone that was given, as the text has none."""

    at: float
    zoned: bool = False


def reset_at(reset: str, now: float, zone: tzinfo) -> float | None:
    """When the limit ends, epoch seconds: in the past when it is over already. None when that is not sure.

    `reset` is hostile text; `now` is epoch seconds; `zone` is that of the pane's host, for a text that names none.
    """
    found = read(reset, now, zone)
    return None if found is None else found.at


def read(reset: str, now: float, zone: tzinfo) -> Reading | None:
    """`reset_at`, and whether `zone` was needed for it."""
    if not isinstance(reset, str) or len(reset) > LONGEST:
        return None
    try:
        found, dated = _read(reset, now, zone)
    except (ValueError, OverflowError, OSError):  # no such day, a year 0, a clock beyond what a machine knows
        return None
    if found is None or not (now - FAR <= found.at <= now + (FAR if dated else AHEAD)):
        return None
    return found


def _read(reset: str, now: float, zone: tzinfo) -> tuple[Reading | None, bool]:
    """What the text says, and whether it names a day of the calendar."""
    text = words.plain(reset)
    if _EPOCH.fullmatch(text):
        return Reading(at=float(text[:10])), True
    if (span := _span(text)) is not None:
        return Reading(at=now + span), False
    if (split := words.split_zone(text)) is None:
        return None, False
    text, named = split
    here, zoned = named or zone, named is None
    if (iso := _ISO.fullmatch(text)) is not None:
        numbers = [int(part or 0) for part in iso.groups()]
        day = date(*numbers[:3])
        return Reading(at=_at(day, (numbers[3], numbers[4], numbers[5]), here, now), zoned=zoned), True
    clocks = [(match, clock) for match in _CLOCK.finditer(text) if (clock := _clock(match)) is not None]
    if len(clocks) != 1:
        return None, False
    (match, clock) = clocks[0]
    day_words = words.of_day(f"{text[: match.start()]} {text[match.end() :]}")
    at, dated = _on(day_words, clock, here, now)
    return (None if at is None else Reading(at=at, zoned=zoned)), dated


def _span(text: str) -> float | None:
    """The seconds of `2 hours 5 minutes`, `2h5m`: each unit once, the greater first."""
    text = text.removeprefix("in ").removeprefix("after ")
    found = [(float(match[1]), match[2][0]) for match in _SPAN.finditer(text)]
    units = [unit for _, unit in found]
    rest = _SPAN.sub("", text).replace(",", " ").split()
    if not found or set(rest) - {"and"} or units != sorted(set(units), key="dhms".index):
        return None
    return sum(number * _UNIT[unit] for number, unit in found)


def _clock(match: re.Match[str]) -> tuple[int, int, int] | None:
    """Hour, minute, second; None for a bare number, and for what no clock shows."""
    hour, minute, second, half = int(match[1]), int(match[2] or 0), int(match[3] or 0), match[4]
    if half is None and match[2] is None:
        return None
    if half is not None:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "pm" else 0)
    return (hour, minute, second) if hour < 24 and minute < 60 and second < 60 else None


def _on(day: list[str], clock: tuple[int, int, int], zone: tzinfo, now: float) -> tuple[float | None, bool]:
    """The time of that day, and whether the words are a date."""
    today = datetime.fromtimestamp(now, zone).date()

    def at(days: int) -> float:
        return _at(today + timedelta(days=days), clock, zone, now)

    if not day:
        return next((at(days) for days in (-1, 0, 1) if at(days) >= now - OVER), None), False
    if day == ["today"] or day == ["tomorrow"]:
        return at(int(day == ["tomorrow"])), False
    weekday = words.WEEKDAYS.get(day[0])
    if weekday is not None and len(day) == 1:
        ahead = [days for days in range(-1, 9) if (today + timedelta(days=days)).weekday() == weekday]
        return next((at(days) for days in ahead if at(days) >= now - OVER), None), False
    if (named := words.month_and_day(day[1:] if weekday is not None else day)) is None:
        return None, False
    month, number, year = named
    years = [year] if year is not None else [today.year - 1, today.year, today.year + 1]
    dates = [made for one in years if (made := _date(one, month, number)) is not None]
    times = [(_at(made, clock, zone, now), made.weekday()) for made in dates]
    nearest = min(times, key=lambda one: abs(one[0] - now), default=None)
    return (nearest[0] if nearest is not None and weekday in (None, nearest[1]) else None), True


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:  # 29 February
        return None


def _at(day: date, clock: tuple[int, int, int], zone: tzinfo, now: float) -> float:
    """Of a time that comes twice as the clocks are put back, the first that is to come.

    One that does not exist, as they are put forward, is as long after the change as it seems to be (PEP 495, fold 0).
    """
    wall = datetime(day.year, day.month, day.day, *clock, tzinfo=zone)
    first, second = ((wall.replace(fold=fold) - _EPOCH_START).total_seconds() for fold in (0, 1))
    return second if first < now <= second else first


_EPOCH_START = datetime(1970, 1, 1, tzinfo=timezone.utc)
