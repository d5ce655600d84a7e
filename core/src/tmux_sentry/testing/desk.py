"""A shell at its prompt in a private tmux, adopted and ready to be typed into: for tests of whatever sends."""

from __future__ import annotations

from dataclasses import dataclass

from tmux_sentry.testing.tmux_server import TmuxServer
from tmux_sentry.tmux.capture import capture
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.tmux.guard import Expect, adopt


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A pane with epoch 1 and marker 0, and a client to send through."""

    server: TmuxServer
    client: CommandClient
    pane: str

    @classmethod
    def set_up(cls, server: TmuxServer, client: CommandClient, pane: str) -> Desk:
        """Wait for the pane's prompt and adopt it as "me"."""
        server.wait_prompt(pane)
        desk = cls(server=server, client=client, pane=pane)
        adopt(client, desk.expect().identity, "me", 1, 0)
        return desk

    def expect(self, previous: int = 0) -> Expect:
        """What a deciding capture says now."""
        seen = capture(self.client, self.pane)
        return Expect(
            identity=seen.info.identity, epoch=1, previous=previous, command=seen.info.command, cursor=seen.cursor
        )

    def buffers(self) -> str:
        """The paste buffers that tmux lists."""
        return self.server.run("list-buffers")
