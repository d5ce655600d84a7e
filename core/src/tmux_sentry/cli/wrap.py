"""`tmux-sentry wrap`: run an agent under the smart wrapper."""

from __future__ import annotations

import shutil

import click

from tmux_sentry import smart_wrapper
from tmux_sentry.errors import UsageError


@click.command("wrap", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--name", default="", help="A name for this agent, told with its start and end.")
@click.option("--no-instruction", is_flag=True, help="Do not tell the agent how to report.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
def command(name: str, no_instruction: bool, command: tuple[str, ...]) -> int:
    """Run COMMAND, tell it once how to report, and hand over when it starts and how it ends.

    What it shows and every argument pass through unchanged; the exit status is the command's. scripts/smart_wrapper.py
    is the same in one file for hosts without tmux-sentry.
    """
    if shutil.which(command[0]) is None:
        raise UsageError(f"there is no program {command[0]}", "", "give the command as you would type it, after --")
    return smart_wrapper.wrap(list(command), name, not no_instruction)
