"""The agent's own dialogs: told, asked about, answered as the policy's `on_prompt` says. Pure, as the machine is.

What is done with one is in `replying`.

`look` runs at the end of every step and compares what the last capture shows with what is in hand: nothing here waits
for an event that may not come.

    (seen) -> told                                        nobody types anything
    (seen) -> asked -> sending -> leaving -> (gone)       `ask`; a rule goes straight to sending
                          |          |
                          +----------+--> stuck           held; this dialog is not typed into again
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tmux_sentry.contracts import Signal, SignalKind
from tmux_sentry.engine import replying
from tmux_sentry.engine.builder import Builder
from tmux_sentry.engine.conditions import passes
from tmux_sentry.engine.events import CloseAsk, Decided, SendDone, SendHeld, SendMoot, StopSend
from tmux_sentry.engine.relay import GONE, TAKEN, Relay, Sight, Standing, prompts, shown
from tmux_sentry.engine.run import Run

#: A question in this standing, and an answer, belong to one attempt.
_OWNED = (Standing.ASKED, Standing.SENDING)


def screen(b: Builder, signals: Iterable[Signal], folder: str) -> None:
    """Take in a capture."""
    b.run = replace(b.run, sight=Sight(prompts=prompts(signals), folder=folder))


def printed(b: Builder, news: Iterable[Signal]) -> None:
    """Tell people what a program in the pane asks for by a text event. Nothing can answer that here."""
    for signal in news:
        if signal.kind is not SignalKind.PROMPT or replying.rule_of(b).otherwise == "ignore":
            continue
        if passes(signal, b.stage) if b.attempt is not None else signal.confidence >= b.run.pipeline.min_confidence:
            choices = [f"- {choice}" for choice in signal.choices[:20]]
            replying.tell(b, signal.digest, [signal.message or signal.evidence, *choices])


def look(b: Builder) -> None:
    """Go on with the dialog in hand, or with the one that has come."""
    run = b.run
    if run.relay is not None and run.relay.standing in _OWNED and not _is_for(b, run.relay):
        _withdraw(b, run.relay)
    if not run.open or run.gone is not None:
        b.run = replace(b.run, relay=None)
        return
    if run.unreachable or run.sight is None:
        return
    if b.run.relay is not None:
        _compare(b, b.run.relay, run.sight)
    if b.run.relay is None or b.run.relay.standing is Standing.TOLD:
        replying.judge(b, run.sight)


def next_due(run: Run) -> float | None:
    """When a dialog counts as gone, or its answer as not taken, epoch seconds."""
    relay = run.relay
    if relay is None or run.sight is None or relay.standing is Standing.SENDING:
        return None
    if relay.absent_since is not None:
        return relay.absent_since + GONE
    return relay.until if relay.standing is Standing.LEAVING else None


def go_away(b: Builder) -> None:
    """What the last capture showed may be over."""
    relay = b.run.relay
    b.run = replace(b.run, sight=None, relay=replace(relay, absent_since=None) if relay else None)


def come_back(b: Builder) -> None:
    """The dialog gets its time anew."""
    relay = b.run.relay
    if relay is not None and relay.until is not None:
        b.run = replace(b.run, relay=replace(relay, until=b.now + TAKEN))


def stop(b: Builder) -> None:
    """A person holds the stage: an answer that is on its way is not wanted any more."""
    relay = b.run.relay
    if relay is not None and relay.standing is Standing.SENDING:
        _withdraw(b, relay)


# ------------------------------------------------------------------- what comes back


def decided(b: Builder, event: Decided) -> bool:
    """A person answered. False when it is no question about a dialog."""
    relay = b.run.relay
    if relay is None or relay.standing is not Standing.ASKED or relay.approval_id != event.approval_id:
        return False
    if event.digest != relay.approval_digest or replying.digest(b.run, relay) != relay.approval_digest:
        b.emit(CloseAsk(approval_id=event.approval_id, outcome="superseded"))
        b.run = replace(b.run, relay=None)  # `look` asks anew
        return True
    b.emit(CloseAsk(approval_id=event.approval_id, outcome="approved" if event.approved else "rejected"))
    relay = replace(relay, approval_id=None)
    if not replying.hand_out(b, relay, "approve" if event.approved else "reject"):
        replying.stuck(b, relay, f"rejected by {event.by}, and the dialog has no choice that is known to say no")
    return True


def send_done(b: Builder, event: SendDone) -> None:
    """The answer is typed; whether it was taken, the next captures tell."""
    if (relay := _sent(b, event.action_id)) is not None:
        why = "the dialog did not take the answer"
        b.run = replace(b.run, relay=_leaving(b, relay, why), last_output_at=b.now)


def send_moot(b: Builder, event: SendMoot) -> None:
    """Nothing was typed: the dialog was another one by then."""
    if (relay := _sent(b, event.action_id)) is not None:
        b.emit(StopSend(action_id=event.action_id))
        b.run = replace(b.run, relay=_leaving(b, relay, f"the dialog was not answered: {event.reason}"))


def send_held(b: Builder, event: SendHeld) -> None:
    """It was not typed, or that cannot be known."""
    if (relay := _sent(b, event.action_id)) is not None:
        b.emit(StopSend(action_id=event.action_id))
        replying.stuck(b, relay, event.reason)


# --------------------------------------------------------------------- what is seen


def _compare(b: Builder, relay: Relay, sight: Sight) -> None:
    """Whether the dialog in hand is still there. While an answer is on its way, the sender looks for itself."""
    if relay.standing is Standing.SENDING:
        return
    now = shown(sight.prompts, replying.bar(b))
    if now is not None and now.fingerprint != relay.dialog.fingerprint:
        _over(b, relay, "superseded")
    elif sight.has(relay.dialog.fingerprint):
        b.run = replace(b.run, relay=replace(relay, absent_since=None))
        if relay.standing is Standing.LEAVING and relay.until is not None and b.now >= relay.until:
            replying.stuck(b, relay, relay.why)
    elif relay.absent_since is None:
        b.run = replace(b.run, relay=replace(relay, absent_since=b.now))
    elif b.now >= relay.absent_since + GONE:
        _over(b, relay, "cancelled")


def _over(b: Builder, relay: Relay, outcome: str) -> None:
    if relay.approval_id is not None:
        b.emit(CloseAsk(approval_id=relay.approval_id, outcome=outcome))
    b.run = replace(b.run, relay=None)


def _leaving(b: Builder, relay: Relay, why: str) -> Relay:
    return replace(relay, standing=Standing.LEAVING, action_id=None, why=why, until=b.now + TAKEN, absent_since=None)


def _withdraw(b: Builder, relay: Relay) -> None:
    """What it was asked or answered for has ended. Only where no key can be on its way is the dialog judged anew."""
    if relay.approval_id is not None:
        b.emit(CloseAsk(approval_id=relay.approval_id, outcome="cancelled"))
    if relay.action_id is not None:
        # The sender may be in the middle of it: another key now could be a second one.
        b.emit(StopSend(action_id=relay.action_id))
        b.run = replace(b.run, relay=_leaving(b, relay, "its answer was given up on the way: look at the pane"))
        return
    back = replace(relay, standing=Standing.TOLD, told=False, approval_id=None)
    b.run = replace(b.run, relay=back)


def _is_for(b: Builder, relay: Relay) -> bool:
    attempt = replying.acting(b)
    mine = attempt is not None and (attempt.stage, attempt.number) == (relay.stage, relay.attempt)
    return mine and b.run.open and b.run.gone is None


def _sent(b: Builder, action_id: str) -> Relay | None:
    relay = b.run.relay
    return relay if relay is not None and relay.action_id == action_id else None
