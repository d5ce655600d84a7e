"""Carries out one send: waits until the pane can take it, types it through the guard, says what became of it.

A thread a send: it may wait minutes for an agent to become idle. What it may touch comes in as `Ports`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

from tmux_sentry.contracts import AgentState
from tmux_sentry.engine.conditions import compiled
from tmux_sentry.engine.events import AboutToSend, SendDone, SendHeld
from tmux_sentry.engine.guarded import claim, guarded, late
from tmux_sentry.engine.job import Job, Pane, Ports, breathe
from tmux_sentry.engine.plan import REPORTLESS, reports_exit
from tmux_sentry.errors import Refused, Unreachable
from tmux_sentry.security.sanitize import clean
from tmux_sentry.tmux.capture import PaneGone
from tmux_sentry.tmux.fence import Adopted
from tmux_sentry.tmux.guard import Outcome, Word
from tmux_sentry.tmux.model import Capture, PaneInfo
from tmux_sentry.watch.columns import columns_of
from tmux_sentry.watch.prompt import half_typed, is_idle_shell

__all__ = ["Job", "Pane", "Ports", "carry_out"]

log = logging.getLogger(__name__)

#: Agents lose an Enter that comes with the text; 0.3 to 0.5 s later every one of them took it (measured).
AGENT_PAUSE = 0.4
#: How many such pauses an agent gets to show what was pasted.
PAUSES = 5
#: How long a person may sit in front of half a line before the stage is held.
TYPING_PATIENCE = 300.0
#: History rows that the capture before sending takes along: what they show is baseline, not news.
BASELINE_HISTORY = 200
#: What may stand left of the cursor in an agent's empty input box: the end of its mark, or the box itself.
_BOX = frozenset(">❯›»$#*│┃▌▎|")
#: How much of the end of a text is looked for on the screen after it was pasted.
_TAIL = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wait:
    """Why the pane cannot take keys now, how long that kind of reason may last in all, and whether the time counts."""

    kind: str
    why: str
    limit: float = 0.0
    counts: bool = True


def carry_out(job: Job, ports: Ports) -> SendDone | SendHeld | None:
    """Send, or say why it is held; None when the job was stopped before anything was typed."""
    waited: dict[str, float] = {}
    told: set[str] = set()
    start = ports.clock.monotonic()
    while not job.stopped.is_set():
        began = ports.clock.monotonic()
        verdict = _try(job, ports)
        if not isinstance(verdict, _Wait):
            return verdict
        if verdict.counts and waited.get(verdict.kind, 0.0) >= verdict.limit:
            return _held(job, verdict.why)
        if ports.patience is not None and ports.clock.monotonic() - start >= ports.patience:
            return _held(job, verdict.why)
        if verdict.kind not in told:
            log.info("%s %s: waiting to type: %s", job.pane.host, job.pane.pane_id, clean(verdict.why, 200))
            told.add(verdict.kind)
        breathe(job, ports)
        if verdict.counts:
            waited[verdict.kind] = waited.get(verdict.kind, 0.0) + ports.clock.monotonic() - began
    return None


def _held(job: Job, reason: str) -> SendHeld:
    return SendHeld(action_id=job.action_id, reason=reason)


def _try(job: Job, ports: Ports) -> SendDone | SendHeld | _Wait:
    """One look, and a send if the look allows it."""
    try:
        info = ports.watcher.pane(job.pane)
        if info is not None and (wait := _not_ready(job, ports, info, row=None)):
            return wait
        capture = _look(job, ports)
        if isinstance(capture, _Wait):
            return capture
        shell = capture.info.command.lstrip("-")
        if shell in REPORTLESS and reports_exit(job.keys.text):
            return _held(job, f"report_exit does not work in {shell}: leave it out, and let a SENTRY STATUS decide")
        fence = claim(job, ports)
        if isinstance(fence, str):
            return _held(job, fence)
        if (old := late(job, ports, fence)) is not None:
            ports.store.settle(job.action_id, old.step, "injected", "tmux carried it out after its reply was lost")
            return _held(job, "typed, not submitted") if old.step == "text" and job.keys.enter else _done(job)
        return _send(job, ports, capture, fence)
    except Unreachable as error:
        return _Wait(kind="unreachable", why=error.what, counts=False)
    except PaneGone:
        return _held(job, "the pane is gone")
    except Refused as error:
        return _held(job, f"{error.what}: {error.why}")


def _done(job: Job) -> SendDone:
    return SendDone(action_id=job.action_id)


# -------------------------------------------------------------------- is the pane ready


def _look(job: Job, ports: Ports) -> Capture | _Wait:
    capture = ports.watcher.capture(job.pane, BASELINE_HISTORY)
    return _not_ready(job, ports, capture.info, row=capture.row) or capture


def _not_ready(job: Job, ports: Ports, info: PaneInfo, *, row: str | None) -> _Wait | None:
    """`row` is the text of the cursor's row, None where only the inventory is known."""
    if info.hold:
        return _Wait(kind="paused", why="paused (@sentry_hold)", counts=False)
    if info.dead:
        return _Wait(kind="dead", why="the pane is dead", limit=job.wait_idle)
    if info.in_mode:
        limit = max(job.wait_idle, TYPING_PATIENCE)
        return _Wait(kind="mode", why="pane busy: someone reads in copy mode", limit=limit)
    if info.input_off or info.synchronized:
        return _Wait(kind="input", why="pane busy: its input is off or synchronised", limit=job.wait_idle)
    # A script that bash runs shows as `bash` too: the question is who has the terminal.
    at_prompt = info.is_shell and is_idle_shell(info, ports.watcher.in_foreground(info.identity.pane_pid))
    if job.wait_idle > 0 and not at_prompt and not _idle_agent(ports, info):
        return _Wait(kind="busy", why=f"pane busy: {info.command} is running", limit=job.wait_idle)
    if row is not None and _someone_typed(job, ports, info, row, at_prompt):
        return _Wait(kind="typing", why="someone is typing", limit=TYPING_PATIENCE)
    return None


def _idle_agent(ports: Ports, info: PaneInfo) -> bool:
    return not info.is_shell and ports.agent_state(info.identity) is AgentState.IDLE


def _someone_typed(job: Job, ports: Ports, info: PaneInfo, row: str, at_prompt: bool) -> bool:
    """Whether keys would add to, submit or remove what a person has half typed."""
    column = info.cursor[0]
    if at_prompt:
        return half_typed(row, column, None, _pattern(ports))
    if job.wait_idle == 0:
        return False  # the policy wants the keys in whatever runs there
    left = _left_of(row, column).rstrip()
    return bool(left) and left[-1] not in _BOX


def _pattern(ports: Ports) -> Any:
    return None if ports.prompt is None else compiled(ports.prompt)


def _left_of(row: str, column: int) -> str:
    at = 0
    for index, character in enumerate(row):
        if at >= column:
            return row[:index]
        at += columns_of(character)
    return row


# ----------------------------------------------------------------------- the sending


def _send(job: Job, ports: Ports, capture: Capture, fence: Adopted) -> SendDone | SendHeld | _Wait:
    ports.announce(job, AboutToSend(action_id=job.action_id, lines=capture.lines), capture)
    keys = job.keys
    if keys.keys:
        # For a pane that prints all the time: the closer the look, the less its cursor has moved since.
        closer = _look(job, ports)
        if isinstance(closer, _Wait):
            return closer
        capture = closer
    if job.stopped.is_set():
        return _Wait(kind="stopped", why="stopped", counts=False)
    if keys.keys:
        return _end(job, guarded(job, ports, "keys", capture.info, fence)[0])
    if not keys.text:
        return _end(job, guarded(job, ports, "enter", capture.info, fence)[0]) if keys.enter else _done(job)
    at_once = capture.info.is_shell and keys.enter
    outcome, after = guarded(job, ports, "line" if at_once else "text", capture.info, fence)
    if outcome.word is not Word.SENT or at_once or not keys.enter:
        return _end(job, outcome)
    return _submit(job, ports, capture, after)


def _submit(job: Job, ports: Ports, before: Capture, fence: Adopted) -> SendDone | SendHeld:
    """Enter, as its own guarded step, once the agent has taken the text in. Never pressed on a doubt."""
    try:
        after = _pasted(job, ports, before)
        if job.stopped.is_set():
            return _held(job, "typed, not submitted: it is not wanted any more")
        if _someone_added(job.keys.text, after):
            return _held(job, "typed, not submitted: someone typed behind it")
        # An agent that has ended leaves a shell behind, which must not get the Enter.
        info = replace(after.info, command=before.info.command)
        outcome, _ = guarded(job, ports, "enter", info, fence)
    except (Unreachable, PaneGone, Refused) as error:
        return _held(job, f"typed, not submitted: {error}")
    if outcome.word is Word.SENT:
        return _done(job)
    return _held(job, f"typed, not submitted: {'; '.join(outcome.reasons)}")


def _pasted(job: Job, ports: Ports, before: Capture) -> Capture:
    """The pane after a pause, and after a few more where nothing has changed: a slow agent shows the text late."""
    for _ in range(PAUSES):
        job.stopped.wait(AGENT_PAUSE)
        after = ports.watcher.capture(job.pane, BASELINE_HISTORY)
        if job.stopped.is_set() or (after.lines, after.cursor) != (before.lines, before.cursor):
            break
    return after


def _someone_added(text: str, after: Capture) -> bool:
    """Whether more than our text stands left of the cursor, where its end can be seen there at all."""
    tail = "".join(text.split())[-_TAIL:]
    left = "".join(_left_of(after.row, after.cursor[0]).split())
    return bool(tail) and tail in left and not left.endswith(tail)


def _end(job: Job, outcome: Outcome) -> SendDone | SendHeld | _Wait:
    if outcome.word is Word.SENT:
        return _done(job)
    reasons = "; ".join(outcome.reasons)
    if outcome.word is Word.UNKNOWN:
        return _held(job, f"it cannot be known whether the keys were typed: {reasons}")
    # Nothing was typed: look again. The cursor's numbers differ each time; the reason is the same.
    if any(reason.startswith("someone is typing") for reason in outcome.reasons):
        return _Wait(kind="typing", why="someone is typing", limit=TYPING_PATIENCE)
    return _Wait(kind="refused", why=f"refused by tmux: {reasons}", limit=TYPING_PATIENCE)
