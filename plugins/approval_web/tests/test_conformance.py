from __future__ import annotations

from tmux_sentry.testing.conformance import ApprovalConformance
from tmux_sentry_approval_web import plugin as web_plugin


class TestWeb(ApprovalConformance):
    plugin = web_plugin
