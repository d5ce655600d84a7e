"""What a command client is: the way to one tmux server's commands and their answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tmux_sentry.tmux.version import Ability


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a command answered; `lines` are raw reply text, decoded as UTF-8 with replacement."""

    ok: bool
    lines: tuple[str, ...]


class CommandClient(Protocol):
    """Sends commands to one tmux server, from any thread, one line at a time.

    A line may hold several commands with ` ; ` between them; tmux carries them out without doing anything else.
    """

    @property
    def host(self) -> str:
        """The host's name in hosts.yaml."""

    @property
    def ability(self) -> Ability:
        """What the host's tmux can do."""

    @property
    def pid(self) -> int | None:
        """The process id of a client that stays attached, to be remembered until it has left."""

    @property
    def alive(self) -> bool:
        """Whether commands can be sent."""

    def start(self, timeout: float = 10.0) -> None:
        """Get ready, once. Raises NoServer, Unreachable."""

    def command(self, line: str, timeout: float = 5.0) -> Reply:
        """Send one line with one command and return its answer. Raises Unreachable."""

    def converse(self, line: str, until: Callable[[Reply], bool], timeout: float = 5.0) -> list[Reply]:
        """Send one line and return its answers up to the one for which `until` is true, or the first error.

        How many answers there are, and where one ends, is the client's own affair: a word that nobody can know
        before has to divide what belongs apart. Raises Unreachable.
        """

    def close(self) -> None:
        """Leave nothing behind. Idempotent."""
