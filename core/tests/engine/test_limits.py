"""A usage limit: told once, its time does not count, and then the policy's message is typed, a few times at most."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tmux_sentry.contracts import AgentState, Limit, Signal, SignalKind, Trust
from tmux_sentry.engine import resume
from tmux_sentry.engine.events import (
    Ask,
    LimitsRead,
    Notify,
    PaneGone,
    Reachable,
    ScreenSeen,
    Send,
    SendDone,
    SendHeld,
    SendMoot,
    StateSeen,
    StopSend,
    Unreachable,
)
from tmux_sentry.engine.limited import GRACE, SETTLED, TAKEN, LimitNotice, Standing, ahead, notices
from tmux_sentry.engine.machine import next_due
from tmux_sentry.engine.run import from_json, to_json
from tmux_sentry.limits.reset import HostZone
from tmux_sentry.limits.words import zone_of
from tmux_sentry.notify import texts
from tmux_sentry.policy.advice import EVENTS

HOUR = 3600.0
RESUME = {"resume": True, "message": "go on", "slack": 60}
LIMITED, WORKING, IDLE = AgentState.LIMITED, AgentState.WORKING, AgentState.IDLE


def stage(on_limit=None, **more):
    rule = {} if on_limit is None else {"on_limit": on_limit}
    return {"name": "a", "actions_on_start": [{"wait": "20h"}], "timeout": "30h", **rule, **more}


def notice(until=None, digest="n1", **more):
    values = {"digest": digest, "text": "limit reached, resets 3pm", "confidence": 0.9, "until": until, **more}
    return LimitNotice(**values)


def see(w, *found, at=None, state=LIMITED):
    """A capture with these notices, and the state that was read off it."""
    w.give(ScreenSeen(lines=("x",), limits=found), at)
    return w.give(StateSeen(state=state))


def limited(world, rule=RESUME, *, until=HOUR, at=100.0, **more):
    return see(world(stage(rule, **more)), notice(until), at=at)


def done(w):
    return w.give(SendDone(action_id=w.last(Send).action_id))


def again(w):
    """As the next process reads the Run."""
    w.run = from_json(json.loads(json.dumps(to_json(w.run))), w.run.pipeline, {})
    return w


def told(w):
    return [one for one in w.all(Notify) if one.event == "limit.reached"]


# --------------------------------------------------------------------------- told, waited


@pytest.mark.parametrize("rule", [None, {"resume": False}])
def test_without_a_rule_people_are_told_once_and_nothing_is_typed(world, rule):
    w = limited(world, rule)
    see(w, notice(HOUR)).due(2 * HOUR)
    (one,) = told(w)
    assert "limit reached, resets 3pm" in one.text
    assert "ends at 1970-01-01 01:00 UTC (in 58 min)" in one.text
    assert "nothing is typed" in one.text
    assert (w.typed, w.run.held) == ([], None)


def test_the_event_is_known_to_routes_and_has_a_chinese_title():
    assert "limit.reached" in EVENTS
    assert "ci" in texts.title("zh", "limit.reached", "", {"pipeline": "ci"})


def test_the_message_is_typed_once_after_the_reset_and_the_slack(world):
    w = limited(world)
    assert next_due(w.run, w.now) == HOUR + 60
    w.due(HOUR + 59)
    assert w.typed == []
    w.due(HOUR + 60)
    assert w.typed == ["go on<Enter>"]
    send = w.last(Send)
    assert (send.resumes, send.action_id, send.stage, send.attempt) == (True, "r1/a/1/limit1", "a", 1)
    w.due(3 * HOUR)
    assert w.typed == ["go on<Enter>"]
    assert "then typed: go on" in told(w)[0].text


def test_a_reset_that_is_over_already_has_its_slack_from_now_on(world):
    w = limited(world, until=50.0).due(159)
    assert w.typed == []
    assert w.due(160).typed == ["go on<Enter>"]


def test_an_agent_that_goes_on_by_itself_cancels_it(world):
    w = limited(world)
    w.give(StateSeen(state=WORKING), 200)
    assert (w.run.limited, w.run.limit.standing) == (False, Standing.OVER)
    w.due(5 * HOUR)
    assert w.typed == []


def test_the_time_at_the_limit_does_not_count(world):
    w = world(stage(timeout=1000, actions_on_start=[], success_when=[{"idle_for": 500}]))
    see(w, notice(5000.0), at=400).due(6000)
    assert w.statuses == {"a": "running"}
    w.give(StateSeen(state=WORKING), 6000)
    assert w.run.attempt.deadline == 6600
    w.due(6499)
    assert w.statuses == {"a": "running"}
    w.due(6500)
    assert w.statuses == {"a": "succeeded"}


def test_a_stage_that_waits_waits_as_much_longer(world):
    w = limited(world, actions_on_start=[{"wait": 300}, {"notify": "waited"}], timeout=1000)
    w.due(2000)
    assert "waited" not in w.told
    w.give(StateSeen(state=WORKING), 2000).due(2199)
    assert "waited" not in w.told
    assert "waited" in w.due(2200).told


def test_a_stage_can_succeed_at_the_limit(world, event):
    w = limited(world, actions_on_start=[]).says(event(ok=True))
    assert w.statuses == {"a": "succeeded"}
    w.due(5 * HOUR)
    assert w.typed == []


@pytest.mark.parametrize(
    ("orders", "deadline"),
    [
        ([(200, "hold"), (300, "skip"), (500, "work")], 1400),  # held while limited
        ([(200, "hold"), (300, "work"), (500, "skip")], 1400),  # limited, held, worked, released
        ([(150, "away"), (450, "back"), (500, "work")], 1400),
    ],
)
def test_time_that_does_not_count_for_two_reasons_is_given_back_once(world, orders, deadline):
    w = world(stage(timeout=1000, actions_on_start=[]))
    see(w, notice(HOUR), at=100)
    for at, what in orders:
        w.now = at
        if what == "work":
            w.give(StateSeen(state=WORKING))
        elif what == "away":
            w.give(Unreachable())
        elif what == "back":
            w.give(Reachable(away=300))
        else:
            w.order(what, reason="look" if what == "hold" else "")
    assert w.run.attempt.deadline == deadline


def test_before_the_limit_held_time_counts_as_before(world):
    w = world(stage(timeout=1000, actions_on_start=[]))
    w.now = 100
    w.order("hold", reason="look")
    see(w, notice(HOUR), at=200).give(StateSeen(state=WORKING), 400)
    w.now = 600
    w.order("skip")
    assert w.run.attempt.deadline == 1500


# ------------------------------------------------------------------------- the next try


def test_when_the_state_has_left_the_limit_it_is_over(world):
    w = done(limited(world).due(HOUR + 60))
    assert w.run.limit.standing is Standing.LEAVING
    w.give(StateSeen(state=WORKING), HOUR + 62).due(9 * HOUR)
    assert (w.typed, w.run.held) == (["go on<Enter>"], None)


def test_a_limit_that_comes_again_has_its_own_time_and_counts(world):
    w = done(limited(world, {**RESUME, "max_tries": 2}).due(HOUR + 60))
    w.give(StateSeen(state=WORKING), HOUR + 61)
    see(w, notice(2 * HOUR, "n2"), at=HOUR + 70)
    assert (len(told(w)), w.run.limit.until) == (2, 2 * HOUR)
    assert len({one.dedupe_key for one in told(w)}) == 2
    done(w.due(2 * HOUR + 60))
    assert [send.action_id for send in w.all(Send)] == ["r1/a/1/limit1", "r1/a/1/limit2"]
    w.give(StateSeen(state=WORKING))
    see(w, notice(3 * HOUR, "n3"), at=2 * HOUR + 65)
    assert w.run.held == "the agent is still at its usage limit after 2 tries (max_tries)"
    assert "stage.held" in w.told
    w.due(9 * HOUR)
    assert len(w.typed) == 2


def test_tries_of_a_limit_that_is_long_over_do_not_count(world):
    w = done(limited(world, {**RESUME, "max_tries": 1}).due(HOUR + 60))
    w.give(StateSeen(state=WORKING), HOUR + 61)
    see(w, notice(3 * HOUR, "n2"), at=HOUR + 61 + SETTLED)
    done(w.due(3 * HOUR + 60))
    assert (len(w.typed), w.run.held) == (2, None)


def test_an_agent_that_takes_the_message_and_stays_at_its_limit_gets_the_next_one(world):
    w = done(limited(world).due(HOUR + 60))
    see(w, notice(HOUR))  # the old notice still stands there
    w.due(HOUR + 60 + TAKEN - 1)
    assert w.run.limit.standing is Standing.LEAVING
    w.due(HOUR + 60 + TAKEN)
    assert w.run.limit.standing is Standing.WAITING
    for _ in range(2):
        done(w.due(w.now + 60))
        w.due(w.now + TAKEN)
    assert len(w.typed) == 3
    assert w.run.held is not None


def test_another_notice_after_the_message_is_the_limit_again(world):
    w = done(limited(world).due(HOUR + 60))
    see(w, notice(2 * HOUR, "n2"), at=HOUR + 65)
    assert (w.run.limit.standing, w.run.limit.until) == (Standing.WAITING, 2 * HOUR)


def test_a_countdown_is_one_limit_and_its_time_stays(world):
    w = limited(world)
    see(w, notice(HOUR + 50, "n2"), at=160)
    assert (w.run.limit.until, len(told(w))) == (HOUR, 1)
    see(w, notice(2 * HOUR, "n3"), at=170)
    assert (w.run.limit.until, len(told(w))) == (2 * HOUR, 1)


def test_the_same_notice_is_read_once(world):
    w = limited(world)
    see(w, notice(9 * HOUR), at=5000)  # "in 1 hour", read again later
    assert w.run.limit.until == HOUR


# ---------------------------------------------------------------------- no time is known


def test_without_a_reset_time_it_is_held_after_a_while(world):
    w = limited(world, until=None).due(100 + GRACE - 1)
    assert (w.told, w.run.held) == ([], None)
    w.due(100 + GRACE)
    assert w.told == ["limit.reached", "stage.held"]
    assert w.run.held == "the agent is at its usage limit, and no reset time is known (retry_every)"
    assert "it does not say when it ends" in told(w)[0].text
    assert w.due(9 * HOUR).typed == []


def test_retry_every_tries_without_a_reset_time(world):
    w = limited(world, {**RESUME, "retry_every": "30m", "max_tries": 2}, until=None).due(1899)
    assert (w.typed, w.run.held) == ([], None)
    done(w.due(1900))
    assert w.typed == ["go on<Enter>"]
    done(w.due(1900 + TAKEN + 1800))
    w.due(9 * HOUR)
    assert len(w.typed) == 2
    assert w.run.held == "the agent is still at its usage limit after 2 tries (max_tries)"


def test_a_notice_may_come_after_the_state_and_its_zone_after_the_notice(world):
    w = world(stage(RESUME)).give(StateSeen(state=LIMITED), 10)
    see(w, notice(None), at=12)
    assert w.told == []
    w.give(LimitsRead(limits=(notice(HOUR, zone="Asia/Tokyo, the host's own"),)), 13)
    assert "read in the zone Asia/Tokyo, the host's own" in told(w)[0].text
    assert w.due(HOUR + 60).typed == ["go on<Enter>"]


def test_a_limit_longer_than_max_wait_is_held_at_once(world):
    w = limited(world, {**RESUME, "max_wait": "1h"}, until=2 * HOUR)
    assert w.run.held.startswith("the agent's usage limit lasts longer than max_wait: until 1970-01-01 02:00 UTC")


@pytest.mark.parametrize("confidence", [0.7, 0.95])
def test_a_notice_below_the_bar_says_nothing(world, confidence):
    w = world(stage(RESUME, min_confidence=0.9))
    w.give(ScreenSeen(limits=(notice(HOUR, confidence=confidence),)), 10).give(StateSeen(state=LIMITED))
    assert w.run.limit.until == (HOUR if confidence > 0.9 else None)
    low = world(stage(RESUME, min_confidence=0.9)).give(StateSeen(state=LIMITED, confidence=0.85))
    assert low.run.limit is None


# ------------------------------------------------------------------------ what goes wrong


@pytest.mark.parametrize(("verb", "typed"), [("send", 2), ("skip", 1)])
def test_a_message_that_was_not_taken_is_held_and_a_person_decides(world, verb, typed):
    w = limited(world).due(HOUR + 60)
    w.give(SendHeld(action_id="r1/a/1/limit1", reason="someone is typing"))
    assert w.run.held == "someone is typing"
    w.due(5 * HOUR)
    assert len(w.typed) == 1
    w.order(verb).due(w.now + 5 * HOUR)
    assert len(w.typed) == typed
    assert w.run.held is None


def test_a_limit_that_is_over_when_it_would_be_typed_gets_nothing(world):
    w = limited(world).due(HOUR + 60)
    w.give(StateSeen(state=WORKING))
    assert w.all(StopSend) == []  # it may be our own message that has moved it
    w.give(SendMoot(action_id="r1/a/1/limit1", reason="the usage limit is over"))
    w.due(9 * HOUR)
    assert (len(w.typed), w.run.held, w.run.limit.action_id) == (1, None, None)


def test_a_text_left_behind_holds_although_the_limit_is_over(world):
    w = limited(world).due(HOUR + 60).give(StateSeen(state=WORKING))
    w.give(SendHeld(action_id="r1/a/1/limit1", reason="typed, not submitted"))
    assert w.run.held == "typed, not submitted"


def test_nothing_is_typed_while_the_stage_is_held(world):
    w = limited(world)
    w.order("hold", reason="look").due(3 * HOUR)
    assert w.typed == []
    w.order("skip")
    assert w.typed == ["go on<Enter>"]


def test_a_hold_stops_a_message_on_its_way(world):
    w = limited(world).due(HOUR + 60)
    w.order("hold", reason="look")
    assert w.all(StopSend) == [StopSend(action_id="r1/a/1/limit1")]
    assert w.due(9 * HOUR).typed == ["go on<Enter>"]


@pytest.mark.parametrize("end", ["cancel", "gone"])
def test_the_end_of_the_run_stops_a_message_on_its_way(world, end):
    w = limited(world).due(HOUR + 60)
    w.order("cancel") if end == "cancel" else w.give(PaneGone(reason="the pane is gone"))
    assert StopSend(action_id="r1/a/1/limit1") in w.new
    assert w.run.limit is None


def test_another_attempt_has_its_own_clock_and_tries(world, event):
    w = done(limited(world, {**RESUME, "max_tries": 1}, retries=1).due(HOUR + 60))
    w.says(event(ok=False))
    assert (w.run.attempt.number, w.run.limit.tries, w.run.limit.since) == (2, 0, w.now)
    w.give(StateSeen(state=WORKING), 3 * HOUR)
    assert w.run.attempt.deadline == 3 * HOUR + 30 * HOUR


def test_while_the_host_is_away_nothing_is_typed(world):
    w = limited(world).give(Unreachable(), 200).due(3 * HOUR)
    assert w.typed == []
    w.give(Reachable(away=3 * HOUR - 200))
    assert w.typed == ["go on<Enter>"]


def test_without_an_active_stage_it_is_told_and_waits(world):
    w = world({**stage(), "triggers": ["manual"]}, on_limit=RESUME)
    see(w, notice(HOUR), at=10).due(5 * HOUR)
    assert (len(told(w)), w.typed) == (1, [])


def test_the_stages_rule_comes_before_the_pipelines(world):
    w = world(stage({"resume": False}), on_limit=RESUME)
    assert see(w, notice(HOUR), at=10).due(5 * HOUR).typed == []
    w = world(stage(), on_limit=RESUME)
    assert see(w, notice(HOUR), at=10).due(5 * HOUR).typed == ["go on<Enter>"]


def test_an_approval_covers_the_message(world):
    w = world(stage(RESUME, require_approval=True))
    assert [keys.shown() for keys in w.last(Ask).sends] == ["go on<Enter>"]
    w.answer()
    assert see(w, notice(HOUR), at=10).due(2 * HOUR).typed == ["go on<Enter>"]


def test_a_message_that_is_not_what_was_approved_is_held(world):
    w = world(
        stage({**RESUME, "message": "go ${env.X}"}, require_approval=True), allow_env=["X"], run={"env": {"X": "on"}}
    )
    w.answer()
    w.run = replace(w.run, env={"X": "away"})
    see(w, notice(HOUR), at=10).due(2 * HOUR)
    assert (w.typed, w.run.held) == ([], "what it would type now is not what was approved")


def test_the_time_before_the_first_action_is_not_given_back(world):
    w = world(stage(timeout=1000, actions_on_start=[], require_approval=True))
    see(w, notice(HOUR), at=100).now = 300
    w.answer().give(StateSeen(state=WORKING), 500)
    assert w.run.attempt.deadline == 1500


def test_an_agent_that_flickers_is_told_of_once(world):
    w = limited(world)
    for second in range(110, 200, 10):
        w.give(StateSeen(state=WORKING), second)
        see(w, notice(HOUR, f"n{second}"), at=second + 5)
    assert len(told(w)) == 1
    assert w.due(HOUR + 60).typed == ["go on<Enter>"]


def test_a_message_with_a_variable_that_is_not_set_is_held(world):
    w = world(stage({**RESUME, "message": "go ${env.X}"}), allow_env=["X"])
    see(w, notice(HOUR), at=10).due(2 * HOUR)
    assert (w.typed, w.run.held) == ([], "cannot type: ${env.X} has no value")


# ------------------------------------------------------------------------- after a restart


def test_what_a_restart_finds(world):
    w = again(limited(world))
    assert (w.run.limit.until, w.run.limited) == (HOUR, True)
    see(w, notice(9 * HOUR)).due(HOUR + 60)
    assert (len(told(w)), w.typed) == (1, ["go on<Enter>"])
    w = again(w)
    (send,) = [one for one in resume.sends_in_hand(w.run) if isinstance(one, Send)]
    assert send == w.last(Send)
    assert resume.is_wanted(w.run, send)
    w.due(5 * HOUR)
    assert len(w.typed) == 1
    w = again(w.give(SendDone(action_id=send.action_id)))
    assert resume.sends_in_hand(w.run) == []


def test_a_run_of_an_earlier_version_knows_no_limit(world):
    w = world(stage(RESUME))
    state = to_json(w.run)
    del state["limit"]
    del state["attempt"]["resumes"]
    assert from_json(state, w.run.pipeline, {}).limit is None


# ------------------------------------------------------------------------- what is read


def signal(limit, **more):
    values = {
        "kind": SignalKind.LIMIT,
        "parser": "t",
        "trust": Trust.GUESSED,
        "confidence": 0.9,
        "digest": "d",
        "at": 0.0,
    }
    return Signal(**{**values, "limit": limit, **more})


def test_a_notice_is_read_in_the_hosts_zone_unless_it_names_one():
    tokyo = HostZone(zone=zone_of("Asia/Tokyo"), name="Asia/Tokyo, the host's own")
    cases = [("3pm", 6 * HOUR, tokyo.name), ("3pm UTC", 15 * HOUR, ""), ("in 2h", 2 * HOUR, ""), ("soon", None, "")]
    for text, until, zone in cases:
        (found,) = notices([signal(Limit(text="limit", reset=text))], 0.0, tokyo)
        assert (found.until, found.zone) == (until, zone), text
    (found,) = notices([signal(Limit(text="limit", reset="3pm"))], 0.0, None)
    assert found.until is None
    (found,) = notices([signal(Limit(text="limit", reset="in 2h"))], 0.0, None)
    assert found.until == 2 * HOUR


@pytest.mark.parametrize(
    "limit", [None, "x", Limit(text="a\x1b[31m\ud800" * 10_000, reset="\ud800" * 10_000), Limit(text=3, reset=None)]
)
def test_whatever_a_plugin_brings_is_bounded_and_can_be_written_down(world, limit):
    found = notices([signal(limit, digest="\ud800" * 1000, message="\x1b" * 10_000)], 0.0, None)
    w = see(world(stage(RESUME)), *found, at=1).due(100)
    text = json.dumps(to_json(w.run))
    assert len(text) < 5000
    assert "\\u001b" not in text
    assert again(w).run.limit is not None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "now"), (0.5, "now"), (45, "in 45 s"), (90, "in 2 min"), (4320, "in 1 h 12 min"), (90000, "in 1 d 1 h")],
)
def test_how_far_it_is(seconds, words):
    assert ahead(seconds) == words
