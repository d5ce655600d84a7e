"""`tmux-sentry plugins`: what is installed, and what became of it."""

from __future__ import annotations

import click

from tmux_sentry.cli import app, output
from tmux_sentry.cli.options import json_option

COLUMNS = ("name", "kind", "distribution", "version", "state", "reason")


@click.command("plugins", short_help="List the installed plugins.")
@json_option
def command(as_json: bool) -> None:
    """List the installed plugins: their state (ok, broken, incompatible, disabled), and why."""
    plugins = app.current().registry().plugins
    rows = [
        {
            "name": plugin.name,
            "kind": plugin.kind,
            "distribution": plugin.distribution,
            "version": plugin.version,
            "state": plugin.state.value,
            "reason": plugin.reason,
        }
        for plugin in plugins
    ]
    if as_json:
        output.emit_json(rows)
    elif rows:
        output.table(COLUMNS, [[row[column] for column in COLUMNS] for row in rows])
    else:
        output.say("no plugins are installed: pip install tmux-sentry brings the default ones")
