"""One exchange with a real server: what came back, and when nothing did, whether the request can have arrived."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tmux_sentry import Answer, AnswerLost, Delivery, DeliveryResult, NotSent, deliver, exchange, refusal
from tmux_sentry import http as module
from tmux_sentry.testing.provider import Provider, Reply, closed_port, full_port, self_signed


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 1.0)
    monkeypatch.setattr(module, "CONNECT", 0.5)


def test_the_answer_comes_back_whatever_its_status() -> None:
    with Provider(Reply.of_json({"a": 1}, status=418, X_Mine="yes")) as server:
        answer = exchange("PUT", server.url + "/x?y=1", headers={"X-Ours": "1"}, body=b"hello")
    assert (answer.status, answer.json(), answer.headers["x-mine"], answer.cut) == (418, {"a": 1}, "yes", False)
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("PUT", "/x?y=1", b"hello")
    assert (request.headers["x-ours"], request.headers["user-agent"]) == ("1", "tmux-sentry")


def test_no_redirect_is_followed() -> None:
    with Provider(Reply()) as elsewhere, Provider(Reply(status=302, headers={"Location": elsewhere.url})) as server:
        assert exchange("GET", server.url).status == 302
        assert elsewhere.requests == []


def test_a_redirect_to_nowhere_may_have_been_acted_on() -> None:
    with Provider(Reply(status=302, headers={"Location": "http://["})) as server:
        with pytest.raises(AnswerLost):
            exchange("POST", server.url, body=b"x")
        assert len(server.requests) == 1
    with Provider(Reply()) as server, pytest.raises(NotSent):
        exchange("POST", server.url, headers={"X": "\u4e2d"})


def test_a_netrc_password_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hunter22\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with Provider(Reply()) as server:
        exchange("GET", server.url)
    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize("how", ["hang", "reset", "drip"])
def test_what_may_have_arrived_is_told_apart(how: str) -> None:
    with Provider(Reply(how=how)) as server, pytest.raises(AnswerLost):
        exchange("POST", server.url, body=b"x")
    assert len(server.requests) == 1


def test_a_drop_a_second_does_not_keep_us_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of its bytes is in time, all of them are not."""
    monkeypatch.setattr(module, "TIMEOUT", 0.3)

    def slowly(chunks: int) -> object:
        for _ in range(chunks):
            time.sleep(0.1)
            yield b"x"

    class Response:
        def iter_content(self, size: int) -> object:
            return slowly(50)

    begun = time.monotonic()
    with pytest.raises(AnswerLost, match="did not end in time"):
        module._read(Response(), 1000, time.monotonic() + 0.3)
    assert time.monotonic() - begun < 3


def test_what_cannot_have_arrived_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(NotSent, match="is not there or refuses"):
        exchange("GET", f"http://127.0.0.1:{closed_port()}/SECRET")
    with pytest.raises(NotSent, match="is not there or refuses"):
        exchange("GET", "http://no-such-host.invalid/SECRET")
    with full_port() as port, pytest.raises(NotSent, match="no connection in time"):
        exchange("GET", f"http://127.0.0.1:{port}/SECRET")
    with Provider(Reply(), self_signed(tmp_path)) as server, pytest.raises(NotSent, match="no secure connection"):
        exchange("GET", server.url)
    assert server.requests == []
    for bad in ("http://[::1", "http:///x", "http://a b/", "x"):
        with pytest.raises(NotSent):
            exchange("GET", bad)
    with pytest.raises(NotSent):
        exchange("GET", "http://127.0.0.1:1", headers={"X": "a\nb"})


def test_a_certificate_of_a_given_authority_is_accepted(tmp_path: Path) -> None:
    files = self_signed(tmp_path)
    with Provider(Reply(body=b"fine"), files) as server:
        assert exchange("GET", server.url, verify=str(files[0])).body == b"fine"


def test_no_error_shows_the_address() -> None:
    for url in (f"http://127.0.0.1:{closed_port()}/SECRET", "http://no-such-host.invalid/SECRET", "http://a b/SECRET"):
        with pytest.raises(NotSent) as error:
            exchange("GET", url)
        assert "SECRET" not in str(error.value)


def test_only_the_beginning_of_a_huge_answer_is_read() -> None:
    with Provider(Reply(body=b"y" * 1_000_000)) as server:
        answer = exchange("GET", server.url, max_bytes=1000)
    assert (len(answer.body), answer.cut) == (1000, True)


def test_the_words_of_an_answer_are_one_harmless_line() -> None:
    shown = Answer(status=500, body=b"\x1b]0;x\x07no\nroom \xff" + b"z" * 10_000).words()
    assert shown.startswith("HTTP 500: no room")
    assert shown.isprintable()
    assert len(shown) < 250


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12", 12.0),
        ("999999999999", 86400.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 90.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("１２", None),
    ],
)
def test_how_long_to_wait_is_read_as_seconds_and_as_a_date(text: str, seconds: float | None) -> None:
    now = 10.0 if text.endswith("1970 00:01:40 GMT") else 1e9
    assert Answer(status=429, headers={"retry-after": text}).retry_after(now) == seconds


@pytest.mark.parametrize(
    ("status", "outcome", "whole"),
    [
        (302, Delivery.PERMANENT, False),
        (400, Delivery.PERMANENT, False),
        (404, Delivery.PERMANENT, False),
        (408, Delivery.RETRY, False),
        (425, Delivery.RETRY, False),
        (429, Delivery.RETRY, True),
        (500, Delivery.RETRY, False),
        (503, Delivery.RETRY, False),
    ],
)
def test_each_status_has_its_outcome(status: int, outcome: Delivery, whole: bool) -> None:
    result = refusal(Answer(status=status))
    assert (result.outcome, result.whole_channel) == (outcome, whole)
    assert str(status) in result.detail


def test_a_message_is_judged_by_the_channel_only_when_the_status_is_good() -> None:
    def read(answer: Answer) -> DeliveryResult:
        return DeliveryResult(outcome=Delivery.DELIVERED, detail=answer.body.decode())

    with Provider(Reply(status=201, body=b"fine")) as server:
        assert deliver(server.url, body=b"", read=read).detail == "fine"
        server.answer = Reply(status=500, body=b"fine")
        assert deliver(server.url, body=b"", read=read).outcome is Delivery.RETRY
        server.answer = Reply(how="reset")
        assert deliver(server.url, body=b"", read=read).outcome is Delivery.UNKNOWN
    for bad in ("", "file:///etc/passwd", "https://", "qyapi.weixin.qq.com"):
        result = deliver(bad, body=b"", read=read)
        assert (result.outcome, result.whole_channel) == (Delivery.PERMANENT, True)


@pytest.mark.parametrize("address", ["", "http://[bad", "https://[::1/x", "mailto:a@b", "http://"])
def test_an_address_that_is_none_is_said_and_raises_nothing(address: str) -> None:
    def never(answer: Answer) -> DeliveryResult:
        raise AssertionError(answer)

    result = deliver(address, body=b"", read=never)
    assert (result.outcome, result.whole_channel) == (Delivery.PERMANENT, True)
    assert refusal(Answer(status=302, headers={"location": address})).outcome is Delivery.PERMANENT
