"""After a start: what becomes of the sends that were in hand when the program stopped."""

from __future__ import annotations

import logging

from tmux_sentry.engine import asking, plan, recovery, replying, resuming
from tmux_sentry.engine.attempts import list_in_hand
from tmux_sentry.engine.builder import Builder
from tmux_sentry.engine.events import Send, SendDone, SendHeld
from tmux_sentry.engine.run import Run
from tmux_sentry.failpoints import reach
from tmux_sentry.policy.model import SendKeys
from tmux_sentry.policy.variables import UnknownVariable
from tmux_sentry.security.sanitize import clean
from tmux_sentry.state.store import Store
from tmux_sentry.tmux.model import PaneInfo

log = logging.getLogger(__name__)

_MEANING: dict[recovery.Verdict, str] = {
    "resend": "is typed now",
    "sent": "was typed",
    "held": "waits for a person",
    "void": "is given up",
    "wait": "is not decided yet",
}


def sends_in_hand(run: Run) -> list[Send | SendHeld]:
    """What the Run waits for: its stage's send, the answer to a dialog, and the message after a usage limit."""
    found = (send_in_hand(run), replying.send_in_hand(run), resuming.send_in_hand(run))
    return [send for send in found if send is not None]


def is_wanted(run: Run, send: Send) -> bool:
    """Whether the Run still waits for it."""
    attempt, relay = run.attempt, run.relay
    if relay is not None and relay.action_id == send.action_id:
        return True
    if run.limit is not None and run.limit.action_id == send.action_id:
        return True
    return attempt is not None and attempt.held is None and attempt.action_id == send.action_id


def send_in_hand(run: Run) -> Send | SendHeld | None:
    """The send the Run waits for, as it was handed out; held where the environment has changed what it would be."""
    attempt = run.attempt
    if attempt is None or attempt.action_id is None or attempt.held is not None:
        return None
    stage = run.pipeline.stage(attempt.stage)
    assert stage is not None
    action = list_in_hand(stage, attempt)[attempt.action - 1]
    assert isinstance(action, SendKeys)
    try:
        keys = plan.resolve(action, run, attempt.stage, attempt)
    except UnknownVariable as error:
        return SendHeld(action_id=attempt.action_id, reason=f"cannot type: {error}")
    if not asking.is_covered(Builder(run, 0.0)):
        return SendHeld(action_id=attempt.action_id, reason="what it would type now is not what was approved")
    return Send(
        action_id=attempt.action_id,
        stage=attempt.stage,
        attempt=attempt.number,
        keys=keys,
        wait_idle=action.wait_idle,
        needs_exit=plan.needs_exit(action, stage, attempt),
    )


def settle(store: Store, send: Send | SendHeld, pane: PaneInfo) -> Send | SendDone | SendHeld:
    """Send again (it is proven that nothing was typed), take it as done, or hold it for a person."""
    if isinstance(send, SendHeld):
        return send
    tries = store.intents(send.action_id)
    newest = tries[-1] if tries else None
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
    marker = known.marker if known else 0
    fence = recovery.Fence(pane_key=pane.identity.key, epoch=pane.epoch, marker=pane.marker)
    verdict, why = recovery.resolve(intent, fence, marker)
    reach("recovery.before")
    if verdict == "resend" and any(old.status in ("injected", "done") for old in tries):
        verdict, why = "held", "typed, not submitted: the program stopped before Enter"
    elif verdict == "resend" and pane.owner.startswith(store.instance) and _number(pane.marker) > marker:
        # A send that the journal has lost was typed; it may have been this one.
        verdict, why = "held", f"the pane's marker {pane.marker} is newer than the journal ({marker}): look at the pane"
    log.info("send %s, not known to be done when the program started: %s (%s)",
             send.action_id, _MEANING[verdict], clean(why))  # fmt: skip
    if verdict == "sent":
        if newest is not None and newest.status in ("intent", "unknown"):
            store.settle(send.action_id, newest.step, "injected", why)
            reach("recovery.settled")
        return SendDone(action_id=send.action_id)
    if verdict in ("held", "void"):
        return SendHeld(action_id=send.action_id, reason=why)
    if newest is not None and newest.status in ("intent", "unknown"):
        store.settle(send.action_id, newest.step, "refused", why)
    return send


def _number(option: str) -> int:
    """0 for anything that is no number of ours."""
    return int(option) if option.isascii() and option.isdigit() and len(option) <= 18 else 0
