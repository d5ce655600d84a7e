"""What a receiver gets to read, and what its answers mean."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmux_sentry import Delivery, DeliveryResult, Level, Message, PluginContext
from tmux_sentry.testing.provider import Provider, Received, Reply
from tmux_sentry.testing.samples import HOSTILE_TEXTS
from tmux_sentry_notify_webhook import payload, plugin
from tmux_sentry_notify_webhook.notifier import make, read

README = Path(__file__).resolve().parents[1] / "README.md"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = Message(
    id="m1",
    at=1_700_000_000.25,
    level=Level.APPROVAL,
    event="approval.asked",
    title="approve build?",
    text="npm run build\n构建",
    fields={"host": "nas", "pane": "work:1.0"},
    answer="tmux-sentry approve a1",
    output="0 problems",
    thread="run-17",
    subject="webapp-ci",
    first="msg_0",
    ends="msg_9",
    language="zh",
)


def send(*replies: Reply, path: str = "/hook", message: Message = MESSAGE) -> tuple[DeliveryResult, list[Received]]:
    with Provider(Reply(status=204)) as server:
        server.replies = list(replies)
        result = make({"WEBHOOK_URL": server.url + path, "WEBHOOK_SECRET": SECRET}).send(message)
        return result, server.requests


def test_the_whole_message_arrives() -> None:
    result, (request,) = send()
    assert result == DeliveryResult(outcome=Delivery.DELIVERED, detail="HTTP 204", receipt="m1")
    assert (request.method, request.path, request.headers["content-type"]) == ("POST", "/hook", "application/json")
    assert request.json() == {
        "type": "approval.asked",
        "timestamp": "2023-11-14T22:13:20.250Z",
        "data": {
            "id": "m1",
            "short": MESSAGE.short,
            "level": "approval",
            "title": "approve build?",
            "fields": {"host": "nas", "pane": "work:1.0"},
            "text": "npm run build\n构建",
            "answer": "tmux-sentry approve a1",
            "thread": "run-17",
            "subject": "webapp-ci",
            "first": "msg_0",
            "ends": "msg_9",
            "language": "zh",
            "output": "0 problems",
            "cut": [],
        },
    }


def test_the_readme_shows_what_is_sent() -> None:
    (shown,) = (json.loads(text) for text in re.findall(r"^```json\n(.*?)^```", README.read_text(), re.M | re.S))
    sent = json.loads(payload.encode(MESSAGE, "m1"))
    assert list(shown) == list(sent)
    assert list(shown["data"]) == list(sent["data"])
    assert {name: type(value) for name, value in shown["data"].items()} == {
        name: type(value) for name, value in sent["data"].items()
    }


def test_a_receipt_names_the_first_message_in_those_that_follow() -> None:
    first = replace(MESSAGE, id="run/1", first="", ends="")
    result, (request,) = send(message=first)
    assert result.receipt == request.headers["webhook-id"] == request.json()["data"]["id"]
    _, (reply,) = send(message=replace(MESSAGE, id="run/2", first=result.receipt))
    assert reply.json()["data"]["first"] == result.receipt


TEXT = st.tuples(
    st.lists(st.one_of(st.sampled_from([*'"\\\n\x00\x1b\u2028\ud800构🔨', "a"]), st.text(max_size=9)), max_size=30),
    st.integers(1, 400),
).map(lambda pair: "".join(pair[0]) * pair[1])


@settings(max_examples=40, deadline=None)
@given(
    st.builds(
        Message,
        id=TEXT,
        at=st.floats(0, 4e9),
        level=st.sampled_from(list(Level)),
        event=TEXT,
        title=TEXT,
        text=TEXT,
        fields=st.dictionaries(TEXT, TEXT, max_size=18),
        answer=TEXT,
        output=TEXT,
        thread=TEXT,
        subject=TEXT,
        first=TEXT,
        ends=TEXT,
        language=TEXT,
    )
)
def test_any_message_is_json_under_the_limit_that_says_what_is_cut(message: Message) -> None:
    body = payload.encode(message, "msg_1")
    assert len(body) < 20_000
    data: dict[str, Any] = json.loads(body)["data"]
    for name in ("title", "text", "answer", "output"):
        marked = data[name].endswith("…") or data[name].startswith("…")
        assert name not in data["cut"] or marked
        assert name in data["cut"] or len(data[name]) <= len(getattr(message, name)) * 4  # a tab is four blanks


@pytest.mark.parametrize("name", ["text", "answer", "output", "title"])
@pytest.mark.parametrize("letter", ["a", '"', "é", "构", "🔨", "a\n"])
def test_what_is_cut_is_named(name: str, letter: str) -> None:
    data = json.loads(payload.encode(replace(MESSAGE, **{name: letter * 22_000}), "msg_1"))["data"]
    assert data["cut"] == [name]
    assert len(data[name].encode()) > 300
    end = data[name][:1] if name == "output" else data[name][-1]
    assert end == "…"


def test_everything_at_its_longest_still_leaves_room_for_the_output() -> None:
    text = '"' * 5000
    message = replace(
        MESSAGE,
        title=text,
        text=text,
        answer=text,
        thread=text,
        subject=text,
        first=text,
        ends=text,
        event=text,
        language=text,
        fields={f"{n}{text}": text for n in range(30)},
        output="line\n" * 3000 + "the end",
    )
    body = payload.encode(message, "msg_1")
    assert len(body) < 20_000
    data = json.loads(body)["data"]
    assert len(data["output"]) > 1000
    assert data["output"].endswith("the end")
    assert "fields" in data["cut"]


@pytest.mark.parametrize(("fields", "cut"), [(16, []), (17, ["fields"])])
def test_more_fields_than_there_is_room_for_are_named(fields: int, cut: list[str]) -> None:
    data = json.loads(payload.encode(replace(MESSAGE, fields={f"f{n}": "x" for n in range(fields)}), "msg_1"))["data"]
    assert (len(data["fields"]), data["cut"]) == (16, cut)


def test_the_room_is_used_to_its_last_byte() -> None:
    assert len(payload.encode(replace(MESSAGE, output="x" * 30_000), "msg_1")) == 19_999


def test_hostile_texts_everywhere() -> None:
    for text in HOSTILE_TEXTS:
        what = replace(
            MESSAGE, event=text, title=text, text=text, output=text, answer=text, thread=text, fields={text: text}
        )
        body = payload.encode(what, "msg_1").decode()
        assert not [char for char in body if char < " " or "\x7f" <= char < "\xa0"]
        shown = json.loads(body)["data"]
        assert not [char for char in shown["text"] + shown["output"] if char < " " and char != "\n"]


# -------------------------------------------------------------------------------- answers


@pytest.mark.parametrize(
    ("status", "outcome", "whole", "wait"),
    [
        *((status, Delivery.DELIVERED, False, None) for status in (200, 201, 202, 204, 299)),
        (301, Delivery.PERMANENT, False, None),
        (400, Delivery.PERMANENT, False, None),
        (401, Delivery.RETRY, False, None),
        (404, Delivery.RETRY, False, None),
        (410, Delivery.PERMANENT, True, None),
        (413, Delivery.PERMANENT, False, None),
        (429, Delivery.RETRY, True, 60.0),
        (500, Delivery.RETRY, False, None),
        (502, Delivery.RETRY, True, 30.0),
        (503, Delivery.RETRY, True, 30.0),
        (504, Delivery.RETRY, True, 30.0),
    ],
)
def test_what_a_status_means(status: int, outcome: Delivery, whole: bool, wait: float | None) -> None:
    result, requests = send(Reply(status=status))
    assert (result.outcome, result.whole_channel, result.retry_after) == (outcome, whole, wait)
    assert len(requests) == 1
    assert bool(result.receipt) is (outcome is Delivery.DELIVERED)


@pytest.mark.parametrize("status", [404, 429, 500, 502, 503, 504])
def test_a_receiver_that_says_how_long_to_wait_is_heard(status: int) -> None:
    result, _ = send(Reply(status=status, headers={"Retry-After": "240"}))
    assert (result.outcome, result.retry_after) == (Delivery.RETRY, 240.0)


def test_a_receiver_that_has_gone_is_told_what_to_do_about() -> None:
    result, _ = send(Reply(status=410, body=b"unsubscribed by ops"))
    assert "HTTP 410: unsubscribed by ops; the receiver wants no more messages" in result.detail


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><p>log in", b"\n <html lang=en>", b"<!doctype HTML>"])
def test_a_log_in_page_is_not_a_receiver(body: bytes) -> None:
    assert send(Reply(body=body))[0].outcome is Delivery.RETRY


@pytest.mark.parametrize("body", [b"", b"ok", b"<p>thanks</p>", b'{"received": true}'])
def test_any_other_body_is_a_receivers(body: bytes) -> None:
    assert send(Reply(body=body, headers={"Content-Type": "text/html"}))[0].outcome is Delivery.DELIVERED


# ------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("", "WEBHOOK_URL is missing"),
        ("example.com/hooks/K3Y-0123456789", "WEBHOOK_URL is no http"),
        ("ftp://example.com/K3Y-0123456789", "WEBHOOK_URL is no http"),
        ("https:///hooks/K3Y-0123456789", "WEBHOOK_URL is no http"),
        ("http://[::1/K3Y-0123456789", "WEBHOOK_URL is no http"),
        ("http://host:port/K3Y-0123456789", "WEBHOOK_URL is no http"),
        ("http://host/a b/K3Y-0123456789", "WEBHOOK_URL is no http"),
        (SECRET, "WEBHOOK_URL holds a secret: put it in WEBHOOK_SECRET"),
    ],
)
def test_an_address_that_is_none_is_named_and_not_shown(url: str, named: str) -> None:
    (record,) = plugin.tmux_sentry_notifiers()
    context = PluginContext(settings={"WEBHOOK_URL": url, "WEBHOOK_SECRET": SECRET})
    result = record.factory(context).send(MESSAGE)
    assert (result.outcome, result.whole_channel) == (Delivery.PERMANENT, True)
    assert named in result.detail
    assert "K3Y" not in result.detail
    assert SECRET[6:] not in result.detail


def test_a_name_and_a_password_in_the_address_become_a_header() -> None:
    with Provider(Reply()) as server:
        url = server.url.replace("http://", "http://ops:p%40ss-w0rd@") + "/x?y=1#z"
        assert make({"WEBHOOK_URL": url, "WEBHOOK_SECRET": SECRET}).send(MESSAGE).outcome is Delivery.DELIVERED
    assert read(url).url == f"{server.url}/x?y=1"  # what an error of the library might show
    (request,) = server.requests
    assert request.path == "/x?y=1"
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"ops:p@ss-w0rd").decode()
    assert "@" not in request.headers["host"]


@pytest.mark.parametrize("before", [0, 190, 1590])
def test_a_receiver_that_repeats_the_address_does_not_spread_it(before: int) -> None:
    key, password = "f3a9c17be2d04586", "p@ss-w0rd"
    with Provider(Reply()) as server:
        url = server.url.replace("http://", "http://ops:p%40ss-w0rd@") + f"/hook/{key}?token=t0ken%2Dt0ken"
        for said in (url, f"/hook/{key}?token=", f"ops:{password}", "p%40ss-w0rd", f'"\\/hook\\/{key}"', "t0ken-t0ken"):
            server.answer = Reply(status=404, body=b"x" * before + said.encode())
            detail = make({"WEBHOOK_URL": url, "WEBHOOK_SECRET": SECRET}).send(MESSAGE).detail
            assert not [part for part in (key[:6], key[-6:], "ss-w0", "t0ken") if part in detail]


def test_both_settings_are_secret() -> None:
    (record,) = plugin.tmux_sentry_notifiers()
    assert (record.name, record.rate) == ("webhook", None)
    assert {setting.name: setting.secret for setting in record.settings} == {
        "WEBHOOK_URL": True,
        "WEBHOOK_SECRET": True,
    }
