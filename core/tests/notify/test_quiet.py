"""Quiet hours in somebody's time zone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmux_sentry.notify.quiet import quiet_until

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("now", "hours", "end"),
    [
        ("2026-11-28 21:59:59", "22:00-07:00", None),
        ("2026-11-28 22:00:00", "22:00-07:00", "2026-11-29 07:00:00"),
        ("2026-11-29 03:00:00", "22:00-07:00", "2026-11-29 07:00:00"),
        ("2026-11-29 07:00:00", "22:00-07:00", None),
        ("2026-11-28 13:00:00", "12:00-14:00", "2026-11-28 14:00:00"),
        ("2026-11-28 14:00:00", "12:00-14:00", None),
        ("2026-11-28 14:00:00", "12:00-12:00", None),
        # The night in which the clock goes forward, and the one in which it goes back.
        ("2026-03-29 01:30:00", "22:00-07:00", "2026-03-29 07:00:00"),
        ("2026-10-25 01:30:00", "22:00-07:00", "2026-10-25 07:00:00"),
    ],
)
def test_quiet_hours_end_at_a_time_of_the_clock(now: str, hours: str, end: str | None) -> None:
    assert quiet_until(at(now), hours, BERLIN) == (None if end is None else at(end))


def test_the_zone_decides() -> None:
    noon = at("2026-11-28 12:00:00", ZoneInfo("UTC"))
    assert quiet_until(noon, "20:00-22:00", ZoneInfo("Asia/Shanghai")) == at(
        "2026-11-28 22:00", ZoneInfo("Asia/Shanghai")
    )
    assert quiet_until(noon, "20:00-22:00", BERLIN) is None


@given(st.floats(0, 4e9), st.sampled_from(["22:00-07:00", "00:00-23:59", "02:00-03:00", "06:30-06:29"]))
def test_the_end_is_never_past_and_never_more_than_a_day_and_an_hour_away(now: float, hours: str) -> None:
    end = quiet_until(now, hours, BERLIN)
    assert end is None or 0 <= end - now <= 25 * 3600
