"""`tmux-sentry pause` and `unpause`: stop all sending at once, everywhere or in one pane.

The hold is an option of the tmux server itself (`@sentry_hold`), so it holds whoever runs, and whatever dies.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tmux_sentry.cli import output
from tmux_sentry.cli.everywhere import everywhere
from tmux_sentry.cli.session import begin, env_file_option, hosts_option, read_hosts, tmux_client
from tmux_sentry.errors import EXIT_OK, EXIT_UNREACHABLE, SentryError, Unreachable, UsageError

if TYPE_CHECKING:
    from tmux_sentry.config.hosts import Host


@click.command("pause")
@click.argument("pane", required=False)
@click.option("--host", help="Only this host.")
@hosts_option
@env_file_option
def pause(pane: str | None, host: str | None, hosts_file: Path | None, env_file: Path | None) -> int:
    """Stop all sending, everywhere or in PANE (%3, or session:window.index)."""
    return _hold(pane, host, hosts_file, env_file, on=True)


@click.command("unpause")
@click.argument("pane", required=False)
@click.option("--host", help="Only this host.")
@hosts_option
@env_file_option
def unpause(pane: str | None, host: str | None, hosts_file: Path | None, env_file: Path | None) -> int:
    """Allow sending again, everywhere or in PANE."""
    return _hold(pane, host, hosts_file, env_file, on=False)


def _hold(pane: str | None, host: str | None, hosts_file: Path | None, env_file: Path | None, *, on: bool) -> int:
    from tmux_sentry.tmux.hold import set_hold
    from tmux_sentry.tmux.inventory import list_panes

    session, word = begin(env_file), "paused" if on else "unpaused"
    hosts = read_hosts(session, hosts_file)

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
            output.warn("; ".join(answer.lines()))
            code = EXIT_UNREACHABLE
        elif isinstance(answer, SentryError):
            raise answer
        else:
            for line in answer:
                output.say(line)
            done += len(answer)
    if not done and code == EXIT_OK:
        raise UsageError(f"no such {'pane' if pane else 'host'}: {pane or host}", "", "see: tmux-sentry status")
    return code
