"""Whatever is asked, the answer is a page of ours, never an error, and nothing is decided."""

from __future__ import annotations

import http.client
import socket
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "FOO"])
NAMES = st.sampled_from(
    ["Accept-Language", "Cookie", "Origin", "Sec-Fetch-Site", "X-Forwarded-For", "X-Forwarded-Proto", "Content-Type",
     "X-Forwarded-Host", "User-Agent", "Range", "Expect", "Upgrade", "If-None-Match", "Accept-Encoding"]
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(
        ["null", "application/x-www-form-urlencoded", "tmux-sentry-form=x; tmux-sentry-session=tss_x", "https"]
    ),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=200),
)
BODIES = st.one_of(
    st.binary(max_size=300),
    st.lists(
        st.tuples(st.sampled_from(["decision", "comment", "digest", "code", "csrf", "x"]), st.text(max_size=40)),
        max_size=8,
    ).map(lambda pairs: "&".join(f"{quote(k)}={quote(v, errors='replace')}" for k, v in pairs).encode()),
    st.just(b"decision=approve&decision=approve"),
)


@pytest.fixture
def places(site: Any, office: Any) -> list[str]:
    """Every route, with good tokens."""
    request = office.ask()
    link = office.link(request)
    return [
        "/", "/?page=2", "/logout", "/favicon.ico", f"/a/{link}", f"/a/{link}/renew", f"/a/{link}/",
        "/s/", "/s/x/", "/s/x/logout", f"/s/x/r/{request.request.id}",
        site.login(), "/a/", "/login/", "/r/", "//", "/a/../r", "/static/style.css",
    ]  # fmt: skip


def test_requests_of_any_shape(site: Any, office: Any, places: list[str]) -> None:
    before = office.dump()
    phone = site.logged_in()
    session = phone.cookies["tmux-sentry-session", phone.home]
    id = office.store.pending_approvals()[0].request.id
    places += [f"{phone.home}{rest}" for rest in ("", "?page=2", "logout", f"r/{id}", "r/", "nowhere")]
    before = office.dump()

    @FUZZ
    @given(
        METHODS,
        st.one_of(st.sampled_from(places), st.text(max_size=60).map(lambda text: "/" + quote(text, errors="replace"))),
        st.lists(st.tuples(NAMES, VALUES), max_size=5),
        BODIES,
        st.booleans(),
    )
    def ask(method: str, path: str, headers: list[tuple[str, str]], body: bytes, member: bool) -> None:
        sent = dict(headers)
        if member:
            sent["Cookie"] = f"tmux-sentry-session={session}"
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{site.port}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value.strip()}" for name, value in sent.items() if name != "Expect"]
        data = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
        with socket.create_connection(("127.0.0.1", site.port), timeout=20) as connection:
            connection.sendall(data)
            answer = http.client.HTTPResponse(connection, method=method)
            answer.begin()
            text = answer.read().decode("utf-8", "replace")
        assert answer.status < 500, text
        assert answer.getheader("Content-Security-Policy")
        assert "Traceback" not in text

    ask()
    assert office.dump() == before
    assert office.typed == []


def test_bytes_of_any_shape(site: Any, office: Any, places: list[str]) -> None:
    before = office.dump()
    start = f"POST {places[4]} HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\n".encode()

    @FUZZ
    @given(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(lambda rest: start + rest)))
    def send(data: bytes) -> None:
        with socket.create_connection(("127.0.0.1", site.port), timeout=20) as connection:
            connection.sendall(data + b"\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
            got = b""
            try:
                while part := connection.recv(65536):
                    got += part
            except ConnectionResetError:
                pass
        assert got == b"" or got.startswith(b"HTTP/1.1 4"), got[:100]

    send()
    assert office.dump() == before
