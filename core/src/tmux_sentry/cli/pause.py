"""`tmux-sentry pause` and `unpause`: stop all sending at once, everywhere or in one pane.

The hold is an option of the tmux server itself (`@sentry_hold`), so it holds whoever runs, and whatever dies.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tmux_sentry.cli import output
from tmux_sentry.cli.everywhere import everywhere
from tmux_sentry.cli.session import Session, begin, env_file_option, hosts_option, read_hosts, tmux_client
from tmux_sentry.errors import EXIT_OK, EXIT_UNREACHABLE, SentryError, Unreachable, UsageError

if TYPE_CHECKING:
    from tmux_sentry.config.hosts import Host
    from tmux_sentry.tmux.model import PaneInfo


@click.command("pause")
@click.argument("pane", required=False)
@click.option("--host", help="Only this host.")
@hosts_option
@env_file_option
def pause(pane: str | None, host: str | None, hosts_file: Path | None, env_file: Path | None) -> int:
    """Stop all sending, everywhere or in every PANE of that name (%3, or session:window.index).

    Exit status 4 when some host was not reached: nothing is paused there.
    """
    session = begin(env_file)
    return _hold(session, read_hosts(session, hosts_file, host), pane, host, on=True)


@click.command("unpause")
@click.argument("pane", required=False)
@click.option("--host", help="Only this host.")
@hosts_option
@env_file_option
def unpause(pane: str | None, host: str | None, hosts_file: Path | None, env_file: Path | None) -> int:
    """Allow sending again, everywhere or in PANE, which has to be the only one of that name."""
    session = begin(env_file)
    hosts = read_hosts(session, hosts_file, host)
    if pane is not None:
        only = _only(session, hosts, pane, host)
        pane, host = only.identity.pane_id, only.identity.host
    return _hold(session, hosts, pane, host, on=False)


def _only(session: Session, hosts: Sequence[Host], pane: str, host: str | None) -> PaneInfo:
    """The pane that is meant. Raises as `pane_called` does."""
    from tmux_sentry.engine.naming import pane_called
    from tmux_sentry.tmux.inventory import list_panes

    def panes(one: Host) -> Sequence[PaneInfo]:
        with tmux_client(session, hosts, one) as client:
            return list_panes(client).panes

    found: list[PaneInfo] = []
    unlisted: dict[str, str] = {}
    for one, answer in everywhere([one for one in hosts if host in (None, one.name)], panes):
        if isinstance(answer, Unreachable):
            unlisted[one.name] = "; ".join(answer.lines())
        elif isinstance(answer, SentryError):
            raise answer
        else:
            found += answer
    return pane_called(pane, host, found, unlisted)


def _hold(session: Session, hosts: Sequence[Host], pane: str | None, host: str | None, *, on: bool) -> int:
    from tmux_sentry.tmux.hold import set_hold
    from tmux_sentry.tmux.inventory import list_panes

    word = "paused" if on else "unpaused"

    def hold(one: Host) -> list[str]:
        with tmux_client(session, hosts, one) as client:
            if pane is None:
                set_hold(client, None, on)
                return [f"{one.name}: all panes {word}"]
            infos = [info for info in list_panes(client).panes if pane in (info.identity.pane_id, info.name)]
            for info in infos:
                set_hold(client, info.identity.pane_id, on)
            return [f"{one.name} {info.name} {info.identity.pane_id}: {word}" for info in infos]

    code, done = EXIT_OK, 0
    for _, answer in everywhere([one for one in hosts if host in (None, one.name)], hold):
        if isinstance(answer, Unreachable):
            output.warn("; ".join([*answer.lines(), f"nothing is {word} there"]))
            code = EXIT_UNREACHABLE
        elif isinstance(answer, SentryError):
            raise answer
        else:
            for line in answer:
                output.say(line)
            done += len(answer)
    if not done and code == EXIT_OK:
        raise UsageError(f"no such pane: {pane}", "", "see: tmux-sentry status")
    return code
