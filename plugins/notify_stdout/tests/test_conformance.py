from __future__ import annotations

from tmux_sentry.testing.conformance import NotifierConformance
from tmux_sentry_notify_stdout import plugin as stdout_plugin


class TestStdout(NotifierConformance):
    plugin = stdout_plugin
