"""A person's orders, and which of them make no sense."""

from __future__ import annotations

import pytest

from tmux_sentry.engine.events import CloseAsk, Order, PaneGone, Record, Send, SendHeld, StopSend
from tmux_sentry.engine.orders import refusal, ways_on
from tmux_sentry.engine.plan import UNSEEN
from tmux_sentry.engine.resume import send_in_hand
from tmux_sentry.engine.run import from_json, to_json


def stage(name, *triggers, **more):
    return {"name": name, "triggers": list(triggers), "actions_on_start": [{"send_keys": f"run {name}"}], **more}


def after(*names):
    return {"after_stage_success": list(names)}


def why(w, verb, name=None):
    return refusal(w.run, Order(verb=verb, stage=name))


def ends(w, event, *oks):
    for ok in oks:
        w.type().says(event(ok=ok))
    return w


# ----------------------------------------------------------------------- retry and start


def test_retry_tries_the_failed_stage_and_what_waited_for_it(world, event):
    w = ends(world(stage("lint"), stage("test", after("lint")), stage("build", after("test"))), event, True, False)
    assert w.statuses == {"lint": "succeeded", "test": "failed", "build": "skipped"}
    w.order("retry")
    assert w.typed[-1] == "run test<Enter>"
    assert w.statuses == {"lint": "succeeded", "test": "pending", "build": "pending"}
    ends(w, event, True, True)
    assert w.run.status == "succeeded"
    assert w.statuses == {"lint": "succeeded", "test": "succeeded", "build": "succeeded"}


def test_attempts_go_on_counting_after_a_retry(world, event):
    w = ends(world(stage("a")), event, False).order("retry")
    assert w.run.attempt.number == 2
    assert "a/2 pending" in w.history


def test_retry_means_the_failed_stage_and_not_one_that_was_skipped(world, event):
    w = world(stage("fix", {"after_stage_failure": "x"}), stage("x", require_approval=True, retries=0), stage("a"))
    w.answer()
    ends(w, event, True, False)
    assert w.statuses == {"fix": "skipped", "x": "succeeded", "a": "failed"}
    assert w.order("retry").typed[-1] == "run a<Enter>"


def test_a_stage_that_failed_downstream_may_be_triggered_again(world, event):
    w = ends(world(stage("a"), stage("b", after("a"))), event, True, False).order("retry", "a")
    ends(w, event, True)
    assert w.typed[-1] == "run b<Enter>"
    assert w.run.attempt.number == 2


def test_retry_leaves_other_branches_alone(world, event):
    w = ends(world(stage("a"), stage("b")), event, False, False).order("retry", "b")
    assert w.statuses == {"a": "failed", "b": "pending"}
    ends(w, event, True)
    assert w.typed.count("run a<Enter>") == 1


def test_what_succeeded_stays_when_the_stage_before_it_is_retried(world, event):
    w = ends(world(stage("a"), stage("fix", {"after_stage_failure": "a"})), event, False, True).order("retry")
    assert w.statuses == {"a": "pending", "fix": "succeeded"}


def test_a_join_fires_when_the_missing_stage_succeeds_at_last(world, event):
    w = ends(world(stage("a"), stage("b"), stage("both", after("a", "b"))), event, True, False)
    ends(w.order("retry", "b"), event, True)
    assert w.typed[-1] == "run both<Enter>"


def test_start_runs_a_manual_stage(world):
    w = world(stage("deploy", "manual"))
    assert w.typed == []
    assert w.order("start", "deploy").typed == ["run deploy<Enter>"]


def test_start_queues_behind_the_active_stage(world, event):
    w = world(stage("a"), stage("deploy", "manual")).order("start", "deploy").order("start", "deploy")
    assert w.run.queue == ("deploy",)
    assert ends(w, event, True).typed == ["run a<Enter>", "run deploy<Enter>"]


def test_start_runs_a_stage_again_that_succeeded(world, event):
    w = ends(world(stage("a")), event, True).order("start", "a")
    assert w.run.open
    assert ends(w, event, True).run.status == "succeeded"
    assert w.typed == ["run a<Enter>"] * 2


def test_start_still_asks_for_approval(world):
    w = world(stage("deploy", "manual", require_approval=True)).order("start", "deploy")
    assert w.typed == []
    assert w.answer().typed == ["run deploy<Enter>"]


def test_a_cancelled_run_goes_on_where_a_person_says(world, event):
    w = world(stage("a"), stage("b"), stage("c", after("a"))).order("cancel").order("retry")
    assert w.typed == ["run a<Enter>", "run a<Enter>"]
    assert w.run.queue == ("b",)
    assert ends(w, event, True, True, True).run.status == "succeeded"


# ---------------------------------------------- where the exit status cannot be observed


REPORT = {"send_keys": {"text": "make", "report_exit": True}}
EXIT, SAYS = {"exit_code": 0}, {"log_regex": "done"}


@pytest.mark.parametrize(
    ("more", "needs"),
    [
        ({}, True),
        ({"success_when": [EXIT]}, True),
        ({"success_when": [{"any_of": [SAYS, EXIT]}]}, True),
        ({"success_when": [SAYS], "failure_when": [{"exit_code": 2}]}, True),
        ({"success_when": [SAYS]}, False),
        ({"actions_on_start": [{"send_keys": "make"}]}, False),
        ({"actions_on_start": [{"send_keys": "make"}], "success_when": [EXIT]}, False),
    ],
)
def test_which_sends_need_their_exit_status(world, more, needs):
    w = world({"name": "a", "actions_on_start": [REPORT], **more})
    assert w.last(Send).needs_exit is needs
    in_hand = send_in_hand(w.run)
    assert isinstance(in_hand, Send)
    assert in_hand.needs_exit is needs


def test_what_follows_the_outcome_needs_none(world, event):
    w = ends(world({"name": "a", "actions_on_start": [REPORT], "on_success": [REPORT]}), event, True)
    assert (len(w.typed), w.last(Send).needs_exit) == (2, False)


@pytest.mark.parametrize(("reason", "needs"), [(UNSEEN, False), ("someone is typing", True)])
def test_only_a_person_who_was_told_that_it_is_unseen_sends_it_all_the_same(world, reason, needs):
    w = world({"name": "a", "actions_on_start": [REPORT]})
    w.give(SendHeld(action_id=w.last(Send).action_id, reason=reason)).order("send")
    assert (len(w.typed), w.last(Send).needs_exit) == (2, needs)
    in_hand = send_in_hand(from_json(to_json(w.run), w.run.pipeline, w.run.env))  # as the next process has it
    assert isinstance(in_hand, Send)
    assert in_hand.needs_exit is needs


# ------------------------------------------------------------------------------- cancel


def test_cancel_ends_everything_at_once(world):
    w = world(stage("a", on_failure=[{"notify": "badly"}]), stage("b")).order("cancel")
    assert w.run.status == "cancelled"
    assert w.all(StopSend)
    assert w.last(Record).status == "cancelled"
    assert w.told == ["run.cancelled"]


def test_cancel_withdraws_the_question(world):
    assert world(stage("a", require_approval=True)).order("cancel").last(CloseAsk).outcome == "cancelled"


def test_cancel_does_not_rewrite_an_outcome(world, event):
    w = ends(world(stage("a", on_success=[{"wait": 60}])), event, True).order("cancel")
    assert w.statuses == {"a": "succeeded"}
    assert w.run.status == "cancelled"


# ----------------------------------------------------------------------------- refusals


def test_refusals_say_why(world, event):
    w = world(stage("a"), stage("b", after("a")))
    assert why(w, "start", "lint") == "pipeline ci has no stage lint (it has: a, b)"
    assert why(w, "start", "a") == "stage a is already active"
    assert why(w, "start", "b") is None
    assert why(w, "retry") == "no stage of this run has failed; name one"
    assert why(w, "send") == why(w, "skip") == why(w, "abort") == "nothing of this run is held"
    assert why(w, "cancel") is None
    assert why(w, "hold") is None
    w.order("hold", reason="x")
    assert why(w, "hold") == "it is held already: x"
    assert why(w, "send") is why(w, "skip") is why(w, "abort") is None
    w.order("cancel")
    assert why(w, "cancel") == "the run has already ended: cancelled"
    assert why(w, "hold") == "no stage of this run is active"


def test_an_approval_cannot_be_skipped(world):
    w = world(stage("a", require_approval={"timeout": 10})).due(10)
    assert why(w, "skip").endswith("cannot be skipped: approve or reject it")
    assert w.order("skip").typed == []
    assert ways_on(w.run) == "--send|--abort"
    w.order("hold", reason="the stage is gone")  # and its question with it
    assert why(w, "skip").endswith("cannot be skipped: --send asks anew, --abort ends it")


def test_a_run_without_its_pane_cannot_go_on(world):
    w = world(stage("a")).give(PaneGone(reason="closed"))
    assert why(w, "retry") == why(w, "start", "a") == "the pane is gone: closed"


@pytest.mark.parametrize("verb", ["start", "retry", "send", "skip", "abort", "hold", "cancel"])
def test_what_is_refused_changes_nothing(world, event, verb):
    w = ends(world(stage("a")), event, True)
    before = w.run
    if why(w, verb):
        w.order(verb)
        assert (w.run, w.new) == (before, ())
        w.order(verb, "no such stage")
        assert (w.run, w.new) == (before, ())
