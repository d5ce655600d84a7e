"""What a group gets to see of a message, whom it calls, and what is told when it does not arrive."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tmux_sentry import Delivery, DeliveryResult, Level, Message
from tmux_sentry.testing.provider import Provider, Reply
from tmux_sentry_notify_wechat.configured import ENDPOINT, configured
from tmux_sentry_notify_wechat.notifier import WechatNotifier

KEY = "693a91f6-7abc-4bc4-97a0-0ec2d1fa5aaa"
OK = Reply.of_json({"errcode": 0, "errmsg": "ok"})
KINDS = ("text", "markdown", "markdown_v2")

MESSAGE = Message(
    id="m1",
    at=1_700_000_000.0,
    level=Level.ERROR,
    event="stage.failed",
    title="构建失败 build failed",
    text="3 problems in main.c",
    fields={"host": "nas", "pane": "work:1.0"},
    answer="tmux-sentry approve k3x7qa\necho approve > ~/.tmux_sentry/approvals/a__b",
    output="$ make\nmain.c:3: error",
    language="en",
)
LONG = replace(MESSAGE, id="long", text="\n".join(f"line {number} " + "构" * 20 for number in range(110)))


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider(OK) as server:
        yield server


def notifier(provider: Provider, patience: float = 25.0, **settings: str) -> WechatNotifier:
    url = f"{provider.url}/cgi-bin/webhook/send?key={KEY}"
    return WechatNotifier({"WECHAT_WORK_WEBHOOK": url, **settings}, patience=patience)


def bodies(provider: Provider) -> list[dict[str, Any]]:
    return [request.json() for request in provider.requests]


def contents(provider: Provider) -> list[str]:
    return [body[body["msgtype"]]["content"] for body in bodies(provider)]


def shown(provider: Provider, message: Message = MESSAGE, **settings: str) -> str:
    assert notifier(provider, **settings).send(message).outcome is Delivery.DELIVERED
    return "\n".join(contents(provider))


# ----------------------------------------------------------------------------- on the wire


def test_the_request_is_json_of_the_type_in_plain_utf_8(provider: Provider) -> None:
    shown(provider)
    (request,) = provider.requests
    assert (request.method, request.path) == ("POST", f"/cgi-bin/webhook/send?key={KEY}")
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    assert "构建失败".encode() in request.body
    assert set(request.json()) == {"msgtype", "markdown"}


@pytest.mark.parametrize("kind", KINDS)
def test_everything_a_message_says_is_shown(provider: Provider, kind: str) -> None:
    text = shown(provider, WECHAT_WORK_MSGTYPE=kind)
    assert bodies(provider)[0]["msgtype"] == kind
    for part in (
        "FAILURE",
        MESSAGE.title,
        MESSAGE.text,
        "host: nas",
        "pane: work:1.0",
        *MESSAGE.answer.split("\n"),
        *MESSAGE.output.split("\n"),
        f"#{MESSAGE.short} 2023-11-1",
    ):
        assert part in text


def test_the_words_are_in_the_messages_language(provider: Provider) -> None:
    text = shown(provider, replace(MESSAGE, language="zh"))
    assert '<font color="warning">失败</font>' in text
    assert "> 主机: nas" in text


LINK = "https://sentry.example:8790/a/tsa_a_b_c.d-e"
COMMANDS = f"echo approve > '/home/ann/{'x' * 600}/work__build__a1.txt'\ntmux-sentry approve a1"
ASKS = replace(
    MESSAGE,
    level=Level.APPROVAL,
    text="[open the page](https://evil.example/a/tsa_x) https://evil.example/a/tsa_x",
    link=f"{LINK}\ncode: 123456",
    answer=f"{LINK}\ncode: 123456\n{COMMANDS}",
    output="",
)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("text", f"to answer:\n  {LINK}\n  code: 123456\n"),
        ("markdown", f"**to answer**\n[open the page]({LINK})\ncode: 123456\n"),
        ("markdown_v2", f"**to answer**\n[open the page]({LINK})\ncode: 123456\n"),
    ],
)
def test_our_own_link_can_be_tapped_and_no_other(provider: Provider, kind: str, told: str) -> None:
    text = shown(provider, ASKS, WECHAT_WORK_MSGTYPE=kind)
    assert f"\n{told}" in text
    assert re.findall(r"\]\((.*?)\)", text) == ([] if kind == "text" else [LINK])
    code = "\n".join(re.findall("`[^`]+`", text))
    assert LINK not in code
    for line in COMMANDS.splitlines():
        assert line in text
        assert kind == "text" or line in code


@pytest.mark.parametrize("link", ["", "javascript:alert(1)", "https://x/a/)[y](https://evil.example", "https://x/ y"])
def test_what_is_no_plain_address_of_ours_stays_in_code(provider: Provider, link: str) -> None:
    text = shown(provider, replace(ASKS, text="", link=link, answer=f"{link}\ntmux-sentry approve a1"))
    assert "](" not in text
    assert "`tmux-sentry approve a1`" in text


@pytest.mark.parametrize(
    ("level", "colour"), [(Level.DEBUG, "comment"), (Level.INFO, "info"), (Level.APPROVAL, "warning")]
)
def test_markdown_is_coloured_by_level(provider: Provider, level: Level, colour: str) -> None:
    assert shown(provider, replace(MESSAGE, level=level)).startswith(f'<font color="{colour}">{level.name}</font> **')


def test_markdown_v2_has_output_in_a_block_and_no_colours(provider: Provider) -> None:
    text = shown(provider, WECHAT_WORK_MSGTYPE="markdown_v2")
    assert "```\n$ make\nmain.c:3: error\n```" in text
    assert "<font" not in text


def test_a_type_that_does_not_exist_is_said_and_stops_nothing(provider: Provider) -> None:
    result = notifier(provider, WECHAT_WORK_MSGTYPE="html").send(MESSAGE)
    assert result.outcome is Delivery.DELIVERED
    assert "WECHAT_WORK_MSGTYPE is 'html'" in result.detail
    assert bodies(provider)[0]["msgtype"] == "markdown"


# --------------------------------------------------------------------------------- mentions


@pytest.mark.parametrize(
    ("kind", "mention", "sent_as", "users", "mobiles"),
    [
        ("text", "zhangsan, 13800001111", "text", ["zhangsan"], ["13800001111"]),
        ("text", "@all", "text", ["@all"], None),
        ("text", "all,+8613800001111", "text", ["@all"], ["+8613800001111"]),
        ("markdown", "13800001111", "text", None, ["13800001111"]),
        ("markdown", "zhangsan,@all", "text", ["zhangsan", "@all"], None),
        ("markdown_v2", "zhangsan", "text", ["zhangsan"], None),
    ],
)
def test_an_approval_calls_people_in_a_type_that_can(
    provider: Provider, kind: str, mention: str, sent_as: str, users: list[str] | None, mobiles: list[str] | None
) -> None:
    message = replace(MESSAGE, level=Level.APPROVAL)
    shown(provider, message, WECHAT_WORK_MSGTYPE=kind, WECHAT_WORK_MENTION=mention)
    (body,) = bodies(provider)
    assert body["msgtype"] == sent_as
    assert body[sent_as].get("mentioned_list") == users
    assert body[sent_as].get("mentioned_mobile_list") == mobiles


def test_markdown_calls_user_ids_below_the_title(provider: Provider) -> None:
    text = shown(provider, WECHAT_WORK_MENTION="zhangsan, wang.qing-1")
    assert text.split("\n\n")[1] == "<@zhangsan> <@wang.qing-1>"
    assert set(bodies(provider)[0]["markdown"]) == {"content"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", [level for level in Level if level < Level.APPROVAL])
def test_nobody_is_called_below_approval(provider: Provider, kind: str, level: Level) -> None:
    text = shown(
        provider,
        replace(MESSAGE, level=level),
        WECHAT_WORK_MSGTYPE=kind,
        WECHAT_WORK_MENTION="zhangsan,@all,13800001111",
    )
    assert "<@" not in text
    assert [set(body[body["msgtype"]]) for body in bodies(provider)] == [{"content"}]
    assert bodies(provider)[0]["msgtype"] == kind


def test_people_are_called_once_however_many_parts(provider: Provider) -> None:
    shown(provider, LONG, WECHAT_WORK_MENTION="@all")
    called = ["mentioned_list" in body["text"] for body in bodies(provider)]
    assert called[0]
    assert len(called) > 1
    assert not any(called[1:])


def test_a_name_that_cannot_be_called_is_said_and_stops_nothing(provider: Provider) -> None:
    result = notifier(provider, WECHAT_WORK_MENTION="zhang san>,lisi").send(MESSAGE)
    assert result.outcome is Delivery.DELIVERED
    assert "'zhang san>' is no user id" in result.detail
    assert "<@lisi>" in contents(provider)[0]


# ------------------------------------------------------------------------------ hostile text

HOSTILE = (
    "<@all> <@zhangsan> < @x>",
    '<font color="info">approved</font>',
    "[click here](https://evil.example) ![x](https://evil.example/x.png)",
    "[click here][1]\n[1]: https://evil.example",
    "a\n```\noutside",
    "a\n~~~\noutside",
    "`tick` ``` <https://evil.example>",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("place", ["title", "text", "output", "answer", "fields"])
def test_text_from_a_pane_calls_nobody_and_forges_nothing(provider: Provider, kind: str, text: str, place: str) -> None:
    value: object = {"pane": text, text: "x"} if place == "fields" else text
    whole = shown(provider, replace(MESSAGE, **{place: value}), WECHAT_WORK_MSGTYPE=kind)  # type: ignore[arg-type]
    ours = re.sub(r'<font color="(?:warning|comment)">(?:FAILURE|#[a-z2-7]{6} [-0-9: ]+)</font>', "", whole)
    assert "<" not in ours
    assert not re.search(r"\][(\[:]", ours)
    assert "~~~" not in ours
    fences = re.findall("^.*```.*$", whole, re.MULTILINE)
    assert fences == (["```"] * 4 if kind == "markdown_v2" else []), "a block that is not ours"
    if kind == "markdown":  # inline code is around what is to be typed, and nowhere else
        assert all(re.fullmatch("`[^`]+`", line) for line in ours.split("\n") if "`" in line)


# --------------------------------------------------------------------------------- in parts


@pytest.mark.parametrize(("kind", "limit"), [("text", 2048), ("markdown", 4096), ("markdown_v2", 4096)])
def test_a_long_message_comes_in_numbered_parts(provider: Provider, kind: str, limit: int) -> None:
    message = replace(LONG, output="\n".join(f"out {number} " + "构" * 20 for number in range(300)))
    notifier(provider, WECHAT_WORK_MSGTYPE=kind).send(message)
    parts = contents(provider)
    assert len(parts) > 2
    assert all(len(part.encode()) <= limit for part in parts)
    labels = [part.rsplit("\n", 1)[1] for part in parts]
    assert labels == [f"({number}/{len(parts)}) #{message.short}" for number in range(1, len(parts) + 1)]
    if kind == "markdown_v2":
        assert all(part.count("```") % 2 == 0 for part in parts)
    whole = "\n".join(parts)
    assert "out 299" in whole, "of output the end is kept"
    assert "out 0 " not in whole
    assert "… (cut)" in whole


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply.of_json({"errcode": 45009, "errmsg": "api freq out of limit"}), Delivery.RETRY),
        (Reply(status=502), Delivery.RETRY),
        (Reply(how="reset"), Delivery.UNKNOWN),
        (Reply.of_json({"errcode": 40008, "errmsg": "invalid message type"}), Delivery.PERMANENT),
    ],
)
def test_the_next_attempt_begins_with_the_part_that_failed(provider: Provider, reply: Reply, outcome: Delivery) -> None:
    channel = notifier(provider)
    provider.replies = [OK, reply]
    result = channel.send(LONG)
    assert result.outcome is outcome
    assert "part 2 of" in result.detail
    assert "the parts before have arrived" in result.detail
    sent = contents(provider)
    assert len(sent) == 2, "nothing is sent after a part that failed"
    assert channel.send(MESSAGE).outcome is Delivery.DELIVERED, "another message in between"
    provider.requests.clear()
    assert channel.send(LONG).outcome is Delivery.DELIVERED
    assert contents(provider)[0] == sent[1]
    assert sent[0] not in contents(provider)
    provider.requests.clear()
    channel.send(LONG)
    assert contents(provider)[0] == sent[0], "delivered, it is forgotten"


def test_a_slow_service_gets_the_rest_at_the_next_attempt(provider: Provider) -> None:
    channel = notifier(provider, patience=0.0)
    results: list[DeliveryResult] = []
    while not results or (results[-1].outcome is Delivery.RETRY and len(results) < 9):
        results.append(channel.send(LONG))
    assert results[-1].outcome is Delivery.DELIVERED
    assert len(results) == len(provider.requests) == len(set(contents(provider))) > 1


# ----------------------------------------------------------------------------------- results


def test_over_the_rate_the_channel_rests_a_minute(provider: Provider) -> None:
    provider.answer = Reply.of_json({"errcode": 45009, "errmsg": "api freq out of limit"}, Retry_After="5")
    result = notifier(provider).send(MESSAGE)
    assert (result.outcome, result.whole_channel, result.retry_after) == (Delivery.RETRY, True, 60.0)
    provider.answer = Reply.of_json({"errcode": 45009, "errmsg": "api freq out of limit"}, Retry_After="600")
    assert notifier(provider).send(MESSAGE).retry_after == 600.0


def test_a_busy_system_is_no_matter_of_the_channel(provider: Provider) -> None:
    provider.answer = Reply.of_json({"errcode": -1, "errmsg": "system error"})
    result = notifier(provider).send(MESSAGE)
    assert (result.outcome, result.whole_channel) == (Delivery.RETRY, False)


def test_a_robot_that_is_gone_turns_the_channel_off(provider: Provider) -> None:
    provider.answer = Reply.of_json({"errcode": 93000, "errmsg": f"invalid webhook url: {KEY}"})
    result = notifier(provider).send(MESSAGE)
    assert (result.outcome, result.whole_channel) == (Delivery.PERMANENT, True)
    assert result.detail.startswith("errcode 93000: invalid webhook url: (key); ")
    assert "set WECHAT_WORK_WEBHOOK anew" in result.detail


TOO_LONG = Reply.of_json(
    {"errcode": 40058, "errmsg": "markdown.content exceed max length 4096. invalid Request Parameter"}
)


def test_what_is_too_long_for_the_provider_is_shortened_once(provider: Provider) -> None:
    message = replace(MESSAGE, text="x " * 1000)
    provider.replies = [TOO_LONG]
    result = notifier(provider).send(message)
    assert result.outcome is Delivery.DELIVERED
    assert "shortened after errcode 40058: markdown.content exceed max length 4096" in result.detail
    whole, short = contents(provider)
    assert len(short.encode()) <= len(whole.encode()) // 2
    assert short.endswith("… (cut)")


def test_what_is_still_too_long_is_given_up(provider: Provider) -> None:
    provider.answer = TOO_LONG
    result = notifier(provider).send(replace(MESSAGE, text="x " * 1000))
    assert (result.outcome, result.whole_channel) == (Delivery.PERMANENT, False)
    assert "40058" in result.detail
    assert len(provider.requests) == 2


# ----------------------------------------------------------------------------------- address


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (f"{ENDPOINT}?key={KEY}", f"{ENDPOINT}?key={KEY}"),
        (KEY, f"{ENDPOINT}?key={KEY}"),
        (f"key={KEY}", f"{ENDPOINT}?key={KEY}"),
        ("693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa", f"{ENDPOINT}?key=693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"),
        (f' "{KEY}" ', f"{ENDPOINT}?key={KEY}"),
        (f"qyapi.weixin.qq.com/cgi-bin/webhook/send?key={KEY}", f"{ENDPOINT}?key={KEY}"),
        (f"http://127.0.0.1:8080/x?key={KEY}", f"http://127.0.0.1:8080/x?key={KEY}"),
        (f"http://[::1]:8080/x?key={KEY}", f"http://[::1]:8080/x?key={KEY}"),
        ("https://proxy.example/wecom/abcdef", "https://proxy.example/wecom/abcdef"),
    ],
)
def test_an_address_or_a_bare_key_is_taken(text: str, url: str) -> None:
    found = configured({"WECHAT_WORK_WEBHOOK": text})
    assert (found.url, found.refused) == (url, "")
    assert found.secret in url
    assert found.secret not in repr(found)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "WECHAT_WORK_WEBHOOK is not set"),
        ("   ", "WECHAT_WORK_WEBHOOK is not set"),
        ("SCT12345TAbCdEfGhIjKlMnOp", "set it as SERVERCHAN_API_KEY"),
        ("sctp123tabcdefghijklmnop", "set it as SERVERCHAN_API_KEY"),
        ("https://sctapi.ftqq.com/SCT12345TAbCdEfGh.send", "set it as SERVERCHAN_API_KEY"),
        ("https://123.push.ft07.com/send/sctp123tabcdef.send", "set it as SERVERCHAN_API_KEY"),
        (f"http://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={KEY}", "use https://"),
        (f"http://192.0.2.1/?key={KEY}", "use https://"),
        ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send", "not the address of a group robot"),
        (f"https://qyapi.weixin.qq.com/cgi-bin/message/send?key={KEY}", "not the address of a group robot"),
        ("hello", "neither an address nor a key"),
        (f"ftp://example.org/{KEY}", "neither an address nor a key"),
        ("https://", "neither an address nor a key"),
        ("http://[", "no address"),
    ],
)
def test_anything_else_is_refused_with_what_to_do(text: str, says: str) -> None:
    result = WechatNotifier({"WECHAT_WORK_WEBHOOK": text}).send(MESSAGE)
    assert (result.outcome, result.whole_channel) == (Delivery.PERMANENT, True)
    assert says in result.detail
    assert KEY not in result.detail
