"""The command client that fits a host's tmux."""

from __future__ import annotations

from collections.abc import Callable

from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.tmux.control_client import ControlClient
from tmux_sentry.tmux.exec_client import ExecClient
from tmux_sentry.tmux.model import TmuxAddress
from tmux_sentry.tmux.version import Ability, ability, ask_version
from tmux_sentry.transport.base import Transport


def attach(
    transport: Transport,
    address: TmuxAddress,
    *,
    on_notification: Callable[[str, str], None] | None = None,
    on_exit: Callable[[str], None] | None = None,
    timeout: float = 10.0,
) -> CommandClient:
    """A started client: a control client where tmux has client flags, else one process for each command.

    The callbacks are a control client's. Raises TmuxMissing, TmuxTooOld, NoServer, Unreachable.
    """
    able = ability(ask_version(transport, address, timeout))
    client: CommandClient
    if able is Ability.STREAM:
        client = ControlClient(transport, address, on_notification=on_notification, on_exit=on_exit)
    else:
        client = ExecClient(transport, address, able)
    client.start(timeout)
    return client
