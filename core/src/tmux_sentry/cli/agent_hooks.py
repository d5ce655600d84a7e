"""`tmux-sentry hooks`: have the agents' own lifecycle hooks hand events over."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tmux_sentry.cli import output
from tmux_sentry.cli.app import current
from tmux_sentry.cli.options import json_option
from tmux_sentry.errors import EXIT_OK, SentryError, UsageError

if TYPE_CHECKING:
    from tmux_sentry.agent_hooks.agents import Agent
    from tmux_sentry.agent_hooks.install import Outcome, Places

NAMES = ("claude", "codex", "gemini", "qwen", "opencode", "aider")
COLUMNS = ("agent", "state", "changed", "file", "note")
_agent = click.option(
    "--agent", "names", multiple=True, type=click.Choice(NAMES), help="Only this agent; may be repeated."
)


@click.group("hooks")
def hooks() -> None:
    """Have the agents of this machine report what they do, through their own lifecycle hooks."""


@hooks.command("install")
@_agent
@click.option("--print", "printed", is_flag=True, help="Change nothing; print what is to be pasted, in plain sh.")
@json_option
def install(names: tuple[str, ...], printed: bool, as_json: bool) -> int:
    """Add our hooks to the configuration of every agent that is here; what is there stays.

    --print is for a machine on which tmux-sentry is not installed. It needs --agent.
    """
    from tmux_sentry.agent_hooks.install import install as work
    from tmux_sentry.agent_hooks.texts import snippet

    if not printed:
        return _each(names, work, as_json, snippets=True)
    if len(names) != 1 or as_json:
        raise UsageError("--print takes one --agent, and no --json", "", f"agents: {', '.join(NAMES)}")
    click.echo(snippet(_known(names)[0], shell=True))
    return EXIT_OK


@hooks.command("status")
@_agent
@json_option
def status(names: tuple[str, ...], as_json: bool) -> int:
    """List the agents and how our hooks are there: installed, not installed, outdated, needs trust, off, broken."""
    from tmux_sentry.agent_hooks.install import status as work

    places = _places()
    _show([work(agent, places) for agent in _known(names)], [], as_json)
    return EXIT_OK


@hooks.command("remove")
@_agent
@json_option
def remove(names: tuple[str, ...], as_json: bool) -> int:
    """Take our hooks out again, and nothing else."""
    from tmux_sentry.agent_hooks.install import remove as work

    return _each(names, work, as_json, snippets=False)


@hooks.command("report", hidden=True)
@click.argument("agent")
def report(agent: str) -> int:
    """What a hook of AGENT runs: hand over what the payload on stdin means. It prints nothing and always ends well."""
    from tmux_sentry.agent_hooks import report as reporting

    # aider's command inherits the terminal, from which nothing may be taken.
    reporting.report(agent, None if agent == "aider" or sys.stdin is None else sys.stdin.buffer)
    return EXIT_OK


def _each(names: tuple[str, ...], work: Callable[[Agent, Places], Outcome], as_json: bool, *, snippets: bool) -> int:
    """Do `work` for each agent; one that fails keeps none from its turn."""
    from tmux_sentry.agent_hooks.install import Outcome
    from tmux_sentry.agent_hooks.install import status as state_of

    places, outcomes = _places(), list[Outcome]()
    errors: list[tuple[Agent, SentryError]] = []
    for agent in _known(names):
        missing = "" if names else places.missing(agent)
        try:
            if missing:
                outcomes.append(
                    Outcome(agent=agent.name, state="not found", file=places.file(agent), note=f"skipped: {missing}")
                )
            else:
                outcomes.append(work(agent, places))
        except SentryError as error:
            outcomes.append(replace(state_of(agent, places), note="; ".join(error.lines())))
            errors.append((agent, error))
    _show(outcomes, [agent for agent, _ in errors] if snippets else [], as_json)
    for _, failed in errors:
        output.fail(failed.lines(), failed.what, redact=current().redact)
    return max((failed.exit_code for _, failed in errors), default=EXIT_OK)


def _show(outcomes: list[Outcome], by_hand: list[Agent], as_json: bool) -> None:
    from tmux_sentry.agent_hooks.texts import snippet

    rows = [
        {
            "agent": one.agent,
            "state": one.state,
            "changed": one.changed,
            "file": str(one.file),
            "note": one.note,
            "backup": str(one.backup) if one.backup else None,
        }
        for one in outcomes
    ]
    if as_json:
        texts = {agent.name: snippet(agent, shell=False) for agent in by_hand}
        output.emit_json([{**row, "snippet": texts.get(str(row["agent"]))} for row in rows])
        return
    for row in rows:
        row["changed"] = "yes" if row["changed"] else ""
    output.table(COLUMNS, [[row[column] for column in COLUMNS] for row in rows])
    for one in outcomes:
        if one.backup:
            output.say(f"{one.agent}: a copy of what was there is in {one.backup}")
    for agent in by_hand:
        output.say(f"\nfor {agent.title}, add this by hand:")
        click.echo(snippet(agent, shell=False))


def _known(names: tuple[str, ...]) -> list[Agent]:
    from tmux_sentry.agent_hooks.agents import AGENTS

    return [AGENTS[name] for name in names or NAMES]


def _places() -> Places:
    from tmux_sentry.agent_hooks.install import Places

    return Places(os.environ, Path.home())
