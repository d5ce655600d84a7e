"""The kit with Slack's real answers, at both of its doors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from tmux_sentry import Delivery
from tmux_sentry.testing.channels import HttpNotifierConformance
from tmux_sentry.testing.provider import Received, Reply
from tmux_sentry_notify_slack import plugin as slack_plugin

PLAIN = {"Content-Type": "text/plain; charset=utf-8"}
PATH = "/services/T01ABCDEF23/B04ABCDEF56/a1B2c3D4e5F6g7H8i9J0k1L2"
TOKEN = "xoxb-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx"


def texts(node: Any) -> Iterator[str]:
    """Every text that Slack would show of some blocks."""
    if isinstance(node, dict):
        if isinstance(node.get("text"), str):
            yield node["text"]
        for value in node.values():
            yield from texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts(value)


def shown(request: Received) -> str:
    payload = request.json()
    return "\n".join(texts(payload["blocks"]) if "blocks" in payload else [payload["text"]])


def said(status: int, word: str) -> Reply:
    """How an incoming webhook refuses."""
    return Reply(status=status, body=word.encode(), headers=PLAIN)


class TestHook(HttpNotifierConformance):
    plugin = slack_plugin
    accepted = Reply(body=b"ok", headers={"Content-Type": "text/html"})  # as Slack has it
    refused: ClassVar = {
        "bad payload": (said(400, "invalid_payload"), Delivery.PERMANENT),
        "no such user": (said(400, "user_not_found"), Delivery.PERMANENT),
        "bad token": (said(403, "invalid_token"), Delivery.PERMANENT),
        "not allowed": (said(403, "action_prohibited"), Delivery.PERMANENT),
        "no such hook": (said(404, "no_service"), Delivery.PERMANENT),
        "no such channel": (said(404, "channel_not_found"), Delivery.PERMANENT),
        "archived": (said(410, "channel_is_archived"), Delivery.PERMANENT),
        "their fault": (said(500, "rollup_error"), Delivery.RETRY),
        "another service": (Reply.of_json({"success": True}), Delivery.UNKNOWN),
    }
    limit = 12_000
    secret = "a1B2c3D4e5F6g7H8i9J0k1L2"

    def settings_at(self, url: str) -> Mapping[str, str]:
        return {"SLACK_WEBHOOK": url + PATH}

    def content(self, request: Received) -> str:
        return shown(request)


def no(error: str, **more: Any) -> Reply:
    """How the Web API refuses."""
    return Reply.of_json({"ok": False, "error": error, **more})


class TestBot(HttpNotifierConformance):
    plugin = slack_plugin
    accepted = Reply.of_json(
        {"ok": True, "channel": "C0123ABCDEF", "ts": "1503435956.000247", "message": {"type": "message"}}
    )
    refused: ClassVar = {
        "bad token": (no("invalid_auth"), Delivery.PERMANENT),
        "revoked": (no("token_revoked"), Delivery.PERMANENT),
        "scope": (no("missing_scope", needed="chat:write", provided="identify"), Delivery.PERMANENT),
        "not invited": (no("not_in_channel"), Delivery.PERMANENT),
        "no such channel": (no("channel_not_found"), Delivery.PERMANENT),
        "too many": (no("ratelimited"), Delivery.RETRY),
        "too long": (no("msg_too_long"), Delivery.PERMANENT),
        "bad blocks": (
            no("invalid_blocks", response_metadata={"messages": ["[ERROR] must be less than 3001 characters"]}),
            Delivery.PERMANENT,
        ),
        "their fault": (no("internal_error"), Delivery.RETRY),
        "a new word": (no("something_new"), Delivery.PERMANENT),
        "no word": (Reply.of_json({"ok": False}), Delivery.PERMANENT),
        "with a status": (Reply.of_json({"ok": False, "error": "invalid_auth"}, status=401), Delivery.PERMANENT),
        "with a status of theirs": (Reply.of_json({"ok": False, "error": "weird"}, status=503), Delivery.RETRY),
        "half an answer": (Reply(body=b'{"ok": tr', headers={"Content-Type": "application/json"}), Delivery.RETRY),
        "another answer": (Reply.of_json(["ok"]), Delivery.RETRY),
        "a word instead of true": (Reply.of_json({"ok": "false"}), Delivery.RETRY),
    }
    limit = 12_000
    secret = TOKEN

    def settings_at(self, url: str) -> Mapping[str, str]:
        return {"SLACK_BOT_TOKEN": TOKEN, "SLACK_CHANNEL": "C0123ABCDEF", "SLACK_API_URL": url + "/api/"}

    def content(self, request: Received) -> str:
        return shown(request)
