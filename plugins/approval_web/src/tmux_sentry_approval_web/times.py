"""Moments as people read them: in their time zone, and with its name."""

from __future__ import annotations

from datetime import datetime, timezone, tzinfo
from zoneinfo import ZoneInfo


def moment(seconds: float, zone: str) -> str:
    """Epoch seconds as "2026-11-22 10:20 CET (UTC+01:00)". `zone` is as in "Europe/Berlin"; "" is the system's."""
    try:
        at = datetime.fromtimestamp(seconds, timezone.utc).astimezone(_zone(zone))
    except (OverflowError, OSError, ValueError):
        return "?"
    name, offset = at.tzname() or "", at.strftime("%z")
    text = at.strftime("%Y-%m-%d %H:%M")
    if name == "UTC":
        return f"{text} UTC"
    # Where a zone has no letters of its own, its name is the offset.
    return f"{text} {f'{name} ' if name.isalpha() else ''}(UTC{offset[:3]}:{offset[3:5]})"


def machine_readable(seconds: float) -> str:
    """Epoch seconds as "2026-11-22T09:20:00Z", for HTML's <time>; "" for what is none."""
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, OSError, ValueError):
        return ""


def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError):  # its data was there when the policy was read
        return timezone.utc
