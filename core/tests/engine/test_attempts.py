"""The life of an attempt: actions, outcomes and their lists, retries, holds, a pane that goes away."""

from __future__ import annotations

import pytest

from tmux_sentry.contracts import CheckStatus
from tmux_sentry.engine.events import (
    AboutToSend,
    CheckReported,
    PaneGone,
    Record,
    Send,
    SendDone,
    SendHeld,
    StartCheck,
    StopCheck,
    StopSend,
)
from tmux_sentry.engine.run import Phase

LISTS = {
    "on_success": [{"notify": "well"}],
    "on_failure": [{"send_keys": {"keys": ["C-c"]}}, {"notify": "badly"}],
    "on_timeout": [{"notify": "late"}],
}


def stage(**more):
    return {"name": "a", "actions_on_start": [{"send_keys": "go"}], **more}


# ------------------------------------------------------------------------------ actions


def test_actions_come_one_after_the_other(world):
    w = world(stage(actions_on_start=[{"send_keys": "one"}, {"wait": 5}, {"notify": "half"}, {"send_keys": "two"}]))
    assert w.typed == ["one<Enter>"]
    w.type()
    assert (w.typed, w.told) == (["one<Enter>"], [])
    w.due(5)
    assert (w.typed, w.told) == (["one<Enter>", "two<Enter>"], ["half"])
    assert w.run.attempt.phase is Phase.ACTING
    w.type()
    assert w.run.attempt.phase is Phase.WATCHING


def test_each_send_has_an_id_of_its_own(world):
    w = world(stage(actions_on_start=[{"send_keys": "one"}, {"send_keys": "two"}])).type()
    ids = [send.action_id for send in w.all(Send)]
    assert len(ids) == len(set(ids)) == 2


@pytest.mark.parametrize("event", [SendDone, lambda action_id: SendHeld(action_id=action_id, reason="x")])
def test_news_of_another_send_is_ignored(world, event):
    w = world(stage())
    before = w.run
    assert w.give(event(action_id="r1/a/9/9")).run == before


def test_a_stage_that_types_is_running_when_its_keys_are_in_the_pane(world):
    w = world(stage())
    assert w.history == ["a/1 pending"]
    w.type(at=7)
    assert w.history == ["a/1 pending", "a/1 running"]
    assert w.last(Record).started_at == 7


def test_a_missing_variable_holds_the_stage_instead_of_typing(world):
    w = world(stage(actions_on_start=[{"send_keys": "echo ${env.TOKEN}"}]), allow_env=["TOKEN"])
    assert w.typed == []
    assert "env.TOKEN" in w.run.held


def test_a_variable_that_vanishes_before_the_keys_go_out_stops_the_send(world, new_run):
    w = world(
        stage(actions_on_start=[{"send_keys": "echo ${env.TOKEN}"}]), allow_env=["TOKEN"], run={"env": {"TOKEN": "x"}}
    )
    assert w.typed == ["echo x<Enter>"]
    w.run = type(w.run)(**{**{n: getattr(w.run, n) for n in w.run.__slots__}, "env": {}})
    w.give(AboutToSend(action_id=w.last(Send).action_id))
    assert w.all(StopSend)
    assert "env.TOKEN" in w.run.held


# ------------------------------------------------------------------- outcomes and lists


def test_success_carries_out_on_success_once(world, event):
    w = world(stage(retries=2, **LISTS)).type().says(event(ok=True))
    assert w.told == ["stage.succeeded", "well", "run.succeeded"]


def test_failure_carries_out_on_failure_after_each_attempt(world, event):
    w = world(stage(retries=1, **LISTS)).type().says(event(ok=False))
    assert w.typed == ["go<Enter>", "<C-c>"]
    w.type()
    assert w.typed == ["go<Enter>", "<C-c>", "go<Enter>"], "the next try comes after the cleaning up"
    w.type().says(event(ok=False)).type()
    assert w.typed == ["go<Enter>", "<C-c>", "go<Enter>", "<C-c>"]
    assert w.told.count("badly") == 2
    assert w.run.status == "failed"


@pytest.mark.parametrize(("lists", "told"), [(LISTS, "late"), ({"on_failure": [{"notify": "badly"}]}, "badly")])
def test_a_timeout_has_its_own_list_or_that_of_failure(world, lists, told):
    w = world(stage(timeout=60, **lists)).type().due(60)
    assert w.statuses == {"a": "timed_out"}
    assert told in w.told


def test_an_empty_on_timeout_does_nothing(world):
    w = world(stage(timeout=60, on_timeout=[], on_failure=[{"notify": "badly"}])).type().due(60)
    assert "badly" not in w.told


def test_on_failure_of_a_rejected_stage_types_nothing_but_tells(world):
    w = world(stage(require_approval=True, retries=3, **LISTS)).answer(approved=False)
    assert w.typed == []
    assert "badly" in w.told
    assert w.statuses == {"a": "rejected"}


def test_the_lists_wait_too(world, event):
    w = world(stage(on_failure=[{"wait": 10}, {"notify": "badly"}])).type().says(event(ok=False))
    assert "badly" not in w.told
    assert w.run.open
    w.due(10)
    assert "badly" in w.told
    assert not w.run.open


def test_output_after_the_outcome_changes_nothing(world, event):
    w = world(stage(on_failure=[{"wait": 10}])).type().says(event(ok=False)).says(event(ok=True))
    assert w.due(10).statuses == {"a": "failed"}


# ------------------------------------------------------------------------------ retries


def test_retries_come_after_their_delay(world, event):
    w = world(stage(retries=1, retry_delay=30)).type().says(event(ok=False)).due(29)
    assert w.typed == ["go<Enter>"]
    w.due(30)
    assert w.typed == ["go<Enter>"] * 2
    assert w.run.attempt.number == 2


def test_a_rest_longer_than_the_timeout_does_not_time_out(world, event):
    w = world(stage(retries=1, retry_delay=100, timeout=10)).type().says(event(ok=False)).due(99)
    assert w.statuses == {"a": "failed"}
    assert w.due(100).run.attempt.number == 2


def test_a_hundred_retries_at_once_are_carried_out(world):
    w = world({"name": "a", "retries": 100, "failure_when": [{"not": {"log_regex": "x"}}]})
    assert w.run.stages["a"].attempts == 101
    assert w.run.status == "failed"


def test_a_person_s_retry_has_all_its_retries_again(world, event):
    w = world(stage(retries=1))
    for _ in range(2):
        w.type().says(event(ok=False))
    w.order("retry").type().says(event(ok=False))
    assert w.run.open
    assert w.run.attempt.number == 4


# --------------------------------------------------------------------------------- held


def test_a_held_send_can_be_sent_again(world, event):
    w = world(stage())
    w.give(SendHeld(action_id=w.last(Send).action_id, reason="pane busy"))
    assert (w.run.held, w.history[-1], w.told) == ("pane busy", "a/1 held", ["stage.held"])
    w.order("send")
    assert w.typed == ["go<Enter>"] * 2
    assert w.history[-1] == "a/1 pending"
    assert w.type().says(event(ok=True)).statuses == {"a": "succeeded"}


def test_a_second_hold_of_one_attempt_is_told_again(world):
    w = world(stage())
    for _ in range(2):
        w.give(SendHeld(action_id=w.last(Send).action_id, reason="pane busy")).order("send")
    keys = [n.dedupe_key for n in w.effects if getattr(n, "event", "") == "stage.held"]
    assert len(set(keys)) == 2


def test_a_held_send_can_be_skipped(world):
    w = world(stage(actions_on_start=[{"send_keys": "one"}, {"send_keys": "two"}]))
    w.give(SendHeld(action_id=w.last(Send).action_id, reason="pane busy")).order("skip")
    assert w.typed == ["one<Enter>", "two<Enter>"]


def test_abort_fails_the_stage_without_another_try(world):
    w = world(stage(retries=5, **LISTS))
    w.give(SendHeld(action_id=w.last(Send).action_id, reason="pane busy")).order("abort").type()
    assert w.statuses == {"a": "failed"}
    assert w.run.status == "failed"
    assert "badly" in w.told


def test_a_hold_in_the_outcome_s_list_leaves_the_outcome_alone(world, event):
    w = world(stage(on_success=[{"send_keys": "clean"}]), {"name": "b", "triggers": [{"after_stage_success": "a"}]})
    w.type().says(event(ok=True)).give(SendHeld(action_id=w.last(Send).action_id, reason="pane busy"))
    assert w.run.held == "pane busy"
    assert w.statuses["a"] == "succeeded"
    w.order("abort")
    assert w.run.attempt.stage == "b", "giving up the list is not giving up the stage"


def test_a_hold_between_two_tries_puts_the_next_one_off(world, event):
    w = world(stage(retries=1, retry_delay=10)).type().says(event(ok=False)).order("hold", reason="wait for me")
    w.due(50)
    assert w.typed == ["go<Enter>"]
    w.order("send").due(60)
    assert w.typed == ["go<Enter>"] * 2


def test_abort_between_two_tries_ends_the_stage(world, event):
    w = world(stage(retries=1, retry_delay=10)).type().says(event(ok=False)).order("hold").order("abort")
    assert w.run.status == "failed"
    assert w.history.count("a/1 failed") == 1


def test_a_hold_by_order_stops_the_send_in_hand(world):
    w = world(stage()).order("hold", reason="the policy has changed")
    assert w.last(StopSend).action_id == w.last(Send).action_id
    w.type()  # it was too late to stop it
    assert w.run.held == "the policy has changed"
    assert w.statuses == {"a": "held"}
    w.order("send")
    assert w.typed == ["go<Enter>"], "what is in the pane is not typed again"
    assert w.statuses == {"a": "running"}


# ------------------------------------------------------------------------- the pane goes


def test_a_stage_without_a_pane_fails_types_nothing_and_tells(world):
    w = world(stage(retries=3, **LISTS)).type().give(PaneGone(reason="the pane is gone"))
    assert w.typed == ["go<Enter>"]
    assert w.told == ["stage.failed", "badly", "run.failed"]
    assert w.last(Record).reason == "the pane is gone"


def test_a_send_on_its_way_to_a_pane_that_is_gone_is_stopped(world):
    w = world(stage())
    w.give(PaneGone(reason="gone"))
    assert w.all(StopSend)
    assert w.run.status == "failed"


def test_the_list_goes_on_without_its_sends_when_the_pane_goes(world, event):
    w = world(stage(**LISTS)).type().says(event(ok=False))
    assert w.run.attempt.phase is Phase.ENDING
    w.give(PaneGone(reason="gone"))
    assert w.all(StopSend)
    assert "badly" in w.told
    assert not w.run.open


def test_a_held_stage_does_not_outlive_its_pane(world):
    w = world(stage())
    w.give(SendHeld(action_id=w.last(Send).action_id, reason="busy")).give(PaneGone(reason="gone"))
    assert w.run.status == "failed"


def test_a_rest_does_not_outlive_its_pane(world, event):
    w = world(stage(retries=1, retry_delay=10)).type().says(event(ok=False)).give(PaneGone(reason="gone"))
    assert w.run.status == "failed"


@pytest.mark.parametrize(
    ("more", "status", "expected"),
    [
        ({"success_when": [{"exit_code": 0}]}, 0, "succeeded"),
        ({"success_when": [{"exit_code": 0}]}, 1, "failed"),
        ({"success_when": [{"exit_code": 0}]}, None, "failed"),
        ({}, 0, "failed"),  # "the pane gone" always fails a stage that did not wait for it
        ({"failure_when": [{"exit_code": 0}], "success_when": [{"exit_code": 0}]}, 0, "failed"),
    ],
)
def test_the_exit_status_of_a_dead_pane(world, more, status, expected):
    w = world(stage(**more)).type().give(PaneGone(reason="gone", status=status))
    assert w.statuses == {"a": expected}


# ------------------------------------------------------------------------------- checks


CHECK = {"name": "a", "actions_on_start": [{"external_check": {"type": "http", "url": "u", "max_wait": 60}}]}


def report(w, status, index=0, **more):
    return w.give(CheckReported(action_id=w.all(StartCheck)[index].action_id, status=status, **more))


def test_a_check_that_succeeds_decides_the_stage(world):
    w = world(CHECK)
    assert w.last(StartCheck).config == {"url": "u"}
    assert report(w, CheckStatus.SUCCESS).statuses == {"a": "succeeded"}


@pytest.mark.parametrize("more", [{}, {"success_when": [{"external_status": "success"}]}])
def test_a_check_s_final_failure_always_fails(world, more):
    assert report(world({**CHECK, **more}), CheckStatus.FAILURE).statuses == {"a": "failed"}


@pytest.mark.parametrize(
    "wanted", [[{"external_status": "failure"}], [{"any_of": [{"external_status": "failure"}, {"log_regex": "x"}]}]]
)
def test_a_check_that_is_to_fail_may_fail(world, wanted):
    assert report(world({**CHECK, "success_when": wanted}), CheckStatus.FAILURE).statuses == {"a": "succeeded"}


def test_a_check_fails_a_stage_that_has_not_typed_yet(world):
    check = CHECK["actions_on_start"][0]
    w = report(world({"name": "a", "actions_on_start": [check, {"send_keys": "go"}]}), CheckStatus.FAILURE)
    assert w.all(StopSend)
    assert w.statuses == {"a": "failed"}


@pytest.mark.parametrize("status", [CheckStatus.UNKNOWN, CheckStatus.PENDING, CheckStatus.ATTENTION])
def test_an_answer_that_is_not_final_decides_nothing(world, status):
    for more in (
        {},
        {"success_when": [{"not": {"external_status": "failure"}}]},
        {"success_when": [{"not": {"external_status": "success"}}]},
    ):
        assert report(world({**CHECK, **more}), status).statuses == {"a": "running"}


@pytest.mark.parametrize("answer", [None, CheckStatus.UNKNOWN])
def test_max_wait_times_a_check_out(world, answer):
    w = world(CHECK)
    if answer:
        report(w, answer)
    w.due(59)
    assert w.statuses == {"a": "running"}
    w.due(60)  # asked once more
    assert report(w, CheckStatus.PENDING).due(61).statuses == {"a": "timed_out"}
    assert "max_wait" in w.last(Record).reason


def test_several_checks_must_all_succeed(world):
    one = {"external_check": {"type": "http"}}
    w = world({"name": "a", "actions_on_start": [one, one]})
    assert report(w, CheckStatus.SUCCESS).run.open
    assert report(w, CheckStatus.SUCCESS, 1).statuses == {"a": "succeeded"}


def test_a_check_that_nobody_needs_any_more_is_stopped(world):
    one = {"external_check": {"type": "http"}}
    w = report(world({"name": "a", "actions_on_start": [one, one]}), CheckStatus.FAILURE)
    assert [stop.action_id for stop in w.all(StopCheck)] == [w.all(StartCheck)[1].action_id]


def test_people_are_told_what_the_check_said(world):
    w = world({**CHECK, "on_failure": [{"notify": "${check.status}: ${check.detail} ${check.url}"}]})
    report(w, CheckStatus.FAILURE, detail="2 red", url="http://ci/7")
    assert "failure: 2 red http://ci/7" in w.told
