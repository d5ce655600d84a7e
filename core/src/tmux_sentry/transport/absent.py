"""A host that this version cannot reach: every use says why."""

from __future__ import annotations

from collections.abc import Sequence

from tmux_sentry.errors import Unreachable
from tmux_sentry.transport.base import Channel, Completed


class AbsentTransport:
    """Raises Unreachable for everything, so that a host of this kind is shown as down and stops nothing else."""

    def __init__(self, host: str, why: str) -> None:
        self.host = host
        self._error = Unreachable(f"{host}: cannot be reached", why)

    def open(self, argv: Sequence[str]) -> Channel:
        """Raises Unreachable."""
        raise self._error

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> Completed:
        """Raises Unreachable."""
        raise self._error

    def in_foreground(self, pid: int) -> bool | None:
        """Nothing is known."""
        return None

    def close(self) -> None:
        """Nothing is open."""
