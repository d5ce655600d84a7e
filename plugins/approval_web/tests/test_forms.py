"""Only a form of our own page, from the browser that it was given to, is read; and only a small one, in time."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

import pytest

from tmux_sentry_approval_web import forms, server
from tmux_sentry_approval_web.seals import Seals, nonce

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def ready(site: Any, office: Any) -> Any:
    """A phone with a page open: (phone, path, fields that approve)."""
    path, phone = f"/a/{office.link(office.ask())}", site.phone()
    return phone, path, {**phone.get(path).fields, "decision": "approve"}


def nothing_happened(office: Any) -> bool:
    return office.typed == [] and not office.store.votes(office.store.pending_approvals()[0].request.id)


@pytest.mark.parametrize("missing", ["csrf", "cookie"])
def test_without_the_seal_or_the_cookie_nothing_is_read(ready: Any, office: Any, missing: str) -> None:
    phone, path, fields = ready
    fields.pop(missing, None)
    if missing == "cookie":
        phone.cookies.clear()
    page = phone.post(path, fields)
    assert page.status == 403
    assert "Open the link again" in page.words
    assert nothing_happened(office)


def test_a_seal_of_another_browser_does_not_fit(ready: Any, site: Any, office: Any) -> None:
    phone, path, fields = ready
    other = site.phone()
    theirs = other.get(path).fields["csrf"]
    assert theirs != fields["csrf"]
    assert phone.post(path, {**fields, "csrf": theirs}).status == 403
    assert nothing_happened(office)


def test_a_seal_of_another_link_does_not_fit(ready: Any, site: Any, office: Any) -> None:
    phone, path, fields = ready
    other = f"/a/{office.link(office.ask())}"
    assert phone.post(path, {**fields, "csrf": phone.get(other).fields["csrf"]}).status == 403
    assert nothing_happened(office)


def test_a_seal_of_a_server_before_does_not_fit(ready: Any, serve: Any, office: Any) -> None:
    phone, path, fields = ready
    phone.port = serve().port
    assert phone.post(path, fields).status == 403
    assert nothing_happened(office)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "http://127.0.0.1:{port}.evil.example"},
        {"Origin": ""},
        {"Origin": "http://[::1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": ""},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_form_from_elsewhere_is_refused(ready: Any, office: Any, headers: dict[str, str]) -> None:
    phone, path, fields = ready
    sent = {name: value.format(port=phone.port) for name, value in headers.items()}
    assert phone.post(path, fields, **sent).status == 403
    assert nothing_happened(office)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://127.0.0.1:{port}"},
        {"Origin": "http://localhost:{port}", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},  # what Chromium sends, because of no-referrer
        {"Origin": "null"},  # the same without Fetch Metadata
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_a_form_from_here_is_taken(ready: Any, office: Any, headers: dict[str, str]) -> None:
    phone, path, fields = ready
    sent = {name: value.format(port=phone.port) for name, value in headers.items()}
    assert phone.post(path, fields, **sent).status == 200
    assert office.typed == ["make deploy"]


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "application/json", "multipart/form-data; boundary=x", "application/x-www-form-urlencodedx"],
)
def test_other_kinds_of_bodies_are_refused(ready: Any, office: Any, kind: str) -> None:
    phone, path, fields = ready
    assert phone.post(path, fields, **{"Content-Type": kind}).status == 415
    assert nothing_happened(office)


def test_a_field_that_is_there_twice_is_refused(ready: Any, office: Any) -> None:
    phone, path, fields = ready
    assert phone.post(path, [*fields.items(), ("decision", "reject")]).status == 400
    assert nothing_happened(office)


@pytest.mark.parametrize("body", [b"\xff\xfe", b"&".join(b"a%d=1" % n for n in range(30)), b""])
def test_what_is_no_form_is_refused(ready: Any, office: Any, body: bytes) -> None:
    phone, path, _ = ready
    assert phone.ask("POST", path, body, FORM).status in (400, 403)
    assert nothing_happened(office)


@pytest.mark.parametrize(("size", "status"), [(15_000, 200), (17_000, 413), (1_900_000, 413)])
def test_a_form_is_read_up_to_its_limit(ready: Any, office: Any, size: int, status: int) -> None:
    phone, path, fields = ready
    assert phone.post(path, {**fields, "comment": "x" * size}).status == status
    assert (office.typed == []) == (status != 200)


def test_a_body_that_has_no_end_ends_with_a_refusal(site: Any, office: Any) -> None:
    path = f"/a/{office.link(office.ask())}"
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as endless:
        endless.sendall(
            f"POST {path} HTTP/1.1\r\nHost: localhost:{site.port}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        try:
            for _ in range(2000):  # 130 MB: more than is drained, and than the sockets hold
                endless.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        except OSError:
            pass
        else:
            pytest.fail("it took whatever came")
    assert nothing_happened(office)


def begun(site: Any, office: Any) -> socket.socket:
    """A connection that has sent half a form, and sends no more."""
    connection = socket.create_connection(("127.0.0.1", site.port), timeout=20)
    head = f"POST /a/{office.link(office.ask())} HTTP/1.1\r\nHost: localhost:{site.port}\r\nContent-Length: 100\r\n"
    connection.sendall(f"{head}Content-Type: {FORM['Content-Type']}\r\n\r\ndecision=approve".encode())
    return connection


def test_a_body_that_comes_too_slowly_is_given_up(site: Any, office: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(forms, "PATIENCE", 0.2)
    with begun(site, office) as slow:
        assert slow.recv(100).startswith(b"HTTP/1.1 408")
    assert nothing_happened(office)


@pytest.mark.parametrize("begin", [b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x"])
def test_a_connection_that_asks_for_nothing_is_closed(serve: Any, office: Any, monkeypatch: Any, begin: bytes) -> None:
    monkeypatch.setattr(server, "HEADERS", 0.2)
    site = serve()
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as slow:
        slow.sendall(begin)
        with suppress(ConnectionResetError):
            assert slow.recv(100) == b""


def test_a_connection_as_a_whole_has_its_time(serve: Any, office: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(server, "WHOLE", 0.3)
    with begun(serve(), office) as slow, suppress(ConnectionResetError):
        assert slow.recv(100) == b"", "not even a refusal"


# --------------------------------------------------------------------------------- seals


def test_a_seal_is_for_one_thing_in_one_browser_of_one_process() -> None:
    seals, mine, other = Seals(), nonce(""), nonce("")
    seal = seals.make(mine, "/a/x")
    assert seals.fits(seal, mine, "/a/x")
    assert not seals.fits(seal, mine, "/a/y")
    assert not seals.fits(seal, other, "/a/x")
    assert not seals.fits(seal, "", "/a/x")
    assert not seals.fits("\udcff", mine, "/a/x")
    assert not Seals().fits(seal, mine, "/a/x")
    assert "key" not in repr(seals)


@pytest.mark.parametrize("cookie", ["", "short", "x" * 23, "x" * 21 + " ", "x" * 21 + "\n", "x" * 22 + "\n"])
def test_a_cookie_that_we_did_not_make_is_replaced(cookie: str) -> None:
    assert nonce(cookie) != cookie
    assert nonce(nonce(cookie)) != ""
    assert Seals().fits(Seals().make(cookie, "x"), cookie, "x") is False
