from __future__ import annotations

from tmux_sentry.testing.conformance import ApprovalConformance
from tmux_sentry_approval_file import plugin as file_plugin


class TestFile(ApprovalConformance):
    plugin = file_plugin
