"""`tmux-sentry history`: the stages that ran, newest first."""

from __future__ import annotations

from pathlib import Path

import click

from tmux_sentry.cli import output
from tmux_sentry.cli.options import json_option
from tmux_sentry.cli.session import begin, env_file_option, reading_store

_COLUMNS = (
    "started_at", "pipeline", "stage", "attempt", "status", "duration", "host", "pane_id", "reason", "approved_by",
)  # fmt: skip


@click.command("history")
@click.option("--pipeline", help="Only this pipeline.")
@click.option("--host", help="Only this host.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many rows.")
@env_file_option
@json_option
def command(pipeline: str | None, host: str | None, limit: int, env_file: Path | None, as_json: bool) -> None:
    """List the stages that ran, newest first, with durations in seconds."""
    session = begin(env_file)
    with reading_store(session) as store:
        rows = store.history(pipeline=pipeline, host=host, limit=limit) if store else []
    if as_json:
        output.emit_json(rows)
    elif not rows:
        output.say("no stage that ran matches" if pipeline or host else "no stage has run yet")
    else:
        output.table(_COLUMNS, [[row[column] for column in _COLUMNS] for row in rows])
