"""One step of a send: journal the intent, ask the guard, settle its word. Keys reach a pane through here only."""

from __future__ import annotations

import hashlib

from tmux_sentry.engine.job import Job, Ports, breathe
from tmux_sentry.engine.recovery import BY_MARKER, NOT_REACHED
from tmux_sentry.errors import Refused, Unreachable
from tmux_sentry.failpoints import reach
from tmux_sentry.state.records import Intent, IntentStatus, Step
from tmux_sentry.tmux import guard
from tmux_sentry.tmux.capture import PaneGone
from tmux_sentry.tmux.fence import Adopted, adopt
from tmux_sentry.tmux.guard import Expect, Outcome, Word
from tmux_sentry.tmux.model import PaneInfo

_STATUS: dict[Word, IntentStatus] = {Word.SENT: "injected", Word.REFUSED: "refused", Word.UNKNOWN: "unknown"}


def claim(job: Job, ports: Ports) -> Adopted | str:
    """The pane's epoch and marker, adopted if nobody has; or why the pane is not ours to type into."""
    reach("claim.before")
    known = ports.store.fence(job.pane.key)
    floor = known or ports.store.fence_before_respawn(job.pane)
    epoch, marker = (floor.epoch, floor.marker) if floor else (ports.store.first_epoch, 0)
    fence = adopt(ports.watcher.client, job.pane, ports.owner, epoch, marker, take_over=ports.take_over)
    reach("adopt.done")
    if fence.refused is not None:
        instance, _, host = fence.refused.partition(" ")[0].partition("@")
        if instance == ports.store.instance and f"{instance}@{host}" != ports.owner:
            return f"this very instance has claimed the pane as one of host {host}: name each tmux server only once"
        return f"the pane belongs to {fence.refused}; to take it over: tmux-sentry run --take-over"
    ahead = fence.epoch > epoch or fence.marker > marker
    if ahead and not ports.take_over:
        # The journal raises its own marker first, so it has lost something: perhaps these very keys.
        why = f"the pane's marker {fence.marker} is newer than the journal ({marker}): was an old database restored?"
        return f"{why} Look at the pane, then: tmux-sentry run --take-over"
    if ahead or known is None:
        ports.store.save_fence(job.pane.key, fence.epoch, fence.marker)
    reach("claim.done")
    return fence


def late(job: Job, ports: Ports, fence: Adopted) -> Intent | None:
    """The earlier try of this send that the pane's marker names: its reply was lost, and tmux carried it out later."""
    tries = [old for old in ports.store.intents(job.action_id) if old.pane == job.pane]
    return next((old for old in tries if (old.epoch, old.marker) == (fence.epoch, fence.marker)), None)


def overtaken(job: Job, ports: Ports, fence: Adopted) -> bool:
    """Whether the pane's marker has moved on since an earlier try of this send that was given up by the marker alone.

    Then it does not tell any more whether that try came late: another instance, or a send by hand, may have typed
    behind it. Ask after `late`.
    """
    tries = [old for old in ports.store.intents(job.action_id) if old.pane == job.pane]
    return any(old.reason in BY_MARKER and old.previous != fence.marker for old in tries)


def guarded(job: Job, ports: Ports, step: Step, info: PaneInfo, fence: Adopted) -> tuple[Outcome, Adopted]:
    """Carry out one step; `info` is of the capture that the decision used. Returns the fence as it is afterwards.

    Raises Unreachable, or Refused and ValueError for what can never be typed; then nothing was typed.
    """
    client = ports.watcher.client  # may raise, so it comes before the intent
    marker = _next_marker(job, ports, fence)
    reach("intend.before")
    ports.store.intend(
        job.action_id,
        step,
        pane=job.pane,
        epoch=fence.epoch,
        previous=fence.marker,
        marker=marker,
        payload_sha256=_digest(job, step),
        command=info.command,
        cursor=info.cursor,
        expires_at=ports.clock.now() + 60.0,
    )
    reach("intend.committed")
    expect = Expect(
        identity=job.pane, epoch=fence.epoch, previous=fence.marker, command=info.command, cursor=info.cursor
    )
    try:
        if step in ("text", "line"):
            outcome = guard.paste(client, expect, job.keys.text, marker, enter=step == "line")
        else:
            outcome = guard.press(client, expect, _keys(job, step), marker)
    except (Refused, ValueError) as error:  # tmux was not asked
        ports.store.settle(job.action_id, step, "refused", str(error))
        raise
    if outcome.word is Word.UNKNOWN:
        outcome = _read_marker(job, ports, fence, marker, outcome)
    reach("settle.before")
    ports.store.settle(job.action_id, step, _STATUS[outcome.word], "; ".join(outcome.reasons))
    reach("settle.committed")
    return outcome, Adopted(epoch=fence.epoch, marker=marker if outcome.word is Word.SENT else fence.marker)


def _keys(job: Job, step: Step) -> tuple[str, ...]:
    return job.keys.keys if step == "keys" else ("Enter",)


def _next_marker(job: Job, ports: Ports, fence: Adopted) -> int:
    """Above what the pane has and above what the journal ever used: a refused number is not used again."""
    known = ports.store.fence(job.pane.key)
    return max(fence.marker, known.marker if known else 0) + 1


def _digest(job: Job, step: Step) -> str:
    payload = repr((step, job.keys.text, job.keys.keys))
    return hashlib.sha256(payload.encode("utf-8", "surrogatepass")).hexdigest()


def _read_marker(job: Job, ports: Ports, fence: Adopted, marker: int, lost: Outcome) -> Outcome:
    """The reply is lost, and its client with it: what does the pane say, as soon as it can be read again?"""
    start = ports.clock.monotonic()
    while True:
        try:
            info = ports.watcher.capture(job.pane).info
            break
        except PaneGone:
            return lost
        except Unreachable:
            impatient = ports.patience is not None and ports.clock.monotonic() - start >= ports.patience
            if job.stopped.is_set() or impatient:
                return lost  # the next start reads the marker
            breathe(job, ports)
    if info.epoch != str(fence.epoch):
        return lost
    if info.marker == str(marker):
        return Outcome(word=Word.SENT, marker=info.marker)
    if info.marker == str(fence.marker):
        # It may still be under way on a hanging link: the next try makes its marker void, or finds it (`late`).
        return Outcome(word=Word.REFUSED, reasons=(NOT_REACHED,), marker=info.marker)
    return lost
