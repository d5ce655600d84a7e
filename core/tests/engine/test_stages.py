"""Which stage comes next, and when a Run ends."""

from __future__ import annotations

from typing import Any

import pytest

from tmux_sentry.contracts import AgentState, Trust
from tmux_sentry.engine.events import Order, PaneGone, StateSeen


def shell(name: str, *triggers: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "triggers": list(triggers), "actions_on_start": [{"send_keys": f"run {name}"}], **more}


def after(*names: str) -> dict[str, Any]:
    return {"after_stage_success": names[0] if len(names) == 1 else list(names)}


def test_stages_run_one_after_the_other(world, event):
    w = world(shell("lint"), shell("test", after("lint")))
    assert w.typed == ["run lint<Enter>"]
    w.type().says(event(ok=True))
    assert w.typed == ["run lint<Enter>", "run test<Enter>"]
    w.type().says(event(ok=True))
    assert w.run.status == "succeeded"
    assert w.told[-1] == "run.succeeded"


def test_a_stage_behind_a_failed_one_is_skipped_and_the_run_fails(world, event):
    w = world(shell("lint"), shell("test", after("lint"))).type().says(event(ok=False))
    assert w.run.status == "failed"
    assert w.statuses == {"lint": "failed", "test": "skipped"}
    assert w.history[-1] == "test/0 skipped"
    assert w.told[-1] == "run.failed"


def test_ready_stages_queue_in_the_order_of_the_file(world, event):
    w = world(shell("first"), shell("c", after("first")), shell("b", after("first")), shell("a"))
    assert w.run.queue == ("a",)
    w.type().says(event(ok=True))
    assert w.typed[-1] == "run c<Enter>"
    assert w.run.queue == ("b", "a")


def test_one_stage_is_active_at_a_time(world):
    w = world(shell("a"), shell("b"))
    assert w.typed == ["run a<Enter>"]


def test_several_triggers_any_one_makes_the_stage_ready(world, event):
    w = world(shell("a"), shell("b", "manual"), shell("c", after("b"), after("a")))
    w.type().says(event(ok=True))
    assert w.typed[-1] == "run c<Enter>"


def test_a_list_in_one_trigger_waits_for_all_of_them(world, event):
    w = world(shell("a"), shell("b"), shell("both", after("a", "b")))
    w.type().says(event(ok=True))
    assert w.typed[-1] == "run b<Enter>"
    assert "both" not in w.run.queue
    w.type().says(event(ok=True))
    assert w.typed[-1] == "run both<Enter>"


@pytest.mark.parametrize("outcome", ["failed", "timed_out", "rejected"])
def test_after_stage_failure_follows_every_kind_of_failure(world, event, outcome):
    a = shell("a", require_approval=True) if outcome == "rejected" else shell("a")
    w = world(a, shell("fix", {"after_stage_failure": "a"}))
    match outcome:
        case "failed":
            w.type().says(event(ok=False))
        case "timed_out":
            w.type().due(1800)
        case "rejected":
            w.answer(approved=False)
    assert w.statuses["a"] == outcome
    assert w.typed[-1] == "run fix<Enter>"


def test_after_stage_failure_waits_for_the_last_attempt(world, event):
    w = world(shell("a", retries=1, retry_delay=10), shell("fix", {"after_stage_failure": "a"}))
    w.type().says(event(ok=False))
    assert w.run.queue == ()
    w.due(10).type().says(event(ok=False))
    assert w.typed == ["run a<Enter>", "run a<Enter>", "run fix<Enter>"]
    w.type().says(event(ok=False))
    assert w.typed.count("run fix<Enter>") == 1


def test_after_stage_failure_does_not_follow_a_retry_that_succeeds(world, event):
    w = world(shell("a", retries=1), shell("fix", {"after_stage_failure": "a"}))
    w.type().says(event(ok=False)).type().says(event(ok=True))
    assert "run fix<Enter>" not in w.typed
    assert w.run.status == "succeeded"


def test_a_failure_that_was_handled_still_fails_the_run(world, event):
    w = world(shell("a"), shell("fix", {"after_stage_failure": "a"}))
    w.type().says(event(ok=False)).type().says(event(ok=True))
    assert w.run.status == "failed"


@pytest.mark.parametrize("trigger", ["manual", {"on_signal": {"type": "DONE"}}, {"on_state": "idle"}])
def test_a_run_stays_open_while_an_event_can_still_start_a_stage(world, event, trigger):
    w = world(shell("a"), shell("later", trigger)).type().says(event(ok=True))
    assert w.run.status == "open"
    assert w.run.attempt is None


def test_on_signal_starts_a_stage_even_while_another_runs(world, event):
    w = world(shell("a"), shell("b", {"on_signal": {"type": "PROGRESS", "stage": "x"}})).type()
    w.says(event("PROGRESS", stage="y"))
    assert w.run.queue == ()
    w.says(event("PROGRESS", stage="x"))
    assert w.run.queue == ("b",)


def test_on_signal_takes_no_event_below_the_bar(world, event):
    w = world(shell("b", {"on_signal": {"type": "DONE"}}, min_trust="signed"))
    w.says(event("DONE", ok=True))
    assert w.typed == []
    w.says(event("DONE", ok=True, trust=Trust.SIGNED))
    assert w.typed == ["run b<Enter>"]


def test_on_state_starts_a_stage_when_the_agent_enters_the_state(world):
    w = world(shell("b", {"on_state": ["idle", "limited"]}), run={"agent_state": AgentState.IDLE})
    w.give(StateSeen(state=AgentState.IDLE))
    assert w.typed == []
    w.give(StateSeen(state=AgentState.WORKING)).give(StateSeen(state=AgentState.IDLE))
    assert w.typed == ["run b<Enter>"]


def test_the_pane_is_gone_and_so_is_everything_that_would_follow(world):
    w = world(shell("a", retries=3), shell("b", after("a")), shell("c")).type()
    w.give(PaneGone(reason="the pane is gone"))
    assert w.statuses == {"a": "failed", "b": "skipped", "c": "skipped"}
    assert w.run.status == "failed"
    assert w.typed == ["run a<Enter>"]


def test_a_run_whose_last_stage_ended_with_its_pane_succeeded(world):
    w = world(shell("a", success_when=[{"exit_code": 0}])).type().give(PaneGone(reason="gone", status=0))
    assert w.statuses == {"a": "succeeded"}
    assert w.run.status == "succeeded"


def test_a_run_that_fails_again_after_a_retry_is_told_again(world, event):
    w = world(shell("a")).type().says(event(ok=False))
    w.order("retry").type().says(event(ok=False))
    keys = [n.dedupe_key for n in w.effects if getattr(n, "event", "") == "run.failed"]
    assert len(keys) == len(set(keys)) == 2


def test_an_ended_run_takes_no_event_but_an_order(world, event):
    w = world(shell("a")).type().says(event(ok=True))
    ended = w.run
    w.prints("x").due(9999).give(PaneGone(reason="gone"))
    assert w.run == ended
    w.give(Order(verb="start", stage="a", by="ann"))
    assert w.run.open
