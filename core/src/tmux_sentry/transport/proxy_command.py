"""A program whose stdin and stdout are a connection: ssh's ProxyCommand."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from contextlib import suppress

_END_TIMEOUT = 1.0


class ProxyCommand:
    """A shell command with one end of a socket pair; `sock` is ours.

    Not paramiko's class of that name: that one knows no shell, and when its program ends it spins until the banner's
    timeout (measured with 5.1: 9.7 s of CPU in 10 s) and leaves a zombie.
    """

    def __init__(self, command: str) -> None:
        """Start it, in a session of its own so that Ctrl+C at our terminal does not reach it. Raises OSError."""
        self.sock, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = subprocess.Popen(
                    ["/bin/sh", "-c", command],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
        except OSError:
            self.sock.close()
            raise

    def close(self) -> None:
        """End it with all that it started, and reap it. Idempotent."""
        self.sock.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, number)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(_END_TIMEOUT)
