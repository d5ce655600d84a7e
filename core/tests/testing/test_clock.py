from __future__ import annotations

import pytest

from tmux_sentry.clock import Clock, SystemClock
from tmux_sentry.testing.clock import FakeClock


def test_time_stands_still_until_it_is_moved() -> None:
    clock: Clock = FakeClock(start=100.0)
    assert (clock.now(), clock.monotonic()) == (100.0, 0.0)
    assert (clock.now(), clock.monotonic()) == (100.0, 0.0)


def test_advancing_moves_both_clocks() -> None:
    clock = FakeClock(start=100.0)
    clock.advance(2.5)
    assert (clock.now(), clock.monotonic()) == (102.5, 2.5)


def test_a_wall_clock_set_back_leaves_the_monotonic_one_alone() -> None:
    clock = FakeClock(start=100.0)
    clock.jump(-50)
    assert (clock.now(), clock.monotonic()) == (50.0, 0.0)


def test_monotonic_time_does_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="backwards"):
        FakeClock().advance(-1)


def test_the_systems_clock_tells_epoch_seconds() -> None:
    clock: Clock = SystemClock()
    before = clock.monotonic()
    assert clock.now() > 1_700_000_000
    assert clock.monotonic() >= before
