"""Registers the `agents` parser."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tmux_sentry import ParserPlugin, PluginContext, hookimpl

if TYPE_CHECKING:
    from tmux_sentry_parser_agents.parser import AgentsParser


def _make(context: PluginContext) -> AgentsParser:
    from tmux_sentry_parser_agents.parser import AgentsParser
    from tmux_sentry_parser_agents.rules import load

    return AgentsParser(load(Path(context.home) / "agents" if context.home else None))


@hookimpl
def tmux_sentry_parsers() -> Iterable[ParserPlugin]:
    """The screens of AI coding agents."""
    yield ParserPlugin(name="agents", description="state, dialogs and limits on agents' own screens", factory=_make)
