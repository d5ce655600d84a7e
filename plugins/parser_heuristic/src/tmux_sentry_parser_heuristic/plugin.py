"""Registers the `heuristic` parser."""

from __future__ import annotations

from collections.abc import Iterable

from tmux_sentry import Parser, ParserPlugin, PluginContext, hookimpl


def _make(context: PluginContext) -> Parser:
    from tmux_sentry_parser_heuristic.parser import HeuristicParser  # compiles the rules: only when `run` wants it

    return HeuristicParser()


@hookimpl
def tmux_sentry_parsers() -> Iterable[ParserPlugin]:
    """Test runners, linters, builds, git, crashes and shells, by what they print."""
    yield ParserPlugin(name="heuristic", description="results and errors guessed from plain output", factory=_make)
