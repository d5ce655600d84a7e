"""A host's Transport as plugins see it: programs, bytes, and OSError for whatever goes wrong."""

from __future__ import annotations

from collections.abc import Sequence

from tmux_sentry.contracts import Completed, Pipe
from tmux_sentry.errors import Unreachable
from tmux_sentry.transport.base import Transport

#: What a shell says of a program that is not there; SSH gives nothing else.
NOT_FOUND = 127


class TransportAccess:
    """A `HostAccess` over the connection that is there already."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def name(self) -> str:
        """The host's name in hosts.yaml."""
        return self._transport.host

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> Completed:
        """Run a short program to its end; status 127 when there is none. Raises ConnectionError or TimeoutError."""
        try:
            return self._transport.run(argv, timeout)
        except FileNotFoundError as error:
            return Completed(status=NOT_FOUND, stderr=str(error).encode())
        except Unreachable as error:
            raise ConnectionError("; ".join(error.lines())) from error

    def open(self, argv: Sequence[str]) -> Pipe:
        """Start a program; one that is not there ends at once. Raises ConnectionError or FileNotFoundError."""
        try:
            return self._transport.open(argv)
        except Unreachable as error:
            raise ConnectionError("; ".join(error.lines())) from error
