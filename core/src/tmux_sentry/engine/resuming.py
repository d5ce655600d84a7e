"""What is done about a usage limit: people are told, the message is typed when it is over. Pure, as the machine is."""

from __future__ import annotations

from dataclasses import replace

from tmux_sentry.contracts import Level
from tmux_sentry.engine import asking, plan
from tmux_sentry.engine.builder import Builder
from tmux_sentry.engine.events import Keys, Notify, Send, SendHeld
from tmux_sentry.engine.limited import GRACE, Limited, Standing, shown_until
from tmux_sentry.engine.run import Attempt, Phase, Run
from tmux_sentry.policy.model import LimitRule, SendKeys
from tmux_sentry.policy.variables import UnknownVariable
from tmux_sentry.security.sanitize import visible

#: How long the message waits for the agent to become able to take it, in seconds.
WAIT_IDLE = 300.0


def go_on(b: Builder, limit: Limited) -> None:
    """Do what its time has come for."""
    if limit.standing is Standing.LEAVING and limit.leave_by is not None and b.now >= limit.leave_by:
        limit = tell(b, again(b, limit))
        b.run = replace(b.run, limit=limit)
    attempt, rule = b.attempt, rule_of(b.run)
    if limit.standing is not Standing.WAITING or not rule.resume or attempt is None or not may_act(attempt):
        return
    due = due_at(limit, rule)
    if why := _why_never(limit, rule, b.now):
        stuck(b, limit, why)
    elif due is not None and b.now >= due:
        _hand_out(b, limit, attempt)


def _why_never(limit: Limited, rule: LimitRule, now: float) -> str:
    """Why the message is not typed by itself at all; "" when its time comes, or may come."""
    if limit.tries >= rule.max_tries:
        return f"the agent is still at its usage limit after {limit.tries} tries (max_tries)"
    if limit.until is not None and limit.until - now > rule.max_wait:
        return f"the agent's usage limit lasts longer than max_wait: until {shown_until(limit.until, now)}"
    if limit.until is None and rule.retry_every is None and now >= limit.seen_at + GRACE:
        return "the agent is at its usage limit, and no reset time is known (retry_every)"
    return ""


def due_at(limit: Limited, rule: LimitRule) -> float | None:
    """When the message is due, or it is known that it never is."""
    if limit.until is not None:
        return max(limit.until, limit.seen_at) + rule.slack
    return limit.seen_at + (GRACE if rule.retry_every is None else rule.retry_every)


def _hand_out(b: Builder, limit: Limited, attempt: Attempt) -> None:
    attempt = b.update(resumes=attempt.resumes + 1)
    action_id = f"{b.run.id}/{attempt.stage}/{attempt.number}/limit{attempt.resumes}"
    limit = replace(limit, standing=Standing.SENDING, action_id=action_id, tries=limit.tries + 1, told=False)
    b.run = replace(b.run, limit=limit)
    send = send_in_hand(b.run)
    if isinstance(send, Send) and asking.is_covered(b):
        b.emit(send)
    else:
        why = send.reason if isinstance(send, SendHeld) else "what it would type now is not what was approved"
        stuck(b, limit, why)


def send_in_hand(run: Run) -> Send | SendHeld | None:
    """The message that was handed out and is not known to be typed; held where it would be another one now."""
    limit = run.limit
    if limit is None or limit.action_id is None or (stage := run.pipeline.stage(limit.stage)) is None:
        return None
    try:
        keys = _keys(run, limit.stage, run.attempt, stage.on_limit)
    except UnknownVariable as error:
        return SendHeld(action_id=limit.action_id, reason=f"cannot type: {error}")
    return Send(
        action_id=limit.action_id,
        stage=limit.stage,
        attempt=limit.attempt,
        keys=keys,
        wait_idle=WAIT_IDLE,
        resumes=True,
    )


def again(b: Builder, limit: Limited) -> Limited:
    """A try was in vain: the limit is seen once more."""
    return replace(limit, standing=Standing.WAITING, seen_at=b.now, told=False, leave_by=None)


def stuck(b: Builder, limit: Limited, why: str) -> None:
    """Hold the attempt: nothing more is typed for this limit unless a person says so."""
    standing = Standing.STUCK if limit.stands else limit.standing
    b.run = replace(b.run, limit=replace(limit, standing=standing, action_id=None, leave_by=None))
    attempt = b.attempt
    mine = attempt is not None and (attempt.stage, attempt.number) == (limit.stage, limit.attempt)
    if attempt is not None and mine and attempt.held is None and not attempt.phase.decided:
        b.hold(why)


def tell(b: Builder, limit: Limited) -> Limited:
    """Tell people, once for each limit, and once more after a try that was in vain."""
    if limit.told or limit.standing is not Standing.WAITING:
        return limit
    if limit.until is None and b.now < limit.seen_at + GRACE:
        return limit  # its notice may still come
    rule, lines = rule_of(b.run), [limit.text] if limit.text else []
    if limit.until is None:
        lines.append("it does not say when it ends")
    else:
        read_in = f", read in the zone {limit.zone}" if limit.zone else ""
        lines.append(f"ends at {shown_until(limit.until, b.now)}{read_in}")
    if b.attempt is None or not rule.resume:
        lines.append("nothing is typed: the policy has no on_limit that resumes")
    elif not _why_never(limit, rule, b.now):
        lines.append(f"then typed: {rule.message}")
    stage = {"stage": b.attempt.stage} if b.attempt is not None else {}
    b.emit(
        Notify(
            event="limit.reached",
            level=Level.WARNING,
            title=f"{b.run.pipeline.name}: the agent has reached its usage limit",
            text="\n".join(map(visible, lines)),  # no line of it forges another
            dedupe_key=f"{b.run.id}/limit.reached/{limit.seen_at:.3f}",
            fields={"pane": b.run.pane_name, "pipeline": b.run.pipeline.name, **stage},
        )
    )
    return replace(limit, told=True)


def rule_of(run: Run) -> LimitRule:
    """The rule in force: the stage's, or while none is active the pipeline's."""
    stage = run.pipeline.stage(run.attempt.stage) if run.attempt is not None else None
    return stage.on_limit if stage is not None else run.pipeline.on_limit


def _keys(run: Run, stage: str, attempt: Attempt | None, rule: LimitRule) -> Keys:
    return plan.resolve(SendKeys(text=rule.message), run, stage, attempt)


def may_act(attempt: Attempt | None) -> bool:
    """Whether the message may be typed for this attempt."""
    return attempt is not None and attempt.held is None and attempt.phase in (Phase.ACTING, Phase.WATCHING)


def here(b: Builder) -> tuple[str, int]:
    """Stage and number of the attempt in hand; ("", 0) is none."""
    return (b.attempt.stage, b.attempt.number) if b.attempt is not None else ("", 0)
