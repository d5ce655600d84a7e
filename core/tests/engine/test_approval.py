"""Asking a person before a stage acts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tmux_sentry.contracts import CheckStatus
from tmux_sentry.engine.events import (
    AboutToSend,
    Ask,
    CheckReported,
    CloseAsk,
    Decided,
    Keys,
    Notify,
    PaneGone,
    Record,
    Send,
    SendDone,
    SendHeld,
    StartCheck,
)
from tmux_sentry.engine.machine import next_due


def stage(**more):
    return {"name": "a", "require_approval": True, "actions_on_start": [{"send_keys": "rm -rf x"}], **more}


def with_spec(**spec):
    return stage(require_approval={"timeout": 100, **spec})


def test_nothing_is_typed_before_the_answer(world):
    w = world(stage())
    assert w.typed == []
    assert w.history == ["a/1 waiting_approval"]
    assert w.told == ["approval.asked"]


def test_yes_types_exactly_what_was_asked(world):
    w = world(stage())
    asked = w.last(Ask).sends
    w.answer().type()
    assert [keys.shown() for keys in asked] == w.typed
    assert w.last(CloseAsk).outcome == "approved"
    assert w.last(Record).approved_by == "ann"


def test_no_types_nothing(world):
    w = world(stage(retries=3)).answer(approved=False, comment="too early")
    assert w.typed == []
    assert w.last(CloseAsk).outcome == "rejected"
    assert "rejected by ann: too early" in [r.reason for r in w.all(Record)]
    assert w.run.status == "failed"


def test_the_question_covers_every_send_of_the_stage(world):
    lists = {name: [{"send_keys": name}] for name in ("on_success", "on_failure", "on_timeout")}
    w = world(stage(**lists))
    assert [keys.text for keys in w.last(Ask).sends] == ["rm -rf x", "on_success", "on_failure", "on_timeout"]


@pytest.mark.parametrize(
    "change",
    [
        {"on_failure": [{"send_keys": "x"}]},
        {"actions_on_start": [{"send_keys": "rm -rf y"}]},
        {"actions_on_start": [{"send_keys": {"text": "rm -rf x", "enter": False}}]},
        {"name": "b"},
    ],
)
def test_the_digest_is_another_for_anything_else(world, change):
    assert world(stage()).last(Ask).digest != world(stage(**change)).last(Ask).digest


def test_each_retry_asks_anew(world, event):
    w = world(stage(retries=1)).answer().type().says(event(ok=False))
    first, second = w.all(Ask)
    assert w.typed == ["rm -rf x<Enter>"]
    assert first.approval_id != second.approval_id
    w.give(Decided(approval_id=first.approval_id, approved=True, by="ann", digest=first.digest))
    assert len(w.typed) == 1, "the old answer is not for the new question"
    w.answer()
    assert len(w.typed) == 2


def test_an_answer_to_another_question_changes_nothing(world):
    w = world(stage())
    before = w.run
    assert w.answer(approval_id="0123456789").run == before
    assert w.new == ()


def test_a_second_answer_is_late(world):
    w = world(stage()).answer().answer(approved=False)
    assert w.typed == ["rm -rf x<Enter>"]
    assert w.statuses == {"a": "pending"}


@pytest.mark.parametrize("approved", [True, False])
def test_an_answer_to_something_else_than_was_shown_asks_anew(world, approved):
    w = world(stage()).answer(approved=approved, digest="0" * 64)
    assert w.typed == []
    assert w.last(CloseAsk).outcome == "superseded"
    assert len({ask.approval_id for ask in w.all(Ask)}) == 2
    assert w.answer().typed == ["rm -rf x<Enter>"]


def test_a_change_of_what_would_be_typed_makes_the_answer_void(world):
    w = world(stage(actions_on_start=[{"send_keys": "go ${env.X}"}]), allow_env=["X"], run={"env": {"X": "1"}})
    w.run = replace(w.run, env={"X": "2"})
    assert w.answer().typed == []
    assert [keys.text for keys in w.last(Ask).sends] == ["go 2"]


def test_a_change_after_the_answer_is_not_typed(world):
    sends = [{"send_keys": "one"}, {"send_keys": "two ${env.X}"}]
    w = world(stage(actions_on_start=sends), allow_env=["X"], run={"env": {"X": "1"}}).answer()
    w.run = replace(w.run, env={"X": "2"})
    w.type()
    assert w.typed == ["one<Enter>"]
    assert "not what was approved" in w.run.held


def test_what_a_check_says_later_was_not_approved(world):
    tail = {"text": "${check.log_tail}", "untrusted": {"max_chars": 80}}
    w = world(stage(actions_on_start=[{"external_check": {"type": "http"}}], on_failure=[{"send_keys": tail}])).answer()
    check = w.last(StartCheck).action_id
    w.give(CheckReported(action_id=check, status=CheckStatus.FAILURE, log_tail="curl evil | sh"))
    assert w.typed == []
    assert w.run.held


# ---------------------------------------------------------------------------- not asked


def test_a_question_that_cannot_be_put_is_held_and_never_skipped(world):
    w = world(stage(actions_on_start=[{"send_keys": "go ${env.X}"}]), allow_env=["X"])
    assert "env.X" in w.run.held
    w.order("send").order("skip")
    assert w.typed == []
    w.run = replace(w.run, env={"X": "1"})
    assert w.order("send").typed == []
    assert w.answer().typed == ["go 1<Enter>"]


def test_a_question_whose_variable_vanished_is_held(world):
    w = world(stage(actions_on_start=[{"send_keys": "go ${env.X}"}]), allow_env=["X"], run={"env": {"X": "1"}})
    w.run = replace(w.run, env={})
    assert w.answer().typed == []
    assert "env.X" in w.run.held


# --------------------------------------------------------------------------------- time


def test_nobody_answers_hold_keeps_the_question_open(world):
    w = world(with_spec()).due(100)
    assert w.statuses == {"a": "held"}
    assert w.all(CloseAsk) == []
    assert "approval.timeout" in w.told
    w.due(9999)
    assert w.answer().typed == ["rm -rf x<Enter>"]


def test_nobody_answers_reject(world):
    w = world(with_spec(on_timeout="reject", remind_after=50)).due(100)
    assert w.statuses == {"a": "rejected"}
    assert w.typed == []
    assert w.last(CloseAsk).outcome == "expired"
    assert w.run.status == "failed"


@pytest.mark.parametrize("on_timeout", ["hold", "reject"])
def test_time_alone_never_types(world, on_timeout):
    w = world(with_spec(on_timeout=on_timeout, remind_after=10))
    for at in range(0, 500, 7):
        w.due(at)
    assert w.typed == []


def test_one_reminder(world):
    w = world(with_spec(remind_after=40)).due(39)
    assert w.told == ["approval.asked"]
    w.due(40).due(60).due(99)
    assert w.told == ["approval.asked", "approval.reminder"]


def test_waiting_for_a_person_is_not_running(world):
    w = world(stage(timeout=10)).due(5000).answer()
    assert w.statuses == {"a": "pending"}
    assert next_due(w.run, w.now) is None, "no clock runs before the first keys"
    w.type()
    assert w.last(Record).started_at == 5000


@pytest.mark.parametrize("end", ["cancel", "gone", "abort"])
def test_a_question_that_is_moot_is_closed(world, end):
    w = world(with_spec())
    if end == "gone":
        w.give(PaneGone(reason="gone"))
    elif end == "abort":
        w.due(100).order("abort")
        assert w.statuses == {"a": "rejected"}
    else:
        w.order("cancel")
    assert w.last(CloseAsk).outcome == "cancelled"
    assert w.answer().typed == []


def test_a_question_that_stayed_open_is_withdrawn_by_a_hold(world):
    w = world(with_spec()).due(100).order("hold", reason="look first")
    assert w.last(CloseAsk).outcome == "cancelled"
    assert w.run.held == "look first"
    assert w.answer().typed == []
    assert w.run.held == "look first"


def test_a_held_question_is_put_anew_by_send(world):
    w = world(with_spec()).due(100).order("send")
    assert len(w.all(Ask)) == 2
    assert w.typed == []
    assert w.statuses == {"a": "waiting_approval"}


def test_a_send_that_is_held_after_the_approval_needs_no_new_one(world):
    w = world(stage()).answer()
    w.give(SendHeld(action_id="r1/a/1/1", reason="busy")).order("send")
    assert w.typed == ["rm -rf x<Enter>"] * 2


# ---------------------------------------------------------------- several people, escalation


def test_a_second_group_is_told_and_may_decide_when_nobody_has(world):
    spec = {"approvers": ["ann"], "escalate": {"after": "10m", "approvers": ["bob"], "channels": ["slack"]}}
    w = world({"name": "a", "require_approval": spec, "actions_on_start": [{"send_keys": "make"}]})
    rules = w.last(Ask).rules
    assert (rules.approvers, rules.second, rules.second_at, rules.until) == (("ann",), ("bob",), 600.0, None)
    w.due(599.0)
    assert "approval.escalated" not in w.told
    w.due(600.0)
    w.due(5000.0)
    assert w.told.count("approval.escalated") == 1
    (told,) = [notice for notice in w.all(Notify) if notice.event == "approval.escalated"]
    assert told.channels == ("slack",)
    assert told.fields["approval"] == w.last(Ask).approval_id


def test_what_was_decided_is_not_escalated(world):
    spec = {"escalate": {"after": "10m", "channels": ["slack"]}}
    w = world({"name": "a", "require_approval": spec, "actions_on_start": [{"send_keys": "make"}]}).answer()
    w.due(5000.0)
    assert "approval.escalated" not in w.told


def test_the_question_brings_who_may_answer_and_why_it_is_asked(world):
    spec = {
        "approvers": ["ann", "bob"],
        "required": 2,
        "any_reject": False,
        "reason": "the release",
        "timeout": "1h",
        "on_timeout": "reject",
    }
    ask = world({"name": "a", "require_approval": spec, "actions_on_start": [{"send_keys": "make"}]}).last(Ask)
    assert ask.reason == "the release"
    assert (ask.rules.required, ask.rules.any_reject, ask.rules.until) == (2, False, 3600.0)


# ------------------------------------------------------- something else than was approved


def changed(w, target):
    """The environment is another one, as after a restart."""
    w.run = replace(w.run, env={"TARGET": target})
    return w


def two_sends(world):
    stage = {"name": "a", "require_approval": True}
    stage["actions_on_start"] = [{"send_keys": "make ${env.TARGET}"}, {"send_keys": "make more ${env.TARGET}"}]
    return world(stage, allow_env=["TARGET"], run={"env": {"TARGET": "one"}}).answer()


def test_what_is_something_else_by_now_is_asked_for_anew_while_nothing_is_in_the_pane(world):
    w = two_sends(world)
    first = w.last(Ask)
    w.give(SendHeld(action_id=w.last(Send).action_id, reason="someone is typing"))
    changed(w, "two").order("send")
    again = w.last(Ask)
    assert again.approval_id != first.approval_id
    assert [keys.text for keys in again.sends] == ["make two", "make more two"]
    assert w.typed == ["make one<Enter>"]  # which was handed out, and held
    assert w.statuses == {"a": "waiting_approval"}
    w.answer()
    assert w.typed[-1] == "make two<Enter>"


def test_what_is_something_else_is_held_once_something_is_in_the_pane(world):
    w = changed(two_sends(world), "one")
    w.give(AboutToSend(action_id=w.last(Send).action_id))
    changed(w, "two")
    w.give(SendDone(action_id=w.last(Send).action_id))
    assert w.run.held == "what it would type now is not what was approved"
    assert len(w.all(Ask)) == 1
    assert len(w.all(Send)) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Keys(text="x<Enter>", enter=False), Keys(text="x")),
        (Keys(text="<C-c>", enter=False), Keys(keys=("C-c",))),
        (Keys(text="\\<Enter>", enter=False), Keys(text="\\")),
        (Keys(text="\\<Enter>", enter=False), Keys(text="<Enter>", enter=False)),
        (Keys(text="<C-c> <Escape>", enter=False), Keys(keys=("C-c", "Escape"))),
    ],
)
def test_no_two_sends_look_alike(one, other):
    assert one.shown() != other.shown()
