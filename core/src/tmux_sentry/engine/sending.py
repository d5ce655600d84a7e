"""Carries out one send: waits until the pane can take it, types it through the guard, says what became of it.

A thread a send: it may wait minutes for an agent to become idle. What it may touch comes in as `Ports`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

from tmux_sentry.contracts import AgentState
from tmux_sentry.engine import consumed
from tmux_sentry.engine.conditions import compiled
from tmux_sentry.engine.events import AboutToSend, SendDone, SendHeld, SendMoot
from tmux_sentry.engine.guarded import claim, guarded, late, overtaken
from tmux_sentry.engine.job import Job, Pane, Ports, breathe
from tmux_sentry.engine.plan import REPORTLESS, UNSEEN, reports_exit
from tmux_sentry.engine.relay import GONE, Answers, same
from tmux_sentry.errors import Refused, Unreachable
from tmux_sentry.failpoints import reach
from tmux_sentry.security.sanitize import clean
from tmux_sentry.state.observe import sentence
from tmux_sentry.tmux.capture import PaneGone
from tmux_sentry.tmux.fence import Adopted
from tmux_sentry.tmux.guard import Outcome, Word
from tmux_sentry.tmux.model import Capture, PaneInfo
from tmux_sentry.watch import box
from tmux_sentry.watch.prompt import half_typed, is_idle_shell, searching

__all__ = ["Job", "Pane", "Ports", "carry_out"]

log = logging.getLogger(__name__)

#: Agents lose an Enter that comes with the text; 0.3 to 0.5 s later every one of them took it (measured).
AGENT_PAUSE = 0.4
#: How many such pauses a program gets to show what was pasted.
PAUSES = 10
#: Longer texts are no answer to a dialog.
ANSWER = 3
#: How long a person may sit in front of half a line before the stage is held.
TYPING_PATIENCE = 300.0
#: History rows that the capture before sending takes along: what they show is baseline, not news.
BASELINE_HISTORY = 200
#: What may stand left of the cursor in an agent's empty input box: the end of its mark, or the box itself.
_BOX = frozenset(">❯›»$#*│┃▌▎|")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wait:
    """Why the pane cannot take keys now, how long that kind of reason may last in all, and whether the time counts."""

    kind: str
    why: str
    limit: float = 0.0
    counts: bool = True
    moot: bool = False  # after that it is not wanted any more


def carry_out(job: Job, ports: Ports) -> SendDone | SendHeld | SendMoot | None:
    """Send, or say why it is held or moot; None when the job was stopped before anything was typed."""
    waited: dict[str, float] = {}
    told: set[str] = set()
    start = ports.clock.monotonic()
    while not job.stopped.is_set():
        began = ports.clock.monotonic()
        verdict = _try(job, ports)
        if not isinstance(verdict, _Wait):
            return verdict
        if verdict.counts and waited.get(verdict.kind, 0.0) >= verdict.limit:
            return SendMoot(action_id=job.action_id, reason=verdict.why) if verdict.moot else _held(job, verdict.why)
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
    if ports.store.observing is not None:
        return _held(job, sentence(ports.store.observing))
    try:
        info = ports.watcher.pane(job.pane)
        if info is not None and (wait := _not_ready(job, ports, info, None)):
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
        if overtaken(job, ports, fence):
            return _held(
                job, "it cannot be known whether the keys were typed: others have typed since the reply was lost"
            )
        if job.needs_exit and ports.watcher.polled(job.pane):
            return _held(job, UNSEEN)
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
    # A dialog is answered where it stands, and never out of the text above.
    capture = ports.watcher.capture(job.pane, BASELINE_HISTORY if job.answers is None else 0)
    return _not_ready(job, ports, capture.info, capture) or capture


def _not_ready(job: Job, ports: Ports, info: PaneInfo, seen: Capture | None) -> _Wait | None:
    """`seen` is None where only the inventory is known."""
    if info.hold:
        return _Wait(kind="paused", why="paused (@sentry_hold)", counts=False)
    if info.dead:
        return _Wait(kind="dead", why="the pane is dead", limit=job.wait_idle)
    if info.in_mode:
        limit = max(job.wait_idle, TYPING_PATIENCE)
        return _Wait(kind="mode", why="pane busy: someone reads in copy mode", limit=limit)
    if info.input_off or info.synchronized:
        return _Wait(kind="input", why="pane busy: its input is off or synchronised", limit=job.wait_idle)
    if job.answers is not None:
        return _other_dialog(job.answers, ports, seen) if seen is not None else None
    # A script that bash runs shows as `bash` too: the question is who has the terminal.
    at_prompt = info.is_shell and is_idle_shell(info, ports.watcher.in_foreground(info.identity.pane_pid))
    if (wait := _at_limit(job, ports, info, at_prompt)) is not None:
        return wait
    if job.wait_idle > 0 and not job.resumes and not at_prompt and not _idle_agent(ports, info):
        return _Wait(kind="busy", why=f"pane busy: {info.command} is running", limit=job.wait_idle)
    if seen is not None and _someone_typed(job, ports, seen, at_prompt):
        return _Wait(kind="typing", why="someone is typing", limit=TYPING_PATIENCE)
    if seen is not None and not at_prompt and _asks(job, seen):
        return _Wait(kind="busy", why="pane busy: a dialog waits for an answer", limit=job.wait_idle)
    return None


def _other_dialog(wanted: Answers, ports: Ports, seen: Capture) -> _Wait | None:
    """Why this capture does not show the dialog that is to be answered, ready for it."""
    now = ports.dialog(seen.info.identity, seen, wanted.bar)
    if now is None:
        return _Wait(kind="gone", why="the dialog is gone", limit=GONE, moot=True)
    if not same(now, wanted.dialog):
        return _Wait(kind="other", why="another dialog is there now", moot=True)
    draft = box.draft(seen)  # of an input line; the choice that the cursor is on is none
    if draft and not any(draft in choice.label or choice.label in draft for choice in wanted.dialog.choices):
        return _Wait(kind="typing", why="someone is typing", limit=TYPING_PATIENCE)
    return None


def _at_limit(job: Job, ports: Ports, info: PaneInfo, at_prompt: bool) -> _Wait | None:
    """Only the message that goes on after a usage limit is for an agent that is at it."""
    limited = not at_prompt and ports.agent_state(info.identity) is AgentState.LIMITED
    if not job.resumes:
        why = "the agent is at its usage limit"
        return _Wait(kind="limited", why=why, counts=False) if limited and job.wait_idle > 0 else None
    if at_prompt:
        return _Wait(kind="ended", why="the agent has ended: its shell is back")
    return None if limited else _Wait(kind="over", why="the usage limit is over", limit=GONE, moot=True)


def _idle_agent(ports: Ports, info: PaneInfo) -> bool:
    return not info.is_shell and ports.agent_state(info.identity) is AgentState.IDLE


def _someone_typed(job: Job, ports: Ports, seen: Capture, at_prompt: bool) -> bool:
    """Whether keys would add to, submit or remove what a person has half typed."""
    column = seen.cursor[0]
    if at_prompt:
        return half_typed(seen.row, column, None, _pattern(ports)) or searching(seen.screen, seen.cursor[1])
    if box.draft(seen):
        return True
    if job.wait_idle == 0:
        return False  # the policy wants the keys in whatever runs there
    left = box.split_row(seen.row, column)[0].rstrip()
    return bool(left) and left[-1] not in _BOX


def _asks(job: Job, seen: Capture) -> bool:
    """Whether a dialog is there that the text is no answer to."""
    return len(job.keys.text) > ANSWER and box.dialog(seen)


def _pattern(ports: Ports) -> Any:
    return None if ports.prompt is None else compiled(ports.prompt)


# ----------------------------------------------------------------------- the sending


def _send(job: Job, ports: Ports, capture: Capture, fence: Adopted) -> SendDone | SendHeld | _Wait:
    if job.answers is None:
        ports.announce(job, AboutToSend(action_id=job.action_id, lines=capture.lines), capture)
    reach("baseline.committed")
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
    if outcome.word is not Word.SENT or not keys.enter:
        return _end(job, outcome)
    if at_once:
        judge = consumed.at_prompt(capture, keys.text, expected=job.wait_idle > 0)
        return consumed.see(job, ports, capture.info.command, after, judge)
    return _submit(job, ports, capture.info.command, after)


def _submit(job: Job, ports: Ports, command: str, fence: Adopted) -> SendDone | SendHeld:
    """Enter, as its own guarded step, once the agent has taken the text in. Never pressed on a doubt."""
    reach("enter.before")
    try:
        after, ours = _pasted(job, ports)
        reach("enter.seen")
        if job.stopped.is_set():
            return _held(job, "typed, not submitted: it is not wanted any more")
        if ours is False:
            return _held(job, "typed, not submitted: someone typed behind it")
        if ours is None:
            return _held(job, "typed, not submitted: the program does not show it")
        # An agent that has ended leaves a shell behind, which must not get the Enter.
        info = replace(after.info, command=command)
        outcome, entered = guarded(job, ports, "enter", info, fence)
    except (Unreachable, PaneGone, Refused) as error:
        return _held(job, f"typed, not submitted: {error}")
    if outcome.word is Word.SENT:
        return consumed.see(job, ports, command, entered, consumed.in_box(job.keys.text))
    return _held(job, f"typed, not submitted: {'; '.join(outcome.reasons)}")


def _pasted(job: Job, ports: Ports) -> tuple[Capture, bool | None]:
    """The pane once it shows the text, and what `box.holds` says of that; a slow agent shows it late."""
    for _ in range(PAUSES):
        job.stopped.wait(AGENT_PAUSE)
        after = ports.watcher.capture(job.pane, BASELINE_HISTORY)
        ours = None if _asks(job, after) else box.holds(after, job.keys.text)
        if job.stopped.is_set() or ours is not None:
            break
    return after, ours


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
