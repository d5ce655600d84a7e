"""The hold: while `@sentry_hold` is set, nothing is typed. `tmux set -g @sentry_hold 1` does the same from anywhere."""

from __future__ import annotations

from tmux_sentry.errors import SentryError
from tmux_sentry.security.sanitize import clean
from tmux_sentry.tmux import quoting
from tmux_sentry.tmux.client import CommandClient


def set_hold(client: CommandClient, pane_id: str | None, on: bool) -> None:
    """Hold or release one pane, or with None the whole server. Raises SentryError when tmux refuses, Unreachable.

    Releasing unsets: a pane's own "0" would hide a hold of the server.
    """
    where = "-g" if pane_id is None else f"-p -t {quoting.pane(pane_id)}"
    reply = client.command(f"set-option {where} @sentry_hold 1" if on else f"set-option {where} -u @sentry_hold")
    if not reply.ok:
        raise SentryError(f"@sentry_hold cannot be changed for {pane_id or 'the server'}", clean(" ".join(reply.lines)))
