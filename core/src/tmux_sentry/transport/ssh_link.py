"""One SSH connection, watched by a heartbeat of its own."""

from __future__ import annotations

import logging
import threading
import time

import paramiko

from tmux_sentry.errors import Unreachable
from tmux_sentry.security.sanitize import clean
from tmux_sentry.transport.ssh_dial import Dial

_log = logging.getLogger(__name__)

#: Seconds between two heartbeats, and how long one may stay unanswered: a hung link is noticed after 12 s at the most.
#: paramiko's own keepalive asks for no reply and called a frozen peer active after 20 s (measured).
BEAT = 4.0
DEADLINE = 8.0
_OPEN_TIMEOUT = 8.0
#: Bytes that a channel may have under way, as a pipe has. paramiko's two megabytes of a flooding pane would stand in
#: front of what the others print; so the flood waits in tmux, which knows how to drop it.
WINDOW = 1 << 16


class Full(Exception):
    """The server lets this connection have no further channel (MaxSessions, ten by default)."""


def we_slept(due: float, now: float) -> bool:
    """Whether whoever waited until `due` woke far too late (monotonic seconds).

    A stopped process or a closed lid says nothing about the link.
    """
    return now - due > BEAT


def is_hung(due: float, now: float, heard: float) -> bool:
    """Whether nothing has come from the server for so long that it is given up; `heard` is when something came last."""
    return now >= due and heard + BEAT + DEADLINE <= due


class Link:
    """Ends by itself, and with it its channels, when the server does not answer any more."""

    def __init__(self, host: str, dial: Dial) -> None:
        """`host` names it in messages; `dial` is connected by this. Raises Unreachable."""
        self._host, self._dial = host, dial
        self._transport = dial.connect()
        self._heard = time.monotonic()
        self._closing = threading.Event()
        # paramiko keeps one error for all who open a channel: of two that are refused at once, one is told nothing.
        self._opening = threading.Lock()
        for work in (self._beat, self._watch):
            threading.Thread(target=work, name=f"ssh@{host}", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether channels can be opened."""
        return self._transport.is_active() and not self._closing.is_set()

    def heard(self) -> None:
        """Data has come from the server: it lives, even where an answer is still behind other data."""
        self._heard = time.monotonic()

    def session(self) -> paramiko.Channel:
        """A new channel. Raises Full, Unreachable."""
        try:
            with self._opening:
                return self._transport.open_session(window_size=WINDOW, timeout=_OPEN_TIMEOUT)
        except paramiko.ChannelException as error:
            if self.alive:
                raise Full from error
            raise Unreachable(f"{self._host}: the SSH connection was lost") from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise Unreachable(f"{self._host}: the SSH connection was lost", clean(str(error))) from error

    def close(self) -> None:
        """End the connection at once; whoever reads a channel of it sees the end. Idempotent."""
        self._closing.set()
        self._dial.close()

    def _beat(self) -> None:
        """Ask again and again; servers refuse the unknown request, which is an answer too."""
        while not self._closing.wait(BEAT) and self._transport.is_active():
            try:
                self._transport.global_request("keepalive@openssh.com", wait=True)  # returns when the link ends, too
            except (paramiko.SSHException, EOFError, OSError):
                return
            self.heard()

    def _watch(self) -> None:
        while self._transport.is_active():
            due = self._heard + BEAT + DEADLINE
            if self._closing.wait(max(due - time.monotonic(), 0.1)):
                return
            now = time.monotonic()
            if we_slept(due, now):
                self.heard()
            elif is_hung(due, now, self._heard):
                _log.warning("%s: the SSH connection hangs and is given up", clean(self._host))
                self.close()
