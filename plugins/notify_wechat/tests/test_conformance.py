"""The kit for channels, with the robot's own answers, for each form of message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from tmux_sentry import Delivery
from tmux_sentry.testing.channels import HttpNotifierConformance
from tmux_sentry.testing.provider import Received, Reply
from tmux_sentry_notify_wechat import plugin as wechat_plugin

KEY = "693a91f6-7abc-4bc4-97a0-0ec2d1fa5aaa"


def answer(errcode: int, errmsg: str) -> Reply:
    hint = (
        f", hint: [1704540159128593240839785], from ip: 203.0.113.7, more info at "
        f"https://open.work.weixin.qq.com/devtool/query?e={errcode}"
    )
    return Reply.of_json({"errcode": errcode, "errmsg": errmsg + (hint if errcode > 0 else "")})


class TestMarkdown(HttpNotifierConformance):
    plugin = wechat_plugin
    settings: ClassVar = {"WECHAT_WORK_WEBHOOK": f"http://127.0.0.1:1/cgi-bin/webhook/send?key={KEY}"}
    accepted = answer(0, "ok")
    refused: ClassVar = {
        "busy": (answer(-1, "system error"), Delivery.RETRY),
        "too often": (answer(45009, "api freq out of limit"), Delivery.RETRY),
        "removed": (answer(93000, "invalid webhook url"), Delivery.PERMANENT),
        "too long": (
            answer(40058, "markdown.content exceed max length 4096. invalid Request Parameter"),
            Delivery.PERMANENT,
        ),
        "message type": (answer(40008, "invalid message type"), Delivery.PERMANENT),
        "a code nobody knows": (answer(99999, "who knows"), Delivery.PERMANENT),
        "a code that is no number": (Reply.of_json({"errcode": False, "errmsg": "ok"}), Delivery.RETRY),
        "a list": (Reply.of_json([]), Delivery.RETRY),
    }
    limit = 4096
    secret = KEY
    form = "markdown"

    def settings_at(self, url: str) -> Mapping[str, str]:
        return {"WECHAT_WORK_WEBHOOK": f"{url}/cgi-bin/webhook/send?key={KEY}", "WECHAT_WORK_MSGTYPE": self.form}

    def content(self, request: Received) -> str:
        body = request.json()
        assert body["msgtype"] == self.form
        return str(body[self.form]["content"])


class TestMarkdownV2(TestMarkdown):
    form = "markdown_v2"


class TestText(TestMarkdown):
    form = "text"
    limit = 2048
