"""After a start: what becomes of the send and the checks that were in hand when the program stopped."""

from __future__ import annotations

from tmux_sentry.contracts import CheckStatus
from tmux_sentry.engine import plan, recovery
from tmux_sentry.engine.attempts import list_in_hand
from tmux_sentry.engine.events import Send, SendDone, SendHeld, StartCheck
from tmux_sentry.engine.run import Run
from tmux_sentry.policy.model import ExternalCheck, SendKeys
from tmux_sentry.state.store import Store
from tmux_sentry.tmux.model import PaneInfo


def send_in_hand(run: Run) -> Send | None:
    """The send the Run waits for, as it was handed out."""
    attempt = run.attempt
    if attempt is None or attempt.action_id is None or attempt.held is not None:
        return None
    stage = run.pipeline.stage(attempt.stage)
    assert stage is not None
    action = list_in_hand(stage, attempt)[attempt.action - 1]
    assert isinstance(action, SendKeys)
    return Send(
        action_id=attempt.action_id,
        stage=attempt.stage,
        attempt=attempt.number,
        keys=plan.resolve(action, run, attempt.stage, attempt),
        wait_idle=action.wait_idle,
    )


def checks_in_hand(run: Run) -> list[StartCheck]:
    """The external checks whose final answer has not come, in the order of the stage's actions."""
    attempt = run.attempt
    if attempt is None:
        return []
    stage = run.pipeline.stage(attempt.stage)
    assert stage is not None
    actions = [action for action in stage.actions_on_start if isinstance(action, ExternalCheck)]
    return [
        StartCheck(action_id=action_id, type=action.type, config=action.config, started_at=attempt.started_at or 0.0)
        for action, (action_id, status) in zip(actions, attempt.checks.items(), strict=False)
        if status == CheckStatus.PENDING.value
    ]


def settle(store: Store, send: Send, pane: PaneInfo) -> Send | SendDone | SendHeld:
    """Send again (it is proven that nothing was typed), take it as done, or hold it for a person."""
    newest = next(reversed(store.intents(send.action_id)), None)
    intent = None
    if newest is not None:
        intent = recovery.Intent(
            step=newest.step,
            status=newest.status,
            pane_key=newest.pane.key,
            epoch=newest.epoch,
            previous=newest.previous,
            marker=newest.marker,
            last_step=newest.step != "text" or not send.keys.enter,
        )
    known = store.fence(pane.identity.key)
    fence = recovery.Fence(pane_key=pane.identity.key, epoch=pane.epoch, marker=pane.marker)
    verdict, why = recovery.resolve(intent, fence, known.marker if known else 0)
    if verdict == "sent":
        if newest is not None and newest.status in ("intent", "unknown"):
            store.settle(send.action_id, newest.step, "injected", why)
        return SendDone(action_id=send.action_id)
    if verdict in ("held", "void"):
        return SendHeld(action_id=send.action_id, reason=why)
    if newest is not None and newest.status in ("intent", "unknown"):
        store.settle(send.action_id, newest.step, "refused", why)
    return send
