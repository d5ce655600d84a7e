"""What people read, and that it ends: from the engine's notices to rows of the outbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry import PaneIdentity
from tmux_sentry.contracts import (
    Choice,
    Decision,
    Delivery,
    DeliveryResult,
    Dialog,
    Level,
    Lines,
    PaneClosed,
    Screen,
    Signal,
    SignalKind,
    Trust,
)
from tmux_sentry.engine.conductor import Conductor
from tmux_sentry.engine.events import Notify, Order, ScreenSeen
from tmux_sentry.engine.herald import KEYS, Herald
from tmux_sentry.engine.run import Run
from tmux_sentry.engine.tails import LINES, Tails
from tmux_sentry.notify.layout import layout, plain_text
from tmux_sentry.notify.routing import Defaults, Router
from tmux_sentry.policy.build import build_pipeline
from tmux_sentry.policy.model import Escalation, Route
from tmux_sentry.security.redact import Redactor
from tmux_sentry.state.records import Outgoing, RunNames
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock

PANE = PaneIdentity(host="nas", server_pid=1, server_start=2, pane_id="%3", pane_pid=4)
PIPELINE = {
    "name": "webapp-ci",
    "match": {"window_name": "x"},
    "stages": [{"name": "build", "require_approval": True, "actions_on_start": [{"send_keys": "make"}]}],
}
ESCALATES = Route(channels=("slack",), escalate=Escalation(after=600, channels=("phone",)), repeat=1800)


class Room:
    def __init__(self, home: Path) -> None:
        self.clock = FakeClock(1_795_339_200.0)
        self.store = Store.open(home / "state.db", self.clock)

    def conductor(self, herald: Herald) -> Conductor:
        return Conductor(self.store, self.clock, herald, lambda step: None)

    def begin(self, herald: Herald, pipeline: dict[str, Any] = PIPELINE) -> tuple[Conductor, Run]:
        conductor = self.conductor(herald)
        run = Run(
            id="r1",
            pipeline=build_pipeline(pipeline),
            pane=PANE,
            pane_name="work:build.0",
            policy_digest="d",
            started_at=self.clock.now(),
        )
        names = RunNames(session_name="work", window_name="build", window_index=0, pane_index=0)
        return conductor, conductor.add(run, names)

    def messages(self, *events: str) -> list[Outgoing]:
        return [one for one in reversed(self.store.messages()) if not events or one.message.event in events]

    def deliver(self, channel: str) -> None:
        for one in self.store.due_messages(channel):
            self.store.message_tried(one, DeliveryResult(outcome=Delivery.DELIVERED, receipt=f"ts-{one.id}"))


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.store.close()


def herald(*routes: Route, **more: Any) -> Herald:
    return Herald(router=Router(routes=routes or (Route(channels=("slack",)),)), **more)


def decide(room: Room, conductor: Conductor, approved: bool) -> None:
    (pending,) = room.store.pending_approvals()
    decision = Decision(
        request_id=pending.request.id, approved=approved, by="ann", channel="web", at=room.clock.now(), comment="ok"
    )
    assert conductor.decide(decision).status == ("approved" if approved else "rejected")


def test_a_question_says_where_what_and_how_to_answer(room: Room) -> None:
    room.begin(herald())
    (asked,) = room.messages("approval.asked")
    message = asked.message
    (pending,) = room.store.pending_approvals()
    assert message.level is Level.APPROVAL
    assert message.title == "webapp-ci: approve build?"
    assert "make" in message.text
    assert list(message.fields)[:5] == ["host", "pane", "pipeline", "stage", "run"]
    assert (message.fields["host"], message.fields["stage"]) == ("nas", "build")
    assert message.answer.splitlines()[0] == f"tmux-sentry approve {pending.request.id}"
    assert (message.thread, message.subject) == ("r1", "webapp-ci: work:build.0 @ nas")


def asks_to_type(*keys: str) -> dict[str, Any]:
    stage = {"name": "build", "require_approval": True, "actions_on_start": [{"send_keys": one} for one in keys]}
    return {**PIPELINE, "stages": [stage]}


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("make", "make<Enter>"),
        ("rm \u202egnp.x", "rm \\u202egnp.x<Enter>"),
        ("rm\u00a0-rf x", "rm\\xa0-rf x<Enter>"),
        ("one\ntwo", "one\\ntwo<Enter>"),
        ("printf '\\n'", "printf '\\\\n'<Enter>"),
        ("x\nhunter22-secret", "x\\n[redacted]<Enter>"),
        ("one\nghp_" + "a1B2" * 9, "one\\n[redacted github-token]<Enter>"),
    ],
)
def test_keys_are_told_as_the_page_and_the_file_show_them(room: Room, keys: str, told: str) -> None:
    conductor, _ = room.begin(herald(redact=Redactor(["hunter22-secret"])), asks_to_type(keys))
    conductor.ask_again(room.store.pending_approvals()[0], "slack")
    assert [one.message.text for one in room.messages()] == [told, told]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "… 1,007 more characters: see the page or the file"),
        ("zh", "… 还有 1,007 个字符：见审批页面或文件"),
    ],
)
def test_of_keys_that_are_cut_it_is_told_how_much_is_missing(room: Room, language: str, said: str) -> None:
    room.begin(herald(language=language), asks_to_type("x" * (KEYS + 1000)))
    (asked,) = room.messages("approval.asked")
    assert asked.message.text == f"{'x' * KEYS}\n{said}"


def test_keys_are_cut_between_characters_and_never_inside_a_secret(room: Room) -> None:
    secret = "hunter22-secret"
    room.begin(herald(redact=Redactor([secret])), asks_to_type("x" * (KEYS - 5) + secret + "构" * KEYS))
    (asked,) = room.messages("approval.asked")
    kept, _, cut = asked.message.text.rpartition("\n")
    assert kept == "x" * (KEYS - 5) + "[reda"
    assert cut.startswith("… ")


@pytest.mark.parametrize(("approved", "event"), [(True, "approval.approved"), (False, "approval.rejected")])
def test_an_answer_ends_it_where_it_was_asked_and_nobody_else_is_called(room: Room, approved: bool, event: str) -> None:
    conductor, _ = room.begin(herald(ESCALATES))
    room.deliver("slack")
    decide(room, conductor, approved)
    room.clock.advance(4000)
    assert room.store.due_messages("phone") == []
    ends = [one for one in room.store.due_messages("slack") if one.message.event == event]
    assert [(one.message.ends, one.message.first) for one in ends] == [("ts-1", "ts-1")]
    assert "by ann" in ends[0].message.title
    assert not [one for one in room.messages("approval.asked") if one.status == "pending"]


def test_without_an_answer_others_are_called_and_it_is_told_again(room: Room) -> None:
    room.begin(herald(ESCALATES))
    room.deliver("slack")
    room.clock.advance(601)
    assert [one.message.event for one in room.store.due_messages("phone")] == ["approval.asked"]
    room.clock.advance(1200)
    assert [one.message.id for one in room.store.due_messages("slack")] == [
        f"{room.messages('approval.asked')[0].message.id}#again1"
    ]


def test_a_question_that_was_answered_before_it_was_told_is_not_told(room: Room) -> None:
    conductor, _ = room.begin(herald())
    decide(room, conductor, True)
    assert [one.status for one in room.messages("approval.asked")] == ["dropped"]
    assert room.messages("approval.approved") == []


def test_a_run_that_is_held_is_told_to_be_held_until_it_goes_on(room: Room) -> None:
    conductor, run = room.begin(herald())
    decide(room, conductor, True)
    conductor.order(run.id, Order(verb="hold", reason="look at it"))
    (held,) = room.messages("stage.held")
    assert held.message.answer == "tmux-sentry runs resume r1 --send|--skip|--abort"
    room.deliver("slack")
    conductor.order(run.id, Order(verb="skip"))
    (resumed,) = room.messages("stage.resumed")
    assert resumed.ends == "held/r1"


def test_the_last_lines_are_told_where_somebody_wants_them_and_without_secrets(room: Room) -> None:
    tails = Tails()
    tails.note(Lines(pane=PANE, at=1.0, lines=("one", "\x1b[31mtoken hunter22-secret", "")))
    wants = Route(channels=("slack",), include_output=True)
    room.begin(herald(wants, tail=tails.of, redact=Redactor(["hunter22-secret"])))
    (asked,) = room.messages("approval.asked")
    assert asked.message.output == "one\ntoken [redacted]"


def test_the_last_lines_are_told_to_nobody_else(room: Room) -> None:
    tails = Tails()
    tails.note(Lines(pane=PANE, at=1.0, lines=("one",)))
    room.begin(herald(tail=tails.of))
    assert [one.message.output for one in room.messages()] == [""] * len(room.messages())


def test_a_capture_from_before_a_line_does_not_take_it_away() -> None:
    """The first capture of a pane may be on its way while its stream brings what was printed since."""
    tails = Tails()
    tails.note(Lines(pane=PANE, at=0.0, lines=("$ make", "error: it broke")))
    tails.note(Screen(pane=PANE, at=0.0, lines=("$ make", ""), cursor=(0, 0), resync=True))
    assert tails.of(PANE) == ["$ make", "error: it broke"]
    tails.note(Screen(pane=PANE, at=0.0, lines=("an editor", "~"), cursor=(0, 0), resync=True))
    assert tails.of(PANE) == ["an editor", "~"]


def test_tails_follow_streams_and_screens_and_forget_what_is_gone() -> None:
    tails = Tails()
    tails.note(Lines(pane=PANE, at=1.0, lines=tuple(map(str, range(50)))))
    tails.note(Lines(pane=PANE, at=1.0, lines=("50",)))
    assert tails.of(PANE) == [str(number) for number in range(51 - LINES, 51)]
    tails.note(Screen(pane=PANE, at=1.0, lines=("48", "49"), cursor=(0, 0)))
    assert tails.of(PANE)[-1] == "50"  # taken before that line came
    tails.note(Screen(pane=PANE, at=1.0, lines=("49", "50", "$"), cursor=(0, 0)))
    assert tails.of(PANE) == ["49", "50", "$"]
    tails.note(Lines(pane=PANE, at=1.0, lines=("51",)))
    tails.note(Screen(pane=PANE, at=1.0, lines=("a", "b", "", " "), cursor=(0, 0), resync=True))  # after a gap
    assert tails.of(PANE) == ["a", "b"]
    other = replace(PANE, pane_id="%4")
    assert tails.of(other) == []
    tails.note(PaneClosed(pane=PANE, at=1.0))
    assert tails.of(PANE) == []


def test_titles_are_in_the_language_of_the_people_and_a_policys_own_are_not_touched(room: Room) -> None:
    conductor, _ = room.begin(herald(language="zh"))
    (asked,) = room.messages("approval.asked")
    assert asked.message.title == "webapp-ci：是否批准 build？"
    conductor.announce(Notify(event="policy.notify", level=Level.INFO, title="done", dedupe_key="own"))
    assert room.messages("policy.notify")[0].message.title == "done"
    parts = layout(asked.message)
    assert parts.level == "待审批"
    assert ("主机", "nas") in parts.fields


def test_what_is_silenced_is_not_told(room: Room) -> None:
    from tmux_sentry.notify.by_hand import NotifyOrders

    NotifyOrders(room.store, room.clock).silence(60, "maintenance", "ann", pipeline="webapp-*")
    room.begin(herald())
    assert {one.status for one in room.messages()} == {"silenced"}
    assert room.store.due_messages("slack") == []


def test_nothing_of_a_pane_can_fake_the_rest_of_a_message(room: Room) -> None:
    hostile = "x\x1b]0;t\x07\nto answer:\n  tmux-sentry approve"
    notice = Notify(event="policy.notify", level=Level.INFO, title=hostile, dedupe_key="k", fields={"pane": hostile})
    room.conductor(herald()).announce(notice)
    shown = plain_text(room.messages()[0].message)
    assert "\x1b" not in shown
    assert "\nto answer" not in shown


def test_by_default_a_phone_does_not_hear_of_every_stage(room: Room) -> None:
    router = Router(defaults=Defaults(channels=("screen", "phone"), local=("screen",)))
    room.conductor(Herald(router=router)).announce(
        Notify(event="stage.succeeded", level=Level.INFO, title="t", dedupe_key="k")
    )
    assert [one.channel for one in room.messages()] == ["screen"]


def test_each_message_names_the_stage_it_is_about_and_no_other(room: Room) -> None:
    """By the end of the step the run may have gone on to the next one."""
    stage = {"require_approval": True, "actions_on_start": [{"send_keys": "make"}]}
    stages = [{"name": "build", **stage}, {"name": "mend", "triggers": [{"after_stage_failure": "build"}], **stage}]
    conductor, _ = room.begin(herald(language="zh"), {**PIPELINE, "stages": stages})
    decide(room, conductor, False)
    told = {one.message.event: one.message for one in room.messages()}
    assert (told["stage.rejected"].fields["stage"], told["approval.asked"].fields["stage"]) == ("build", "mend")
    assert told["stage.rejected"].title == "webapp-ci：build 被拒绝"
    decide(room, conductor, False)
    (failed,) = room.messages("run.failed")
    assert "stage" not in failed.message.fields


def test_the_end_is_told_where_the_question_was_and_by_no_other_channel(room: Room) -> None:
    asks, everything = Route(channels=("slack",), events=("approval.asked",)), Route(channels=("mail",))
    conductor, _ = room.begin(herald(asks, everything))
    room.deliver("slack")
    decide(room, conductor, True)
    assert [one.channel for one in room.messages("approval.approved")] == ["slack"]


# ------------------------------------------------------------------ an agent's own dialog

DIALOG = Dialog(
    question="Run it?",
    command="echo hunter22-secret\x1b[2J",
    choices=(
        Choice(label="Yes", key=("1",), meaning="approve"),
        Choice(label="No", key=("Escape",), meaning="reject"),
    ),
    fingerprint="a" * 64,
    kind="command",
)
SHOWS = ScreenSeen(
    signals=(
        Signal(
            kind=SignalKind.PROMPT, parser="x", trust=Trust.GUESSED, confidence=0.9, digest="d", at=0.0, dialog=DIALOG
        ),
    )
)
AGENT = {
    "name": "webapp-ci",
    "match": {"window_name": "x"},
    "on_prompt": "ask",
    "stages": [{"name": "work", "actions_on_start": [{"wait": 60}]}],
}


def test_a_dialog_is_asked_about_without_its_secrets_and_kept_as_it_was_asked(room: Room) -> None:
    conductor, run = room.begin(herald(redact=Redactor(["hunter22-secret"])), AGENT)
    conductor.step(run.id, SHOWS)
    (pending,) = room.store.pending_approvals()
    about = pending.request.about
    assert isinstance(about, tuple)
    assert about[0] == "Run it?"
    assert pending.request.keys == ("<1>",)
    assert about[-1] == "no types: <Escape>"
    (asked,) = room.messages("approval.asked")
    assert asked.message.answer.startswith(f"tmux-sentry approve {pending.request.id}")
    for text in (str(about), asked.message.text, str(room.store.approval(pending.request.id))):
        assert "hunter22" not in text
    assert "\x1b" not in asked.message.text
    conductor.ask_again(pending, "slack")
    (again,) = room.messages("approval.reminder")
    assert "Run it?" in again.message.text


def test_no_line_of_a_dialog_forges_another_and_none_hides_a_token(room: Room) -> None:
    conductor, run = room.begin(herald(), AGENT)
    command = "x\nyes types: <9>\nghp_" + "a1B2" * 9
    shows = replace(SHOWS.signals[0], dialog=replace(DIALOG, command=command))
    conductor.step(run.id, ScreenSeen(signals=(shows,)))
    (asked,) = room.messages("approval.asked")
    lines = asked.message.text.splitlines()
    assert "command: x\\nyes types: <9>\\n[redacted github-token]" in lines
    assert [line for line in lines if line.startswith("yes types")] == ["yes types: <1>"]


def test_the_end_of_such_a_question_does_not_pass_for_that_of_the_stage(room: Room) -> None:
    conductor, run = room.begin(herald(), AGENT)
    conductor.step(run.id, SHOWS)
    room.deliver("slack")
    decide(room, conductor, True)
    (told,) = room.messages("approval.approved")
    assert told.message.title == "webapp-ci: the agent's dialog in work approved by ann"


def test_a_late_answer_to_a_dialog_that_is_another_by_then_does_not_count(room: Room) -> None:
    conductor, run = room.begin(herald(), AGENT)
    conductor.step(run.id, SHOWS)
    (pending,) = room.store.pending_approvals()
    other = replace(DIALOG, command="rm x", fingerprint="b" * 64)
    conductor.step(run.id, ScreenSeen(signals=(replace(SHOWS.signals[0], dialog=other),)))
    answer = conductor.decide(
        Decision(request_id=pending.request.id, approved=True, by="ann", channel="web", at=room.clock.now())
    )
    assert (answer.counted, answer.status) == (False, "superseded")
    assert conductor.runs[run.id].relay is not None
    assert conductor.runs[run.id].relay.standing.value == "asked"
