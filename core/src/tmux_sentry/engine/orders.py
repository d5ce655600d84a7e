"""What a person orders from the command line: start, retry, cancel, and what becomes of something held."""

from __future__ import annotations

from dataclasses import replace

from tmux_sentry.contracts import Level
from tmux_sentry.engine import asking, attempts, dialogs, limiting, plan, stages, timing
from tmux_sentry.engine.builder import Builder
from tmux_sentry.engine.events import Order, StopSend
from tmux_sentry.engine.run import (
    CANCELLED,
    FAILED,
    FAILURES,
    FINAL,
    PENDING,
    REJECTED,
    SUCCEEDED,
    Attempt,
    Phase,
    Run,
    StageState,
)
from tmux_sentry.policy.model import AfterStages, SendKeys, Stage


def refusal(run: Run, order: Order) -> str | None:
    """Why the order makes no sense for this Run; None when it does."""
    if order.stage is not None and run.pipeline.stage(order.stage) is None:
        names = ", ".join(stage.name for stage in run.pipeline.stages)
        return f"pipeline {run.pipeline.name} has no stage {order.stage} (it has: {names})"
    busy = run.attempt.stage if run.attempt else None
    match order.verb:
        case "send" | "skip" | "abort":
            return _refuse_resume(run, order)
        case "cancel":
            return None if run.open else f"the run has already ended: {run.status}"
        case "hold":
            return _refuse_hold(run)
        case "start" | "retry":
            if run.gone is not None:
                return f"the pane is gone: {run.gone}"
            if busy is not None and busy == _stage_meant(run, order):
                return f"stage {busy} is already active"
            return None if _stage_meant(run, order) else "no stage of this run has failed; name one"
    return None


def _refuse_hold(run: Run) -> str | None:
    attempt = run.attempt
    if attempt is None:
        return "no stage of this run is active"
    # A question whose time is over holds the stage, and is still open: a yes would lift that hold.
    return None if attempt.held is None or attempt.approval_id is not None else f"it is held already: {attempt.held}"


def _refuse_resume(run: Run, order: Order) -> str | None:
    attempt = run.attempt
    if attempt is None or attempt.held is None:
        return "nothing of this run is held"
    if attempt.phase is Phase.APPROVING and order.verb == "skip":
        ways = "--send asks anew, --abort ends it" if attempt.approval_id is None else "approve or reject it"
        return f"the stage waits for an approval, which cannot be skipped: {ways}"
    return None


def ways_on(run: Run) -> str:
    """What may be said about a Run that is held, as options of `runs resume`."""
    return "|".join(f"--{verb}" for verb in ("send", "skip", "abort") if refusal(run, Order(verb=verb)) is None)


def carry_out(b: Builder, order: Order) -> None:
    """Do what `refusal` finds no fault with."""
    if refusal(b.run, order) is not None:
        return
    match order.verb:
        case "start" | "retry":
            _start(b, _stage_meant(b.run, order))
        case "cancel":
            _cancel(b, order)
        case "hold":
            _hold(b, order)
        case "send" | "skip" | "abort":
            _resume(b, order)


def _stage_meant(run: Run, order: Order) -> str | None:
    if order.stage is not None or order.verb == "start":
        return order.stage
    bad = FAILURES | {CANCELLED}
    return next((s.name for s in run.pipeline.stages if run.stages.get(s.name, StageState()).status in bad), None)


def _start(b: Builder, name: str | None) -> None:
    assert name is not None
    if not b.run.open:
        b.run = replace(b.run, status="open", finished_at=None)
    b.set_stage(name, status=PENDING)
    for later in _after(b.run, name):
        b.set_stage(later, status=PENDING)
    stages.queue(b, name)


def _after(run: Run, name: str) -> list[str]:
    """The stages that `name` leads to and that ended without success: their triggers may fire again."""
    busy = run.attempt.stage if run.attempt else None
    reached = {name}
    for _ in run.pipeline.stages:  # each round reaches at least one more, or all are reached
        reached |= {stage.name for stage in run.pipeline.stages if reached & _waits_for(stage)}
    again = FINAL - {SUCCEEDED}
    return [n for n in reached - {name, busy} if run.stages.get(n, StageState()).status in again]


def _waits_for(stage: Stage) -> set[str]:
    return {name for trigger in stage.triggers if isinstance(trigger, AfterStages) for name in trigger.stages}


def _cancel(b: Builder, order: Order) -> None:
    attempt = b.attempt
    if attempt is not None:
        attempts.drop_open_work(b, attempt)
        if not attempt.phase.decided:
            b.record(attempt, CANCELLED, f"cancelled by {order.by}", finished=True)
    for name in b.run.queue:
        b.set_stage(name, queued=False)
    b.run = replace(b.run, status="cancelled", finished_at=b.now, attempt=None, queue=())
    b.tell("run.cancelled", Level.WARNING, f"{b.run.pipeline.name}: cancelled", f"by {order.by}")


def _hold(b: Builder, order: Order) -> None:
    attempt = b.attempt
    assert attempt is not None
    if attempt.action_id is not None:
        b.emit(StopSend(action_id=attempt.action_id))
    asking.withdraw(b, attempt)  # an answer to it would lift the hold; resuming asks anew
    dialogs.stop(b)
    b.hold(order.reason)


def _resume(b: Builder, order: Order) -> None:
    assert b.attempt is not None
    assert b.attempt.held_at is not None
    held_at = b.attempt.held_at
    if order.verb == "send" and b.attempt.held == plan.UNSEEN:
        b.update(blind=True)
    timing.release(b)
    limiting.released(b, held_at, again=order.verb == "send")
    attempt = b.attempt
    if order.verb == "abort":
        _abort(b, attempt, f"aborted by {order.by}")
    elif attempt.phase is Phase.APPROVING:
        spec = b.stage.require_approval
        assert spec is not None
        asking.withdraw(b, attempt)
        asking.ask(b, b.stage, spec)
    elif attempt.phase is Phase.RESTING or (attempt.wait_until is not None and order.verb == "send"):
        pass  # its time comes
    elif order.verb == "skip" or attempt.action_id is None:
        if not attempt.armed:
            attempts.arm(b)  # whoever skips has seen to the keys
        b.update(action_id=None, wait_until=None)
        attempts.go(b)
    else:
        action = attempts.list_in_hand(b.stage, attempt)[attempt.action - 1]
        assert isinstance(action, SendKeys)
        attempts.hand_out(b, action)


def _abort(b: Builder, attempt: Attempt, why: str) -> None:
    """No other try. What has its outcome keeps it; only the rest of its list is given up."""
    b.update(last=True)
    if attempt.phase.decided:
        attempts.drop_open_work(b, attempt)
        attempts.finish(b)
    else:
        attempts.conclude(b, REJECTED if attempt.phase is Phase.APPROVING else FAILED, why)
