"""Who has a terminal on a host: one small `sh` that stays, because a login for each question costs 200 ms."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from tmux_sentry.errors import Unreachable
from tmux_sentry.transport.base import Channel

# Process group of the asked process, and foreground group of its terminal. The name, field 2 of stat, is in
# parentheses and may hold blanks and parentheses itself: count after the last one. Not every host has /proc.
_SCRIPT = (
    "set -f; while read -r p; do s=; { read -r s < /proc/$p/stat; } 2>/dev/null; "
    'if [ -n "$s" ]; then set -- ${s##*) }; echo "$p $3 $6"; '
    'else set -- $(ps -o pgid=,tpgid= -p $p 2>/dev/null); echo "$p $1 $2"; fi; done'
)


class Foreground:
    """Answers one question at a time, from any thread."""

    def __init__(self, open_channel: Callable[[Sequence[str]], Channel]) -> None:
        """`open_channel` starts a program on the host; it may raise Unreachable, and nothing is known then."""
        self._open = open_channel
        self._channel: Channel | None = None
        self._lock = threading.Lock()

    def ask(self, pid: int) -> bool | None:
        """Whether the process group of `pid` is the foreground one of its terminal; None where it cannot be told."""
        with self._lock:
            for _ in range(2):  # the channel of the last question may have ended since
                fresh = self._channel is None
                try:
                    if self._channel is None:
                        self._channel = self._open(["sh", "-c", _SCRIPT])
                    return _meaning(self._answer(self._channel, pid), pid)
                except (OSError, Unreachable):
                    self._drop()
                if fresh:
                    break
            return None

    def _answer(self, channel: Channel, pid: int) -> bytes:
        channel.write(b"%d\n" % pid)
        data = b""
        while not data.endswith(b"\n"):
            chunk = channel.read()
            if not chunk:
                raise BrokenPipeError("the shell on the host has ended")
            data += chunk
        return data

    def _drop(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            with suppress(OSError):
                channel.close()


def _meaning(answer: bytes, pid: int) -> bool | None:
    words = answer.split()
    if len(words) != 3 or words[0] != b"%d" % pid:
        return None
    try:
        group, foreground = int(words[1]), int(words[2])
    except ValueError:
        return None
    return None if foreground <= 0 else group == foreground  # no such process, or no terminal
