"""What a hook does when its agent runs it: read the payload, hand one event over. It never disturbs the agent."""

from __future__ import annotations

import json
import os
import secrets
import signal
from types import FrameType
from typing import BinaryIO

from tmux_sentry import smart_wrapper
from tmux_sentry.agent_hooks.events import event_of

LONGEST = 1_000_000  # bytes of a payload that are looked at
_DRAINED = 64_000_000  # bytes that are read all the same: an agent may take a closed pipe for a failure
_SECONDS = 3.0


def report(agent: str, stdin: BinaryIO | None) -> None:
    """Hand over what the payload on `stdin` means; None where the agent gives none.

    Raises nothing. After 3 seconds it ends the process, with success.
    """
    signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    try:
        event = event_of(agent, payload_of(stdin))
        # The id tells two equal events apart; without one an event counts once.
        if event is not None and os.environ.get("TMUX"):
            text = json.dumps({**event, "id": secrets.token_hex(8)}, ensure_ascii=False)
            # A hook runs at every step of its agent: nothing is kept for nobody.
            smart_wrapper.Pane(os.environ).emit(text.encode("utf-8", "replace").decode(), unread=False)
    except Exception:
        return  # nobody could be told but the agent, and the screen is still read
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def payload_of(stdin: BinaryIO | None) -> object:
    """The JSON on `stdin`; None for a terminal, for what is longer than LONGEST, and for what is no JSON."""
    if stdin is None or stdin.isatty():
        return None
    data, read = b"", 0
    while (chunk := stdin.read(65536)) and read < _DRAINED:
        read += len(chunk)
        if read <= LONGEST:
            data += chunk
    if read > LONGEST:
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _give_up(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)
