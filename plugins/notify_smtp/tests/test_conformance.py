from __future__ import annotations

from typing import ClassVar

from tmux_sentry.testing.conformance import NotifierConformance
from tmux_sentry.testing.provider import closed_port
from tmux_sentry_notify_smtp import plugin as smtp_plugin


class TestSmtp(NotifierConformance):
    plugin = smtp_plugin
    settings: ClassVar = {
        "SMTP_SERVER": "127.0.0.1",
        "SMTP_PORT": str(closed_port()),
        "SMTP_FROM": "ci@example.com",
        "SMTP_TO": "ann@example.com",
    }
