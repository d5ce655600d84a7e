"""Registers the `sentry` parser."""

from __future__ import annotations

from collections.abc import Iterable

from tmux_sentry import ParserPlugin, PluginContext, hookimpl
from tmux_sentry_parser_sentry.parser import NAME, SentryParser


def _make(context: PluginContext) -> SentryParser:
    return SentryParser()


@hookimpl
def tmux_sentry_parsers() -> Iterable[ParserPlugin]:
    """The SENTRY lines that any program can print."""
    yield ParserPlugin(name=NAME, description="SENTRY event lines in output and on screens", factory=_make)
