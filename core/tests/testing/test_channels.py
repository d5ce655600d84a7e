"""The kit for channels, tried on one that is right and on some that are not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from tmux_sentry import (
    Answer,
    Delivery,
    DeliveryResult,
    Message,
    Notifier,
    NotifierPlugin,
    PluginContext,
    Setting,
    clean,
    deliver,
    hookimpl,
    plain_text,
)
from tmux_sentry.security.sanitize import clean_block
from tmux_sentry.testing.channels import HttpNotifierConformance
from tmux_sentry.testing.provider import Provider, Received, Reply


class Channel:
    """Takes 500 bytes of text; answers 200 also when it has not."""

    def __init__(self, context: PluginContext) -> None:
        self.url = context.settings.get("PAGER_URL", "")

    def send(self, message: Message) -> DeliveryResult:
        text = clean_block(plain_text(message)).encode("utf-8")
        if len(text) > 500:
            text = text[:497].decode("utf-8", "ignore").encode() + "…".encode()
        return deliver(self.url, body=json.dumps({"text": text.decode()}).encode(), read=self.read)

    def read(self, answer: Answer) -> DeliveryResult:
        data = answer.json()
        if not isinstance(data, dict):
            return DeliveryResult(outcome=Delivery.RETRY, detail=answer.words())
        if data.get("ok"):
            return DeliveryResult(outcome=Delivery.DELIVERED)
        return DeliveryResult(outcome=Delivery.PERMANENT, detail=clean(str(data)))


class Pager:
    channel: type[Channel] = Channel

    @hookimpl
    def tmux_sentry_notifiers(self) -> Iterator[NotifierPlugin]:
        def make(context: PluginContext) -> Notifier:
            return self.channel(context)

        setting = Setting(name="PAGER_URL", description="where")
        yield NotifierPlugin(name="pager", description="a pager", settings=(setting,), factory=make)


class TestPager(HttpNotifierConformance):
    plugin = Pager()
    accepted = Reply.of_json({"ok": True})
    refused: ClassVar = {"bad key": (Reply.of_json({"ok": False}), Delivery.PERMANENT)}
    limit = 500
    secret = "KEY-123456"

    def settings_at(self, url: str) -> Mapping[str, str]:
        return {"PAGER_URL": f"{url}/KEY-123456"}

    def content(self, request: Received) -> str:
        return str(request.json()["text"])


class Trusting(Channel):
    def read(self, answer: Answer) -> DeliveryResult:
        return DeliveryResult(outcome=Delivery.DELIVERED)


class Wordy(Channel):
    def send(self, message: Message) -> DeliveryResult:
        return deliver(self.url, body=json.dumps({"text": plain_text(message)}).encode(), read=self.read)


class Chopping(Channel):
    def send(self, message: Message) -> DeliveryResult:
        text = clean_block(plain_text(message)).encode()[:500].decode("utf-8", "replace")
        return deliver(self.url, body=json.dumps({"text": text[:490]}).encode(), read=self.read)


class Sloppy(Channel):
    def read(self, answer: Answer) -> DeliveryResult:
        return DeliveryResult(outcome=Delivery.RETRY, detail=self.url)


@pytest.mark.parametrize(
    ("channel", "row"),
    [
        (Trusting, "test_a_page_of_html_is_not_delivered"),
        (Trusting, "test_each_error_of_the_provider_is_told_as_what_it_is"),
        (Wordy, "test_no_message_is_longer_than_the_provider_takes_and_none_loses_its_head"),
        (Wordy, "test_hostile_text_is_sent_as_text"),
        (Chopping, "test_no_message_is_longer_than_the_provider_takes_and_none_loses_its_head"),
        (Sloppy, "test_a_page_of_html_is_not_delivered"),
    ],
)
def test_a_channel_that_is_wrong_fails_the_kit(channel: type[Channel], row: str, tmp_path: Path) -> None:
    class Wrong(TestPager):
        plugin = Pager()

    Wrong.plugin.channel = channel
    with Provider(TestPager.accepted) as provider, pytest.raises(AssertionError):
        getattr(Wrong(), row)(provider, tmp_path)
