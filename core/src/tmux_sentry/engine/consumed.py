"""Typed is not taken: after Enter the effect must be seen.

tmux says that keys went into the pane's terminal, not that the program read them: a stopped terminal (C-s) shows
nothing, and agents lose an Enter now and then (measured). So the pane is looked at until the text is gone from where
it was typed. Enter is pressed once more, and only on our own text that stands there unsubmitted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum

from tmux_sentry.engine.events import SendDone, SendHeld
from tmux_sentry.engine.guarded import guarded
from tmux_sentry.engine.job import Job, Ports
from tmux_sentry.errors import Refused, Unreachable
from tmux_sentry.tmux.capture import PaneGone
from tmux_sentry.tmux.fence import Adopted
from tmux_sentry.tmux.guard import Word
from tmux_sentry.tmux.model import Capture
from tmux_sentry.watch import box
from tmux_sentry.watch.columns import columns_of

#: Seconds between the looks, three in all. A shell echoes in milliseconds, a busy agent may take a second.
PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9)


class Shown(Enum):
    """Where the typed text stands."""

    TAKEN = "it is gone from the input line"
    WHOLE = "typed, not submitted: it still stands in the input line"
    MIXED = "typed, not submitted: someone typed behind it"
    PART = "typed, not submitted: only a part of it is shown"
    NOTHING = "typed, not seen: the pane shows nothing of it"


_BOXED = {None: Shown.TAKEN, True: Shown.WHOLE, False: Shown.MIXED}
Judge = Callable[[Capture], Shown]


def in_box(text: str) -> Judge:
    """For a program with an input box, which had shown the whole text before Enter."""

    def judge(now: Capture) -> Shown:
        return _BOXED[box.unsubmitted(now, text)]

    return judge


def at_prompt(before: Capture, text: str, *, expected: bool) -> Judge:
    """For a shell: `before` is the prompt; `expected` says that it must show something of it."""
    left, at = before.row.rstrip(), before.cursor

    def judge(now: Capture) -> Shown:
        if now.info.command != before.info.command or now.cursor[1] != at[1] or not now.row.startswith(left):
            return Shown.TAKEN
        typed = box.split_row(now.row, at[0])[1].rstrip()
        if typed and not text.rstrip().startswith(typed):
            return Shown.TAKEN
        if typed:
            whole = typed == text.rstrip() and now.cursor[0] >= at[0] + sum(map(columns_of, typed))
            return Shown.WHOLE if whole else Shown.PART
        # A new prompt on the same row, as after `clear` or at the bottom of the screen, or nothing at all.
        same = (now.screen, now.cursor, now.info.history, now.info.activity)
        was = (before.screen, before.cursor, before.info.history, before.info.activity)
        return Shown.NOTHING if expected and same == was else Shown.TAKEN

    return judge


def see(job: Job, ports: Ports, command: str, fence: Adopted, judge: Judge) -> SendDone | SendHeld:
    """Look until the text was taken. `command` runs in the pane, `fence` is as Enter has left it."""
    try:
        shown, now = _look(job, ports, judge)
        if shown is Shown.WHOLE:
            # A program that has ended leaves a shell behind, which must not get the Enter.
            outcome, _ = guarded(job, ports, "again", replace(now.info, command=command), fence)
            if outcome.word is not Word.SENT:
                return _held(job, f"{shown.value}; Enter was refused: {'; '.join(outcome.reasons)}")
            shown, _ = _look(job, ports, judge)
    except (Unreachable, PaneGone):
        return SendDone(action_id=job.action_id)  # typed, says tmux; what the pane shows comes later, if ever
    except Refused as error:
        return _held(job, f"{error.what}: {error.why}")
    return SendDone(action_id=job.action_id) if shown is Shown.TAKEN else _held(job, shown.value)


def _look(job: Job, ports: Ports, judge: Judge) -> tuple[Shown, Capture]:
    for pause in PAUSES:
        now = ports.watcher.capture(job.pane)
        shown = judge(now)
        if shown is Shown.TAKEN or job.stopped.wait(pause):
            return Shown.TAKEN, now  # nobody waits for the effect of a send that is not wanted any more
    now = ports.watcher.capture(job.pane)
    return judge(now), now


def _held(job: Job, reason: str) -> SendHeld:
    return SendHeld(action_id=job.action_id, reason=reason)
