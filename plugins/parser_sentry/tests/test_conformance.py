from __future__ import annotations

from tmux_sentry.testing.conformance import ParserConformance
from tmux_sentry_parser_sentry import plugin as sentry_plugin


class TestSentry(ParserConformance):
    plugin = sentry_plugin
