from __future__ import annotations

from tmux_sentry.testing.conformance import ParserConformance
from tmux_sentry_parser_agents import plugin as agents_plugin


class TestAgents(ParserConformance):
    plugin = agents_plugin
