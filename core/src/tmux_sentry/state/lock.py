"""One instance at a time: a flock on `sentry.lock`. The kernel drops it with the process, however that ends."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from pathlib import Path

from tmux_sentry.errors import Locked
from tmux_sentry.security.sanitize import clean
from tmux_sentry.state.files import private_directory
from tmux_sentry.state.times import iso


class InstanceLock:
    """Exclusive use of one home directory. The file says who holds it, is never deleted, and is no pid file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._fd is not None

    def acquire(self) -> None:
        """Take the lock or raise Locked at once, naming the holder. Raises Refused for an unsafe directory."""
        if self._fd is not None:
            return
        private_directory(self.path.parent)
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = clean(os.pread(fd, 300, 0).decode("utf-8", "replace").strip()) or "who it is was not written yet"
            os.close(fd)
            raise Locked(
                f"another tmux-sentry ({holder}) holds {self.path}",
                "two instances would both type into the same panes",
                "stop that one first, or give this one its own TMUX_SENTRY_HOME",
            ) from None
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"pid {os.getpid()} on {socket.gethostname()}, since {iso(time.time())}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back. Idempotent."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> InstanceLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
