"""What a person orders from the command line: start, retry, cancel, and what becomes of something held."""

from __future__ import annotations

from dataclasses import replace

from tmux_sentry.contracts import Level
from tmux_sentry.engine import asking, attempts, stages
from tmux_sentry.engine.builder import Builder
from tmux_sentry.engine.events import Order
from tmux_sentry.engine.run import CANCELLED, FAILED, FINAL, PENDING, REJECTED, SUCCEEDED, Phase, Run, StageState
from tmux_sentry.policy.model import SendKeys


def refusal(run: Run, order: Order) -> str | None:
    """Why the order makes no sense for this Run; None when it does."""
    if order.stage is not None and run.pipeline.stage(order.stage) is None:
        names = ", ".join(stage.name for stage in run.pipeline.stages)
        return f"pipeline {run.pipeline.name} has no stage {order.stage} (it has: {names})"
    busy = run.attempt.stage if run.attempt else None
    match order.verb:
        case "send" | "skip" | "abort":
            return _refuse_resume(run, order)
        case "cancel" | "hold":
            return None if run.open else f"the run has already ended: {run.status}"
        case "start" | "retry":
            if run.gone is not None:
                return f"the pane is gone: {run.gone}"
            if busy is not None and busy == _stage_meant(run, order):
                return f"stage {busy} is already active"
            return None if _stage_meant(run, order) else "no stage of this run has failed; name one"
    return None


def _refuse_resume(run: Run, order: Order) -> str | None:
    attempt = run.attempt
    if attempt is None or attempt.held is None:
        return "nothing of this run is held"
    if attempt.phase is Phase.APPROVING and order.verb == "skip":
        return "the stage waits for an approval, which cannot be skipped: approve or reject it"
    return None


def carry_out(b: Builder, order: Order) -> None:
    """Do what `refusal` found no fault with."""
    match order.verb:
        case "start" | "retry":
            _start(b, _stage_meant(b.run, order))
        case "cancel":
            _cancel(b, order)
        case "hold":
            if b.attempt is not None and b.attempt.held is None:
                attempts.hold(b, order.reason)
        case "send" | "skip" | "abort":
            if b.attempt is not None and b.attempt.held is not None:
                _resume(b, order)


def _stage_meant(run: Run, order: Order) -> str | None:
    if order.stage is not None or order.verb == "start":
        return order.stage
    bad = [s.name for s in run.pipeline.stages if run.stages.get(s.name, StageState()).status in FINAL - {SUCCEEDED}]
    return bad[0] if bad else None


def _start(b: Builder, name: str | None) -> None:
    if name is None:
        return
    if not b.run.open:
        # What never ran because of the failure may run now.
        again = {n: s if s.status == SUCCEEDED else replace(s, status=PENDING, queued=False) for n, s in b.run.stages.items()}
        again = {n: s if s.status == SUCCEEDED or s.attempts == 0 else s for n, s in again.items()}
        b.run = replace(b.run, status="open", finished_at=None, stages=again)
    b.set_stage(name, status=PENDING)
    stages.queue(b, name)


def _cancel(b: Builder, order: Order) -> None:
    attempt = b.attempt
    if attempt is not None:
        attempts.drop_open_work(b, attempt)
        b.record(attempt, CANCELLED, f"cancelled by {order.by}", finished=True)
    b.run = replace(b.run, status="cancelled", finished_at=b.now, attempt=None, queue=())
    b.tell("run.cancelled", Level.WARNING, f"{b.run.pipeline.name}: cancelled", f"by {order.by}")


def _resume(b: Builder, order: Order) -> None:
    attempt = b.attempt
    assert attempt is not None
    attempts.release(b)
    if order.verb == "abort":
        waiting = attempt.phase is Phase.APPROVING
        attempts.conclude(b, REJECTED if waiting else FAILED, f"aborted by {order.by}")
    elif attempt.phase is Phase.APPROVING:
        spec = b.stage.require_approval
        assert spec is not None
        asking.withdraw(b, attempt)
        asking.ask(b, b.stage, spec)
    elif order.verb == "skip" or attempt.action_id is None:
        b.update(action_id=None)
        attempts.go(b)
    else:
        action = attempts.list_in_hand(b.stage, attempt)[attempt.action - 1]
        assert isinstance(action, SendKeys)
        attempts.hand_out(b, action)
