"""The life of an attempt: begin, carry out its actions one by one, be judged, end, perhaps try again."""

from __future__ import annotations

from dataclasses import replace

from tmux_sentry.contracts import Level
from tmux_sentry.engine import asking, external, plan, verdict
from tmux_sentry.engine.builder import Builder
from tmux_sentry.engine.events import (
    Decided,
    Notify,
    PaneGone,
    Send,
    SendDone,
    SendHeld,
    StopSend,
)
from tmux_sentry.engine.run import FAILED, PENDING, REJECTED, RUNNING, SUCCEEDED, TIMED_OUT, Attempt, Phase
from tmux_sentry.policy.model import Action, ExternalCheck, NotifyAction, SendKeys, Stage, WaitAction
from tmux_sentry.policy.variables import UnknownVariable, substitute_message

#: Why a stage that may act is not running yet.
UNTYPED = "waiting to type"

# ---------------------------------------------------------------------------- begin


def begin(b: Builder, stage: Stage, number: int, first: int) -> None:
    """Start an attempt: ask first where the stage requires it, then act. `retries` counts from attempt `first`."""
    b.run = replace(b.run, attempt=Attempt(stage=stage.name, number=number, first=first, phase=Phase.ACTING))
    if stage.require_approval is None:
        act(b)
    else:
        asking.ask(b, stage, stage.require_approval)


def act(b: Builder) -> None:
    """Begin with actions_on_start. A stage that types nothing is running, and looked at, from here on."""
    attempt = b.update(phase=Phase.ACTING, action=0)
    b.run = replace(b.run, last_output_at=b.now)
    if any(isinstance(action, SendKeys) for action in b.stage.actions_on_start):
        b.record(attempt, PENDING, UNTYPED)
    else:
        arm(b)
    go(b)


def arm(b: Builder) -> None:
    """Output and events count from here on; what is visible now is baseline."""
    lines = None if b.run.seen is None else frozenset(b.run.seen)
    b.update(armed=True, baseline=b.run.on_screen, baseline_lines=lines)


# -------------------------------------------------------------------------- actions


def go(b: Builder) -> None:
    """Carry out the actions of the list in hand, up to one that takes time; at its end, watch or finish."""
    while (attempt := b.attempt) is not None and attempt.held is None:
        actions = list_in_hand(b.stage, attempt)
        if attempt.action >= len(actions):
            if attempt.phase is Phase.ENDING:
                finish(b)
            else:
                _running(b)
                b.update(phase=Phase.WATCHING)
                look(b)
            return
        b.update(action=attempt.action + 1)
        if not _carry_out(b, actions[attempt.action]):
            return


def list_in_hand(stage: Stage, attempt: Attempt) -> tuple[Action, ...]:
    """The actions being carried out: those on start, or those that belong to the outcome."""
    if attempt.phase is not Phase.ENDING:
        return stage.actions_on_start
    if attempt.outcome == SUCCEEDED:
        return stage.on_success
    if attempt.outcome == TIMED_OUT and stage.on_timeout is not None:
        return stage.on_timeout
    return stage.on_failure


def _carry_out(b: Builder, action: Action) -> bool:
    """Start one action; True when the next one may start at once."""
    attempt = b.attempt
    assert attempt is not None
    match action:
        case SendKeys():
            # What a person rejected, or a pane that is gone, gets no keys.
            if b.run.gone is not None or attempt.outcome == REJECTED:
                return True
            hand_out(b, action)
            return False
        case WaitAction():
            _running(b)
            b.update(wait_until=b.now + action.seconds)
            return False
        case ExternalCheck():
            _running(b)
            external.begin(b, action)
            return True
        case NotifyAction():
            _running(b)
            _notify(b, action)
            return True


def hand_out(b: Builder, action: SendKeys) -> None:
    """Want the keys typed; SendDone or SendHeld with this action id comes back."""
    attempt = b.attempt
    assert attempt is not None
    action_id = f"{b.run.id}/{attempt.stage}/{attempt.number}/{attempt.sends + 1}"
    b.update(sends=attempt.sends + 1, action_id=action_id)
    try:
        keys = plan.resolve(action, b.run, attempt.stage, attempt)
    except UnknownVariable as error:
        b.hold(f"cannot type: {error}")
        return
    if not asking.is_covered(b):
        asking.ask_again(b)
        return
    b.emit(
        Send(
            action_id=action_id,
            stage=attempt.stage,
            attempt=attempt.number,
            keys=keys,
            wait_idle=action.wait_idle,
            needs_exit=plan.needs_exit(action, b.stage, attempt),
        )
    )


def _notify(b: Builder, action: NotifyAction) -> None:
    attempt = b.attempt
    assert attempt is not None
    names = plan.values(b.run, attempt.stage, attempt)
    b.emit(
        Notify(
            event="policy.notify",
            level=action.level,
            title=_worded(action.title, names) or f"{b.run.pipeline.name}: {attempt.stage}",
            text=_worded(action.message, names),
            channels=action.channels,
            dedupe_key=f"{b.run.id}/{attempt.stage}/{attempt.number}/{attempt.phase.value}/{attempt.action}",
            fields={"pane": b.run.pane_name, "pipeline": b.run.pipeline.name, "stage": attempt.stage},
            include_output=action.include_output,
        )
    )


def _worded(text: str, names: dict[str, str]) -> str:
    try:
        return substitute_message(text, names)
    except UnknownVariable:
        return text  # people read it as the policy has it


# ---------------------------------------------------------------------------- asked


def decided(b: Builder, event: Decided) -> None:
    """A person answered: act, or end rejected."""
    answer = asking.decided(b, event)
    if answer is True:
        act(b)
    elif answer is False:
        conclude(b, REJECTED, f"rejected by {event.by}" + (f": {event.comment}" if event.comment else ""))


# ---------------------------------------------------------------------- about sends


def send_done(b: Builder, event: SendDone) -> None:
    """The keys are in the pane; the next action, unless their output has decided already."""
    if b.attempt is None or b.attempt.action_id != event.action_id:
        return
    phase = b.attempt.phase
    b.update(action_id=None, sent=True)
    b.run = replace(b.run, last_output_at=b.now)
    _running(b)
    look(b)
    if b.attempt is not None and b.attempt.phase is phase:  # else the look has decided it, and it has gone on
        go(b)


def send_held(b: Builder, event: SendHeld) -> None:
    """A person must decide what becomes of the keys."""
    if b.attempt is not None and b.attempt.action_id == event.action_id:
        b.hold(event.reason)


# -------------------------------------------------------------------------- judging


def look(b: Builder) -> None:
    """Decide the attempt if what is known allows it."""
    attempt = b.attempt
    if attempt is None or attempt.held is not None or attempt.phase not in (Phase.ACTING, Phase.WATCHING):
        return
    if (why := verdict.failure(b.run, b.stage, attempt, b.now)) is not None:
        conclude(b, FAILED, why)
    elif (why := verdict.success(b.run, b.stage, attempt, b.now)) is not None:
        conclude(b, SUCCEEDED, why)


# --------------------------------------------------------------------------- ending


def conclude(b: Builder, outcome: str, reason: str) -> None:
    """The attempt is decided; carry out the list that belongs to the outcome."""
    attempt = b.attempt
    assert attempt is not None
    drop_open_work(b, attempt)
    attempt = b.update(
        phase=Phase.ENDING,
        outcome=outcome,
        reason=reason,
        action=0,
        action_id=None,
        wait_until=None,
        held=None,
        held_at=None,
    )
    b.record(attempt, outcome, reason, finished=True)
    name = f"{b.run.pipeline.name}: {attempt.stage}"
    if outcome == SUCCEEDED:
        b.tell("stage.succeeded", Level.INFO, f"{name} succeeded", reason)
    else:
        b.tell(f"stage.{outcome}", Level.ERROR, f"{name} {outcome.replace('_', ' ')}", reason)
    go(b)


def drop_open_work(b: Builder, attempt: Attempt) -> None:
    """Give up sends, checks and questions that are still open."""
    if attempt.action_id is not None:
        b.emit(StopSend(action_id=attempt.action_id))
    external.drop(b, attempt)
    asking.withdraw(b, attempt)


def finish(b: Builder) -> None:
    """The outcome's list is carried out: rest before the next try, or let the stage go."""
    attempt = b.attempt
    assert attempt is not None
    again = (
        attempt.outcome in (FAILED, TIMED_OUT)
        and not attempt.last
        and attempt.number - attempt.first < b.stage.retries
        and b.run.gone is None
    )
    if again:
        b.update(phase=Phase.RESTING, wait_until=b.now + b.stage.retry_delay, held=None, held_at=None)
    else:
        b.run = replace(b.run, attempt=None)


def try_again(b: Builder) -> bool:
    """End a rest that is over: the next attempt. False when there is none to end."""
    attempt = b.attempt
    if attempt is None or attempt.phase is not Phase.RESTING or attempt.held is not None or b.run.unreachable:
        return False
    if attempt.wait_until is not None and b.now < attempt.wait_until:
        return False
    begin(b, b.stage, attempt.number + 1, attempt.first)
    return True


def pane_gone(b: Builder, event: PaneGone) -> None:
    """No pane, no stage, no keys: the attempt fails, unless its exit status was what it waited for."""
    b.run = replace(b.run, gone=event.reason, away_since=None)
    attempt = b.attempt
    if attempt is None:
        return
    if attempt.phase is Phase.RESTING:
        b.run = replace(b.run, attempt=None)
        return
    if attempt.phase is Phase.ENDING:
        _go_on_without_pane(b, attempt)
        return
    if event.status is not None and attempt.armed:
        b.update(exit_code=event.status)
        if b.stage.success_when:
            look(b)
    if b.attempt is not None and not b.attempt.phase.decided:
        conclude(b, FAILED, event.reason)


def _go_on_without_pane(b: Builder, attempt: Attempt) -> None:
    """What remains of the outcome's list, its sends left out."""
    if attempt.action_id is not None:
        b.emit(StopSend(action_id=attempt.action_id))
    b.update(action_id=None, held=None, held_at=None)
    if attempt.wait_until is None:
        go(b)


# ----------------------------------------------------------------------------- time


def _running(b: Builder) -> None:
    """The first action runs: the stage is running and its timeout starts."""
    attempt = b.attempt
    assert attempt is not None
    if attempt.started_at is None and attempt.phase is not Phase.ENDING:
        attempt = b.update(started_at=b.now, deadline=b.now + b.stage.timeout)
        if attempt.held is None:
            b.record(attempt, RUNNING)
