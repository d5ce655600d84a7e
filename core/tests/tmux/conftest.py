from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tmux_sentry.testing.desk import Desk
from tmux_sentry.testing.tmux_server import TmuxServer
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.transport.local import LocalTransport


@pytest.fixture
def connect(tmux_server: TmuxServer) -> Iterator[Callable[[], CommandClient]]:
    """Makes attached command clients for `tmux_server`; they leave before it is killed."""
    clients: list[CommandClient] = []

    def attach() -> CommandClient:
        client = CommandClient(LocalTransport("here"), tmux_server.address)
        client.start()
        clients.append(client)
        return client

    yield attach
    for client in clients:
        client.close()


@pytest.fixture
def desk(tmux_server: TmuxServer, connect: Callable[[], CommandClient]) -> Desk:
    """An adopted shell; epoch 1, marker 0."""
    pane = tmux_server.new_session()
    return Desk.set_up(tmux_server, connect(), pane)
