"""What fails again and again is left alone; everything else goes on."""

from __future__ import annotations

from typing import Any

import pytest

from tmux_sentry.engine.quarantine import LIMIT, WINDOW, Quarantine
from tmux_sentry.errors import SentryError
from tmux_sentry.testing.clock import FakeClock


def fail() -> None:
    raise ZeroDivisionError("a defect")


@pytest.fixture
def isolated() -> list[str]:
    return []


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def quarantine(clock: FakeClock, isolated: list[str]) -> Quarantine:
    return Quarantine(clock, isolated.append)


def test_the_third_failure_in_five_minutes_isolates_that_name_only(
    quarantine: Quarantine, clock: FakeClock, isolated: list[str]
) -> None:
    done: list[str] = []
    for _ in range(LIMIT):
        assert isolated == []
        assert not quarantine.contain("pane a", fail)
        clock.advance(WINDOW / 2)
    assert isolated == ["pane a"]
    assert quarantine.holds("pane a")
    assert not quarantine.contain("pane a", lambda: done.append("a"))
    assert quarantine.contain("pane b", lambda: done.append("b"))
    assert done == ["b"]
    assert isolated == ["pane a"]


def test_failures_far_apart_isolate_nothing(quarantine: Quarantine, clock: FakeClock, isolated: list[str]) -> None:
    for _ in range(10 * LIMIT):
        quarantine.contain("pane a", fail)
        clock.advance(WINDOW / 2 + 1)
    assert isolated == []
    assert not quarantine.holds("pane a")


@pytest.mark.parametrize("error", [SentryError("the disk is full"), KeyboardInterrupt(), SystemExit(1)])
def test_what_is_nobodys_defect_passes(quarantine: Quarantine, error: BaseException, isolated: list[str]) -> None:
    def stop() -> Any:
        raise error

    for _ in range(LIMIT):
        with pytest.raises(type(error)):
            quarantine.contain("pane a", stop)
    assert isolated == []
