"""A mute channel is an incident."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tmux_sentry.contracts import Delivery, DeliveryResult, Level
from tmux_sentry.notify import health
from tmux_sentry.state.records import ChannelHealth

ON = ChannelHealth(name="a")
FAILING = ChannelHealth(name="a", state="failing", why="503", since=10.0)
OFF = ChannelHealth(name="a", state="off", why="bad key", since=10.0, settings="f")


def result(outcome: Delivery, whole: bool = False, after: float | None = None) -> DeliveryResult:
    return DeliveryResult(outcome=outcome, detail="said", retry_after=after, whole_channel=whole)


@pytest.mark.parametrize(
    ("before", "what", "state", "since", "until"),
    [
        (ON, result(Delivery.DELIVERED), "on", 0.0, None),
        (ON, result(Delivery.RETRY), "failing", 100.0, None),
        (ON, result(Delivery.UNKNOWN), "failing", 100.0, None),
        (FAILING, result(Delivery.RETRY), "failing", 10.0, None),
        (FAILING, result(Delivery.DELIVERED), "on", 100.0, None),
        (ON, result(Delivery.PERMANENT), "on", 0.0, None),  # of one message
        (FAILING, result(Delivery.PERMANENT), "failing", 10.0, None),
        (ON, result(Delivery.PERMANENT, whole=True), "off", 100.0, None),
        (FAILING, result(Delivery.PERMANENT, whole=True), "off", 10.0, None),
        (ON, result(Delivery.RETRY, whole=True, after=300.0), "resting", 100.0, 400.0),
        (ON, result(Delivery.RETRY, whole=True), "resting", 100.0, 160.0),
        (OFF, result(Delivery.DELIVERED), "on", 100.0, None),
    ],
)
def test_what_an_attempt_says_of_its_channel(
    before: ChannelHealth, what: DeliveryResult, state: str, since: float, until: float | None
) -> None:
    after = health.after(before, what, 100.0, "f")
    assert (after.state, after.since, after.until) == (state, since, until)


def test_that_a_channel_is_off_is_told_at_once_and_once() -> None:
    told = health.notice(ON, OFF, 100.0)
    assert told is not None
    assert (told.event, told.level) == ("channel.off", Level.ERROR)
    assert "bad key" in told.text
    assert "tmux-sentry notify test a" in told.text
    assert health.notice(OFF, OFF, 200.0) is None


def test_that_a_channel_fails_is_told_after_a_while_and_each_time_as_the_same_message() -> None:
    assert health.notice(ON, FAILING, 10.0 + health.PATIENCE - 1) is None
    told = [health.notice(FAILING, FAILING, 10.0 + health.PATIENCE + more) for more in (0, 500)]
    assert {one.id for one in told if one is not None} == {"channel.failing/a/10.000"}
    again = health.notice(ON, replace(FAILING, since=99.0), 99.0 + health.PATIENCE)
    assert again is not None
    assert again.id != "channel.failing/a/10.000"


def test_titles_are_in_the_language_of_the_people() -> None:
    told = health.notice(ON, OFF, 100.0, "zh")
    assert told is not None
    assert told.title == "通知渠道 a 已停用"
    assert health.recovered(OFF, 100.0, "zh").title == "通知渠道 a 已恢复"
