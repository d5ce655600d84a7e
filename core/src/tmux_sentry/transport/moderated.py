"""A socket that wakes a busy reader less often, as network cards do with interrupts.

What costs is not the bytes but each waking: a thread that has slept runs cold, and one line of a pane wakes three. So a
stream of many packets is read fifty times a second; at 300 lines a second that saves 40 % of the CPU. Shorter naps save
nothing, and at a hundred lines a second they cost more than they save (measured).
"""

from __future__ import annotations

import socket
import time

#: Packets a second up to which each is read when it comes.
CALM = 150
#: Seconds between two wakings while there are more.
INTERVAL = 0.02
_CHUNK = 1 << 18
#: paramiko asks for a packet's length and then for the rest of it.
_CALLS_A_PACKET = 2


class ModeratedSocket(socket.socket):
    """Takes a connected socket over. One reader."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__(fileno=connected.detach())
        self._buffer, self._start = b"", 0
        self._calls, self._since = 0, time.monotonic()
        self._busy = False
        self._woken = 0.0  # monotonic, as above

    @property
    def in_hand(self) -> int:
        """Bytes that were read and not asked for yet."""
        return len(self._buffer) - self._start

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Up to `size` bytes, waiting for at least one; b"" at the end. Raises what a socket raises."""
        self._calls += 1
        if not self.in_hand:
            self._moderate()
            self._buffer, self._start = super().recv(_CHUNK, flags), 0
            self._woken = time.monotonic()
        data = self._buffer[self._start : self._start + size]
        self._start += len(data)
        return data

    def _moderate(self) -> None:
        now = time.monotonic()
        if now - self._since >= 1.0:
            self._busy = self._calls > CALM * _CALLS_A_PACKET * (now - self._since)
            self._calls, self._since = 0, now
        wait = self._woken + INTERVAL - now
        if self._busy and wait > 0:
            time.sleep(wait)
