"""Tells systemd that the program is ready, that it makes progress, and that it stops (sd_notify(3)).

Without systemd, that is without NOTIFY_SOCKET, nothing is told to anybody.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from tmux_sentry.clock import Clock


class Watchdog:
    """Used by one thread. `environ` has NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID where systemd wants to hear."""

    def __init__(self, clock: Clock, environ: Mapping[str, str] = os.environ) -> None:
        self._clock = clock
        self._address = environ.get("NOTIFY_SOCKET", "")
        usec, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
        ours = pid in ("", str(os.getpid()))
        #: Seconds between two pings, half of what systemd allows; None when it does not watch.
        self.every = int(usec) / 2e6 if usec.isascii() and usec.isdigit() and ours else None
        self._pinged = float("-inf")

    def ready(self) -> None:
        """The program watches now."""
        self._tell("READY=1")

    def stopping(self) -> None:
        """The program ends because it was told to."""
        self._tell("STOPPING=1")

    def progress(self) -> None:
        """To be called after real work only, as often as one likes; a program that hangs stops calling."""
        now = self._clock.monotonic()
        if self.every is not None and now - self._pinged >= self.every:
            self._pinged = now
            self._tell("WATCHDOG=1")

    def _tell(self, what: str) -> None:
        if not self._address:
            return
        # A leading @ is the abstract name space of Linux.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.connect(address)
                sock.send(what.encode())
        except OSError:
            pass  # whoever started us does not listen
