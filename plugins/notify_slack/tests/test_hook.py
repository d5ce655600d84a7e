"""Incoming webhooks, and settings that are missing or hold something else."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tmux_sentry import Delivery, DeliveryResult, Level, Message, PluginContext, Rate
from tmux_sentry.testing.provider import Provider, Reply
from tmux_sentry_notify_slack import plugin
from tmux_sentry_notify_slack.notifier import HookNotifier, make
from tmux_sentry_notify_slack.settings import Bot, Hook, Wrong, read

MESSAGE = Message(id="m1", at=1_700_000_000.0, level=Level.ERROR, event="stage.failed", title="build failed")
PATH = "/services/T01ABCDEF23/B04ABCDEF56/a1B2c3D4e5F6g7H8i9J0k1L2"
URL = "https://hooks.slack.com" + PATH
TOKEN = "xoxb-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx"
OK = Reply(body=b"ok")


def refused(status: int, word: str) -> Reply:
    return Reply(status=status, body=word.encode())


def send(*replies: Reply, message: Message = MESSAGE) -> tuple[DeliveryResult, list[dict[str, object]]]:
    with Provider(OK) as server:
        server.replies = list(replies)
        result = make({"SLACK_WEBHOOK": server.url + PATH}).send(message)
        assert {request.path for request in server.requests} == {PATH}
        return result, [request.json() for request in server.requests]


def test_a_message_is_one_request_without_previews() -> None:
    result, (payload,) = send()
    assert result == DeliveryResult(outcome=Delivery.DELIVERED, detail="HTTP 200: ok")
    assert set(payload) == {"text", "blocks", "unfurl_links", "unfurl_media"}
    assert (payload["unfurl_links"], payload["unfurl_media"]) == (False, False)


def test_a_webhook_has_no_threads() -> None:
    message = Message(
        id="m", at=0.0, level=Level.ERROR, event="e", title="t", first="C0123ABCDEF:1.2", ends="C0123ABCDEF:1.2"
    )
    result, payloads = send(message=message)
    assert result.outcome is Delivery.DELIVERED
    assert len(payloads) == 1
    assert "thread_ts" not in payloads[0]


@pytest.mark.parametrize(
    ("status", "word", "outcome", "whole"),
    [
        (403, "invalid_token", Delivery.PERMANENT, True),
        (403, "action_prohibited", Delivery.PERMANENT, True),
        (403, "restricted_action", Delivery.PERMANENT, True),
        (404, "no_service", Delivery.PERMANENT, True),
        (404, "channel_not_found", Delivery.PERMANENT, True),
        (400, "user_not_found", Delivery.PERMANENT, True),
        (410, "channel_is_archived", Delivery.PERMANENT, True),
        (500, "rollup_error", Delivery.RETRY, False),
        (404, "<html>not here</html>", Delivery.PERMANENT, False),  # a proxy's word, not Slack's
        (200, "no_service", Delivery.PERMANENT, True),
        (200, "<!DOCTYPE html><title>Log in", Delivery.RETRY, False),
        (200, "okay", Delivery.UNKNOWN, False),
        (201, "ok", Delivery.UNKNOWN, False),
    ],
)
def test_whom_an_error_is_about(status: int, word: str, outcome: Delivery, whole: bool) -> None:
    result, payloads = send(refused(status, word))
    assert (result.outcome, result.whole_channel, len(payloads)) == (outcome, whole, 1)
    assert word in result.detail


@pytest.mark.parametrize("word", ["invalid_payload", "invalid_blocks", "no_text", "too_many_attachments"])
def test_what_slack_does_not_like_the_looks_of_goes_as_plain_text(word: str) -> None:
    result, (first, second) = send(refused(400, word))
    assert result.outcome is Delivery.DELIVERED
    assert word in result.detail
    assert "blocks" in first
    assert "blocks" not in second
    assert str(second["text"]).startswith("build failed\n#")
    result, payloads = send(refused(400, word), refused(400, word))
    assert (result.outcome, result.whole_channel, len(payloads)) == (Delivery.PERMANENT, False, 2)
    result, payloads = send(refused(400, word), refused(403, "invalid_token"))
    assert (result.outcome, result.whole_channel) == (Delivery.PERMANENT, True)


@pytest.mark.parametrize("said", [URL, PATH, "a1B2c3D4e5F6g7H8i9J0k1L2", PATH.replace("/", r"\/")])
@pytest.mark.parametrize("before", [0, 190, 1590])
def test_a_server_that_repeats_the_address_does_not_spread_it(said: str, before: int) -> None:
    """Not even where the detail is cut in the middle of it."""
    for status in (404, 200, 500):
        result, _ = send(refused(status, "x" * before + said))
        for start in range(0, 24, 6):
            assert "a1B2c3D4e5F6g7H8i9J0k1L2"[start : start + 6] not in result.detail


# ------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("settings", "way"),
    [
        ({"SLACK_WEBHOOK": f" {URL} "}, Hook(url=URL)),
        ({"SLACK_WEBHOOK": "http://mattermost.lan/hooks/x"}, Hook(url="http://mattermost.lan/hooks/x")),
        ({"SLACK_BOT_TOKEN": TOKEN, "SLACK_CHANNEL": "#b"}, Bot(token=TOKEN, channel="#b")),
        (
            {"SLACK_BOT_TOKEN": "xoxe.xoxb-1-abcdefgh", "SLACK_CHANNEL": "构建"},
            Bot(token="xoxe.xoxb-1-abcdefgh", channel="构建"),
        ),
        (
            {"SLACK_BOT_TOKEN": TOKEN, "SLACK_CHANNEL": "C0123ABCDEF", "SLACK_API_URL": "https://slack-gov.com/api/"},
            Bot(token=TOKEN, channel="C0123ABCDEF", api="https://slack-gov.com/api"),
        ),
        ({"SLACK_WEBHOOK": URL, "SLACK_BOT_TOKEN": TOKEN}, Hook(url=URL)),
        ({"SLACK_WEBHOOK": URL, "SLACK_BOT_TOKEN": TOKEN, "SLACK_CHANNEL": "b"}, Bot(token=TOKEN, channel="b")),
    ],
)
def test_the_settings_say_how_to_post(settings: Mapping[str, str], way: Hook | Bot) -> None:
    assert read(settings) == way


BAD = [
    ({}, "SLACK_WEBHOOK, or SLACK_BOT_TOKEN and SLACK_CHANNEL"),
    ({"SLACK_CHANNEL": "C0123ABCDEF"}, "SLACK_WEBHOOK, or SLACK_BOT_TOKEN and SLACK_CHANNEL"),
    ({"SLACK_WEBHOOK": TOKEN}, "SLACK_WEBHOOK holds a token: put it in SLACK_BOT_TOKEN"),
    ({"SLACK_WEBHOOK": "xapp-1-A0-1-abcdef"}, "SLACK_WEBHOOK holds a token"),
    ({"SLACK_WEBHOOK": PATH}, "SLACK_WEBHOOK is no address"),
    ({"SLACK_WEBHOOK": "hooks.slack.com" + PATH}, "SLACK_WEBHOOK is no address"),
    ({"SLACK_WEBHOOK": "https://[::1" + PATH}, "SLACK_WEBHOOK is no address"),
    ({"SLACK_WEBHOOK": "https://host:port" + PATH}, "SLACK_WEBHOOK is no address"),
    ({"SLACK_WEBHOOK": "https://hooks.slack.com/ser vices"}, "SLACK_WEBHOOK is no address"),
    ({"SLACK_WEBHOOK": "https://hooks.slack.com/triggers/T0/1/abc"}, "SLACK_WEBHOOK starts a workflow"),
    ({"SLACK_WEBHOOK": "https://hooks.slack.com/workflows/T0/A/1/abc"}, "SLACK_WEBHOOK starts a workflow"),
    ({"SLACK_BOT_TOKEN": URL, "SLACK_CHANNEL": "b"}, "SLACK_BOT_TOKEN holds an address: put it in SLACK_WEBHOOK"),
    ({"SLACK_BOT_TOKEN": "xapp-1-A0-1-abcdef", "SLACK_CHANNEL": "b"}, "app-level token"),
    ({"SLACK_BOT_TOKEN": "xoxe-1-abcdefghijk", "SLACK_CHANNEL": "b"}, "SLACK_BOT_TOKEN is no bot's token"),
    ({"SLACK_BOT_TOKEN": "xoxb-abcdefgh\u00e9", "SLACK_CHANNEL": "b"}, "SLACK_BOT_TOKEN is no bot's token"),
    ({"SLACK_BOT_TOKEN": TOKEN}, "SLACK_CHANNEL is missing"),
    ({"SLACK_BOT_TOKEN": TOKEN, "SLACK_CHANNEL": "a,b"}, "SLACK_CHANNEL is no channel"),
    ({"SLACK_BOT_TOKEN": TOKEN, "SLACK_CHANNEL": "b", "SLACK_API_URL": "slack.com"}, "SLACK_API_URL is no http"),
]


@pytest.mark.parametrize(("settings", "named"), BAD)
def test_what_is_wrong_with_the_settings_is_named_and_not_shown(settings: Mapping[str, str], named: str) -> None:
    (record,) = plugin.tmux_sentry_notifiers()
    result = record.factory(PluginContext(settings=settings)).send(MESSAGE)
    assert (result.outcome, result.whole_channel) == (Delivery.PERMANENT, True)
    assert named in result.detail
    assert not [value for value in settings.values() if len(value) > 9 and value in result.detail]
    with pytest.raises(Wrong):
        read(settings)


def test_the_channel_is_registered_with_its_rate_and_secrets() -> None:
    (record,) = plugin.tmux_sentry_notifiers()
    assert (record.name, record.rate) == ("slack", Rate(messages=1, seconds=1.0))
    assert {setting.name for setting in record.settings if setting.secret} == {"SLACK_WEBHOOK", "SLACK_BOT_TOKEN"}
    assert isinstance(record.factory(PluginContext(settings={"SLACK_WEBHOOK": URL})), HookNotifier)
