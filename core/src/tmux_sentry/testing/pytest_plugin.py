"""Fixtures for tests of tmux-sentry and its plugins (pytest11).

Every pytest run loads this module, so what a fixture needs is imported inside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tmux_sentry.testing.ssh_server import SshServer
    from tmux_sentry.testing.tmux_server import TmuxServer


@pytest.fixture
def tmux_server() -> Iterator[TmuxServer]:
    """A private tmux server without a session: `pane = tmux_server.new_session()`."""
    from tmux_sentry.testing.tmux_server import running_server

    with running_server() as server:
        yield server


@pytest.fixture
def ssh_server() -> Iterator[SshServer]:
    """A real sshd on a free loopback port: `ssh_server.target()` is how to reach it."""
    from tmux_sentry.testing.ssh_server import running_ssh_server

    with running_ssh_server() as server:
        yield server
