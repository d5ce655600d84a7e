"""A host that is watched, as far as a plugin may use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A program that has ended: its exit status and what it wrote."""

    status: int
    stdout: bytes = b""
    stderr: bytes = b""


class Pipe(Protocol):
    """A program on a host, its stdin and stdout joined to us."""

    def read(self) -> bytes:
        """Whatever has arrived, waiting for at least one byte; b"" at the end. One reader at a time."""

    def write(self, data: bytes) -> None:
        """Write all of `data`. Raises OSError when the other end is gone."""

    def close(self) -> None:
        """End the program. Idempotent; unblocks a `read`."""


class HostAccess(Protocol):
    """The pane's host, over the connection that tmux-sentry has to it already. Programs run as the user there."""

    @property
    def name(self) -> str:
        """The host's name in hosts.yaml."""

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> Completed:
        """Run a short program to its end, within `timeout` seconds; status 127 when there is none.

        Raises OSError: ConnectionError or TimeoutError.
        """

    def open(self, argv: Sequence[str]) -> Pipe:
        """Start a program; where there is none, raises FileNotFoundError or ends at once. Raises OSError."""
