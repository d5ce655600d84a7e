from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tmux_sentry.testing.desk import Desk
from tmux_sentry.testing.tmux_server import TmuxServer
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.tmux.control_client import ControlClient
from tmux_sentry.tmux.exec_client import ExecClient
from tmux_sentry.tmux.version import Ability
from tmux_sentry.transport.local import LocalTransport

#: What has to work with either kind of command client.
_EITHER = ("test_capture", "test_fence", "test_guard", "test_guard_refusals", "test_hostile", "test_inventory")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "connect" in metafunc.fixturenames and metafunc.module.__name__.rpartition(".")[2] in _EITHER:
        metafunc.parametrize("connect", ["control", "exec"], indirect=True)


@pytest.fixture
def connect(tmux_server: TmuxServer, request: pytest.FixtureRequest) -> Iterator[Callable[[], CommandClient]]:
    """Makes started command clients for `tmux_server`; they leave before it is killed."""
    clients: list[CommandClient] = []

    def attach() -> CommandClient:
        client: CommandClient = ControlClient(LocalTransport("here"), tmux_server.address)
        if getattr(request, "param", "control") == "exec":
            client = ExecClient(LocalTransport("here"), tmux_server.address, Ability.TYPE)
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
