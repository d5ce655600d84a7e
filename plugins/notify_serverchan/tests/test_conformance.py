"""The kit for channels, with ServerChan's own answers, for a key of each generation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from tmux_sentry import Delivery
from tmux_sentry.testing.channels import HttpNotifierConformance
from tmux_sentry.testing.provider import Received, Reply
from tmux_sentry_notify_serverchan import plugin as serverchan_plugin


def error(code: int, info: str, status: int = 200) -> Reply:
    return Reply.of_json({"message": f"[AUTH]{info}", "code": code, "info": info, "args": [None]}, status)


class TestTurbo(HttpNotifierConformance):
    plugin = serverchan_plugin
    accepted = Reply.of_json(
        {"code": 0, "message": "", "data": {"pushid": "851777", "readkey": "SCTHPz", "error": "SUCCESS", "errno": 0}}
    )
    refused: ClassVar = {
        "wrong key": (error(40001, "用户不存在或者权限不足"), Delivery.PERMANENT),
        "wrong key with 400": (error(40001, "用户不存在或者权限不足", 400), Delivery.PERMANENT),
        "quota": (error(40001, "超过当天的发送次数限制[5]，请稍后再试"), Delivery.RETRY),
        "quota with 400": (error(40001, "超过当天的发送次数限制[5]，请稍后再试", 400), Delivery.RETRY),
        "quota by another code": (error(471, "超过当天的发送次数限制[5]"), Delivery.RETRY),
        "by the minute": (error(40001, "超过分钟的发送次数限制[5]，请稍后再试", 400), Delivery.RETRY),
        "no title": (Reply.of_json({"message": "[INPUT]title 不能为空", "code": 20001}, 400), Delivery.PERMANENT),
        "no title with 200": (Reply.of_json({"message": "[INPUT]title 不能为空", "code": 20001}), Delivery.PERMANENT),
        "a code that is no number": (Reply.of_json({"code": False, "message": ""}), Delivery.RETRY),
        "a gateway": (Reply.of_json({"message": "Custom authentication failed"}), Delivery.RETRY),
        "a fault in JSON": (Reply.of_json({"code": 50000, "message": "busy"}, 503), Delivery.RETRY),
        "taken, and not taken inside": (
            Reply.of_json({"code": 0, "message": "", "data": {"errno": 1024, "error": "bad pushtoken"}}),
            Delivery.RETRY,
        ),
    }
    limit = 32 * 1024
    secret = "SCT12345TAbCdEfGhIjKlMnOpQrStUvWxYz"
    settings: ClassVar = {"SERVERCHAN_API_KEY": secret, "SERVERCHAN_BASE_URL": "http://127.0.0.1:1"}

    def settings_at(self, url: str) -> Mapping[str, str]:
        return {"SERVERCHAN_API_KEY": self.secret, "SERVERCHAN_BASE_URL": url}

    def content(self, request: Received) -> str:
        body = request.json()
        assert 0 < len(body["title"]) <= 32
        assert len(body.get("short", "")) <= 64
        assert len(body["desp"].encode()) <= 32_000
        return f"{body['title']}\n{body['desp']}"


class TestThird(TestTurbo):
    secret = "sctp12345tabcdefghijklmnopqrstuv"
    settings: ClassVar = {"SERVERCHAN_API_KEY": secret, "SERVERCHAN_BASE_URL": "http://127.0.0.1:1"}
