"""Hands an event over out of band, from inside a pane: the writer's side of the queue in `emitted`."""

from __future__ import annotations

import base64
import os
import subprocess
import time

from tmux_sentry import smart_wrapper
from tmux_sentry.tmux import quoting
from tmux_sentry.tmux.model import TmuxAddress

# The same as in `emitted`, whose imports would take longer than everything here.
QUEUE, CHANNEL, LONGEST = "@sentry_q", "@sentry_wait", 8192
#: Bytes in the queue above which nothing more is put into it: whoever should read it does not.
FULL = 200_000
_TIMEOUT = 1.0  # seconds for each tmux command


def hand_over(text: str) -> None:
    """Put `text`, the JSON of one event, into the queue of the tmux server that this process runs in, and wake the
    reader. Nothing happens outside tmux, while nobody reads, or when the queue is full or the event too long.

    Raises OSError, subprocess.SubprocessError and NotInTmux where tmux cannot be run or does not answer.
    """
    socket = os.environ.get("TMUX", "").rsplit(",", 2)[0]
    try:
        pane = quoting.pane(os.environ.get("TMUX_PANE", ""))
    except ValueError:
        return
    # At most twenty digits, which only tell entries apart.
    sequence = time.time_ns() % 10**13 * 10**7 + os.getpid() % 10**7
    body = base64.urlsafe_b64encode(text.encode("utf-8", "replace")).decode("ascii").rstrip("=")
    entry = f"{pane}:{sequence}:{body}"
    if not os.path.isabs(socket) or len(entry) > LONGEST:
        return
    address = TmuxAddress(socket_path=socket)
    # One answer for both: the queue starts with a blank, and what is unset prints no line.
    lines = _run([*address.argv(), "show-options", "-sqv", CHANNEL, ";", "show-options", "-sqv", QUEUE]).splitlines()
    if not lines or not quoting.is_owner(lines[0]) or len(lines[-1]) >= FULL:
        return
    if smart_wrapper.PANE_FILE in os.environ:
        # The pane has a key, and nothing that comes without it is believed.
        smart_wrapper.Pane(os.environ).emit(text)
        return
    channel = quoting.owner(lines[0])
    _run([*address.argv(), "set-option", "-as", QUEUE, f" {quoting.queue(entry)}", ";", "wait-for", "-S", channel])


def _run(argv: list[str]) -> str:
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT, check=True
    )
    return done.stdout
