"""Whatever comes, in whatever order: the machine's promises hold."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tmux_sentry.contracts import (
    AgentState,
    CheckStatus,
    Choice,
    Dialog,
    PaneIdentity,
    Signal,
    SignalKind,
    Trust,
    dialog_fingerprint,
)
from tmux_sentry.engine.events import (
    AboutToSend,
    Activity,
    Ask,
    CheckReported,
    Decided,
    Due,
    Event,
    ExitSeen,
    Order,
    OutputSeen,
    PaneGone,
    Reachable,
    Record,
    ScreenSeen,
    Send,
    SendDone,
    SendHeld,
    SendMoot,
    StartCheck,
    Started,
    StateSeen,
    Unreachable,
)
from tmux_sentry.engine.machine import next_due, step
from tmux_sentry.engine.relay import Standing
from tmux_sentry.engine.run import FINAL, Run, from_json, to_json
from tmux_sentry.policy.build import build_pipeline

PANE = PaneIdentity(host="here", server_pid=1, server_start=2, pane_id="%3", pane_pid=4)

LISTS = st.lists(
    st.sampled_from(
        [
            {"send_keys": "go"},
            {"send_keys": "say ${env.X} # 0 problems\nsecond"},
            {"send_keys": {"keys": ["C-c"]}},
            {"wait": 5},
            {"notify": "n ${check.url}"},
        ]
    ),
    max_size=2,
)
CONDITIONS = st.lists(
    st.sampled_from(
        [
            {"log_regex": "0 problems"},
            {"sentry": {"type": "DONE"}},
            {"exit_code": 0},
            {"agent_state": "idle"},
            {"idle_for": 3},
            {"not": {"log_regex": "bad"}},
            {"any_of": [{"exit_code": [0, 1]}, {"external_status": "success"}]},
        ]
    ),
    max_size=2,
)
TRIGGERS = st.lists(
    st.sampled_from(
        ["manual", {"on_signal": {"type": "STATUS"}}, {"on_state": "idle"}]
        + [{kind: name} for kind in ("after_stage_success", "after_stage_failure") for name in ("a", "b", ["a", "b"])]
    ),
    max_size=2,
)
APPROVAL = st.sampled_from(
    [False, True, {"timeout": 8, "on_timeout": "reject"}, {"timeout": 8, "remind_after": 3, "on_timeout": "hold"}]
)


RULES = st.sampled_from(
    ["notify", "ignore", "ask", {"answer": "approve", "allow": ["git status"], "max_count": 2, "within": 30}]
)


@st.composite
def pipelines(draw: st.DrawFn) -> dict[str, Any]:
    def stage(name: str) -> dict[str, Any]:
        check = draw(st.sampled_from([[], [], [{"external_check": {"type": "http", "max_wait": 7}}]]))
        return {
            "name": name,
            "require_approval": draw(APPROVAL),
            "actions_on_start": [*check, *draw(LISTS)],
            "success_when": draw(CONDITIONS),
            "failure_when": draw(CONDITIONS.filter(lambda c: {"not": {"log_regex": "bad"}} not in c)),
            "timeout": 20,
            "retries": draw(st.integers(0, 2)),
            "retry_delay": draw(st.sampled_from([0, 4])),
            "on_success": draw(LISTS),
            "on_failure": draw(LISTS),
            "on_prompt": draw(RULES),
        }

    later = {name: draw(TRIGGERS) for name in ("b", "c")}
    later["b"] = [t for t in later["b"] if "b" not in str(t).replace("bad", "")]
    stages = [stage("a"), *({**stage(name), "triggers": triggers} for name, triggers in later.items())]
    return {"name": "p", "match": {"command": "sh"}, "allow_env": ["X"], "stages": stages}


def signal(type_: str, ok: bool | None, event_id: str | None, live: bool) -> Signal:
    return Signal(
        kind=SignalKind.STATUS,
        parser="sentry",
        trust=Trust.PRINTED,
        confidence=1.0,
        digest=f"{type_}{ok}{event_id}",
        at=0.0,
        ok=ok,
        event_type=type_,
        event_id=event_id,
        live=live,
    )


LINES = st.lists(
    st.sampled_from(["$ go", "0 problems", "bad", "\udcff", "", "> second"]) | st.text(max_size=6), max_size=3
).map(tuple)
SIGNALS = st.lists(
    st.builds(
        signal,
        st.sampled_from(["STATUS", "DONE"]),
        st.sampled_from([True, False, None]),
        st.sampled_from([None, "1"]),
        st.booleans(),
    ),
    max_size=2,
).map(tuple)
CHOICES = (
    Choice(label="always", key=("9",), meaning="approve_always"),
    Choice(label="yes", key=("1",), meaning="approve"),
    Choice(label="no", key=("2",), meaning="reject"),
)


def prompt(command: str, choices: tuple[Choice, ...], confidence: float) -> Signal:
    name = dialog_fingerprint("?", command, choices)
    return Signal(
        kind=SignalKind.PROMPT,
        parser="x",
        trust=Trust.GUESSED,
        confidence=confidence,
        digest=name,
        at=0.0,
        live=False,
        dialog=Dialog(question="?", command=command, choices=choices, fingerprint=name, kind="command"),
    )


ONE_PROMPT = st.builds(
    prompt,
    st.sampled_from(["git status"] * 5 + ["rm x"]),
    st.sampled_from([CHOICES] * 4 + [CHOICES[:2], CHOICES[:1]]),
    st.sampled_from([0.9] * 5 + [0.5]),
)
PROMPTS = st.lists(ONE_PROMPT, max_size=1).map(tuple)
VERBS = st.sampled_from(["start", "retry", "cancel", "send", "skip", "abort", "hold"])

#: Events that need nothing of the Run, and words for those that answer its effects.
FREE = st.one_of(
    st.builds(OutputSeen, lines=LINES, signals=SIGNALS),
    st.builds(ScreenSeen, lines=LINES, signals=SIGNALS, resync=st.booleans()),
    st.builds(ScreenSeen, signals=PROMPTS),
    st.builds(ScreenSeen, signals=PROMPTS),
    st.just(Activity()),
    st.builds(StateSeen, state=st.sampled_from(list(AgentState))),
    st.builds(ExitSeen, code=st.integers(0, 2)),
    st.just(PaneGone(reason="gone", status=0)),
    st.just(Unreachable()),
    st.builds(Reachable, away=st.floats(0, 10)),
    st.just(Due()),
    st.builds(Order, verb=VERBS, stage=st.sampled_from([None, "a", "b", "c", "nope"]), by=st.just("ann")),
)
ANSWERS = st.sampled_from(
    ["about", "done", "done", "held", "moot", "yes", "yes", "no", "wrong", "check ok", "check bad", "about"]
)
HAPPENINGS = st.lists(st.tuples(st.floats(0, 6), FREE | ANSWERS | ANSWERS), max_size=40)


def answer_of(word: str, effects: list[Any]) -> Event:
    """What the outside would say to the newest effect it can be about."""
    newest = {
        kind: next((e for e in reversed(effects) if isinstance(e, kind)), None) for kind in (Send, Ask, StartCheck)
    }
    send, ask, check = newest[Send], newest[Ask], newest[StartCheck]
    if word == "moot" and send is not None:
        return SendMoot(action_id=send.action_id, reason="gone")
    if word in ("about", "done", "held") and send is not None:
        if word == "about":
            return AboutToSend(action_id=send.action_id, lines=("0 problems",), digests=("STATUSTrueNone",))
        return (
            SendDone(action_id=send.action_id) if word == "done" else SendHeld(action_id=send.action_id, reason="busy")
        )
    if word in ("yes", "no", "wrong") and ask is not None:
        digest = "wrong" if word == "wrong" else ask.digest
        return Decided(approval_id=ask.approval_id, approved=word != "no", by="ann", digest=digest)
    if check is not None:
        status = CheckStatus.FAILURE if word == "check bad" else CheckStatus.SUCCESS
        return CheckReported(action_id=check.action_id, status=status, url="http://x")
    return Due()


#: What the row of one attempt may say next.
WAYS = {
    None: {"pending", "waiting_approval", "running", "held", "skipped"},
    "pending": {"running", "held", "failed", "timed_out", "cancelled", "succeeded"},
    "waiting_approval": {"waiting_approval", "pending", "running", "held", "rejected", "failed", "cancelled"},
    "running": {"held", "succeeded", "failed", "timed_out", "cancelled"},
    "held": {"held", "pending", "running", "waiting_approval", "rejected", "failed", "cancelled"},
    "skipped": {"skipped"},  # attempt 0, at each end of the Run
    **{status: set() for status in FINAL - {"skipped"}},
}


def check_step(
    before: Run, run: Run, event: Event, effects: tuple[Any, ...], rows: dict[Any, str], yes: set[Any]
) -> None:
    if isinstance(event, Decided) and event.approved:
        asked = before.attempt
        if asked and asked.approval_id == event.approval_id and asked.approval_digest == event.digest:
            yes.add((asked.stage, asked.number))
    for effect in effects:
        if isinstance(effect, Record):
            key = (effect.stage, effect.attempt)
            assert effect.status in WAYS[rows.get(key)], f"{key}: {rows.get(key)} -> {effect.status}"
            rows[key] = effect.status
        if isinstance(effect, Send):
            stage = run.pipeline.stage(effect.stage)
            assert stage is not None
            assert run.gone is None
            assert before.open or isinstance(event, Order), "a Run that has ended types nothing by itself"
            assert stage.require_approval is None or (effect.stage, effect.attempt) in yes
    sends = [effect for effect in effects if isinstance(effect, Send) and effect.answers is None]
    check_answers(before, run, event, [e for e in effects if isinstance(e, Send) and e.answers is not None])
    assert len(sends) <= 1, "one send at a time"
    if sends and run.attempt is not None:
        assert run.attempt.action_id == sends[0].action_id
    if run.attempt is None:
        assert not run.queue or not run.open, "something waits and nothing runs"
    else:
        assert run.attempt.stage not in run.queue
    if not run.open:
        assert run.attempt is None
        assert run.queue == ()
    active = [n for n, s in run.stages.items() if s.status not in FINAL and s.status != "pending"]
    assert len(active) <= 1
    assert active in ([], [run.attempt.stage] if run.attempt else [])
    assert all(state.queued == (name in run.queue) for name, state in run.stages.items())


def check_answers(before: Run, run: Run, event: Event, sends: list[Send]) -> None:
    """A dialog gets one key, of a choice that somebody is known to want, while it is there."""
    for send in sends:
        assert len(sends) == 1
        assert send.answers is not None
        assert run.relay is not None
        assert (run.relay.action_id, run.relay.dialog) == (send.action_id, send.answers.dialog)
        assert run.attempt is not None
        assert (run.attempt.stage, run.attempt.number) == (send.stage, send.attempt)
        known = before.relay if before.relay and before.relay.dialog == send.answers.dialog else None
        if isinstance(event, Decided) and known is not None and known.approval_id == event.approval_id:
            assert event.digest == known.approval_digest
            assert send.keys.keys == (("1",) if event.approved else ("2",))
        else:
            assert send.answers.dialog.command == "git status"
            assert send.keys.keys == ("1",)
            assert run.attempt.held is None
            assert run.attempt.answers <= 2
            assert run.sight is not None
            assert run.sight.has(send.answers.dialog.fingerprint)
            moved_on = known is not None and (known.stage, known.attempt) != (send.stage, send.attempt)
            assert known is None or known.standing is Standing.TOLD or (known.approval_id is not None and moved_on)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(source=pipelines(), happenings=HAPPENINGS, env=st.sampled_from([{}, {"X": "1"}]))
def test_the_machine_keeps_its_promises(source, happenings, env):
    drive(source, happenings, env)


#: What happens around dialogs; anything else comes in the test above.
AROUND_DIALOGS = st.one_of(
    *[st.builds(lambda shown: ScreenSeen(signals=(shown,)), ONE_PROMPT)] * 4,
    st.just(ScreenSeen()),
    st.sampled_from([Due(), ScreenSeen()]),
    *[st.sampled_from(["done", "done", "moot", "yes", "yes", "no"])] * 3,
    st.sampled_from(
        [
            "held",
            "wrong",
            Unreachable(),
            Reachable(away=1.0),
            OutputSeen(signals=(signal("STATUS", False, None, True),)),
        ]
        + [Order(verb=verb, by="ann", reason="x") for verb in ("hold", "send", "send", "abort")]
    ),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    rule=RULES | RULES.filter(lambda rule: rule != "ignore"),
    happenings=st.lists(st.tuples(st.floats(0, 6), AROUND_DIALOGS), min_size=10, max_size=60),
)
def test_dialogs_are_answered_at_most_once(rule, happenings):
    stage = {"name": "a", "actions_on_start": [{"wait": 500}], "timeout": 1000, "retries": 2, "on_prompt": rule}
    again = {**stage, "name": "b", "triggers": [{"after_stage_failure": "a"}]}
    drive({"name": "p", "match": {"command": "sh"}, "stages": [stage, again]}, happenings, {})


def drive(source, happenings, env):
    """Step a Run through what happens, and check each step."""
    pipeline = build_pipeline(source)
    run = Run(id="r", pipeline=pipeline, pane=PANE, pane_name="s:w.0", policy_digest="d", env=env)
    effects: list[Any] = []
    rows: dict[Any, str] = {}
    yes: set[Any] = set()
    now = 0.0
    for delay, what in [(0.0, Started()), *happenings]:
        now += delay
        event = answer_of(what, effects) if isinstance(what, str) else what
        after, new = step(run, event, now)
        assert (after, new) == step(run, event, now), "the same again gives the same"
        check_step(run, after, event, new, rows, yes)
        _check_clock(after, now)
        _check_written(after, pipeline, env, now)
        run, effects = after, [*effects, *new]


def _check_clock(run: Run, now: float) -> None:
    """What the machine asks to be woken for is over when it was woken."""
    for _ in range(60):
        at = next_due(run, now)
        if at is None or at > now:
            return
        run, _ = step(run, Due(), now)
    raise AssertionError("the machine asks for the same time again and again")


def _check_written(run: Run, pipeline: Any, env: dict[str, str], now: float) -> None:
    """A Run that was written down is equal, and does the same."""
    back = from_json(json.loads(json.dumps(to_json(run))), pipeline, env)
    assert back == run
    volatile = ("away_since", "on_screen", "seen", "last_output_at", "looked_at", "sight")
    back = replace(back, **{name: getattr(run, name) for name in volatile})
    for event in (Due(), OutputSeen(lines=("0 problems",)), PaneGone(reason="x"), Order(verb="abort", by="ann")):
        assert step(back, event, now) == step(run, event, now)
