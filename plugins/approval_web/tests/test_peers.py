"""Whom a request is taken to come from, and by which names these pages may be called."""

from __future__ import annotations

from typing import Any

import pytest

from tmux_sentry_approval_web.peers import Doorkeeper, Unwelcome
from tmux_sentry_approval_web.settings import read

BASE = {"APPROVAL_BASE_URL": "https://sentry.example.org"}
PROXY = {**BASE, "APPROVAL_TRUSTED_PROXIES": "127.0.0.1,10.0.0.0/8,2001:db8::1"}


def meet(settings: dict[str, str], address: str = "127.0.0.1", scheme: str = "http", **headers: str) -> Any:
    sent = {"host": "localhost:8790", **{name.replace("_", "-"): value for name, value in headers.items()}}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
    return Doorkeeper(read(settings), 8790).meet(address, scheme, raw)


@pytest.mark.parametrize(
    ("address", "forwarded", "client"),
    [
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("::ffff:127.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("127.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),  # the left one is what the client wrote itself
        ("127.0.0.1", "198.51.100.7, 10.1.2.3", "198.51.100.7"),
        ("127.0.0.1", "10.9.9.9, 10.1.2.3", "10.9.9.9"),
        ("127.0.0.1", "198.51.100.7, garbage", "127.0.0.1"),
        ("127.0.0.1", "garbage, 10.1.2.3", "10.1.2.3"),
        ("127.0.0.1", "2001:db8:5:6:7:8:9:a", "2001:db8:5:6::/64"),
        ("127.0.0.1", ", ,", "127.0.0.1"),
    ],
)
def test_a_trusted_proxy_says_who_asks(address: str, forwarded: str, client: str) -> None:
    assert meet(PROXY, address, x_forwarded_for=forwarded).client == client


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1"])
def test_nobody_else_does(address: str) -> None:
    settings = {**PROXY, "APPROVAL_TRUSTED_PROXIES": "10.0.0.1"}
    peer = meet(settings, address, x_forwarded_for="198.51.100.7", x_forwarded_proto="https")
    assert peer.client == ("::/64" if address == "::1" else address)
    assert not peer.secure


def test_a_proxy_says_that_the_browser_came_by_https() -> None:
    assert meet(PROXY, x_forwarded_proto="https").secure
    assert meet(PROXY, x_forwarded_proto="http, https").secure
    assert not meet(PROXY, x_forwarded_proto="https, http").secure
    assert not meet(PROXY).secure
    assert meet(PROXY, scheme="https").secure
    assert meet(BASE, host="sentry.example.org").secure, "that name is reached by https only"
    assert meet(BASE, host="sentry.example.org:443").secure


@pytest.mark.parametrize(
    "host", ["sentry.example.org", "SENTRY.example.org.", "sentry.example.org:443", "localhost:8790", "127.0.0.1:8790",
             "[::1]:8790"]
)  # fmt: skip
def test_our_own_names_are_answered(host: str) -> None:
    assert meet(BASE, host=host)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("evil.example:8790", 421),
        ("sentry.example.org.evil.example", 421),
        ("sentry.example.org:8790", 421),
        ("localhost", 421),
        ("127.0.0.1:80", 421),
        ("192.168.0.1:8790", 421),
        ("", 400),
        ("a@sentry.example.org", 400),
        ("sentry.example.org/", 400),
        ("sentry.example.org, evil.example", 400),
        ("\xe4", 400),
    ],
)
def test_another_name_is_refused(host: str, status: int) -> None:
    with pytest.raises(Unwelcome) as caught:
        meet(BASE, host=host)
    assert caught.value.status == status


def test_a_trusted_proxy_says_the_name_and_nobody_else_does() -> None:
    assert meet(PROXY, host="backend:1", x_forwarded_host="sentry.example.org").secure
    for settings, named in ((PROXY, "evil.example"), (BASE, "sentry.example.org")):
        with pytest.raises(Unwelcome):
            meet(settings, host="backend:1", x_forwarded_host=named)
    with pytest.raises(Unwelcome):
        meet(PROXY, host="sentry.example.org", x_forwarded_host="evil.example")


def test_two_host_headers_or_none_are_refused() -> None:
    door = Doorkeeper(read(BASE), 8790)
    for headers in ([], [(b"host", b"localhost:8790"), (b"host", b"localhost:8790")]):
        with pytest.raises(Unwelcome):
            door.meet("127.0.0.1", "http", headers)


def test_without_tls_only_the_proxy_and_this_machine_may_ask() -> None:
    settings = {**PROXY, "APPROVAL_LISTEN": "0.0.0.0:8790"}
    host = "sentry.example.org"
    assert meet(settings, "10.1.2.3", host=host)
    assert meet(settings, "127.0.0.1", host=host)
    with pytest.raises(Unwelcome):
        meet(settings, "198.51.100.7", host=host)
    tls = {**settings, "APPROVAL_TLS_CERT": "c", "APPROVAL_TLS_KEY": "k"}
    assert meet(tls, "198.51.100.7", "https", host=host)


def test_over_http_a_foreign_name_gets_nothing(site: Any, office: Any) -> None:
    path = f"/a/{office.link(office.ask())}"
    for host in ("evil.example", f"evil.example:{site.port}", "localhost", ""):
        page = site.phone().get(path, Host=host)
        assert page.status in (400, 421)
        assert "deploy" not in page.text
        assert page.header("Set-Cookie") == ""


def test_headers_of_an_untrusted_peer_count_for_nothing(site: Any, office: Any) -> None:
    """Ten addresses are claimed, and the bad links are one peer's all the same."""
    found = [site.phone().get("/a/bad", **{"X-Forwarded-For": f"198.51.100.{n}"}).status for n in range(12)]
    assert found == [403] * 10 + [429] * 2
    page = site.phone().get(f"/a/{office.link(office.ask())}", **{"X-Forwarded-Proto": "https"})
    assert "Secure" not in page.header("Set-Cookie")


def test_behind_a_trusted_proxy_one_clients_bad_links_are_its_own(serve: Any, office: Any) -> None:
    proxies = read({"APPROVAL_TRUSTED_PROXIES": "127.0.0.1"}).proxies
    site = serve(proxies=proxies)
    bad = [site.phone().get("/a/bad", **{"X-Forwarded-For": "198.51.100.1"}).status for _ in range(12)]
    assert bad == [403] * 10 + [429] * 2
    assert site.phone().get("/a/bad", **{"X-Forwarded-For": "198.51.100.2"}).status == 403
