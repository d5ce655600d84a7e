"""The life of an attempt: begin, carry out its actions one by one, be judged, end, perhaps try again."""

from __future__ import annotations

from dataclasses import replace

from tmux_sentry.contracts import CheckStatus, Level
from tmux_sentry.engine import asking, plan
from tmux_sentry.engine.builder import Builder
from tmux_sentry.engine.conditions import evaluate, stage_leaves
from tmux_sentry.engine.events import (
    AboutToSend,
    Decided,
    Notify,
    PaneGone,
    Send,
    SendDone,
    SendHeld,
    StartCheck,
    StopCheck,
    StopSend,
)
from tmux_sentry.engine.output import fingerprint, squeeze
from tmux_sentry.engine.run import FAILED, HELD, PENDING, REJECTED, RUNNING, SUCCEEDED, TIMED_OUT, Attempt, Phase, Run
from tmux_sentry.policy.model import Action, ExternalCheck, IdleFor, NotifyAction, SendKeys, Stage, WaitAction
from tmux_sentry.policy.variables import UnknownVariable, substitute_message

# ---------------------------------------------------------------------------- begin


def begin(b: Builder, stage: Stage, number: int) -> None:
    """Start an attempt: ask first where the stage requires it, then act."""
    b.run = replace(b.run, attempt=Attempt(stage=stage.name, number=number, phase=Phase.ACTING))
    if stage.require_approval is None:
        act(b)
        return
    try:
        asking.ask(b, stage, stage.require_approval)
    except UnknownVariable as error:
        hold(b, f"cannot ask: {error}")


def act(b: Builder) -> None:
    """Begin with actions_on_start. A stage that types nothing is running, and looked at, from here on."""
    attempt = b.update(phase=Phase.ACTING, action=0)
    if any(isinstance(action, SendKeys) for action in b.stage.actions_on_start):
        b.record(attempt, PENDING, "waiting to type")
    else:
        b.update(armed=True, baseline=b.run.on_screen)
    go(b)


# -------------------------------------------------------------------------- actions


def go(b: Builder) -> None:
    """Carry out the actions of the list in hand, up to one that takes time; at its end, watch or finish."""
    while (attempt := b.attempt) is not None and attempt.held is None:
        actions = list_in_hand(b.stage, attempt)
        if attempt.action >= len(actions):
            if attempt.phase is Phase.ENDING:
                _finish(b)
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
            _start_check(b, action)
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
        hold(b, f"cannot type: {error}")
        return
    b.emit(
        Send(
            action_id=action_id,
            stage=attempt.stage,
            attempt=attempt.number,
            keys=keys,
            wait_idle=action.wait_idle,
        )
    )


def _start_check(b: Builder, action: ExternalCheck) -> None:
    attempt = b.attempt
    assert attempt is not None
    action_id = f"{b.run.id}/{attempt.stage}/{attempt.number}/check{len(attempt.checks) + 1}"
    deadlines = dict(attempt.check_deadlines)
    if action.max_wait is not None:
        deadlines[action_id] = b.now + action.max_wait
    b.update(checks={**attempt.checks, action_id: CheckStatus.PENDING.value}, check_deadlines=deadlines)
    b.emit(
        StartCheck(action_id=action_id, type=action.type, config=action.config, started_at=attempt.started_at or b.now)
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
            fields={"pane": b.run.pane_name, "pipeline": b.run.pipeline.name},
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


def about_to_send(b: Builder, event: AboutToSend) -> None:
    """From here on output counts, except what is visible now and the echo of the keys."""
    attempt = b.attempt
    if attempt is None or attempt.action_id != event.action_id or attempt.phase is Phase.ENDING:
        return
    text = _text_in_hand(b, attempt)
    b.update(
        armed=True,
        baseline=attempt.baseline | frozenset(event.digests),
        baseline_lines=attempt.baseline_lines | {fingerprint(line) for line in event.lines if line.strip()},
        typed=(*attempt.typed, text) if text and text not in attempt.typed else attempt.typed,
        echo=text if squeeze(text) else None,
        withheld=(),
        exit_code=None,
    )


def _text_in_hand(b: Builder, attempt: Attempt) -> str:
    action = list_in_hand(b.stage, attempt)[attempt.action - 1]
    assert isinstance(action, SendKeys)
    return plan.resolve(action, b.run, attempt.stage, attempt).text


def send_done(b: Builder, event: SendDone) -> None:
    """The keys are in the pane; the next action."""
    if b.attempt is None or b.attempt.action_id != event.action_id:
        return
    b.update(action_id=None)
    _running(b)
    go(b)


def send_held(b: Builder, event: SendHeld) -> None:
    """A person must decide what becomes of the keys."""
    if b.attempt is not None and b.attempt.action_id == event.action_id:
        hold(b, event.reason)


def hold(b: Builder, reason: str) -> None:
    """Stop here until a person decides; deadlines wait with it."""
    attempt = b.update(held=reason, held_at=b.now)
    b.record(attempt, HELD, reason)
    b.tell("stage.held", Level.WARNING, f"{b.run.pipeline.name}: {attempt.stage} is held", reason, run=b.run.id)


def release(b: Builder) -> None:
    """The hold is over; deadlines go on from where they stood."""
    attempt = b.attempt
    assert attempt is not None and attempt.held_at is not None
    away = b.now - attempt.held_at
    b.update(held=None, held_at=None)
    clocks_go_on(b, away)


# -------------------------------------------------------------------------- judging


def look(b: Builder) -> None:
    """Decide the attempt if its conditions allow it."""
    attempt = b.attempt
    if attempt is None or attempt.held is not None or attempt.phase not in (Phase.ACTING, Phase.WATCHING):
        return
    if not attempt.armed:
        return
    why = _failure(b, attempt)
    if why is not None:
        conclude(b, FAILED, why)
    elif attempt.phase is Phase.WATCHING and (why := _success(b, attempt)) is not None:
        conclude(b, SUCCEEDED, why)


def _failure(b: Builder, attempt: Attempt) -> str | None:
    if attempt.status_ok is False:
        return "STATUS ok false"
    if CheckStatus.FAILURE.value in attempt.checks.values() and not _asked_for(b.stage, CheckStatus.FAILURE):
        return "the external check failed"
    for number, condition in enumerate(b.stage.failure_when):
        if evaluate(condition, b.run, attempt, b.now):
            return f"failure_when[{number}]"
    if not b.stage.success_when and attempt.phase is Phase.WATCHING and attempt.exit_code:
        return f"exit status {attempt.exit_code}"
    return None


def _asked_for(stage: Stage, status: CheckStatus) -> bool:
    """Whether success itself is defined by that status (`external_status: failure` under success_when)."""
    return any(getattr(condition, "status", None) == status.value for condition in stage.success_when)


def _success(b: Builder, attempt: Attempt) -> str | None:
    if b.stage.success_when:
        held = all(evaluate(condition, b.run, attempt, b.now) is True for condition in b.stage.success_when)
        return "success_when" if held else None
    checks = set(attempt.checks.values())
    if checks and checks != {CheckStatus.SUCCESS.value}:
        return None
    if attempt.status_ok:
        return "STATUS ok true"
    if attempt.exit_code == 0:
        return "exit status 0"
    return "external check succeeded" if checks else None


# --------------------------------------------------------------------------- ending


def conclude(b: Builder, outcome: str, reason: str) -> None:
    """The attempt is decided; carry out the list that belongs to the outcome."""
    attempt = b.attempt
    assert attempt is not None
    drop_open_work(b, attempt)
    attempt = b.update(phase=Phase.ENDING, outcome=outcome, reason=reason, action=0, action_id=None, wait_until=None, held=None)
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
    for action_id, status in attempt.checks.items():
        if status == CheckStatus.PENDING.value:
            b.emit(StopCheck(action_id=action_id))
    asking.withdraw(b, attempt)


def _finish(b: Builder) -> None:
    attempt = b.attempt
    assert attempt is not None
    again = attempt.outcome in (FAILED, TIMED_OUT) and attempt.number <= b.stage.retries and b.run.gone is None
    if again:
        b.update(phase=Phase.RESTING, wait_until=b.now + b.stage.retry_delay)
        if b.stage.retry_delay == 0:
            begin(b, b.stage, attempt.number + 1)
    else:
        b.run = replace(b.run, attempt=None)


def pane_gone(b: Builder, event: PaneGone) -> None:
    """No pane, no stage: the attempt fails, unless its exit status was what it waited for."""
    b.run = replace(b.run, gone=event.reason)
    attempt = b.attempt
    if attempt is None or attempt.phase is Phase.ENDING:
        return
    if event.status is not None and attempt.armed:
        b.update(exit_code=event.status)
        if b.stage.success_when:
            look(b)
    attempt = b.attempt
    if attempt is not None and attempt.phase is not Phase.ENDING:
        if attempt.phase is Phase.RESTING:
            b.run = replace(b.run, attempt=None)
        else:
            conclude(b, FAILED, event.reason)


# ----------------------------------------------------------------------------- time


def _running(b: Builder) -> None:
    """The first action runs: the stage is running and its timeout starts."""
    attempt = b.attempt
    assert attempt is not None
    if attempt.started_at is None and attempt.phase is not Phase.ENDING:
        attempt = b.update(started_at=b.now, deadline=b.now + b.stage.timeout)
        b.record(attempt, RUNNING)


def due(b: Builder) -> None:
    """Time has passed: whichever deadline was reached."""
    attempt = b.attempt
    if attempt is None:
        return
    if attempt.phase is Phase.APPROVING:
        why = asking.due(b)
        if why is not None:
            conclude(b, REJECTED, why)
    elif attempt.held is not None:
        return
    elif attempt.phase is Phase.RESTING:
        if attempt.wait_until is not None and b.now >= attempt.wait_until:
            begin(b, b.stage, attempt.number + 1)
    else:
        _due_while_running(b, attempt)


def _due_while_running(b: Builder, attempt: Attempt) -> None:
    for action_id, deadline in attempt.check_deadlines.items():
        if attempt.phase is not Phase.ENDING and b.now >= deadline and attempt.checks[action_id] == CheckStatus.PENDING.value:
            conclude(b, TIMED_OUT, "the external check did not finish in its max_wait")
            return
    if attempt.phase is not Phase.ENDING and attempt.deadline is not None and b.now >= attempt.deadline:
        conclude(b, TIMED_OUT, f"not decided after {b.stage.timeout:g} s")
        return
    if attempt.wait_until is not None and b.now >= attempt.wait_until:
        b.update(wait_until=None)
        go(b)
    else:
        look(b)


def next_due(run: Run, attempt: Attempt, now: float) -> float | None:
    """The earliest deadline of the attempt, epoch seconds."""
    if attempt.phase is Phase.APPROVING:
        return asking.next_due(attempt)
    if attempt.held is not None:
        return None
    times = [attempt.wait_until]
    if attempt.phase is not Phase.ENDING:
        times += [attempt.deadline]
        times += [t for key, t in attempt.check_deadlines.items() if attempt.checks[key] == CheckStatus.PENDING.value]
    stage = run.pipeline.stage(attempt.stage)
    if stage is not None and run.last_output_at is not None and attempt.armed:
        idle = [run.last_output_at + leaf.seconds for leaf in stage_leaves(stage) if isinstance(leaf, IdleFor)]
        times += [at for at in idle if at > now]
    return min((at for at in times if at is not None), default=None)


def clocks_go_on(b: Builder, away: float) -> None:
    """Time that nobody could watch does not count."""
    attempt = b.attempt
    if attempt is None:
        return

    def later(at: float | None) -> float | None:
        return None if at is None else at + away

    b.update(
        deadline=later(attempt.deadline),
        wait_until=later(attempt.wait_until),
        check_deadlines={key: at + away for key, at in attempt.check_deadlines.items()},
    )
