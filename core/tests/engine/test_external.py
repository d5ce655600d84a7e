"""What an attempt makes of its external check's answers: reruns, people who are needed, silence, restarts."""

from __future__ import annotations

import pytest

from tmux_sentry.contracts import CheckStatus
from tmux_sentry.engine import external
from tmux_sentry.engine.events import (
    AskCheck,
    CheckRemembered,
    CheckReported,
    Notify,
    Reachable,
    Record,
    SendHeld,
    StartCheck,
    StopCheck,
    Unreachable,
)
from tmux_sentry.engine.machine import next_due
from tmux_sentry.engine.plan import REPORT_EXIT
from tmux_sentry.engine.run import from_json, to_json
from tmux_sentry.notify import texts
from tmux_sentry.policy.advice import EVENTS

PENDING, SUCCESS, FAILURE = CheckStatus.PENDING, CheckStatus.SUCCESS, CheckStatus.FAILURE
ATTENTION, UNKNOWN = CheckStatus.ATTENTION, CheckStatus.UNKNOWN


def stage(*before, **check):
    action = {"external_check": {"type": "ci", "url": "u", **check}}
    return {"name": "a", "actions_on_start": [*before, action], "timeout": "1h"}


def test_every_event_of_checks_is_known_to_routes_and_has_a_chinese_title():
    for event in ("check.needs_attention", "check.failed", "check.unknown"):
        assert event in EVENTS
        assert "deploy" in texts.title("zh", event, "", {"pipeline": "ci", "stage": "deploy"})


def report(w, status, at=None, **more):
    return w.give(CheckReported(action_id=w.last(StartCheck).action_id, status=status, **more), at)


def again(w):
    """The Run as the next process reads it."""
    return from_json(to_json(w.run), w.run.pipeline, w.run.env)


# ------------------------------------------------------------------------------ reruns


def test_a_failure_that_is_run_again_in_time_does_not_fail_the_stage(world):
    w = world(stage(accept_rerun="10m"))
    assert w.last(StartCheck).follow
    report(w, FAILURE, 10.0, detail="attempt 1 failed")
    w.due(500.0)
    assert w.statuses == {"a": "running"}
    report(w, PENDING, 505.0, detail="attempt 2")
    w.due(2000.0)
    assert w.statuses == {"a": "running"}
    assert report(w, SUCCESS).statuses == {"a": "succeeded"}


def test_people_hear_of_the_failure_that_may_be_run_again(world):
    w = report(world(stage(accept_rerun="10m")), FAILURE, detail="lint is red", url="http://ci/7")
    report(w, FAILURE, 1.0, detail="lint is red")
    assert w.told.count("check.failed") == 1
    assert w.last(Notify).text == "lint is red\nhttp://ci/7"


def test_a_failure_that_nobody_runs_again_fails_the_stage_when_its_time_is_over(world):
    w = report(world(stage(accept_rerun="10m")), FAILURE, 10.0, detail="lint is red")
    report(w, FAILURE, 400.0)  # the same one: its time does not begin again
    report(w, UNKNOWN, 500.0, detail="HTTP 502")  # which does not say that it runs again
    w.due(609.0)
    assert w.statuses == {"a": "running"}
    w.due(610.0)
    assert w.statuses == {"a": "failed"}
    assert w.all(StopCheck)


def test_a_failure_counts_at_once_where_no_rerun_is_accepted(world):
    w = world(stage())
    assert not w.last(StartCheck).follow
    assert report(w, FAILURE, detail="lint is red").statuses == {"a": "failed"}
    assert w.last(Record).reason == "the external check failed: lint is red"


def test_max_wait_ends_the_time_for_a_rerun_as_a_failure(world):
    w = report(world(stage(accept_rerun="10m", max_wait=60)), FAILURE, 10.0)
    assert w.due(60.0).statuses == {"a": "failed"}


def test_the_time_for_a_rerun_stands_still_while_the_host_is_away(world):
    w = report(world(stage(accept_rerun="10m")), FAILURE, 10.0)
    w.give(Unreachable(), 20.0).give(Reachable(away=1000.0), 1020.0)
    w.due(1600.0)
    assert w.statuses == {"a": "running"}
    assert w.due(1610.0).statuses == {"a": "failed"}


# --------------------------------------------------------------- people who are needed


def test_people_hear_each_time_that_a_check_comes_to_wait_for_them(world):
    w = world(stage())
    report(w, ATTENTION, 1.0, detail="production waits for a review", url="http://ci/7")
    report(w, ATTENTION, 2.0, detail="production waits for a review")
    assert w.told == ["check.needs_attention"]
    assert w.last(Notify).text == "production waits for a review\nhttp://ci/7"
    assert w.statuses == {"a": "running"}
    report(w, UNKNOWN, 2.5, detail="HTTP 502")
    report(w, ATTENTION, 2.6, detail="production waits for a review")
    assert w.told == ["check.needs_attention"]
    report(w, ATTENTION, 3.0, detail="europe waits for a review")
    report(w, PENDING, 4.0)
    report(w, ATTENTION, 5.0, detail="europe waits for a review")
    keys = [n.dedupe_key for n in w.all(Notify)]
    assert len(set(keys)) == len(keys) == 3


def test_a_check_that_waits_for_people_still_has_its_deadline(world):
    w = report(world(stage(max_wait=60)), ATTENTION, 1.0, detail="production waits for a review")
    report(w.due(60.0), ATTENTION, 61.0, detail="production waits for a review")
    assert w.due(61.0).statuses == {"a": "timed_out"}
    assert w.all(StopCheck)
    assert w.last(Record).reason.endswith("max_wait: production waits for a review")
    assert w.told == ["check.needs_attention", "stage.timed_out", "run.failed"]


def test_people_hear_of_a_service_that_does_not_answer_once_and_not_of_one_hiccup(world):
    w = world(stage())
    for at in (1.0, 2.0):
        report(w, UNKNOWN, at, detail="HTTP 502")
    assert w.told == []
    report(w, UNKNOWN, 3.0, detail="HTTP 401: the token has expired")
    report(w, UNKNOWN, 4.0, detail="HTTP 401: the token has expired")
    assert w.told == ["check.unknown"]
    assert "expired" in w.last(Notify).text
    report(w, PENDING, 5.0)
    report(w, UNKNOWN, 6.0)
    assert w.told == ["check.unknown"]


def test_the_deadline_of_the_stage_names_what_the_check_said_last(world):
    w = report(world({**stage(), "timeout": 30}), UNKNOWN, 1.0, detail="HTTP 404")
    assert w.due(30.0).due(30.0 + external.LAST).statuses == {"a": "timed_out"}
    assert w.last(Record).reason == "not decided after 30 s: HTTP 404"


# --------------------------------------------------------------------- the last answer


@pytest.mark.parametrize(
    ("more", "at"), [({"timeout": "1h"}, 60.0), ({"timeout": 40}, 40.0)], ids=["max_wait", "timeout"]
)
def test_a_check_that_ended_before_its_deadline_counts_though_nobody_had_asked_since(world, more, at):
    w = world({**stage(max_wait=60), **more}).due(at)
    assert w.last(AskCheck).action_id == w.last(StartCheck).action_id
    assert w.statuses == {"a": "running"}
    assert report(w, SUCCESS, at + 1.0).statuses == {"a": "succeeded"}


@pytest.mark.parametrize(
    ("answers", "at"),
    [([PENDING], 61.0), ([ATTENTION], 61.0), ([], 60.0 + external.LAST), ([UNKNOWN], 60.0 + external.LAST)],
)
def test_the_last_answer_is_waited_for_no_longer_than_it_takes(world, answers, at):
    w = world(stage(max_wait=60)).due(60.0)
    for status in answers:
        report(w, status, 61.0)
    if at > 61.0:
        assert w.due(at - 1.0).statuses == {"a": "running"}
    assert w.due(at).statuses == {"a": "timed_out"}
    assert len(w.all(AskCheck)) == 1


def test_the_clock_comes_again_when_the_last_answer_is_late(world):
    w = world({**stage(max_wait=60), "timeout": 60}).due(60.0)
    assert next_due(w.run, 60.0) == 60.0 + external.LAST
    report(w, PENDING, 61.0)
    assert next_due(w.run, 61.0) == 61.0


def test_the_time_for_the_last_answer_stands_still_while_the_host_is_away(world):
    w = world(stage(max_wait=60)).due(60.0)
    w.give(Unreachable(), 70.0).give(Reachable(away=1000.0), 1070.0).due(1060.0 + external.LAST - 1.0)
    assert w.statuses == {"a": "running"}
    assert w.due(1060.0 + external.LAST).statuses == {"a": "timed_out"}


def test_after_a_restart_past_its_deadline_a_check_is_asked_before_it_is_judged(world):
    w = world(stage(max_wait=60))
    w.run = again(w)
    w.give(Unreachable(), 500.0).give(Reachable(away=0.0), 500.0).due(500.0)
    assert w.statuses == {"a": "running"}
    assert report(w, SUCCESS, 501.0).statuses == {"a": "succeeded"}


# -------------------------------------------------------------- what belongs to whom


def remember(w, **memory):
    return w.give(CheckRemembered(action_id=w.last(StartCheck).action_id, memory=memory))


def test_a_check_is_told_what_the_checks_before_it_have_followed(world):
    one, other = ({"external_check": {"type": kind}} for kind in ("ci", "other"))
    a = {"name": "a", "actions_on_start": [one], "retries": 1}
    b = {"name": "b", "triggers": [{"after_stage_success": "a"}], "actions_on_start": [one]}
    c = {"name": "c", "triggers": [{"after_stage_success": "b"}], "actions_on_start": [other]}
    w = world(a, b, c)
    assert w.last(StartCheck).earlier == ()
    report(remember(w, run_id=1), FAILURE)
    assert w.last(StartCheck).earlier == ({"run_id": 1},)
    remember(w, run_id=1, seen=True)
    report(remember(w, run_id=2), SUCCESS)
    assert w.run.attempt.stage == "b"
    assert w.last(StartCheck).earlier == ({"run_id": 1}, {"run_id": 2})
    remember(w, run_id=3)
    (check,) = external.in_hand(again(w))
    assert (check.memory, check.earlier) == ({"run_id": 3}, ({"run_id": 1}, {"run_id": 2}))
    report(w, SUCCESS)
    assert (w.run.attempt.stage, w.last(StartCheck).earlier) == ("c", ())


def test_checks_of_one_attempt_take_nothing_from_one_another(world):
    one = {"external_check": {"type": "ci"}}
    w = world({"name": "a", "actions_on_start": [one, one]})
    first, second = w.all(StartCheck)
    for check in (first, second):
        w.give(CheckRemembered(action_id=check.action_id, memory={"of": check.action_id}))
    assert [check.earlier for check in external.in_hand(again(w))] == [(), ()]


def test_a_run_from_an_earlier_version_has_followed_nothing(world):
    w = world(stage())
    data = to_json(w.run)
    del data["followed"], data["attempt"]["check_last"], data["attempt"]["check_told"]
    assert from_json(data, w.run.pipeline, w.run.env) == w.run


# ----------------------------------------------------------------------- what is shown


def test_percent_stays_while_a_service_is_silent_and_goes_with_the_next_answer(world):
    w = report(world(stage()), PENDING, percent=40.0)
    assert report(w, UNKNOWN).run.attempt.check_percent == 40.0
    assert report(w, PENDING).run.attempt.check_percent is None


# ---------------------------------------------------------------------------- restarts


@pytest.mark.parametrize("status", [None, PENDING, ATTENTION, UNKNOWN])
def test_after_a_restart_an_open_check_goes_on_with_what_it_remembered(world, status):
    w = world(stage(accept_rerun="10m"))
    first = w.last(StartCheck)
    w.give(CheckRemembered(action_id=first.action_id, memory={"run_id": 7}))
    if status is not None:
        report(w, status)
    (check,) = external.in_hand(again(w))
    assert (check.action_id, check.config, check.memory, check.follow) == (
        first.action_id,
        {"url": "u"},
        {"run_id": 7},
        True,
    )
    assert check.started_at == first.started_at


def test_a_failure_that_may_be_run_again_is_asked_on_after_a_restart(world):
    w = report(world(stage(accept_rerun="10m")), FAILURE)
    assert [check.follow for check in external.in_hand(again(w))] == [True]


@pytest.mark.parametrize("status", [SUCCESS, FAILURE])
def test_after_a_restart_a_check_that_is_answered_is_not_asked(world, status):
    w = world({**stage(), "on_success": [{"wait": 60}], "on_failure": [{"wait": 60}]})
    report(w, status)
    assert list(external.in_hand(again(w))) == []


def test_a_held_stage_keeps_its_check(world):
    """A send behind the check is held: the world goes on meanwhile."""
    w = world({"name": "a", "actions_on_start": [stage()["actions_on_start"][0], {"send_keys": "x"}]})
    w.give(SendHeld(action_id="r1/a/1/1", reason="someone is typing"))
    assert w.run.held
    assert [check.type for check in external.in_hand(again(w))] == ["ci"]


def test_what_a_check_remembers_of_another_attempt_is_nobody_s(world):
    w = world(stage())
    before = w.run
    assert w.give(CheckRemembered(action_id="r1/a/9/check1", memory={"x": 1})).run == before


def test_a_check_is_told_what_the_stage_has_typed_as_the_policy_has_it(world):
    w = world(stage({"send_keys": {"text": "gh workflow run x.yml", "report_exit": True}}))
    w.type()
    assert w.last(StartCheck).typed == ("gh workflow run x.yml",)
    assert REPORT_EXIT in w.run.attempt.typed[0]
