"""What an attempt knows of its external check: begun, answered, remembered, out of time. Pure, as the machine is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from tmux_sentry.contracts import CheckStatus, Level
from tmux_sentry.engine import plan
from tmux_sentry.engine.builder import Builder
from tmux_sentry.engine.events import AskCheck, CheckRemembered, CheckReported, Notify, StartCheck, StopCheck
from tmux_sentry.engine.run import Attempt, Run
from tmux_sentry.policy.model import ExternalCheck
from tmux_sentry.policy.variables import UnknownVariable

#: Answers in a row that say nothing before people are told: one alone is the ordinary trouble of a network.
SILENT = 3
#: Seconds in which the last answer may come, for which a check is asked when its time is over.
LAST = 30.0
#: Of how many checks a Run knows what they have followed.
FOLLOWED = 20

#: A check whose answer is still wanted; what it says meanwhile is for people.
_FINAL = frozenset(status.value for status in CheckStatus if status.final)


def is_open(status: str) -> bool:
    """Whether the final answer of a check with this status is still to come."""
    return status not in _FINAL


def begin(b: Builder, action: ExternalCheck) -> None:
    """Want the check asked; CheckReported with its action id comes back. Held where a variable has no value."""
    attempt = b.attempt
    assert attempt is not None
    action_id = f"{b.run.id}/{attempt.stage}/{attempt.number}/check{len(attempt.checks) + 1}"
    try:
        plan.check_config(action, b.run, attempt.stage)
    except UnknownVariable as error:
        b.hold(f"cannot check: {error}")
        return
    deadlines = dict(attempt.check_deadlines)
    if action.max_wait is not None:
        deadlines[action_id] = b.now + action.max_wait
    attempt = b.update(
        checks={**attempt.checks, action_id: CheckStatus.PENDING.value},
        check_deadlines=deadlines,
        check_silent=0,
        check_told="",
        check_percent=None,
    )
    b.emit(_order(b.run, attempt, action, action_id))


def in_hand(run: Run) -> Iterator[StartCheck]:
    """The checks whose final answer has not come, as they are to be asked on. One that cannot is left out."""
    attempt = run.attempt
    stage = run.pipeline.stage(attempt.stage) if attempt is not None else None
    if attempt is None or stage is None or attempt.phase.decided:
        return
    actions = [action for action in stage.actions_on_start if isinstance(action, ExternalCheck)]
    for action, (action_id, status) in zip(actions, attempt.checks.items(), strict=False):
        if is_open(status):
            try:
                yield _order(run, attempt, action, action_id)
            except UnknownVariable:
                continue  # its deadline tells


def _order(run: Run, attempt: Attempt, action: ExternalCheck, action_id: str) -> StartCheck:
    assert attempt.started_at is not None, "an action that is no send sets it"
    return StartCheck(
        action_id=action_id,
        type=action.type,
        config=plan.check_config(action, run, attempt.stage),
        started_at=attempt.started_at,
        typed=tuple(plan.without_report(text) for text in attempt.typed),
        memory=attempt.check_memory.get(action_id, {}),
        earlier=_earlier(run, attempt, action.type),
        follow=action.accept_rerun > 0,
    )


def _earlier(run: Run, attempt: Attempt, type: str) -> tuple[Mapping[str, Any], ...]:
    """What checks of this type have remembered in stages and attempts before this one."""
    before = (one for key, one in run.followed.items() if key not in attempt.checks)
    return tuple(one["memory"] for one in before if one["type"] == type)


def reported(b: Builder, event: CheckReported) -> None:
    """An answer. A failure that may still be run again counts only when nobody did so in time."""
    attempt = b.attempt
    known = attempt.checks.get(event.action_id) if attempt is not None and not attempt.phase.decided else None
    if attempt is None or known is None or not is_open(known):
        return
    status, until = event.status.value, dict(attempt.check_reruns)
    patience = _action(b, event.action_id).accept_rerun
    if event.status is CheckStatus.FAILURE and patience > 0:
        latest = attempt.check_deadlines.get(event.action_id, b.now + patience)
        until.setdefault(event.action_id, min(b.now + patience, latest))
        status = CheckStatus.PENDING.value
    elif event.status is not CheckStatus.UNKNOWN:  # which does not say that it runs again
        until.pop(event.action_id, None)
    silent = attempt.check_silent + 1 if event.status is CheckStatus.UNKNOWN else 0
    asks = event.status is CheckStatus.ATTENTION and event.detail != attempt.check_told
    last = dict(attempt.check_last)
    if silent == 0 and event.action_id in last:
        last[event.action_id] = b.now  # that was it
    b.update(
        checks={**attempt.checks, event.action_id: status},
        check_reruns=until,
        check_last=last,
        check_told=event.detail if event.status is CheckStatus.ATTENTION else attempt.check_told if silent else "",
        check_silent=silent,
        check_percent=event.percent if event.percent is not None or silent == 0 else attempt.check_percent,
        check_detail=event.detail or attempt.check_detail,
        check_url=event.url or attempt.check_url,
        check_log_tail=event.log_tail or attempt.check_log_tail,
    )
    if asks:
        _tell(b, "check.needs_attention", "the external check waits for a person", event)
    elif silent == SILENT:
        _tell(b, "check.unknown", "the external check gets no answer", event)
    elif event.action_id in until and event.action_id not in attempt.check_reruns:
        left = until[event.action_id] - b.now
        _tell(b, "check.failed", f"the external check failed; a re-run within {left:.0f} s counts", event)


def remembered(b: Builder, event: CheckRemembered) -> None:
    """What a checker wants to know after a restart."""
    attempt = b.attempt
    if attempt is not None and event.action_id in attempt.checks:
        b.update(check_memory={**attempt.check_memory, event.action_id: event.memory})
        known = {"type": _action(b, event.action_id).type, "memory": event.memory}
        followed = {**b.run.followed, event.action_id: known}
        b.run = replace(b.run, followed=dict(list(followed.items())[-FOLLOWED:]))


def drop(b: Builder, attempt: Attempt) -> None:
    """Nobody waits for the answers any more."""
    for action_id, status in attempt.checks.items():
        if is_open(status):
            b.emit(StopCheck(action_id=action_id))


def overdue(attempt: Attempt, now: float) -> str | None:
    """Why the attempt has run out of time, with what was seen last; None while it has not."""
    if all(now < at for at in _deadlines(attempt)):
        return None
    return f"the external check did not finish in its max_wait{last_seen(attempt)}"


def awaits_last(b: Builder, *, every: bool) -> bool:
    """Whether a check that has run out of time, or `every` open one, may still give its last answer.

    Each is asked for it once: it may have ended long ago, since the last question or while this program did not run.
    """
    attempt = b.attempt
    assert attempt is not None
    late = [
        key
        for key, status in attempt.checks.items()
        if is_open(status) and (every or b.now >= attempt.check_deadlines.get(key, math.inf))
    ]
    if fresh := [key for key in late if key not in attempt.check_last]:
        attempt = b.update(check_last={**attempt.check_last, **dict.fromkeys(fresh, b.now + LAST)})
        for key in fresh:
            b.emit(AskCheck(action_id=key))
    return any(b.now < attempt.check_last[key] for key in late)


def put_off(attempt: Attempt) -> float | None:
    """The attempt's deadline, put off while a last answer is waited for."""
    if attempt.deadline is None:
        return None
    return max([attempt.deadline, *(at for key, at in attempt.check_last.items() if is_open(attempt.checks[key]))])


def last_seen(attempt: Attempt) -> str:
    """What a check said last, as the end of a sentence."""
    return f": {attempt.check_detail}" if attempt.checks and attempt.check_detail else ""


def give_up_reruns(b: Builder) -> None:
    """A failure that nobody ran again in time is one."""
    attempt = b.attempt
    assert attempt is not None
    for action_id, until in attempt.check_reruns.items():
        if b.now >= until and is_open(attempt.checks[action_id]):
            attempt = b.update(checks={**attempt.checks, action_id: CheckStatus.FAILURE.value})
            b.emit(StopCheck(action_id=action_id))


def times(attempt: Attempt) -> list[float]:
    """When the clock may decide something about the checks, epoch seconds."""
    open_ones = {key: at for key, at in attempt.check_deadlines.items() if is_open(attempt.checks[key])}
    return [
        *(max(at, attempt.check_last.get(key, at)) for key, at in open_ones.items()),
        *(at for key, at in attempt.check_reruns.items() if is_open(attempt.checks[key])),
    ]


def _deadlines(attempt: Attempt) -> list[float]:
    return [at for action_id, at in attempt.check_deadlines.items() if is_open(attempt.checks[action_id])]


def _action(b: Builder, action_id: str) -> ExternalCheck:
    attempt = b.attempt
    assert attempt is not None
    actions = [action for action in b.stage.actions_on_start if isinstance(action, ExternalCheck)]
    return actions[list(attempt.checks).index(action_id)]


def _tell(b: Builder, event: str, what: str, report: CheckReported) -> None:
    attempt = b.attempt
    assert attempt is not None
    b.emit(
        Notify(
            event=event,
            level=Level.WARNING,
            title=f"{b.run.pipeline.name}: {attempt.stage}: {what}",
            text="\n".join(part for part in (report.detail, report.url) if part),
            # More than once in an attempt: one environment after the other may wait for a review.
            dedupe_key=f"{report.action_id}/{event}/{b.now:.3f}",
            fields={"pane": b.run.pane_name, "pipeline": b.run.pipeline.name, "stage": attempt.stage},
        )
    )
