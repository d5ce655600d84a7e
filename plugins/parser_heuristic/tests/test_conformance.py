from __future__ import annotations

from tmux_sentry.testing.conformance import ParserConformance
from tmux_sentry_parser_heuristic import plugin as heuristic_plugin


class TestHeuristic(ParserConformance):
    plugin = heuristic_plugin
