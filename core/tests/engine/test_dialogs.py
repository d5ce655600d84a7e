"""The agent's own dialogs: told, asked about, answered; each at most once, and never another one."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tmux_sentry.contracts import Choice, Dialog, Level, PaneIdentity, Signal, SignalKind, Trust, dialog_fingerprint
from tmux_sentry.engine import replying
from tmux_sentry.engine.events import (
    Ask,
    CloseAsk,
    Decided,
    Notify,
    PaneGone,
    Reachable,
    ScreenSeen,
    Send,
    SendDone,
    SendHeld,
    SendMoot,
    StopSend,
    Unreachable,
)
from tmux_sentry.engine.machine import next_due
from tmux_sentry.engine.relay import GONE, TAKEN, Standing, is_sound, prompts, shown
from tmux_sentry.engine.run import from_json, to_json
from tmux_sentry.notify import texts
from tmux_sentry.policy.advice import EVENTS

PANE = PaneIdentity(host="here", server_pid=1, server_start=2, pane_id="%3", pane_pid=4)
YES = Choice(label="Yes", key=("1",), meaning="approve")
ALWAYS = Choice(label="Yes, and don't ask again", key=("2",), meaning="approve_always")
NO = Choice(label="No", key=("Escape",), meaning="reject")
RULE = {"answer": "approve", "allow": ["git status", "cat ..."]}


def dialog(command="git status", *, question="Run this command?", choices=(ALWAYS, YES, NO), **more):
    values = {"question": question, "command": command, "choices": choices, "kind": "command"}
    values |= {"fingerprint": dialog_fingerprint(question, command, choices), **more}
    return Dialog(**values)


def prompt(shows=None, **more):
    values = {"kind": SignalKind.PROMPT, "parser": "test", "trust": Trust.GUESSED, "confidence": 0.9, "at": 0.0}
    values |= {"digest": shows.fingerprint if shows else "d" * 64, "live": False, "dialog": shows, **more}
    return Signal(**values)


def stage(on_prompt=None, **more):
    rule = {} if on_prompt is None else {"on_prompt": on_prompt}
    return {"name": "a", "actions_on_start": [{"wait": "2h"}], "timeout": "10h", **rule, **more}


def see(w, *dialogs, at=None, folder="/srv"):
    """A capture that shows these dialogs, and nothing else."""
    return w.give(ScreenSeen(lines=("x",), signals=tuple(map(prompt, dialogs)), folder=folder), at)


def sent(w):
    return w.give(SendDone(action_id=w.last(Send).action_id))


def again(w):
    """As the next process reads the Run."""
    w.run = from_json(json.loads(json.dumps(to_json(w.run))), w.run.pipeline, {})
    return w


def told(w):
    """What people read below the title of the last message."""
    return "\n".join([w.last(Notify).text, *w.last(Notify).keys])


def prompted(w):
    return [notice for notice in w.all(Notify) if notice.event == "agent.prompt"]


# ------------------------------------------------------------------------------- notify


@pytest.mark.parametrize("rule", [None, "notify"])
def test_people_are_told_once_of_a_dialog_and_nothing_is_typed(world, rule):
    w = see(world(stage(rule)), dialog())
    see(w, dialog()).due(5000)
    assert w.told == ["agent.prompt"]
    assert (w.typed, w.all(Ask)) == ([], [])
    (notice,) = prompted(w)
    assert notice.level is Level.APPROVAL
    for part in ("Run this command?", "git status", "Yes (<1>)", "No (<Escape>)"):
        assert part in notice.text


def test_the_event_is_known_to_routes_and_has_a_chinese_title():
    assert "agent.prompt" in EVENTS
    assert "ci" in texts.title("zh", "agent.prompt", "", {"pipeline": "ci"})


def test_the_same_dialog_is_news_once_it_was_gone_and_not_after_one_capture_without_it(world):
    w = see(world(stage()), dialog(), at=1)
    see(w, at=2)
    see(w, dialog(), at=2.5)
    assert len(prompted(w)) == 1
    see(w, at=3).due(3 + GONE)
    see(w, dialog(), at=10)
    first, second = prompted(w)
    assert first.dedupe_key != second.dedupe_key


def test_ignore_says_nothing(world):
    w = see(world(stage("ignore")), dialog())
    w.says(prompt(event_type="ASK", trust=Trust.PRINTED, message="Which?"))
    assert (w.told, w.typed) == ([], [])


def test_a_dialog_that_nobody_is_sure_of_is_none(world):
    w = world(stage(min_confidence=0.95))
    see(w, dialog())
    assert w.told == []
    w.give(ScreenSeen(signals=(prompt(dialog(), confidence=0.96),)))
    assert w.told == ["agent.prompt"]


def test_a_prompt_that_is_not_understood_is_told_whatever_the_rule_asks(world):
    w = world(stage({**RULE, "otherwise": "ask"}))
    w.give(ScreenSeen(signals=(prompt(message="Something waits"),)))
    assert w.told == ["agent.prompt"]
    assert prompted(w)[0].text.startswith("Something waits")
    assert (w.typed, w.all(Ask)) == ([], [])


def test_two_dialogs_at_once_contradict_each_other(world):
    w = see(world(stage(RULE)), dialog(), dialog("cat x"))
    assert (w.typed, w.all(Ask), w.told) == ([], [], ["agent.prompt"])


def test_two_parsers_that_agree_are_one_dialog(world):
    assert see(world(stage(RULE)), dialog(), dialog()).typed == ["<1>"]


def test_what_a_program_prints_as_an_ask_is_told_and_never_answered(world):
    w = world(stage(RULE)).says(prompt(event_type="ASK", trust=Trust.PRINTED, message="Which?", choices=("a", "b")))
    assert w.told == ["agent.prompt"]
    assert prompted(w)[0].text == "Which?\n- a\n- b"
    w.give(ScreenSeen(signals=(prompt(dialog(), event_type="ASK", digest="e"),)))
    assert (w.typed, w.all(Ask)) == ([], [])


def test_an_ask_below_the_bar_is_not_told(world):
    w = world(stage(min_trust="signed")).says(prompt(event_type="ASK", trust=Trust.PRINTED, message="Which?"))
    assert w.told == []


def test_a_dialog_cannot_forge_a_line_of_the_message(world):
    w = see(world(stage("ask")), dialog("x\nyes types: <9>", question="Go?\nno types: <9>"))
    lines = w.last(Notify).keys
    assert [line for line in lines if line.startswith(("yes types", "no types"))] == [
        "yes types: <1>", "no types: <Escape>",
    ]  # fmt: skip


# --------------------------------------------------------------------- answer by a rule


def test_a_command_on_the_list_is_answered_once_with_the_key_of_yes(world):
    w = see(world(stage(RULE)), dialog())
    assert w.typed == ["<1>"]
    send = w.last(Send)
    assert send.answers.dialog == dialog()
    assert (send.wait_idle, send.keys.enter, send.stage, send.attempt) == (0.0, False, "a", 1)
    see(w, dialog())
    sent(w)
    see(w, dialog()).due(5)
    assert w.typed == ["<1>"]
    assert w.all(Notify) == []


def test_the_rule_of_the_stage_stands_before_that_of_the_pipeline(world):
    assert see(world(stage("ignore"), on_prompt=RULE), dialog()).typed == []
    assert see(world(stage(), on_prompt=RULE), dialog()).typed == ["<1>"]


def test_reject_presses_the_key_of_no(world):
    assert see(world(stage({**RULE, "answer": "reject"})), dialog()).typed == ["<Escape>"]


@pytest.mark.parametrize(
    ("shows", "why"),
    [
        (dialog("rm x"), "not on the list"),
        (dialog("git status; rm x"), "';'"),
        (dialog(truncated=True), "cut off"),
        (dialog(doubt="claude 9 is newer"), "claude 9 is newer"),
        (dialog(kind="edit"), "no command"),
        (dialog(kind="question"), "no command"),
        (dialog(""), "no command"),
        (dialog(choices=(ALWAYS, NO)), "no choice that is known to approve"),
        (dialog("cat ../x"), "lead out"),
        (dialog("cat /srv/sub/../x", cwd="/srv/sub"), "lead out"),
        (dialog(cwd="/elsewhere"), "outside of /srv"),
        (dialog(cwd="/srvshop"), "outside of /srv"),
        (dialog(cwd="/srv/../etc"), "outside of /srv"),
    ],
)
def test_anything_else_is_asked_about_with_the_reason(world, shows, why):
    w = see(world(stage(RULE)), shows)
    assert w.typed == []
    asked = shows.choice("approve") is not None
    assert len(w.all(Ask)) == asked
    assert why in told(w)


@pytest.mark.parametrize(
    ("otherwise", "told"), [("notify", ["agent.prompt"]), ("ignore", []), ("ask", ["approval.asked"])]
)
def test_or_told_or_ignored(world, otherwise, told):
    w = see(world(stage({**RULE, "otherwise": otherwise})), dialog("rm x"))
    assert (w.typed, w.told) == ([], told)


@pytest.mark.parametrize(
    "shows", [dialog("cat sub/x", cwd="/srv/sub"), dialog("cat /srv/x"), dialog("cat /srv/sub/x", cwd="/srv/sub/")]
)
def test_paths_inside_of_the_folder_are_fine(world, shows):
    assert see(world(stage(RULE)), shows).typed == ["<1>"]


def test_always_is_never_chosen(world):
    only = dialog(choices=(ALWAYS, NO))
    for rule in (RULE, "ask"):
        w = see(world(stage(rule)), only)
        assert (w.typed, w.all(Ask), w.told) == ([], [], ["agent.prompt"])


def answered(w, number):
    """One dialog, answered and gone."""
    see(w, dialog(f"cat f{number}"))
    if w.run.relay.standing is Standing.SENDING:
        sent(w)
    see(w, at=w.now + 1).due(w.now + GONE)
    return w


def test_not_more_often_in_an_attempt_than_max_count(world):
    w = world(stage({**RULE, "max_count": 3}))
    for number in range(5):
        answered(w, number)
    assert w.typed == ["<1>"] * 3
    assert len(w.all(Ask)) == 2
    assert "max_count" in w.last(Ask).about[-3]


def test_the_next_attempt_counts_anew(world, event):
    w = world(stage({**RULE, "max_count": 1}, retries=1))
    answered(w, 1)
    answered(w, 2)
    assert w.typed == ["<1>"]
    w.says(event(ok=False))
    answered(w, 3)
    assert w.typed == ["<1>"] * 2


def test_not_later_than_within(world):
    w = world(stage({**RULE, "within": 100}))
    see(w, dialog("cat a"), at=100)
    sent(w)
    assert w.typed == ["<1>"]
    see(w, dialog("cat b"), at=101)
    assert w.typed == ["<1>"]
    assert "within" in told(w)


def test_the_next_dialog_is_answered_as_soon_as_it_stands_in_the_place_of_the_first(world):
    w = sent(see(world(stage(RULE)), dialog()))
    see(w, dialog("cat x"))
    assert w.typed == ["<1>", "<1>"]
    first, second = w.all(Send)
    assert first.action_id != second.action_id


def test_a_stage_that_still_waits_to_type_has_its_dialogs_answered(world):
    w = world(stage(RULE, actions_on_start=[{"send_keys": "go"}]))
    see(w, dialog())
    assert w.typed == ["go<Enter>", "<1>"]
    sent(w)
    assert w.run.attempt.action_id == w.all(Send)[0].action_id, "its own send is still in hand"
    assert not w.run.attempt.sent


@pytest.mark.parametrize("case", ["none", "approving", "resting", "ending", "other"])
def test_without_an_active_stage_people_are_told_and_nothing_is_answered(world, event, case):
    if case == "none":
        w = world(stage(triggers=["manual"]), on_prompt=RULE)
    elif case == "approving":
        w = world(stage(RULE, require_approval=True))
    elif case == "resting":
        w = world(stage(RULE, retries=1, retry_delay=60)).says(event(ok=False))
    elif case == "ending":
        w = world(stage(RULE, on_failure=[{"wait": 60}])).says(event(ok=False))
    else:
        w = world(stage(triggers=["manual"]), on_prompt="ask")
    before = len(w.all(Ask))
    see(w, dialog())
    assert [send for send in w.all(Send) if send.answers] == []
    assert len(w.all(Ask)) == before
    assert len(prompted(w)) == 1


def test_a_dialog_that_was_there_before_is_judged_when_the_stage_begins(world):
    w = world(stage(RULE, triggers=["manual"]))
    see(w, dialog())
    assert len(prompted(w)) == 1
    w.order("start", "a")
    assert w.typed == ["<1>"]


# ---------------------------------------------------------------------- after the answer


def test_a_dialog_that_is_gone_after_the_answer_has_taken_it(world):
    w = sent(see(world(stage(RULE)), dialog(), at=1))
    see(w, at=2).due(2 + GONE)
    assert w.run.relay is None
    w.due(1000)
    assert (w.run.held, w.told, w.typed) == (None, [], ["<1>"])


def test_a_dialog_that_stays_holds_the_stage_and_is_never_answered_again(world):
    w = sent(see(world(stage(RULE)), dialog(), at=1))
    see(w, dialog(), at=5).due(1 + TAKEN - 0.1)
    assert w.run.held is None
    w.due(1 + TAKEN)
    assert w.run.held == "the dialog did not take the answer"
    w.order("send").due(500)
    see(w, dialog(), at=600)
    assert w.typed == ["<1>"]
    assert w.told.count("stage.held") == 1


def test_once_the_stuck_dialog_is_gone_the_next_is_answered_again(world):
    w = sent(see(world(stage(RULE)), dialog(), at=1)).due(1 + TAKEN)
    see(w, at=20).due(20 + GONE)
    w.order("send")
    see(w, dialog(), at=30)
    assert w.typed == ["<1>"] * 2


def test_one_capture_without_it_is_no_proof(world):
    w = sent(see(world(stage(RULE)), dialog(), at=1))
    see(w, at=2)
    see(w, dialog(), at=2.5).due(1 + TAKEN)
    assert w.run.held == "the dialog did not take the answer"


def test_a_dialog_that_is_less_sure_now_is_not_gone(world):
    w = sent(see(world(stage(RULE)), dialog(), at=1))
    w.give(ScreenSeen(signals=(prompt(dialog(), confidence=0.1),)), 2).due(1 + TAKEN)
    assert w.run.held == "the dialog did not take the answer"


def test_holding_gives_up_the_stages_own_send(world):
    w = world(stage(RULE, actions_on_start=[{"send_keys": "go"}]))
    own = w.last(Send).action_id
    sent(see(w, dialog(), at=1)).due(1 + TAKEN)
    assert own in [stop.action_id for stop in w.all(StopSend)]
    see(w, at=20).due(30)
    w.order("send")
    assert w.typed == ["go<Enter>", "<1>", "go<Enter>"]


def test_a_send_that_is_held_holds_the_stage(world):
    w = see(world(stage(RULE)), dialog())
    w.give(SendHeld(action_id=w.last(Send).action_id, reason="someone is typing"))
    assert w.run.held == "someone is typing"
    assert w.last(StopSend).action_id == w.last(Send).action_id
    see(w, dialog())
    assert w.typed == ["<1>"]


def test_a_dialog_that_changed_before_the_key_gets_none(world):
    w = see(world(stage(RULE)), dialog(), at=1)
    w.give(SendMoot(action_id=w.last(Send).action_id, reason="the dialog is gone"))
    assert w.last(StopSend).action_id == w.last(Send).action_id
    see(w, at=2).due(100)
    assert (w.typed, w.run.held, w.told) == (["<1>"], None, [])


def test_a_dialog_that_seemed_to_change_and_stays_is_held(world):
    w = see(world(stage(RULE)), dialog(), at=1)
    w.give(SendMoot(action_id=w.last(Send).action_id, reason="the dialog is gone"))
    see(w, dialog(), at=2).due(1 + TAKEN)
    assert w.run.held == "the dialog was not answered: the dialog is gone"
    assert w.typed == ["<1>"]


def test_while_an_answer_is_on_its_way_its_sender_looks_for_itself(world):
    w = see(world(stage(RULE)), dialog(), at=1)
    see(w, at=2).due(50)
    see(w, dialog("cat x"), at=51)
    assert w.typed == ["<1>"]
    assert w.run.relay.standing is Standing.SENDING
    sent(w)
    assert w.last(Send).answers.dialog == dialog("cat x")


def test_words_about_another_send_change_nothing(world):
    w = see(world(stage(RULE)), dialog())
    before = w.run
    for event in (SendDone(action_id="x"), SendHeld(action_id="x", reason=""), SendMoot(action_id="x", reason="")):
        assert w.give(event).run == before


# ---------------------------------------------------------------------------------- ask


def test_people_are_asked_with_what_each_answer_types(world):
    w = see(world(stage("ask", timeout="60h", actions_on_start=[{"wait": "50h"}])), dialog("rm -rf x", cwd="/srv"))
    ask = w.last(Ask)
    assert [keys.shown() for keys in ask.sends] == ["<1>"]
    for part in ("Run this command?", "command: rm -rf x", "in: /srv", "yes types: <1>", "no types: <Escape>"):
        assert part in ask.about
    assert w.told == ["approval.asked"]
    assert w.last(Notify).fields["approval"] == ask.approval_id
    assert w.typed == []
    see(w, dialog("rm -rf x", cwd="/srv")).due(90_000)
    assert (len(w.all(Ask)), w.all(CloseAsk)) == (1, []), "it stays open, however long that takes"


@pytest.mark.parametrize(("approved", "typed", "outcome"), [(True, "<1>", "approved"), (False, "<Escape>", "rejected")])
def test_the_answer_types_its_key(world, approved, typed, outcome):
    w = see(world(stage("ask")), dialog("rm x")).answer(approved)
    assert w.typed == [typed]
    assert w.last(CloseAsk).outcome == outcome
    assert w.statuses == {"a": "running"}
    w.answer(approved)
    assert w.typed == [typed], "a second answer is late"


def test_no_where_the_dialog_cannot_say_no_is_held(world):
    w = see(world(stage("ask")), dialog(choices=(YES,)))
    assert "no types: nothing, and the stage is held" in w.last(Ask).about
    w.answer(False)
    assert w.typed == []
    assert "rejected by ann" in w.run.held
    see(w, dialog(choices=(YES,)))
    assert len(w.all(Ask)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"command": "rm y"},
        {"question": "Run that?"},
        {"choices": (replace(YES, key=("3",)), NO)},
        {"choices": (YES, replace(NO, key=("n",)))},
        {"choices": (YES,)},
        {"truncated": True},
        {"cwd": "/srv/x"},
        {"fingerprint": "a" * 64},
    ],
)
def test_the_digest_is_another_for_anything_else(world, change):
    plain = dialog("rm x", choices=(YES, NO), fingerprint="b" * 64)
    first, other = (see(world(stage("ask")), one) for one in (plain, replace(plain, **change)))
    assert first.last(Ask).digest != other.last(Ask).digest


@pytest.mark.parametrize("run", [{"id": "r2"}, {"policy_digest": "x"}, {"pane": replace(PANE, pane_pid=9)}])
def test_the_digest_covers_run_pane_and_policy(world, run):
    first, other = (see(world(stage("ask"), run=values), dialog()) for values in ({}, run))
    assert first.last(Ask).digest != other.last(Ask).digest


def test_an_answer_to_something_else_than_was_shown_asks_anew(world):
    w = see(world(stage("ask")), dialog()).answer(digest="0" * 64)
    assert w.typed == []
    assert w.last(CloseAsk).outcome == "superseded"
    first, second = w.all(Ask)
    assert first.approval_id != second.approval_id
    assert w.answer().typed == ["<1>"]


def test_an_answer_at_the_keyboard_closes_the_question(world):
    w = see(world(stage("ask")), dialog(), at=1)
    see(w, at=2)
    assert w.all(CloseAsk) == []
    w.due(2 + GONE)
    assert w.last(CloseAsk) == CloseAsk(approval_id=w.last(Ask).approval_id, outcome="cancelled")
    w.answer()
    assert w.typed == []


def test_another_dialog_in_its_place_closes_the_question_at_once(world):
    w = see(world(stage("ask")), dialog())
    see(w, dialog("rm y"))
    first = w.all(Ask)[0]
    assert w.all(CloseAsk) == [CloseAsk(approval_id=first.approval_id, outcome="superseded")]
    w.give(Decided(approval_id=first.approval_id, approved=True, by="ann", digest=first.digest))
    assert w.typed == []
    assert w.answer().last(Send).answers.dialog == dialog("rm y")


@pytest.mark.parametrize("end", ["cancel", "gone", "failed", "timeout"])
def test_a_question_ends_with_what_it_was_asked_for(world, event, end):
    w = see(world(stage("ask", timeout=100), stage(name="b", triggers=["manual"])), dialog())
    asked = w.last(Ask).approval_id
    if end == "cancel":
        w.order("cancel")
    elif end == "gone":
        w.give(PaneGone(reason="gone"))
    elif end == "failed":
        w.says(event(ok=False))
    else:
        w.due(100)
    assert CloseAsk(approval_id=asked, outcome="cancelled") in w.all(CloseAsk)
    w.answer()
    assert w.typed == []


def test_an_answer_on_its_way_is_stopped_when_the_stage_ends(world, event):
    w = see(world(stage(RULE), stage(name="b", triggers=["manual"])), dialog()).says(event(ok=False))
    assert w.last(StopSend).action_id == w.last(Send).action_id
    assert not prompted(w), "the key may have been typed"
    w.due(TAKEN)
    assert "given up on the way" in prompted(w)[0].text
    assert w.typed == ["<1>"]


def test_an_answer_that_was_on_its_way_is_not_typed_again_for_the_next_attempt(world, event):
    w = see(world(stage(RULE, retries=1)), dialog(), at=1).says(event(ok=False))
    assert w.run.attempt.number == 2
    see(w, dialog(), at=2).due(500)
    assert w.typed == ["<1>"]
    assert len(prompted(w)) == 1
    see(w, at=501).due(510)
    assert see(w, dialog(), at=511).typed == ["<1>"] * 2


def test_the_next_attempt_asks_anew(world, event):
    w = see(world(stage("ask", retries=1)), dialog()).says(event(ok=False))
    first, second = w.all(Ask)
    assert (first.attempt, second.attempt) == (1, 2)
    assert w.answer().typed == ["<1>"]


def test_the_approvers_of_the_stage_are_those_of_its_dialogs(world):
    spec = {"approvers": ["ann", "bob"], "required": 2, "risk": "high", "on_timeout": "reject", "timeout": 60}
    w = see(world(stage("ask", require_approval=spec)).answer(), dialog())
    ask = w.last(Ask)
    assert (ask.rules.approvers, ask.rules.required, ask.risk) == (("ann", "bob"), 2, "high")
    assert ask.rules.until is None


# --------------------------------------------------------------------------------- held


def test_a_stage_that_is_held_answers_nothing_by_itself(world):
    w = world(stage(RULE)).order("hold", reason="wait")
    see(w, dialog())
    assert w.typed == []
    assert "the stage is held" in w.last(Ask).about[-3]
    assert w.answer().typed == ["<1>"], "a person may"
    assert w.run.held == "wait"


def test_what_was_only_told_is_answered_once_the_hold_is_over(world):
    w = world(stage({**RULE, "otherwise": "notify"})).order("hold", reason="wait")
    see(w, dialog())
    assert (w.typed, len(prompted(w))) == ([], 1)
    w.order("send")
    assert (w.typed, len(prompted(w))) == (["<1>"], 1)


def test_to_hold_stops_an_answer_on_its_way(world):
    w = see(world(stage(RULE)), dialog()).order("hold", reason="wait")
    assert w.last(StopSend).action_id == w.last(Send).action_id
    assert w.give(SendDone(action_id=w.last(Send).action_id)).typed == ["<1>"]
    see(w, dialog()).due(TAKEN)
    assert "given up on the way" in w.run.held
    assert (w.typed, w.all(Ask)) == (["<1>"], [])


# ----------------------------------------------------------------- away, and the restart


def test_nothing_is_done_about_what_was_seen_before_the_host_went_away(world):
    w = world(stage(RULE)).give(Unreachable(), 1)
    see(w, dialog(), at=2)
    assert w.typed == []
    w.give(Reachable(away=1), 3)
    assert w.typed == ["<1>"]


def test_a_host_that_is_away_makes_no_dialog_gone_and_none_stuck(world):
    w = sent(see(world(stage(RULE)), dialog(), at=1))
    see(w, at=2)
    w.give(Unreachable(), 2.5).due(1000)
    assert w.run.relay is not None
    assert next_due(w.run, w.now) is None
    see(w, dialog(), at=1001)
    w.give(Reachable(away=999), 1001)
    assert w.run.held is None
    w.due(1001 + TAKEN)
    assert w.run.held == "the dialog did not take the answer"


def test_without_a_new_look_nothing_is_said_of_the_dialog(world):
    w = sent(see(world(stage(RULE)), dialog(), at=1))
    w.give(Unreachable(), 2).give(Reachable(away=1), 3).due(1000)
    assert (w.run.held, w.run.relay.standing) == (None, Standing.LEAVING)


@pytest.mark.parametrize("standing", list(Standing))
def test_a_restart_goes_on_where_it_was(world, standing):
    w = world(stage("notify" if standing is Standing.TOLD else "ask"))
    see(w, dialog("rm x"))
    if standing not in (Standing.TOLD, Standing.ASKED):
        w.answer()
    if standing in (Standing.LEAVING, Standing.STUCK):
        sent(w)
    if standing is Standing.STUCK:
        w.due(TAKEN)
    before = w.run
    assert before.relay.standing is standing
    again(w)
    assert w.run == before
    effects = len(w.effects)
    w.give(Unreachable())
    see(w, dialog("rm x"))
    w.give(Reachable(away=0))
    assert len(w.effects) == effects, "nothing is told, asked or typed twice"
    hand = replying.send_in_hand(w.run)
    assert hand == (w.last(Send) if standing is Standing.SENDING else None)
    if standing is Standing.ASKED:
        assert w.answer().typed == ["<1>"]


def test_a_run_that_an_earlier_version_wrote_is_read(world):
    data = json.loads(json.dumps(to_json(world(stage()).run)))
    del data["relay"], data["attempt"]["dialogs"], data["attempt"]["answers"]
    w = world(stage())
    run = from_json(data, w.run.pipeline, {})
    assert (run.relay, run.attempt.dialogs, run.attempt.answers) == (None, 0, 0)


# ---------------------------------------------------------- what a plugin may come with


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": ""},
        {"fingerprint": "Z" * 64},
        {"fingerprint": None},
        {"command": None},
        {"command": "x" * 4001},
        {"question": 3},
        {"cwd": b"/"},
        {"kind": None},
        {"truncated": "no"},
        {"doubt": None},
        {"doubt": "x" * 5000},
        {"choices": [YES]},
        {"choices": (YES,) * 21},
        {"choices": ("1",)},
        {"choices": (replace(YES, key="1"),)},
        {"choices": (replace(YES, key=()),)},
        {"choices": (replace(YES, key=("yes",)),)},
        {"choices": (replace(YES, key=("1; kill-server",)),)},
        {"choices": (replace(YES, key=(1,)),)},
        {"choices": (replace(YES, key=("1",) * 9),)},
        {"choices": (replace(YES, label=None),)},
        {"choices": (replace(YES, meaning="always"),)},
        {"choices": (replace(YES, meaning=["approve"]),)},
    ],
)
def test_a_dialog_that_is_not_sound_is_not_understood(world, change):
    broken = replace(dialog(), **change)
    assert not is_sound(broken)
    w = see(world(stage(RULE)), dialog("cat x"))
    w.give(ScreenSeen(signals=(prompt(message="waits", dialog=broken),)))
    assert w.typed == ["<1>"], "only the first"
    json.dumps(to_json(w.run))


@pytest.mark.parametrize("found", [None, 3, "x", {"fingerprint": "x"}])
def test_something_else_than_a_dialog_is_not_understood(found):
    assert not is_sound(found)
    signal = prompt(message="waits")
    object.__setattr__(signal, "dialog", found)
    assert shown(prompts([signal]), 0.8).choices == ()
