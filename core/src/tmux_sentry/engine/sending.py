"""Carries out one send: waits until the pane can take it, journals the intent, asks the guard, settles the answer.

A thread a send: it may wait minutes for an agent to become idle. What it may touch comes in as `Ports`.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tmux_sentry.clock import Clock
from tmux_sentry.contracts import AgentState, PaneIdentity
from tmux_sentry.engine.conditions import compiled
from tmux_sentry.engine.events import AboutToSend, Keys, SendDone, SendHeld
from tmux_sentry.engine.recovery import Step
from tmux_sentry.errors import Unreachable
from tmux_sentry.state.records import IntentStatus
from tmux_sentry.state.store import Store
from tmux_sentry.tmux import guard
from tmux_sentry.tmux.capture import PaneGone
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.tmux.fence import Adopted, adopt
from tmux_sentry.tmux.guard import Expect, Outcome, Word
from tmux_sentry.tmux.model import Capture, PaneInfo
from tmux_sentry.watch.prompt import half_typed, is_idle_shell

#: Agents lose an Enter that comes with the text; 0.3 to 0.5 s later every one of them took it (measured).
AGENT_PAUSE = 0.4
#: How long a person may sit in front of half a line before the stage is held.
TYPING_PATIENCE = 300.0
#: History rows that the capture before sending takes along: what they show is baseline, not news.
BASELINE_HISTORY = 200


class Pane(Protocol):
    """What a send needs of the Watcher of its host."""

    @property
    def client(self) -> CommandClient:
        """The command client; raises Unreachable."""

    def pane(self, identity: PaneIdentity) -> PaneInfo | None:
        """The pane as last seen."""

    def capture(self, identity: PaneIdentity, history: int | None = 0) -> Capture:
        """The pane now. Raises Unreachable, PaneGone."""

    def in_foreground(self, pid: int) -> bool | None:
        """Whether the pane's own process has the terminal."""

    def wait_change(self, identity: PaneIdentity, timeout: float) -> object:
        """Until the pane changes, or `timeout` seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One send for one pane. `stopped` is set when nobody wants it any more."""

    action_id: str
    pane: PaneIdentity
    keys: Keys
    wait_idle: float
    stopped: threading.Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The outside of a send."""

    watcher: Pane
    store: Store
    clock: Clock
    owner: str
    take_over: bool
    announce: Callable[[Job, AboutToSend, Capture], None]  # commits the baseline before it returns
    agent_state: Callable[[PaneIdentity], AgentState]
    prompt: str | None = None  # the host's own prompt pattern (RE2)
    patience: float | None = None  # seconds in all, whatever the reason; for a send by hand


_STATUS: dict[Word, IntentStatus] = {Word.SENT: "injected", Word.REFUSED: "refused", Word.UNKNOWN: "unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wait:
    """Why the pane cannot take keys now, how long that may last, and whether the time counts."""

    why: str
    limit: float
    counts: bool = True


def carry_out(job: Job, ports: Ports) -> SendDone | SendHeld | None:
    """Send, or say why it is held; None when the job was stopped before anything was typed."""
    waited: dict[str, float] = {}
    start = ports.clock.monotonic()
    while not job.stopped.is_set():
        began = ports.clock.monotonic()
        verdict = _try(job, ports)
        if not isinstance(verdict, _Wait):
            return verdict
        if verdict.counts and waited.get(verdict.why, 0.0) >= verdict.limit:
            return SendHeld(action_id=job.action_id, reason=verdict.why)
        if ports.patience is not None and ports.clock.monotonic() - start >= ports.patience:
            return SendHeld(action_id=job.action_id, reason=verdict.why)
        ports.watcher.wait_change(job.pane, 1.0)
        if verdict.counts:
            waited[verdict.why] = waited.get(verdict.why, 0.0) + ports.clock.monotonic() - began
    return None


def _try(job: Job, ports: Ports) -> SendDone | SendHeld | _Wait:
    """One look, and a send if the look allows it."""
    try:
        info = ports.watcher.pane(job.pane)
        if info is not None and (wait := _not_ready(job, ports, info, row=None)):
            return wait
        capture = ports.watcher.capture(job.pane, BASELINE_HISTORY)
        if wait := _not_ready(job, ports, capture.info, row=capture.row):
            return wait
        fence = _fence(job, ports)
        if fence.refused is not None:
            return SendHeld(
                action_id=job.action_id,
                reason=f"the pane belongs to {fence.refused}; to take it over: tmux-sentry run --take-over",
            )
        return _send(job, ports, capture, fence)
    except Unreachable as error:
        return _Wait(why=error.what, limit=0.0, counts=False)
    except PaneGone:
        return SendHeld(action_id=job.action_id, reason="the pane is gone")


def _not_ready(job: Job, ports: Ports, info: PaneInfo, *, row: str | None) -> _Wait | None:
    if info.hold:
        return _Wait(why="paused (@sentry_hold)", limit=0.0, counts=False)
    if info.dead:
        return _Wait(why="the pane is dead", limit=job.wait_idle)
    if info.in_mode:
        return _Wait(why="pane busy: someone reads in copy mode", limit=max(job.wait_idle, TYPING_PATIENCE))
    if info.input_off or info.synchronized:
        return _Wait(why="pane busy: its input is off or synchronised", limit=job.wait_idle)
    if job.wait_idle > 0 and not _idle(ports, info):
        return _Wait(why=f"pane busy: {info.command} is running", limit=job.wait_idle)
    if row is not None and info.is_shell and not job.keys.keys and half_typed(row, info.cursor[0], None, _pattern(ports)):
        return _Wait(why="someone is typing", limit=TYPING_PATIENCE)
    return None


def _pattern(ports: Ports) -> Any:
    return None if ports.prompt is None else compiled(ports.prompt)


def _idle(ports: Ports, info: PaneInfo) -> bool:
    if info.is_shell:
        return is_idle_shell(info, ports.watcher.in_foreground(info.identity.pane_pid))
    return ports.agent_state(info.identity) is AgentState.IDLE


def _fence(job: Job, ports: Ports) -> Adopted:
    """The pane's epoch and marker; adopts the pane if nobody has."""
    known = ports.store.fence(job.pane.key)
    epoch, marker = (known.epoch, known.marker) if known else (1, 0)
    fence = adopt(ports.watcher.client, job.pane, ports.owner, epoch, marker, take_over=ports.take_over)
    if fence.refused is None and (fence.epoch > epoch or fence.marker > marker or known is None):
        ports.store.save_fence(job.pane.key, fence.epoch, max(fence.marker, marker))
    return fence


def _next_marker(job: Job, ports: Ports, fence: Adopted) -> int:
    """Above what the pane has and above what the journal ever used: a refused number is not used again."""
    known = ports.store.fence(job.pane.key)
    return max(fence.marker, known.marker if known else 0) + 1


# ----------------------------------------------------------------------- the sending


def _send(job: Job, ports: Ports, capture: Capture, fence: Adopted) -> SendDone | SendHeld | _Wait:
    ports.announce(job, AboutToSend(action_id=job.action_id, lines=capture.lines), capture)
    if job.stopped.is_set():
        return _Wait(why="stopped", limit=0.0, counts=False)
    keys = job.keys
    if keys.keys:
        return _end(job, _guarded(job, ports, "keys", capture.info, fence))
    at_once = capture.info.is_shell and keys.enter
    if not keys.text:
        return _end(job, _guarded(job, ports, "enter", capture.info, fence)) if keys.enter else SendDone(action_id=job.action_id)
    outcome, after = _guarded(job, ports, "line" if at_once else "text", capture.info, fence)
    if outcome.word is not Word.SENT or at_once or not keys.enter:
        return _end(job, (outcome, after))
    return _submit(job, ports, after)


def _submit(job: Job, ports: Ports, fence: Adopted) -> SendDone | SendHeld:
    """Enter, as its own guarded step, once the agent has taken the text in."""
    ports.watcher.wait_change(job.pane, AGENT_PAUSE)
    job.stopped.wait(AGENT_PAUSE)
    try:
        capture = ports.watcher.capture(job.pane)
        outcome, _ = _guarded(job, ports, "enter", capture.info, fence)
    except (Unreachable, PaneGone) as error:
        return SendHeld(action_id=job.action_id, reason=f"typed, not submitted: {error}")
    if outcome.word is Word.SENT:
        return SendDone(action_id=job.action_id)
    return SendHeld(action_id=job.action_id, reason=f"typed, not submitted: {'; '.join(outcome.reasons)}")


def _guarded(job: Job, ports: Ports, step: Step, info: PaneInfo, fence: Adopted) -> tuple[Outcome, Adopted]:
    """Journal the intent, ask the guard, settle its word. An unknown word is settled by reading the marker."""
    marker = _next_marker(job, ports, fence)
    expect = Expect(
        identity=job.pane, epoch=fence.epoch, previous=fence.marker, command=info.command, cursor=info.cursor
    )
    payload = repr((step, job.keys.text, job.keys.keys))
    ports.store.intend(
        job.action_id,
        step,
        pane=job.pane,
        epoch=fence.epoch,
        previous=fence.marker,
        marker=marker,
        payload_sha256=hashlib.sha256(payload.encode("utf-8", "surrogatepass")).hexdigest(),
        command=info.command,
        cursor=info.cursor,
        expires_at=ports.clock.now() + 60.0,
    )
    if step in ("text", "line"):
        outcome = guard.paste(ports.watcher.client, expect, job.keys.text, marker, enter=step == "line")
    else:
        outcome = guard.press(ports.watcher.client, expect, job.keys.keys or ("Enter",), marker)
    if outcome.word is Word.UNKNOWN:
        outcome = _read_marker(job, ports, fence.marker, marker, outcome)
    ports.store.settle(job.action_id, step, _STATUS[outcome.word], "; ".join(outcome.reasons))
    return outcome, Adopted(epoch=fence.epoch, marker=marker if outcome.word is Word.SENT else fence.marker)


def _read_marker(job: Job, ports: Ports, previous: int, marker: int, lost: Outcome) -> Outcome:
    """The reply is lost: what does the pane say?"""
    try:
        info = ports.watcher.capture(job.pane).info
    except (Unreachable, PaneGone):
        return lost
    if info.marker == str(marker):
        return Outcome(word=Word.SENT, marker=info.marker)
    if info.marker == str(previous):
        # The old client is gone with its queue, so the command cannot run later.
        return Outcome(word=Word.REFUSED, reasons=("the command did not reach tmux",), marker=info.marker)
    return lost


def _end(job: Job, answer: tuple[Outcome, Adopted]) -> SendDone | SendHeld | _Wait:
    outcome, _ = answer
    reasons = "; ".join(outcome.reasons)
    if outcome.word is Word.SENT:
        return SendDone(action_id=job.action_id)
    if outcome.word is Word.REFUSED:
        # Nothing was typed: look again. The cursor's numbers differ each time; the reason is the same.
        typing = any(reason.startswith("someone is typing") for reason in outcome.reasons)
        return _Wait(why="someone is typing" if typing else f"refused by tmux: {reasons}", limit=TYPING_PATIENCE)
    return SendHeld(action_id=job.action_id, reason=f"it cannot be known whether the keys were typed: {reasons}")
