"""The words of a reset time: what may be skipped, what a day is called, and which names of zones are sure."""

from __future__ import annotations

import re
from datetime import timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo


def _numbered(text: str, start: int) -> dict[str, int]:
    """Each word with the number of its group."""
    return {name: number for number, names in enumerate(text.split(";"), start) for name in names.split()}


#: From Monday, which is 0.
WEEKDAYS = _numbered(
    "mon monday; tue tues tuesday; wed wednesday; thu thur thurs thursday; fri friday; sat saturday; sun sunday", 0
)
_MONTHS = _numbered(
    "jan january; feb february; mar march; apr april; may; jun june; jul july; aug august; sep sept september; "
    "oct october; nov november; dec december",
    1,
)
#: Names of zones that mean one thing only, with their hours from UTC. EST, CST, IST, PST and others are used on several
#: continents, so they are none.
_ZONES = {"utc": 0, "gmt": 0, "cet": 1, "cest": 2, "eet": 2, "eest": 3, "jst": 9, "kst": 9, "aest": 10, "aedt": 11}
_ZONES |= {"nzst": 12, "nzdt": 13, "edt": -4, "mdt": -6, "pdt": -7}
_SKIPPED = frozenset({"your", "usage", "limit", "limits", "will", "be", "reset", "resets", "resetting", "available"})
_SKIPPED |= {"try", "again", "retry", "please", "wait", "until", "at", "on"}
_KEY = re.compile(r"[A-Za-z_]{1,30}/[A-Za-z_+-]{1,30}(?:/[A-Za-z_]{1,30})?")
_OFFSET = re.compile(r"(?:utc|gmt)?([+-])([0-9]{1,2})(?::?([0-9]{2}))?")
_DAY = re.compile(r"([0-9]{1,2})(?:st|nd|rd|th)?")


def plain(text: str) -> str:
    """`text` with single blanks, without what leads up to the time; small letters, but for the names of zones."""
    text = text.rpartition("|")[2].replace("a.m.", "am").replace("p.m.", "pm")  # "usage limit reached|1764491234"
    parts = text.replace("·", " ").replace("\u202f", " ").strip().rstrip(".").split()
    parts = [part if "/" in part else part.lower() for part in parts]
    while parts and parts[0].rstrip(":,") in _SKIPPED:
        del parts[0]
    return " ".join(parts)


def split_zone(text: str) -> tuple[str, tzinfo | None] | None:
    """The text without the zone at its end, and that zone; None when it names one that is not sure."""
    head, bracket, last = text.rpartition("(")
    if bracket:
        zone = zone_of(last.removesuffix(")")) if last.endswith(")") else None
        return None if zone is None else (head.strip(), zone)
    head, _, last = text.rpartition(" ")
    if head and (zone := zone_of(last)) is not None:
        return head.strip(), zone
    for sign in ("z", "+", "-"):  # behind a time, with no blank between
        at = text.rfind(sign)
        if at > 10 and text[at - 1].isdigit() and ":" in text[:at]:
            zone = timezone.utc if text[at:] == "z" else zone_of(text[at:])
            return None if zone is None else (text[:at], zone)
    return text, None


def zone_of(name: str) -> tzinfo | None:
    """The zone of a name that can mean only one; None for any other."""
    if name.lower() in _ZONES:
        return timezone(timedelta(hours=_ZONES[name.lower()]))
    if (offset := _OFFSET.fullmatch(name.lower())) is not None:
        hours, minutes = int(offset[2]), int(offset[3] or 0)
        away = timedelta(hours=hours, minutes=minutes)
        return timezone(-away if offset[1] == "-" else away) if hours <= 14 and minutes < 60 else None
    if not _KEY.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return None


def of_day(text: str) -> list[str]:
    """The words that say on which day."""
    parts = text.replace(",", " ").split()
    return [part for part in parts if part not in ("at", "on", "of", "the")]


def month_and_day(parts: list[str]) -> tuple[int, int, int | None] | None:
    """Month, day and perhaps the year of `nov 30`, `30 nov 2026`, `november 30th`."""
    if not 2 <= len(parts) <= 3:
        return None
    first, second = parts[0], parts[1]
    if second in _MONTHS:
        first, second = second, first
    day = _DAY.fullmatch(second)
    if first not in _MONTHS or day is None:
        return None
    if len(parts) == 2:
        return _MONTHS[first], int(day[1]), None
    year = parts[2]
    return (_MONTHS[first], int(day[1]), int(year)) if re.fullmatch(r"20[0-9]{2}", year) else None
