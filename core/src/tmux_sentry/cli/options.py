"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from tmux_sentry.cli import output
from tmux_sentry.cli.app import App

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def log_level_option(default: str | None = None) -> Callable[[Any], Any]:
    """The option `--log-level`: for the group, with its default, and for a command that takes it too."""
    levels = click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False)
    return click.option(
        "--log-level",
        type=levels,
        default=default,
        envvar="LOG_LEVEL" if default else None,
        callback=_set_log_level,
        is_eager=True,
        help="How much to log on stderr; DEBUG adds tracebacks to errors.",
    )


def _set_log_level(ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    # At once, while the options are read, so that it holds for an error while a command is imported.
    if value is not None and not ctx.resilient_parsing:
        output.log_to_stderr(value, ctx.ensure_object(App))
    return value
