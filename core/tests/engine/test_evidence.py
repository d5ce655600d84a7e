"""Events count once, for the running stage, when they are news."""

from __future__ import annotations

import pytest

from tmux_sentry.contracts import Trust
from tmux_sentry.engine.events import AboutToSend, ExitSeen, OutputSeen, ScreenSeen, Send, SendDone


def stage(name="a", **more):
    return {"name": name, "actions_on_start": [{"send_keys": "go"}], **more}


def shows(*signals, resync=False, lines=()):
    return ScreenSeen(lines=lines, signals=signals, resync=resync)


@pytest.fixture
def old(event):
    """The same event, read from a picture."""
    return lambda *args, **fields: event(*args, live=False, **fields)


# ----------------------------------------------------------------------- whose it is


@pytest.mark.parametrize(("name", "status"), [("a", "succeeded"), (None, "succeeded"), ("b", "running")])
def test_a_status_counts_for_the_running_stage_only(world, event, name, status):
    assert world(stage()).type().says(event(stage=name, ok=True)).statuses == {"a": status}


def test_a_status_for_a_later_stage_is_never_remembered(world, event):
    w = world(stage("a"), stage("b", triggers=[{"after_stage_success": "a"}])).type()
    w.says(event(stage="b", ok=True), event(stage="a", ok=True)).type()
    assert w.statuses == {"a": "succeeded", "b": "running"}


def test_an_event_of_another_run_is_not_ours(world, event):
    w = world(stage()).type().says(event(ok=True, run="r2"))
    assert w.statuses == {"a": "running"}
    assert w.says(event(ok=True, run="r1", message="x")).statuses == {"a": "succeeded"}


@pytest.mark.parametrize(
    ("more", "fields", "status"),
    [
        ({}, {"confidence": 0.7}, "running"),
        ({}, {"trust": Trust.GUESSED}, "running"),
        ({"min_trust": "guessed"}, {"trust": Trust.GUESSED}, "succeeded"),
        ({"min_trust": "signed"}, {}, "running"),
        ({"min_trust": "signed"}, {"trust": Trust.EMITTED}, "succeeded"),
        ({"min_confidence": 0.5}, {"confidence": 0.5}, "succeeded"),
    ],
)
def test_a_status_below_the_bar_is_not_acted_on(world, event, more, fields, status):
    assert world(stage(**more)).type().says(event(ok=True, **fields)).statuses == {"a": status}


def test_a_sentry_condition_takes_the_event_it_describes(world, event):
    w = world(stage(success_when=[{"sentry": {"type": "DONE"}}])).type().says(event(ok=True))
    assert w.statuses == {"a": "running"}
    assert w.says(event("DONE", ok=True)).statuses == {"a": "succeeded"}


def test_no_event_counts_before_the_keys(world, event):
    w = world(stage()).says(event(ok=True)).type()
    assert w.statuses == {"a": "running"}


def test_what_comes_between_a_refused_send_and_the_next_look_is_not_about_the_keys(world, event):
    w = world(stage(success_when=[{"log_regex": "fine"}], failure_when=[{"log_regex": "bad"}]))
    action = w.last(Send).action_id
    w.give(AboutToSend(action_id=action)).prints("$ theirs", "fine", "bad", "x", "y", "z").give(ExitSeen(code=1))
    assert w.statuses == {"a": "pending"}, "a person typed something else meanwhile"
    w.give(AboutToSend(action_id=action)).give(SendDone(action_id=action))
    assert w.statuses == {"a": "running"}


def test_an_outcome_seen_before_the_answer_of_the_guard_is_not_lost(world):
    w = world(stage(success_when=[{"log_regex": "fine"}]))
    action = w.last(Send).action_id
    w.give(AboutToSend(action_id=action)).prints("$ go", "fine").give(SendDone(action_id=action))
    assert w.statuses == {"a": "succeeded"}


def test_a_failure_after_the_first_keys_stops_the_second(world):
    two = [{"send_keys": "one"}, {"send_keys": "two"}]
    w = world(stage(actions_on_start=two, failure_when=[{"log_regex": "bad"}]))
    action = w.last(Send).action_id
    w.give(AboutToSend(action_id=action)).prints("$ one", "bad").give(SendDone(action_id=action))
    assert w.typed == ["one<Enter>"]
    assert w.statuses == {"a": "failed"}


def test_cleaning_up_after_such_a_failure_is_done_in_order(world):
    clean = [{"send_keys": {"keys": ["C-c"]}}, {"notify": "cleaned"}]
    w = world(stage(failure_when=[{"log_regex": "bad"}], on_failure=clean))
    action = w.last(Send).action_id
    w.give(AboutToSend(action_id=action)).prints("$ go", "bad").give(SendDone(action_id=action))
    assert w.typed == ["go<Enter>", "<C-c>"]
    assert "cleaned" not in w.told
    assert "cleaned" in w.type().told


def test_success_waits_for_the_last_keys(world, event):
    w = world(stage(actions_on_start=[{"send_keys": "one"}, {"send_keys": "two"}])).type().says(event(ok=True))
    assert w.statuses == {"a": "running"}
    assert w.type().statuses == {"a": "succeeded"}


# ------------------------------------------------------------------------------- once


def retried(w, event_):
    return w.type().says(event_).type()


def test_an_event_without_an_id_counts_once_an_attempt(world, event):
    w = retried(world(stage(retries=2)), event(ok=False))
    assert w.says(event(ok=False)).run.attempt.number == 3


def test_an_event_with_an_id_counts_once_a_run(world, event):
    w = retried(world(stage(retries=2)), event(ok=False, event_id="7"))
    assert w.says(event(ok=False, event_id="7")).run.attempt.number == 2
    assert w.says(event(ok=False, event_id="8")).run.attempt.number == 3


def test_what_was_on_the_screen_when_the_keys_went_in_is_old(world, old):
    e = old(ok=True)
    w = world(stage()).type(digests=(e.digest,)).give(shows(e)).give(shows()).give(shows(e))
    assert w.statuses == {"a": "running"}


def test_what_was_on_the_screen_with_an_id_when_the_keys_went_in_is_old(world, old):
    e = old(ok=True, event_id="7")
    assert world(stage()).type(digests=(e.digest,)).give(shows(e)).statuses == {"a": "running"}


@pytest.mark.parametrize("event_id", [None, "7"])
def test_what_was_on_the_screen_when_the_pane_first_matched_is_old(world, old, event_id):
    e = old("DONE", ok=True, event_id=event_id)
    w = world(stage("b", triggers=[{"on_signal": {"type": "DONE"}}]), run={"on_screen": frozenset({e.digest})})
    w.give(shows(e)).give(shows()).give(shows(e)).give(shows(e, resync=True))
    assert w.typed == []


def test_what_was_on_the_screen_when_a_stage_without_keys_began_is_old(world, old):
    e = old(ok=True)
    w = world({"name": "a"}, run={"on_screen": frozenset({e.digest})}).give(shows(e))
    assert w.statuses == {"a": "running"}
    assert w.give(shows(e, old(ok=True, message="new"))).statuses == {"a": "succeeded"}


def test_the_same_event_printed_anew_counts_in_a_stream(world, event):
    e = event(ok=True)
    assert world(stage()).type(digests=(e.digest,)).says(e).statuses == {"a": "succeeded"}


def test_a_redraw_is_no_second_event(world, old):
    e = old(ok=False)
    w = world(stage(retries=1, retry_delay=60)).type().give(shows(e))
    assert w.statuses == {"a": "failed"}
    w.due(60).type(digests=(e.digest,)).give(shows()).give(shows(e))
    assert w.statuses == {"a": "running"}


def test_a_redraw_of_an_old_event_does_not_take_the_newer_one_back(world, old):
    bad, good = old(ok=False), old(ok=True)
    w = world(stage()).type().order("hold").give(shows(bad)).give(shows(bad, good)).give(shows(bad))
    assert w.order("send").statuses == {"a": "succeeded"}


def test_history_after_a_gap_does_not_bring_an_earlier_attempt_s_event_again(world, event, old):
    w = world(stage(retries=1)).type().says(event(ok=False)).type()
    assert w.run.attempt.number == 2
    w.give(shows(old(ok=False), resync=True, lines=("$ go",)))
    assert w.statuses == {"a": "running"}
    assert w.give(shows(old(ok=True), resync=True)).statuses == {"a": "succeeded"}


def test_a_trigger_does_not_see_an_old_event_again_after_a_gap(world, event, old):
    manual = stage("b", triggers=[{"on_signal": {"type": "DONE"}}], min_trust="signed")
    w = world(manual, stage("c", triggers=[{"on_signal": {"type": "DONE"}}], min_trust="emitted"))
    w.says(event("DONE", ok=True))
    w.give(shows(old("DONE", ok=True, trust=Trust.EMITTED), resync=True))
    assert w.typed == []


def test_a_state_that_a_parser_read_off_the_screen_is_no_event(world, event):
    w = world(stage(min_trust="guessed", success_when=[{"sentry": {}}])).type()
    assert w.says(event("STATE", event_type="", trust=Trust.GUESSED)).statuses == {"a": "running"}


def test_thousands_of_progress_events_push_nothing_out(world, event, old):
    w = world(stage(retries=1)).type().says(event(ok=False)).type()
    w.give(OutputSeen(signals=tuple(event("PROGRESS", message=str(n)) for n in range(3000))))
    assert w.give(shows(old(ok=False), resync=True)).statuses == {"a": "running"}


# ------------------------------------------------------------------ lines of captures


LINES = {"success_when": [{"log_regex": r"\b0 problems"}]}


@pytest.mark.parametrize("keys", [True, False])
def test_on_captures_only_lines_that_were_not_there_before_count(world, keys):
    before = ("0 problems", "> ")
    actions = [{"send_keys": "go"}] if keys else []
    w = world({"name": "a", "triggers": ["manual"], "actions_on_start": actions, **LINES})
    w.give(ScreenSeen(lines=before)).order("start", "a")
    if keys:
        w.type(*before)
    w.give(ScreenSeen(lines=before)).give(ScreenSeen(lines=(*before, "1 problem")))
    assert w.statuses["a"] == "running"
    assert w.give(ScreenSeen(lines=(*before, "now 0 problems"))).statuses["a"] == "succeeded"


def test_the_first_capture_of_a_stage_without_keys_is_its_baseline(world):
    w = world({"name": "a", **LINES}).give(ScreenSeen(lines=("0 problems",), resync=True))
    assert w.statuses == {"a": "running"}
    assert w.give(ScreenSeen(lines=("0 problems", "0 problems left"))).statuses == {"a": "succeeded"}


def test_a_gap_does_not_make_old_lines_new_for_a_stage_without_keys(world):
    quiet = {"name": "b", "triggers": [{"after_stage_success": "a"}], **LINES}
    w = world(stage("a", success_when=[{"log_regex": "ready"}]), quiet).give(ScreenSeen(lines=("$ ",)))
    w.type().prints("$ go", "0 problems", "ready")
    assert w.statuses == {"a": "succeeded", "b": "running"}
    w.give(ScreenSeen(lines=("$ go", "0 problems", "ready"), resync=True))
    assert w.statuses["b"] == "running"
    w.give(ScreenSeen(lines=("$ go", "0 problems", "ready", "again: 0 problems"), resync=True))
    assert w.statuses["b"] == "succeeded"


def test_the_lines_of_the_first_keys_are_not_lost_when_the_second_follow(world):
    two = [{"send_keys": "one"}, {"send_keys": "two"}]
    w = world(stage(actions_on_start=two, **LINES)).type("> ")
    w.type("> one", "0 problems", "> ").give(ScreenSeen(lines=("> one", "0 problems", "> two")))
    assert w.statuses == {"a": "succeeded"}
