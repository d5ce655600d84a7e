"""Threads and edits, against a server that keeps messages as Slack does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tmux_sentry import Delivery, DeliveryResult, Level, Message
from tmux_sentry import http as module
from tmux_sentry.testing.provider import Provider, Received, Reply, closed_port
from tmux_sentry_notify_slack import notifier
from tmux_sentry_notify_slack.notifier import make

TOKEN = "xoxb-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx"
BASE = Message(id="m1", at=1_700_000_000.0, level=Level.INFO, event="stage.started", title="build")


@dataclass
class Slack:
    """The parts of Slack that matter here: channels, threads, edits, and what it refuses."""

    channels: dict[str, str] = field(default_factory=lambda: {"C0123ABCDEF": "builds", "C0999ZZZZZZ": "deploys"})
    messages: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    refuse: Callable[[str, dict[str, Any]], str] = lambda method, payload: ""

    def __call__(self, request: Received) -> Reply:
        method = request.path.removeprefix("/api/")
        self.calls.append(method)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return self.no("invalid_auth")
        if request.headers["content-type"] != "application/json; charset=utf-8":
            return self.no("invalid_form_data")
        payload = request.json()
        word = self.refuse(method, payload)
        if word:
            return self.no(word)
        return self.post(payload) if method == "chat.postMessage" else self.update(payload)

    def post(self, payload: dict[str, Any]) -> Reply:
        wanted = payload["channel"]
        found = [id_ for id_, name in self.channels.items() if wanted in (id_, name, f"#{name}")]
        if not found:
            return self.no("channel_not_found")
        thread = payload.get("thread_ts")
        if thread and (found[0], thread) not in self.messages:
            return self.no("thread_not_found")
        if len(json.dumps(payload.get("blocks", []))) > 50_000 or len(payload["text"]) > 40_000:
            return self.no("msg_too_long")
        ts = f"17000000{len(self.messages):02}.000100"
        self.messages[found[0], ts] = payload
        return Reply.of_json({"ok": True, "channel": found[0], "ts": ts, "message": payload})

    def update(self, payload: dict[str, Any]) -> Reply:
        kept = self.messages.get((payload["channel"], payload["ts"]))
        if kept is None:
            return self.no("message_not_found")
        if "text" in payload and "blocks" not in payload:
            kept = {name: value for name, value in kept.items() if name != "blocks"}
        self.messages[payload["channel"], payload["ts"]] = {**kept, **payload}
        return Reply.of_json({"ok": True, "channel": payload["channel"], "ts": payload["ts"], "text": kept["text"]})

    @staticmethod
    def no(word: str) -> Reply:
        return Reply.of_json({"ok": False, "error": word})


@pytest.fixture
def slack() -> Slack:
    return Slack()


@pytest.fixture
def send(slack: Slack) -> Iterator[Callable[..., DeliveryResult]]:
    """Sends a message; `channel` is what SLACK_CHANNEL says."""
    with Provider(slack) as server:

        def one(message: Message, channel: str = "C0123ABCDEF") -> DeliveryResult:
            settings = {"SLACK_BOT_TOKEN": TOKEN, "SLACK_CHANNEL": channel, "SLACK_API_URL": f"{server.url}/api"}
            return make(settings).send(message)

        yield one


def delivered(result: DeliveryResult) -> str:
    assert result.outcome is Delivery.DELIVERED, result
    return result.receipt


def place(receipt: str) -> tuple[str, str]:
    channel, _, ts = receipt.partition(":")
    return channel, ts


@pytest.mark.parametrize("channel", ["C0123ABCDEF", "#builds", "builds"])
def test_the_messages_of_a_run_are_one_thread(slack: Slack, send, channel: str) -> None:
    first = delivered(send(replace(BASE, thread="r1"), channel))
    assert first == "C0123ABCDEF:1700000000.000100"
    second = delivered(send(replace(BASE, id="m2", thread="r1", first=first), channel))
    third = delivered(send(replace(BASE, id="m3", thread="r1", first=first), channel))
    assert len({first, second, third}) == 3
    assert "thread_ts" not in slack.messages[place(first)]
    assert [slack.messages[place(reply)]["thread_ts"] for reply in (second, third)] == ["1700000000.000100"] * 2


@pytest.mark.parametrize("level", list(Level))
def test_what_waits_for_somebody_or_has_failed_is_shown_outside_of_the_thread_too(
    slack: Slack, send, level: Level
) -> None:
    first = delivered(send(BASE))
    reply = delivered(send(replace(BASE, level=level, first=first)))
    shown = level in (Level.APPROVAL, Level.ERROR, Level.CRITICAL)
    assert slack.messages[place(reply)]["reply_broadcast"] is shown


def test_an_answered_question_stays_and_shows_that_it_is_answered(slack: Slack, send) -> None:
    first = delivered(send(BASE))
    question = replace(BASE, id="m2", level=Level.APPROVAL, title="approve build?", text="npm run build", first=first)
    asked = delivered(send(question))
    before = slack.messages[place(asked)]
    answer = replace(BASE, id="m3", title="approved by <!channel> & ops", first=first, ends=asked)
    answered = delivered(send(answer))
    assert slack.messages[place(answered)]["thread_ts"] == place(first)[1]  # and not the question's own
    after = slack.messages[place(asked)]
    assert (after["blocks"], after["text"]) == (before["blocks"], before["text"])
    (added,) = after["attachments"]
    assert added["blocks"][0]["elements"][0]["text"] == "✓ approved by &lt;!channel&gt; &amp; ops"
    assert slack.calls == ["chat.postMessage"] * 3 + ["chat.update"]


def test_without_a_thread_the_answer_is_a_reply_to_the_question(slack: Slack, send) -> None:
    asked = delivered(send(replace(BASE, level=Level.APPROVAL)))
    answered = delivered(send(replace(BASE, id="m2", ends=asked)))
    assert slack.messages[place(answered)]["thread_ts"] == place(asked)[1]


def test_the_answer_is_told_even_if_the_question_cannot_be_edited(slack: Slack, send) -> None:
    asked = delivered(send(BASE))
    slack.refuse = lambda method, payload: "cant_update_message" if method == "chat.update" else ""
    result = send(replace(BASE, id="m2", ends=asked))
    assert delivered(result)
    assert "not edited: Slack: cant_update_message" in result.detail


def test_nothing_is_edited_before_the_answer_has_been_told(slack: Slack, send) -> None:
    asked = delivered(send(BASE))
    slack.refuse = lambda method, payload: "internal_error" if method == "chat.postMessage" else ""
    assert send(replace(BASE, id="m2", ends=asked)).outcome is Delivery.RETRY
    assert "chat.update" not in slack.calls


@pytest.mark.parametrize("word", ["thread_not_found", "message_not_found", "cannot_reply_to_message"])
def test_a_thread_that_has_gone_loses_no_message(slack: Slack, send, word: str) -> None:
    first = delivered(send(BASE))
    slack.refuse = lambda method, payload: word if "thread_ts" in payload else ""
    reply = delivered(send(replace(BASE, id="m2", first=first)))
    assert "thread_ts" not in slack.messages[place(reply)]


def test_a_thread_whose_channel_has_gone_goes_on_in_the_channel_that_is_set(slack: Slack, send) -> None:
    first = delivered(send(BASE, "#builds"))
    slack.channels.pop("C0123ABCDEF")
    reply = delivered(send(replace(BASE, id="m2", first=first), "#deploys"))
    assert place(reply)[0] == "C0999ZZZZZZ"
    gone = send(replace(BASE, id="m3", first=first), "#builds")
    assert (gone.outcome, gone.whole_channel) == (Delivery.PERMANENT, True)
    assert "channel_not_found" in gone.detail


def test_after_a_change_of_the_channel_threads_begin_anew(slack: Slack, send) -> None:
    first = delivered(send(BASE))
    reply = delivered(send(replace(BASE, id="m2", first=first, ends=first), "C0999ZZZZZZ"))
    assert place(reply)[0] == "C0999ZZZZZZ"
    assert "thread_ts" not in slack.messages[place(reply)]
    assert "chat.update" not in slack.calls


def test_a_persons_conversation_has_threads_too(slack: Slack, send) -> None:
    """Slack answers with the conversation's ID to a message for a user's."""
    slack.channels = {"D0456ABCDEF": "U0123ABCDEF"}
    first = delivered(send(BASE, "U0123ABCDEF"))
    assert place(first)[0] == "D0456ABCDEF"
    reply = delivered(send(replace(BASE, id="m2", first=first), "U0123ABCDEF"))
    assert slack.messages[place(reply)]["thread_ts"] == place(first)[1]


@pytest.mark.parametrize("receipt", ["<id@host>", "C0123ABCDEF", "C0123ABCDEF:", "C0123ABCDEF:1 2", ":1.2", "x:1.2"])
def test_a_receipt_that_is_not_ours_is_left_alone(slack: Slack, send, receipt: str) -> None:
    """SLACK_WEBHOOK has been replaced by a bot, say."""
    delivered(send(replace(BASE, first=receipt, ends=receipt)))
    assert slack.calls == ["chat.postMessage"]


@pytest.mark.parametrize("word", ["invalid_blocks", "msg_too_long", "msg_blocks_too_long", "invalid_attachments"])
def test_what_slack_does_not_like_the_looks_of_goes_as_plain_text(slack: Slack, send, word: str) -> None:
    first = delivered(send(BASE))
    slack.refuse = lambda method, payload: word if "blocks" in payload and method == "chat.postMessage" else ""
    result = send(replace(BASE, id="m2", text="a <!channel>", first=first))
    message = slack.messages[place(delivered(result))]
    assert word in result.detail
    assert message["text"].startswith("build\na &lt;!channel&gt;\n#")
    assert (message["thread_ts"], message["mrkdwn"]) == (place(first)[1], False)


def test_plain_text_is_tried_once(slack: Slack, send) -> None:
    slack.refuse = lambda method, payload: "invalid_blocks"
    result = send(BASE)
    assert (result.outcome, result.whole_channel) == (Delivery.PERMANENT, False)
    assert len(slack.calls) == 2


def test_nothing_else_is_sent_twice(slack: Slack, send) -> None:
    for word in ("invalid_auth", "ratelimited", "internal_error", "something_new", "not_in_channel"):
        slack.calls.clear()
        slack.refuse = lambda method, payload, word=word: word
        assert send(BASE).outcome is not Delivery.DELIVERED
        assert slack.calls == ["chat.postMessage"], word


@pytest.mark.parametrize(
    ("word", "outcome", "whole"),
    [
        *((word, Delivery.PERMANENT, True) for word in ("invalid_auth", "token_revoked", "not_in_channel")),
        *((word, Delivery.PERMANENT, True) for word in ("channel_not_found", "is_archived", "missing_scope")),
        ("restricted_action_read_only_channel", Delivery.PERMANENT, True),
        ("restricted_action_thread_locked", Delivery.PERMANENT, False),
        ("ratelimited", Delivery.RETRY, True),
        ("message_limit_exceeded", Delivery.RETRY, True),
        ("internal_error", Delivery.RETRY, False),
        ("fatal_error", Delivery.RETRY, False),
        ("something_new", Delivery.PERMANENT, False),
    ],
)
def test_whom_an_error_is_about(slack: Slack, send, word: str, outcome: Delivery, whole: bool) -> None:
    slack.refuse = lambda method, payload: word
    result = send(BASE)
    assert (result.outcome, result.whole_channel) == (outcome, whole)
    assert word in result.detail


def test_nothing_is_previewed_or_looked_up(slack: Slack, send) -> None:
    asked = delivered(send(BASE))
    delivered(send(replace(BASE, id="m2", ends=asked)))
    for payload in slack.messages.values():
        assert (payload["unfurl_links"], payload["unfurl_media"]) == (False, False)
    # chat.update looks for names by itself unless told not to.
    edited = slack.messages[place(asked)]
    assert (edited["parse"], edited["link_names"]) == ("none", False)


def answer(reply: Reply, message: Message = BASE) -> DeliveryResult:
    with Provider(reply) as server:
        settings = {"SLACK_BOT_TOKEN": TOKEN, "SLACK_CHANNEL": "C0123ABCDEF", "SLACK_API_URL": server.url}
        return make(settings).send(message)


def test_too_many_messages_rest_as_long_as_slack_says() -> None:
    refused = {"ok": False, "error": "ratelimited"}
    told = answer(Reply.of_json(refused, status=429, Retry_After="17"))
    assert (told.outcome, told.retry_after, told.whole_channel) == (Delivery.RETRY, 17.0, True)
    told = answer(Reply.of_json({"ok": False, "error": "slow_down"}, status=429, Retry_After="18"))
    assert (told.outcome, told.retry_after, told.whole_channel) == (Delivery.RETRY, 18.0, True)
    told = answer(Reply.of_json(refused, Retry_After="19"))
    assert (told.outcome, told.retry_after, told.whole_channel) == (Delivery.RETRY, 19.0, True)
    assert answer(Reply.of_json(refused)).retry_after == 60.0


def test_the_detail_has_slacks_words_and_not_the_token() -> None:
    told = answer(
        Reply.of_json(
            {
                "ok": False,
                "error": "missing_scope",
                "needed": "chat:write:bot",
                "provided": f"identify,{TOKEN}",
                "response_metadata": {"messages": ["[ERROR] missing \x1b[31mscope", 7]},
            }
        )
    )
    assert "Slack: missing_scope: needed chat:write:bot" in told.detail
    assert "[ERROR] missing scope" in told.detail
    assert "install it again" in told.detail
    assert TOKEN not in told.detail


def test_a_receipt_is_only_what_slack_names() -> None:
    whole = Reply.of_json({"ok": True, "channel": "C0123ABCDEF", "ts": "1.2"})
    assert answer(whole).detail == "HTTP 200: ok, C0123ABCDEF:1.2"
    assert answer(Reply.of_json({"ok": True})).receipt == ""
    assert answer(Reply.of_json({"ok": True, "channel": "C0123ABCDEF", "ts": "1.2"})).receipt == "C0123ABCDEF:1.2"


def test_an_edit_whose_answer_is_lost_keeps_the_message_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifier, "SECOND", 0.3)
    ok = Reply.of_json({"ok": True, "channel": "C0123ABCDEF", "ts": "3.4"})
    with Provider(Reply(how="hang")) as server:
        server.replies = [ok]
        settings = {"SLACK_BOT_TOKEN": TOKEN, "SLACK_CHANNEL": "C0123ABCDEF", "SLACK_API_URL": server.url}
        result = make(settings).send(replace(BASE, ends="C0123ABCDEF:1.2"))
    assert (result.outcome, result.receipt) == (Delivery.DELIVERED, "C0123ABCDEF:3.4")
    assert "not edited: sent, and no answer in time" in result.detail


def test_a_second_attempt_whose_answer_is_lost_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifier, "SECOND", 0.3)
    with Provider(Reply(how="hang")) as server:
        server.replies = [Slack.no("invalid_blocks")]
        settings = {"SLACK_BOT_TOKEN": TOKEN, "SLACK_CHANNEL": "C0123ABCDEF", "SLACK_API_URL": server.url}
        assert make(settings).send(BASE).outcome is Delivery.UNKNOWN


def test_all_requests_of_a_message_fit_into_the_minute_that_it_has() -> None:
    """The message, outside of its thread, as plain text, and the edit."""
    assert module.TIMEOUT + 2 * notifier.SECOND + notifier.SECOND <= 60.0


def test_nobody_there() -> None:
    api = f"http://127.0.0.1:{closed_port()}/api"
    settings = {"SLACK_BOT_TOKEN": TOKEN, "SLACK_CHANNEL": "C0123ABCDEF", "SLACK_API_URL": api}
    assert make(settings).send(BASE).outcome is Delivery.RETRY
