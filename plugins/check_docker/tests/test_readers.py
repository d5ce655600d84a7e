"""Readers that take anything."""

from __future__ import annotations

import math
from typing import Any

import pytest
from engine_api import frame
from hypothesis import given, settings
from hypothesis import strategies as st

from tmux_sentry_check_docker.logs import lines_of
from tmux_sentry_check_docker.readers import last_lines, moment, number, parsed, text, whole


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2023-11-14T22:13:20Z", 1_700_000_000.0),
        ("2023-11-14T22:13:20.123456789Z", 1_700_000_000.123456789),
        ("2023-11-15T00:13:20.5+02:00", 1_700_000_000.5),
        ("2023-11-14T17:43:20-04:30", 1_700_000_000.0),
        ("1970-01-01T00:00:00Z", 0.0),
        ("0001-01-01T00:00:00Z", None),
        ("2023-11-14T22:13:20", None),
        ("2023-99-14T22:13:20Z", None),
        ("2023-11-14T22:13:20Z\n", None),
        ("٢٠٢٣-11-14T22:13:20Z", None),
        ("", None),
        (1_700_000_000, None),
        (None, None),
    ],
)
def test_moments(written: object, at: float | None) -> None:
    assert moment(written) == at


@pytest.mark.parametrize("value", [True, False, None, "1", 1.5, [], {}, 2**60, -(2**60)])
def test_what_is_no_whole_number(value: object) -> None:
    assert whole(value) is None


@pytest.mark.parametrize("value", [True, None, "1", [], math.inf, -math.inf, math.nan, 10**400])
def test_what_is_no_number(value: object) -> None:
    assert number(value) is None


def test_values_that_are_what_they_should_be() -> None:
    assert (whole(137), whole(0), number(2), number(0.5), text("abc", 2), text(5)) == (137, 0, 2.0, 0.5, "ab", "")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000, '{"a":' * 100_000])
def test_what_is_no_json(data: Any) -> None:
    assert parsed(data) is None


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_a_log(data: bytes, tty: bool) -> None:
    assert isinstance(lines_of(data, tty=tty), str)


def test_frames_are_taken_apart() -> None:
    data = frame(1, b"out\n") + frame(2, b"err\n") + frame(1, b"")
    assert lines_of(data, tty=False) == "out\nerr\n"
    assert lines_of(data + frame(1, b"cut off here")[:-5], tty=False) == "out\nerr\ncut off"
    assert lines_of(b"no frame at all", tty=False) == "no frame at all"
    assert lines_of(frame(1, b"x"), tty=True) == "\x01\0\0\0\0\0\0\x01x"


def test_the_end_of_a_log_is_what_is_shown() -> None:
    assert last_lines("\n".join(map(str, range(100))) + "\n\n") == "\n".join(map(str, range(60, 100)))
    assert last_lines("x" * 9000 + "end") == "x" * 3897 + "end"
