"""What is sent for a message, to which ServerChan, and how long the channel rests when a quota is spent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from tmux_sentry import Delivery, Level, Message
from tmux_sentry.testing.provider import Provider, Reply
from tmux_sentry_notify_serverchan import render
from tmux_sentry_notify_serverchan.configured import configured
from tmux_sentry_notify_serverchan.notifier import ServerchanNotifier

TURBO = "SCT12345TAbCdEfGhIjKlMnOpQrStUvWxYz"
THIRD = "sctp12345tabcdefghijklmnopqrstuv"
OK = Reply.of_json(
    {"code": 0, "message": "", "data": {"pushid": "851777", "readkey": "SCTHPz", "error": "SUCCESS", "errno": 0}}
)
SPENT = Reply.of_json(
    {
        "message": "[AUTH]超过当天的发送次数限制[5]，请稍后再试",
        "code": 40001,
        "info": "超过当天的发送次数限制[5]，请稍后再试",
    },
    400,
)
AGAIN = Reply.of_json({"code": 40002, "message": "不要重复发送同样的内容"})

MESSAGE = Message(
    id="m1",
    at=1_700_000_000.0,
    level=Level.ERROR,
    event="stage.failed",
    title="构建失败",
    text="3 problems in main.c\nsee below",
    fields={"host": "nas", "pane": "work"},
    answer="tmux-sentry approve k3x7qa",
    output="$ make\nmain.c:3: *error*",
)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider(OK) as server:
        yield server


def notifier(provider: Provider, key: str = TURBO, at: str = "2026-11-28T20:00:00+08:00") -> ServerchanNotifier:
    settings = {"SERVERCHAN_API_KEY": key, "SERVERCHAN_BASE_URL": provider.url + "/"}
    return ServerchanNotifier(settings, now=datetime.fromisoformat(at).timestamp)


def sent(provider: Provider, message: Message = MESSAGE, key: str = TURBO) -> dict[str, Any]:
    assert notifier(provider, key).send(message).outcome is Delivery.DELIVERED
    return dict(provider.requests[-1].json())


# ----------------------------------------------------------------------------- on the wire


@pytest.mark.parametrize(("key", "path"), [(TURBO, f"/{TURBO}.send"), (THIRD, f"/send/{THIRD}.send")])
def test_each_generation_has_its_own_path(provider: Provider, key: str, path: str) -> None:
    body = sent(provider, key=key)
    (request,) = provider.requests
    assert (request.method, request.path) == ("POST", path)
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    assert ("noip" in body) is (key == TURBO), "an option that the third does not have"


def test_the_service_s_name_of_the_message_is_its_receipt(provider: Provider) -> None:
    assert notifier(provider).send(MESSAGE).receipt == "851777"


def test_everything_a_message_says_is_shown(provider: Provider) -> None:
    body = sent(provider)
    assert body["title"] == "构建失败"
    assert body["short"] == "3 problems in main.c see below"
    for part in (
        "**FAILURE**",
        "3 problems in main.c  \nsee below",
        "host: nas  \npane: work",
        "```\ntmux-sentry approve k3x7qa\n```",
        "```\n$ make\nmain.c:3: *error*\n```",
        f"\\#{MESSAGE.short} 2023-11-1",
    ):
        assert part in body["desp"]


def test_a_title_that_is_cut_stands_whole_on_the_page(provider: Provider) -> None:
    title = "构" * 33
    body = sent(provider, replace(MESSAGE, title=title))
    assert body["title"] == "构" * 31 + "…"
    assert body["desp"].startswith(f"**FAILURE** {title}\n")
    assert sent(provider, replace(MESSAGE, title="构" * 32))["title"] == "构" * 32


@pytest.mark.parametrize("title", ["", "  "])
def test_no_title_is_empty(provider: Provider, title: str) -> None:
    assert sent(provider, replace(MESSAGE, title=title))["title"] == "stage.failed"
    assert sent(provider, replace(MESSAGE, title=title, event=""))["title"] == "tmux-sentry"


def test_a_card_without_text_says_where(provider: Provider) -> None:
    assert sent(provider, replace(MESSAGE, text=""))["short"] == "nas work"
    assert "short" not in sent(provider, replace(MESSAGE, text="", fields={}))


def test_two_messages_with_the_same_words_are_not_the_same(provider: Provider) -> None:
    pages = {sent(provider, replace(MESSAGE, id=id_))["desp"] for id_ in ("a", "b", "c")}
    assert len(pages) == 3
    assert sent(provider)["desp"] == sent(provider)["desp"], "and an attempt is like the one before"


def test_of_long_output_the_end_is_kept_and_nothing_else_pushed_out(provider: Provider) -> None:
    lines = "\n".join(f"line {number} <构&*>" for number in range(5000))
    page = sent(provider, replace(MESSAGE, text=lines, output=lines, answer="approve it"))["desp"]
    assert len(page.encode()) <= 32_000
    assert page.count("… (cut)") == 2
    assert "line 0 " in page
    assert "line 4999 " in page
    assert "```\napprove it\n```" in page
    assert f"\\#{MESSAGE.short}" in page
    assert page.count("```") == 4


@pytest.mark.parametrize("letter", ["x", "<", "构", "\n"])
def test_no_length_of_any_block_makes_the_page_too_long(letter: str) -> None:
    many = letter * 50_000
    fields = {f"name {number} {'<' * 40}": many for number in range(20)}
    for length in range(0, 40_000, 1000):
        message = replace(MESSAGE, title=many, text=many[:length], fields=fields, answer=many, output=many)
        assert len(render.page(message).encode()) <= 32_000


LINK = "https://sentry.example:8790/a/tsa_a_b_c.d-e"


@pytest.mark.parametrize(("language", "label"), [("en", "open the page"), ("zh", "打开审批页面")])
def test_our_own_link_can_be_tapped_and_no_other(provider: Provider, language: str, label: str) -> None:
    commands = "echo approve > '/home/ann/work__build__a1.txt'\ntmux-sentry approve a1"
    asks = replace(
        MESSAGE,
        text="[open the page](https://evil.example/a/tsa_x)",
        link=f"{LINK}\ncode: 123456",
        answer=f"{LINK}\ncode: 123456\n{commands}",
        output="",
        language=language,
    )
    page = sent(provider, asks)["desp"]
    assert f"\n\n[{label}]({LINK})\n\ncode: 123456\n\n" in page
    assert re.findall(r"(?<!\\)\]\((.*?)\)", page) == [LINK]
    assert f"```\n{commands}\n```" in page


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script> <img src=x>",
        "[click](https://evil.example) ![x](https://evil.example/x.png)",
        "[click][1]\n[1]: https://evil.example",
        "a\n```\noutside",
        "a\n~~~\noutside",
        "# big\n**bold** `code` | a | b |",
        "&lt;b&gt; \\[x](y)",
    ],
)
@pytest.mark.parametrize("place", ["title", "text", "output", "answer", "fields"])
def test_mark_up_from_a_pane_is_text(provider: Provider, text: str, place: str) -> None:
    value: object = {"pane": text, text: "x"} if place == "fields" else text
    message = replace(MESSAGE, **{place: value})  # type: ignore[arg-type]
    page = sent(provider, replace(message, title=message.title + " " * 20 + "and more than a title takes"))["desp"]
    assert [line for line in page.split("\n") if "```" in line] == ["```"] * 4
    prose = re.sub("^```\n.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL).replace("**FAILURE**", "", 1)
    assert not re.search(r"[<>]|(?<!\\)[\[\]`*#~|]|&(?!amp;|lt;|gt;)", prose.replace("\\\\", ""))


# ----------------------------------------------------------------------------------- results


@pytest.mark.parametrize(
    ("at", "seconds"),
    [
        ("2026-11-28T20:00:00+08:00", 4 * 3600),
        ("2026-11-28T23:59:59+08:00", 1),
        ("2026-11-28T00:00:00+08:00", 86400),
        ("2026-11-28T15:30:00+00:00", 1800),
        ("2026-11-28T17:00:00+00:00", 23 * 3600),  # there it is the next day already
        ("2026-12-31T23:00:00+08:00", 3600),
    ],
)
def test_a_spent_quota_rests_the_channel_until_midnight_in_shanghai(provider: Provider, at: str, seconds: int) -> None:
    provider.answer = SPENT
    result = notifier(provider, at=at).send(MESSAGE)
    assert (result.outcome, result.whole_channel) == (Delivery.RETRY, True)
    assert result.retry_after == seconds + 60
    assert result.detail.startswith("code 40001: [AUTH]超过当天的发送次数限制[5]")


@pytest.mark.parametrize(
    "reply",
    [
        SPENT,
        replace(SPENT, status=200),
        Reply.of_json({"code": 471, "message": "超过当天的发送次数限制[5]"}),
        Reply.of_json({"code": 40001, "message": "[AUTH] words that nobody has seen yet"}),
        Reply.of_json({"code": 12345, "message": "超过当天的发送次数限制[1000]"}),
    ],
)
def test_a_spent_quota_is_known_by_its_code_or_its_words(provider: Provider, reply: Reply) -> None:
    provider.answer = reply
    result = notifier(provider).send(MESSAGE)
    assert (result.outcome, result.whole_channel, result.retry_after) == (Delivery.RETRY, True, 4 * 3600 + 60)


@pytest.mark.parametrize("status", [200, 400])
def test_a_wrong_key_has_the_code_of_a_quota_and_is_none(provider: Provider, status: int) -> None:
    provider.answer = Reply.of_json(
        {"message": f"[AUTH]用户不存在或者权限不足 {TURBO}", "code": 40001, "info": "", "args": [None]}, status
    )
    result = notifier(provider).send(MESSAGE)
    assert (result.outcome, result.whole_channel) == (Delivery.PERMANENT, True)
    assert "用户不存在或者权限不足 (key); " in result.detail
    assert "set it anew" in result.detail


def test_a_quota_by_the_minute_rests_the_channel_a_minute(provider: Provider) -> None:
    provider.answer = Reply.of_json({"code": 40001, "message": "[AUTH]超过分钟的发送次数限制[5]，请稍后再试"}, 400)
    result = notifier(provider).send(MESSAGE)
    assert (result.outcome, result.whole_channel, result.retry_after) == (Delivery.RETRY, True, 60.0)


def test_the_same_again_has_arrived_only_if_it_was_sent_before(provider: Provider) -> None:
    channel = notifier(provider)
    provider.answer = AGAIN
    result = channel.send(MESSAGE)
    assert (result.outcome, result.retry_after, result.whole_channel) == (Delivery.RETRY, 120.0, False)
    provider.replies = [Reply(how="reset")]
    assert channel.send(MESSAGE).outcome is Delivery.UNKNOWN
    assert channel.send(replace(MESSAGE, id="other")).outcome is Delivery.RETRY
    result = channel.send(MESSAGE)
    assert result.outcome is Delivery.DELIVERED
    assert "an earlier attempt has arrived" in result.detail
    assert channel.send(MESSAGE).outcome is Delivery.RETRY, "delivered, it is forgotten"


# ----------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("key", "base", "url"),
    [
        (TURBO, "", f"https://sctapi.ftqq.com/{TURBO}.send"),
        (THIRD, "", f"https://12345.push.ft07.com/send/{THIRD}.send"),
        (f' "{TURBO}" ', "", f"https://sctapi.ftqq.com/{TURBO}.send"),
        (f"https://sctapi.ftqq.com/{TURBO}.send", "", f"https://sctapi.ftqq.com/{TURBO}.send"),
        (
            f"https://12345.push.ft07.com/send/{THIRD}.send?title=x",
            "",
            f"https://12345.push.ft07.com/send/{THIRD}.send",
        ),
        (TURBO, "https://proxy.example/sc/", f"https://proxy.example/sc/{TURBO}.send"),
        (THIRD, "http://[::1]:80", f"http://[::1]:80/send/{THIRD}.send"),
    ],
)
def test_the_key_says_where_to_send(key: str, base: str, url: str) -> None:
    found = configured({"SERVERCHAN_API_KEY": key, "SERVERCHAN_BASE_URL": base})
    assert (found.url, found.refused) == (url, "")
    assert found.secret in url
    assert found.secret not in repr(found)


WEBHOOK_KEY = "693a91f6-7abc-4bc4-97a0-0ec2d1fa5aaa"


@pytest.mark.parametrize(
    ("key", "base", "says"),
    [
        ("", "", "SERVERCHAN_API_KEY is not set"),
        (" ", "", "SERVERCHAN_API_KEY is not set"),
        (WEBHOOK_KEY, "", "set it as WECHAT_WORK_WEBHOOK"),
        (
            f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={WEBHOOK_KEY}",
            "",
            "set it as WECHAT_WORK_WEBHOOK",
        ),
        ("SCU12345TAbCdEfGh", "", "ended in 2021"),
        ("sctpXtabc", "", "no ServerChan key"),
        ("SCT/../../etc", "", "no ServerChan key"),
        ("hello", "", "no ServerChan key"),
        (TURBO, "http://192.0.2.1", "use https://"),
        (TURBO, "proxy.example", "SERVERCHAN_BASE_URL is not an http:// or https:// address"),
        (TURBO, "http://[", "SERVERCHAN_BASE_URL is not an http:// or https:// address"),
    ],
)
def test_anything_else_is_refused_with_what_to_do(key: str, base: str, says: str) -> None:
    result = ServerchanNotifier({"SERVERCHAN_API_KEY": key, "SERVERCHAN_BASE_URL": base}).send(MESSAGE)
    assert (result.outcome, result.whole_channel) == (Delivery.PERMANENT, True)
    assert says in result.detail
    assert TURBO not in result.detail
    assert WEBHOOK_KEY not in result.detail
