"""Which stage comes next, and when a Run ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tmux_sentry.contracts import Level, Signal
from tmux_sentry.engine import attempts
from tmux_sentry.engine.builder import Builder
from tmux_sentry.engine.conditions import matches_event, passes
from tmux_sentry.engine.events import Record, StateSeen
from tmux_sentry.engine.run import FAILURES, FINAL, PENDING, SKIPPED, SUCCEEDED, Run, StageState
from tmux_sentry.policy.model import AfterStages, Manual, OnSignal, OnState, Stage, Trigger


def go_on(b: Builder) -> None:
    """Queue what is ready, begin the next try or the first of the queue, end the Run if nothing is left."""
    while b.run.open:
        for stage in b.run.pipeline.stages:
            if _untouched(b.run, stage.name) and _ready(b.run, stage):
                queue(b, stage.name)
        if b.run.attempt is not None:
            if not attempts.try_again(b):
                return
            continue
        if b.run.queue and b.run.gone is None:
            _begin(b, b.run.queue[0])
        elif b.run.gone is not None or not any(_awaits_event(b.run, stage) for stage in b.run.pipeline.stages):
            _end(b)
        else:
            return


def _begin(b: Builder, name: str) -> None:
    b.run = replace(b.run, queue=tuple(other for other in b.run.queue if other != name))
    b.set_stage(name, queued=False)
    stage = b.run.pipeline.stage(name)
    assert stage is not None
    number = b.run.stages[name].attempts + 1
    attempts.begin(b, stage, number, first=number)


def queue(b: Builder, name: str) -> None:
    """Put a stage into the queue, which keeps the order of the file."""
    b.set_stage(name, queued=True)
    order = [stage.name for stage in b.run.pipeline.stages]
    b.run = replace(b.run, queue=tuple(sorted({*b.run.queue, name}, key=order.index)))


def ready_on_state(b: Builder, event: StateSeen) -> None:
    """Queue the stages that wait for the agent to enter this state and whose own bar it passes."""
    for stage in b.run.pipeline.stages:
        meant = any(isinstance(trigger, OnState) and event.state in trigger.states for trigger in stage.triggers)
        if meant and _untouched(b.run, stage.name) and event.confidence >= stage.min_confidence:
            queue(b, stage.name)


def ready_on_signals(b: Builder, signals: Iterable[Signal]) -> None:
    """Queue the stages that wait for one of these events and whose own bar it passes."""
    for signal in signals:
        for stage in b.run.pipeline.stages:
            if _untouched(b.run, stage.name) and passes(signal, stage) and _wants(stage, signal):
                queue(b, stage.name)


def _wants(stage: Stage, signal: Signal) -> bool:
    return any(
        isinstance(trigger, OnSignal) and matches_event(trigger.event, signal, signal.stage or "")
        for trigger in stage.triggers
    )


def _untouched(run: Run, name: str) -> bool:
    state = run.stages.get(name, StageState())
    running = run.attempt is not None and run.attempt.stage == name
    return state.status == PENDING and not state.queued and not running


def _ready(run: Run, stage: Stage) -> bool:
    return not stage.triggers or any(_fires(run, trigger) for trigger in stage.triggers)


def _fires(run: Run, trigger: Trigger) -> bool:
    if not isinstance(trigger, AfterStages):
        return False
    wanted = {SUCCEEDED} if trigger.outcome == "success" else FAILURES
    busy = run.attempt.stage if run.attempt else None
    return all(run.stages.get(name, StageState()).status in wanted and name != busy for name in trigger.stages)


def _awaits_event(run: Run, stage: Stage) -> bool:
    return _untouched(run, stage.name) and any(isinstance(t, (OnSignal, OnState, Manual)) for t in stage.triggers)


def _end(b: Builder) -> None:
    statuses = {stage.name: b.run.stages.get(stage.name, StageState()).status for stage in b.run.pipeline.stages}
    for name, status in statuses.items():
        if status not in FINAL:
            b.set_stage(name, status=SKIPPED, queued=False)
            b.emit(Record(stage=name, attempt=0, status=SKIPPED, reason=b.run.gone or "nothing made it ready"))
    bad = [name for name, status in statuses.items() if status in FAILURES]
    ok = not bad and (b.run.gone is None or FINAL.issuperset(statuses.values()))
    b.run = replace(b.run, status="succeeded" if ok else "failed", finished_at=b.now, queue=(), attempt=None)
    if ok:
        b.tell("run.succeeded", Level.INFO, f"{b.run.pipeline.name}: succeeded")
    else:
        why = f"failed at {', '.join(bad)}" if bad else b.run.gone or ""
        b.tell("run.failed", Level.ERROR, f"{b.run.pipeline.name}: failed", why)
