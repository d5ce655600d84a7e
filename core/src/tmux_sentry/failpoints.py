"""Places where a test may kill the program: the crash harness names one, and it dies there as by `kill -9`.

Nothing happens unless TMUX_SENTRY_FAILPOINT names a point when the program starts, as `settle.before` or, for the
third time that it is reached, `settle.before:3`. What a user needs is none of this.
"""

from __future__ import annotations

import os
import signal
import threading

#: Every point, in the order in which a send passes them; the last ones are of the start after a crash.
NAMES = (
    "plan.written",  # the Run and its send are written, not committed
    "plan.committed",
    "claim.before",
    "adopt.done",  # tmux has our fence, the journal perhaps not
    "claim.done",
    "baseline.committed",  # what the pane showed before
    "intend.before",
    "intend.written",
    "intend.committed",
    "guard.before",
    "command.written",  # any command, the guard among them: tmux may have it, its answer is not read
    "guard.block",  # an answer of the guard's line is read, of several
    "guard.answered",
    "settle.before",
    "settle.written",
    "settle.committed",
    "enter.before",  # between text and Enter
    "enter.seen",  # the program shows the text
    "done.before",  # the thread that typed has not told the loop
    "done.taken",
    "done.written",
    "done.committed",
    "outbox.before",
    "outbox.written",
    "message.before",
    "message.sent",  # not written down that it was
    "recovery.before",  # after a crash: the marker is read
    "recovery.settled",
)


def _parse(text: str) -> tuple[str, int]:
    name, _, nth = text.partition(":")
    if name not in NAMES or not (nth or "1").isdigit():
        raise ValueError(f"TMUX_SENTRY_FAILPOINT: no failpoint {text!r} (there are: {', '.join(NAMES)})")
    return name, int(nth or "1")


_wanted = _parse(os.environ["TMUX_SENTRY_FAILPOINT"]) if os.environ.get("TMUX_SENTRY_FAILPOINT") else None
_lock = threading.Lock()
_reached = 0


def reach(name: str) -> None:
    """Die here, if this is the point and the time that the environment names."""
    if _wanted is not None:
        _count(name, _wanted)


def _count(name: str, wanted: tuple[str, int]) -> None:
    global _reached
    if name != wanted[0]:
        return
    with _lock:
        _reached += 1
        due = _reached == wanted[1]
    if due:
        _die()


def _die() -> None:
    # Only ourselves: the tmux clients are in sessions of their own, and notice by their pipes.
    os.kill(os.getpid(), signal.SIGKILL)
