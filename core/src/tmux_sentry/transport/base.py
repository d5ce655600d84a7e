"""What a Transport is: it opens byte channels to a host and knows nothing of tmux."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tmux_sentry.contracts import Completed


class Channel(Protocol):
    """A program on the host, its stdin and stdout joined to us."""

    @property
    def pid(self) -> int | None:
        """The program's process id on its host, where it is known."""

    def read(self) -> bytes:
        """Whatever has arrived, waiting for at least one byte; b"" at the end. One reader at a time."""

    def write(self, data: bytes) -> None:
        """Write all of `data`. Raises OSError when the other end is gone."""

    def close(self) -> None:
        """End the program and free its resources. Idempotent; unblocks a `read`."""


class Transport(Protocol):
    """A way to one host."""

    @property
    def host(self) -> str:
        """The host's name in hosts.yaml."""

    def open(self, argv: Sequence[str]) -> Channel:
        """Start a program. Raises Unreachable or FileNotFoundError."""

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> Completed:
        """Run a short program to its end. Raises Unreachable, FileNotFoundError or TimeoutError."""

    def in_foreground(self, pid: int) -> bool | None:
        """Whether the process group of `pid` is the foreground one of its terminal; None where it cannot be told."""

    def reset(self) -> None:
        """Give up every connection to the host at once, because it may hang; the next use makes a new one."""

    def close(self) -> None:
        """Close every channel. Idempotent."""
