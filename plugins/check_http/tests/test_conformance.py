"""The kits for checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tmux_sentry import CheckStatus
from tmux_sentry.testing.checks import HttpCheckerConformance
from tmux_sentry.testing.conformance import CheckerConformance
from tmux_sentry.testing.provider import Reply, closed_port
from tmux_sentry_check_http import plugin as http_plugin

ACTION = {"success_when": "state == 'done'", "fail_when": "state == 'broken'"}
SECRET = "SECRET-TOKEN-0123456789"


class TestHttp(HttpCheckerConformance):
    plugin = http_plugin
    record = "http"
    unanswered: ClassVar = {"url": f"http://127.0.0.1:{closed_port()}/", "detail": "note", "percent": "done", **ACTION}
    answers: ClassVar = {
        "it runs": (Reply.of_json({"state": "running"}), CheckStatus.PENDING),
        "it is done": (Reply.of_json({"state": "done"}), CheckStatus.SUCCESS),
        "it has failed": (Reply.of_json({"state": "broken"}), CheckStatus.FAILURE),
        "it does not say": (Reply.of_json({"status": "done"}), CheckStatus.UNKNOWN),
        "it says null": (Reply.of_json({"state": None}), CheckStatus.UNKNOWN),
        "it repeats what it was sent": (
            Reply.of_json({"message": f"Bearer {SECRET} may not"}, status=403),
            CheckStatus.UNKNOWN,
        ),
        "done, in an error": (Reply.of_json({"state": "done"}, status=500), CheckStatus.UNKNOWN),
    }
    secret = SECRET

    def action_at(self, url: str) -> Mapping[str, Any]:
        return {"url": f"{url}/build?key={SECRET}", "headers": {"Authorization": f"Bearer {SECRET}"}, **ACTION}


class TestHttpThatFollows(TestHttp):
    """The same where redirects are followed."""

    def action_at(self, url: str) -> Mapping[str, Any]:
        return {**super().action_at(url), "redirects": 3, "consecutive": 1}


class TestWebhook(CheckerConformance):
    plugin = http_plugin
    record = "webhook"
    settings: ClassVar = {
        "WEBHOOK_LISTEN": "127.0.0.1:0",
        "WEBHOOK_LISTEN_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    }
    unanswered: ClassVar = {"path": "/deploys", "event": "deploy.done", **ACTION}
