"""The kit for channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from tmux_sentry import Delivery
from tmux_sentry.testing.channels import HttpNotifierConformance
from tmux_sentry.testing.provider import Received, Reply
from tmux_sentry_notify_webhook import plugin as webhook_plugin

KEY = "f3a9c17be2d04586"
PASSWORD = "hunter2-hunter2"


class TestWebhook(HttpNotifierConformance):
    plugin = webhook_plugin
    accepted = Reply(status=202)
    refused: ClassVar = {
        "gone": (Reply(status=410, body=b"unsubscribed"), Delivery.PERMANENT),
        "malformed": (Reply.of_json({"error": "no such type"}, status=400), Delivery.PERMANENT),
        "too large": (Reply(status=413), Delivery.PERMANENT),
        "not signed by one it knows": (Reply.of_json({"error": "bad signature"}, status=401), Delivery.RETRY),
        "not there yet": (Reply(status=404, body=f"no route /hook/{KEY}".encode()), Delivery.RETRY),
        "no such method": (Reply(status=405), Delivery.RETRY),
    }
    limit = 19_999
    secret = KEY

    def settings_at(self, url: str) -> Mapping[str, str]:
        return {"WEBHOOK_URL": f"{url}/hook/{KEY}", "WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}

    def content(self, request: Received) -> str:
        return request.body.decode()
