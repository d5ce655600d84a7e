"""Asking a person before a stage acts, and what the answer does."""

from __future__ import annotations

import hashlib

from tmux_sentry.approvals.digest import approval_digest
from tmux_sentry.contracts import Level
from tmux_sentry.engine import plan
from tmux_sentry.engine.builder import Builder
from tmux_sentry.engine.events import Ask, CloseAsk, Decided
from tmux_sentry.engine.run import HELD, WAITING_APPROVAL, Attempt, Phase
from tmux_sentry.policy.model import ApprovalSpec, Stage
from tmux_sentry.policy.variables import UnknownVariable
from tmux_sentry.state.records import Rules


def ask(b: Builder, stage: Stage, spec: ApprovalSpec) -> None:
    """Ask for everything the stage may type. Each attempt, and each change of it, asks anew."""
    attempt = b.update(phase=Phase.APPROVING, approval_id=None, approval_digest="", held=None, held_at=None)
    try:
        sends = plan.sends(b.run, stage, attempt)
    except UnknownVariable as error:
        b.hold(f"cannot ask: {error}")
        return
    digest = _digest(b, attempt)
    assert digest is not None
    asked = attempt.asked + 1
    name = f"{b.run.id}/{stage.name}/{attempt.number}/{asked}"
    attempt = b.update(
        asked=asked,
        approval_id=hashlib.sha256(name.encode()).hexdigest()[:10],
        approval_digest=digest,
        approval_expires=b.now + spec.timeout,
        remind_at=None if spec.remind_after is None else b.now + spec.remind_after,
        escalate_at=None if spec.escalate is None else b.now + spec.escalate.after,
    )
    assert attempt.approval_id is not None
    b.emit(
        Ask(
            approval_id=attempt.approval_id,
            stage=stage.name,
            attempt=attempt.number,
            sends=sends,
            digest=digest,
            expires_at=b.now + spec.timeout,
            risk=spec.risk,
            reason=spec.reason,
            rules=rules(spec, b.now),
        )
    )
    b.record(attempt, WAITING_APPROVAL)
    _tell(b, attempt, "approval.asked", f"{b.run.pipeline.name}: approve {stage.name}?")


def ask_again(b: Builder) -> None:
    """What would be typed is not what was approved: ask for what it is now, while nothing of it is in the pane yet."""
    attempt, stage = b.attempt, b.stage
    assert attempt is not None
    if attempt.sent or attempt.phase is Phase.ENDING or stage.require_approval is None:
        b.hold("what it would type now is not what was approved")
    else:
        b.update(action_id=None, action=0)
        ask(b, stage, stage.require_approval)


def decided(b: Builder, event: Decided) -> bool | None:
    """True or False when the answer counts, None when it is for another request or another thing than was shown."""
    attempt = b.attempt
    if attempt is None or attempt.phase is not Phase.APPROVING or attempt.approval_id != event.approval_id:
        return None
    stage = b.stage
    if event.digest != attempt.approval_digest or _digest(b, attempt) != attempt.approval_digest:
        b.emit(CloseAsk(approval_id=event.approval_id, outcome="superseded"))
        assert stage.require_approval is not None
        ask(b, stage, stage.require_approval)
        return None
    b.emit(CloseAsk(approval_id=event.approval_id, outcome="approved" if event.approved else "rejected"))
    b.update(
        approval_id=None,
        approval_expires=None,
        remind_at=None,
        escalate_at=None,
        approved_by=event.by if event.approved else "",
        held=None,
        held_at=None,
    )
    return event.approved


def due(b: Builder) -> str | None:
    """Remind, or let the request time out; returns why the stage is rejected, if it is. A timeout never approves."""
    attempt, spec = b.attempt, b.stage.require_approval
    assert attempt is not None
    assert spec is not None
    if attempt.remind_at is not None and b.now >= attempt.remind_at:
        attempt = b.update(remind_at=None)
        _tell(b, attempt, "approval.reminder", f"{b.run.pipeline.name}: {attempt.stage} still waits for an approval")
    if attempt.escalate_at is not None and b.now >= attempt.escalate_at:
        attempt = b.update(escalate_at=None)
        assert spec.escalate is not None
        title = f"{b.run.pipeline.name}: nobody has decided about {attempt.stage} yet"
        _tell(b, attempt, "approval.escalated", title, spec.escalate.channels)
    if attempt.approval_expires is None or b.now < attempt.approval_expires:
        return None
    why = f"nobody answered in {spec.timeout:g} s"
    if spec.on_timeout == "reject":
        _settle(b, attempt, "expired")
        return why
    # The request stays open and votable; only its clock has ended.
    why += "; the request stays open"
    attempt = b.update(approval_expires=None, held=why, held_at=b.now)
    b.record(attempt, HELD, why)
    _tell(b, attempt, "approval.timeout", f"{b.run.pipeline.name}: {attempt.stage} is held")
    return None


def next_due(attempt: Attempt) -> float | None:
    """When to remind, to ask others too, or when the request times out."""
    times = (attempt.remind_at, attempt.escalate_at, attempt.approval_expires)
    return min((at for at in times if at is not None), default=None)


def withdraw(b: Builder, attempt: Attempt) -> None:
    """The question is moot."""
    _settle(b, attempt, "cancelled")


def is_covered(b: Builder) -> bool:
    """Whether what the stage may type is still what a person approved, if one had to."""
    attempt = b.attempt
    assert attempt is not None
    return b.stage.require_approval is None or _digest(b, attempt) == attempt.approval_digest


def _settle(b: Builder, attempt: Attempt, outcome: str) -> None:
    if attempt.approval_id is not None:
        b.emit(CloseAsk(approval_id=attempt.approval_id, outcome=outcome))
        b.update(approval_id=None, approval_expires=None, remind_at=None, escalate_at=None)


def _digest(b: Builder, attempt: Attempt) -> str | None:
    """What binds an answer to the sends; None, which no answer has, when they cannot be worked out."""
    try:
        sends = plan.sends(b.run, b.stage, attempt)
    except UnknownVariable:
        return None
    return approval_digest(b.run.id, attempt.stage, attempt.number, b.run.pane.key, sends, b.run.policy_digest)


def rules(spec: ApprovalSpec, now: float) -> Rules:
    """Who may answer a question that is put now, and how many it takes."""
    escalate = spec.escalate
    return Rules(
        approvers=spec.approvers,
        required=spec.required,
        any_reject=spec.any_reject,
        second=escalate.approvers if escalate else (),
        second_at=now + escalate.after if escalate else None,
        until=now + spec.timeout if spec.on_timeout == "reject" else None,
    )


def _tell(b: Builder, attempt: Attempt, event: str, title: str, channels: tuple[str, ...] = ()) -> None:
    keys: tuple[str, ...] = ()
    try:
        keys = tuple(send.shown() for send in plan.sends(b.run, b.stage, attempt))
        text = "" if keys else "(types nothing)"
    except UnknownVariable as error:
        text = f"(cannot be worked out: {error})"
    about = {"approval": attempt.approval_id or "", "stage": attempt.stage}
    b.tell(event, Level.APPROVAL, title, text, keys=keys, channels=channels, **about)
