"""When a limit ends, in the words that agents use; and None for whatever else they, or anybody, may show."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tmux_sentry.limits.reset import AHEAD, FAR, OVER, read, reset_at

BERLIN = ZoneInfo("Europe/Berlin")
#: A Sunday.
NOW = datetime(2026, 11, 29, 14, 10, tzinfo=BERLIN).timestamp()


def berlin(text: str, now: float = NOW) -> str | None:
    """The reset time on a clock in Berlin, where the host is."""
    at = reset_at(text, now, BERLIN)
    return None if at is None else f"{datetime.fromtimestamp(at, BERLIN):%Y-%m-%d %H:%M:%S}"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("3pm", "2026-11-29 15:00:00"),
        ("3:30 PM", "2026-11-29 15:30:00"),
        ("3:30\u202fPM", "2026-11-29 15:30:00"),
        ("3:30 p.m.", "2026-11-29 15:30:00"),
        ("12am", "2026-11-30 00:00:00"),
        ("12pm", "2026-11-30 12:00:00"),
        ("15:00", "2026-11-29 15:00:00"),
        ("resets 3pm.", "2026-11-29 15:00:00"),
        ("try again at 3:28 PM", "2026-11-29 15:28:00"),
        ("Your limit will reset at 9pm", "2026-11-29 21:00:00"),
        ("in 2 hours 5 minutes", "2026-11-29 16:15:00"),
        ("in 2 hours and 5 minutes", "2026-11-29 16:15:00"),
        ("2h 5m", "2026-11-29 16:15:00"),
        ("2h5m", "2026-11-29 16:15:00"),
        ("in 45s", "2026-11-29 14:10:45"),
        ("Try again in 3 days 2 hours", "2026-12-02 16:10:00"),
        ("Nov 30, 9:00 AM", "2026-11-30 09:00:00"),
        ("9am, 30 Nov", "2026-11-30 09:00:00"),
        ("Nov 30th, 2026 9:00 AM", "2026-11-30 09:00:00"),
        ("Mon Nov 30 at 9am", "2026-11-30 09:00:00"),
        ("Jan 2, 9:00 AM", "2027-01-02 09:00:00"),
        ("tomorrow at 08:00", "2026-11-30 08:00:00"),
        ("8am tomorrow", "2026-11-30 08:00:00"),
        ("today at 13:00", "2026-11-29 13:00:00"),
        ("Mon 9am", "2026-11-30 09:00:00"),
        ("Saturday at 9:00", "2026-12-05 09:00:00"),
        ("Sunday 1pm", "2026-12-06 13:00:00"),
        ("2026-12-01T09:00:00", "2026-12-01 09:00:00"),
        ("2026-12-01 09:00", "2026-12-01 09:00:00"),
    ],
)
def test_a_time_without_a_zone_is_one_of_the_hosts_clock(text: str, at: str) -> None:
    assert berlin(text) == at


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("at 3am (America/New_York)", "2026-11-30 09:00:00"),
        ("resets 3pm (UTC)", "2026-11-29 16:00:00"),
        ("3pm UTC", "2026-11-29 16:00:00"),
        ("3pm GMT", "2026-11-29 16:00:00"),
        ("9am PDT", "2026-11-29 17:00:00"),
        ("9pm UTC+2", "2026-11-29 20:00:00"),
        ("21:00 +02:00", "2026-11-29 20:00:00"),
        ("Nov 30 at 9am (America/New_York)", "2026-11-30 15:00:00"),
        ("2026-12-01T09:00:00Z", "2026-12-01 10:00:00"),
        ("2026-12-01T09:00:00.123Z", "2026-12-01 10:00:00"),
        ("2026-12-01T09:00:00-05:00", "2026-12-01 15:00:00"),
        ("2026-12-01T09:00:00+0530", "2026-12-01 04:30:00"),
        ("1796000000", "2026-11-30 01:53:20"),
        ("1796000000000", "2026-11-30 01:53:20"),
        ("Claude AI usage limit reached|1796000000", "2026-11-30 01:53:20"),
    ],
)
def test_a_zone_in_the_text_wins(text: str, at: str) -> None:
    assert berlin(text) == at
    found = read(text, NOW, BERLIN)
    assert found is not None
    assert not found.zoned


@pytest.mark.parametrize(
    "text",
    [
        "", "3", "soon", "later today", "3pm or 4pm", "3pm EST", "3pm IST", "3pm (CST)", "3pm (Mars/Olympus)",
        "3pm (../../etc/passwd)", "13pm", "25:00", "0:60", "12:30:99", "in 5 fortnights", "5m 2h", "2h 2h", "in 9 days",
        "Feb 30 at 9am", "Tue Nov 30 at 9am", "Nov 30", "tomorrow", "Nov 30, 1999 9am", "Nov 30, 2028 9am",
        "in 99999 days", "0000000001",
        "17644912345", "9999-99-99T99:99", "3pm " * 40, "٣pm", "1h extra", "3pm (Europe/Berlin", "(UTC)",
    ],
)  # fmt: skip
def test_what_is_not_sure_is_unknown(text: str) -> None:
    assert reset_at(text, NOW, BERLIN) is None


def test_a_time_that_was_just_reached_is_over_and_an_older_one_is_tomorrows() -> None:
    assert berlin("2pm") == "2026-11-29 14:00:00"
    assert berlin("1:10pm") == "2026-11-29 13:10:00"
    assert datetime(2026, 11, 29, 13, 10, tzinfo=BERLIN).timestamp() == NOW - OVER
    assert berlin("1:09pm") == "2026-11-30 13:09:00"
    midnight = datetime(2026, 11, 29, 0, 2, tzinfo=BERLIN).timestamp()
    assert berlin("11:58pm", midnight) == "2026-11-28 23:58:00"
    assert berlin("Sat 11:58pm", midnight) == "2026-11-28 23:58:00"


def test_the_day_is_that_of_the_zone_in_the_text() -> None:
    late = datetime(2026, 11, 29, 23, 30, tzinfo=timezone.utc).timestamp()
    assert berlin("tomorrow at 1am (UTC)", late) == "2026-11-30 02:00:00"
    assert berlin("tomorrow at 1am", late) == "2026-12-01 01:00:00"


@pytest.mark.parametrize(
    ("now", "text", "utc"),
    [
        # The clocks are put forward from 2:00 to 3:00: half past two does not exist, and is not before two.
        ("2026-03-29 00:30", "2:30am", "2026-03-29 01:30"),
        ("2026-03-29 00:30", "3am", "2026-03-29 01:00"),
        ("2026-03-28 23:30", "in 2 hours", "2026-03-29 01:30"),
        # They are put back from 3:00 to 2:00: half past two comes twice.
        ("2026-10-24 23:00", "2:30am", "2026-10-25 00:30"),
        ("2026-10-25 00:40", "2:30am", "2026-10-25 01:30"),
        ("2026-10-24 20:00", "9am", "2026-10-25 08:00"),
    ],
)
def test_clocks_that_are_changed(now: str, text: str, utc: str) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=timezone.utc).timestamp()
    found = reset_at(text, at, BERLIN)
    assert found is not None
    assert f"{datetime.fromtimestamp(found, timezone.utc):%Y-%m-%d %H:%M}" == utc


_WORDS = st.sampled_from(
    [
        "3pm", "at", "in", "2h", "5", "m", "Nov", "30", "Mon", "tomorrow", "(UTC)", "(Europe/Berlin)", "+99:99", "Z",
        "|", "15:00", "24:00", "2026-12-01T09:00", "99999d", "Feb", "29", "0001", "9999", "1764491234", "EST", "/", "-",
        "\ud800", "٣",
    ]
)  # fmt: skip
_TEXTS = st.text(max_size=250) | st.builds(str.join, st.sampled_from(["", " "]), st.lists(_WORDS, max_size=8))


@given(
    _TEXTS,
    st.floats(-1e18, 1e18) | st.sampled_from([0.0, NOW, float("inf"), float("nan")]),
)
@example("1" * 200, NOW)
@example("a/" * 100, NOW)
def test_no_text_raises_and_no_answer_is_out_of_bounds(text: str, now: float) -> None:
    for zone in (BERLIN, timezone.utc, ZoneInfo("Pacific/Apia")):
        at = reset_at(text, now, zone)
        assert at is None or now - FAR <= at <= now + FAR


@given(st.lists(_WORDS, max_size=6).map(" ".join))
def test_without_a_date_nothing_is_far_ahead(text: str) -> None:
    at = reset_at(text, NOW, BERLIN)
    dated = any(word in text for word in ("Nov", "Feb", "2026", "1764491234"))
    assert at is None or dated or at <= NOW + AHEAD


@pytest.mark.parametrize("value", [None, 3, b"3pm", ["3pm"]])
def test_what_is_no_text_is_unknown(value: object) -> None:
    assert reset_at(value, NOW, BERLIN) is None  # type: ignore[arg-type]
