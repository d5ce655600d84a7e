"""Times as users read them in the tables: UTC, ISO 8601, milliseconds (2026-11-22T09:15:03.123Z)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def iso(epoch_seconds: float) -> str:
    """Epoch seconds as UTC text; texts sort as the times do."""
    # Whole milliseconds first: a float's own microseconds would be cut, and .1229999 read as .122.
    moment = _EPOCH + timedelta(milliseconds=round(epoch_seconds * 1000))
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def iso_or_none(epoch_seconds: float | None) -> str | None:
    """`iso`, keeping None."""
    return None if epoch_seconds is None else iso(epoch_seconds)


def epoch(text: str) -> float:
    """Epoch seconds of what `iso` wrote. Raises ValueError for anything else."""
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    return (moment - _EPOCH) / timedelta(seconds=1)
