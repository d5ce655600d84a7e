"""Clocks: what counts towards a deadline and what does not."""

from __future__ import annotations

import pytest

from tmux_sentry.engine.events import Due, PaneGone, Reachable, Send, SendHeld, Unreachable
from tmux_sentry.engine.external import LAST
from tmux_sentry.engine.machine import next_due


def stage(**more):
    return {"name": "a", "timeout": 100, "actions_on_start": [{"send_keys": "go"}], **more}


def test_the_timeout_counts_from_the_first_keys(world):
    w = world(stage()).due(500).type(at=500).due(599)
    assert w.statuses == {"a": "running"}
    assert w.due(600).statuses == {"a": "timed_out"}


@pytest.mark.parametrize("action", [{"wait": 40}, {"notify": "x"}, {"external_check": {"type": "http"}}])
def test_the_timeout_counts_from_the_first_action_of_any_kind(world, action):
    w = world(stage(actions_on_start=[action, {"send_keys": "go"}])).due(99)
    assert w.run.open
    assert w.due(100).due(100 + LAST).statuses == {"a": "timed_out"}


def test_a_stage_that_does_nothing_runs_at_once(world):
    assert world({"name": "a", "timeout": 5}).due(5).statuses == {"a": "timed_out"}


def test_nothing_fires_while_the_host_is_away(world):
    w = world(stage()).type().give(Unreachable(), 10)
    assert next_due(w.run, 10) is None
    w.give(Due(), 5000)
    assert w.statuses == {"a": "running"}


@pytest.mark.parametrize(
    ("away", "end"),
    [
        (0, 150),  # the machine saw for itself how long it was
        (50, 150),
        (60, 160),  # it began before anybody noticed
    ],
)
def test_time_away_does_not_count(world, away, end):
    w = world(stage()).type().give(Unreachable(), 10).give(Unreachable(), 30).give(Reachable(away=away), 60)
    assert w.due(end - 1).statuses == {"a": "running"}
    assert w.due(end).statuses == {"a": "timed_out"}


def test_time_away_does_not_count_for_waits_and_checks(world):
    check = {"external_check": {"type": "http", "max_wait": 20}}
    w = world(stage(actions_on_start=[check, {"wait": 15}, {"notify": "waited"}]))
    w.give(Unreachable(), 0).give(Reachable(away=1000), 1000).due(1014)
    assert "waited" not in w.told
    assert "waited" in w.due(1015).told
    assert w.statuses == {"a": "running"}
    assert w.due(1020).due(1020 + LAST).statuses == {"a": "timed_out"}


def test_a_rest_is_not_over_while_the_host_is_away(world, event):
    w = world(stage(retries=1)).type().give(Unreachable(), 1).says(event(ok=False))
    assert len(w.typed) == 1
    assert len(w.give(Reachable(away=1), 2).typed) == 2


def test_a_hold_stops_the_clocks(world):
    w = world(stage()).type().due(10).order("hold").due(1000)
    assert w.statuses == {"a": "held"}
    w.order("send").due(1089)
    assert w.statuses == {"a": "running"}
    assert w.due(1090).statuses == {"a": "timed_out"}


def test_time_away_within_a_hold_is_given_back_once(world):
    w = world(stage()).type().give(Unreachable(), 10).due(20).order("hold")
    w.give(Reachable(away=30), 40).due(70).order("send")
    # 10 s before, 10 s away, 50 s held: 90 s are left at 70.
    assert w.due(159).statuses == {"a": "running"}
    assert w.due(160).statuses == {"a": "timed_out"}


def test_a_second_reason_to_hold_does_not_lose_the_first_one_s_time(world):
    w = world(stage(actions_on_start=[{"wait": 1}, {"send_keys": "go"}])).due(1)
    w.order("hold").due(50).give(SendHeld(action_id=w.last(Send).action_id, reason="busy")).due(100).order("skip")
    assert w.due(198).statuses == {"a": "running"}
    assert w.due(199).statuses == {"a": "timed_out"}


def test_a_list_that_waits_ends_without_its_host(world, event):
    w = world(stage(on_failure=[{"wait": 5}, {"notify": "badly"}])).type().says(event(ok=False))
    w.give(Unreachable()).give(PaneGone(reason="its tmux server is gone")).due(5)
    assert w.run.status == "failed"
    assert "badly" in w.told


def test_an_ended_run_wants_nothing(world):
    w = world(stage()).type().due(100)
    assert next_due(w.run, 100) is None
