"""What the variables mean, and what is said of wrong ones."""

from __future__ import annotations

import ipaddress

import pytest

from tmux_sentry_approval_web.settings import read, split_host


def test_nothing_set_serves_on_loopback_and_says_that_there_are_no_links() -> None:
    found = read({})
    assert (found.host, found.port, found.base, found.proxies, found.fatal) == ("127.0.0.1", 8790, "", (), ())
    assert "APPROVAL_BASE_URL is not set" in found.advice[0]


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("https://sentry.example.org", "https://sentry.example.org"),
        ("https://Sentry.example.org:443/", "https://sentry.example.org"),
        ("https://sentry.example.org:8443", "https://sentry.example.org:8443"),
        ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://127.0.0.1:8790", "http://127.0.0.1:8790"),
        ("http://localhost:8790", "http://localhost:8790"),
        ("http://[::1]:8790", "http://[::1]:8790"),
    ],
)
def test_a_base_url_is_an_origin(text: str, base: str) -> None:
    found = read({"APPROVAL_BASE_URL": text})
    assert (found.base, found.advice, found.fatal) == (base, (), ())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("http://sentry.example.org", "only https"),
        ("http://10.0.0.1", "only https"),
        ("https://sentry.example.org/approvals", "no path"),
        ("https://sentry.example.org/?x=1", "no path"),
        ("https://sentry.example.org#x", "no path"),
        ("https://ann:secret@sentry.example.org", "a name"),
        ("https://", "a name"),
        ("https://sentry.example.org:99999", "a name"),
        ("https://[::1", "a name"),
        ("https://bücher.example", "a name"),
        ("ftp://sentry.example.org", "https://"),
        ("sentry.example.org", "a name"),
        ("javascript:alert(1)", "a name"),
    ],
)
def test_another_base_url_makes_no_links_and_says_why(text: str, why: str) -> None:
    found = read({"APPROVAL_BASE_URL": text})
    assert found.base == ""
    assert "messages have no links" in found.advice[0]
    assert why in found.advice[0]


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("0.0.0.0:80", "0.0.0.0", 80), ("localhost:1", "127.0.0.1", 1), ("[::1]:8790", "::1", 8790)],
)
def test_an_address_to_listen_on(text: str, host: str, port: int) -> None:
    found = read({"APPROVAL_LISTEN": text, "APPROVAL_TRUSTED_PROXIES": "127.0.0.1"})
    assert (found.host, found.port, found.fatal) == (host, port, ())


@pytest.mark.parametrize(
    "text", ["8790", ":8790", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "example.org:80", "::1:80"]
)
def test_what_is_no_address_to_listen_on_is_named(text: str) -> None:
    assert "APPROVAL_LISTEN is" in read({"APPROVAL_LISTEN": text}).fatal[0]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "[::]", "[2001:db8::1]"])
def test_nothing_goes_over_a_network_unencrypted(host: str) -> None:
    listen = {"APPROVAL_LISTEN": f"{host}:8790", "APPROVAL_BASE_URL": "https://sentry.example.org"}
    (why,) = read(listen).fatal
    assert "unencrypted" in why
    assert read({**listen, "APPROVAL_TLS_CERT": "c", "APPROVAL_TLS_KEY": "k"}).fatal == ()
    assert read({**listen, "APPROVAL_TRUSTED_PROXIES": "192.0.2.7"}).fatal == ()


@pytest.mark.parametrize("name", ["APPROVAL_TLS_CERT", "APPROVAL_TLS_KEY"])
def test_a_certificate_and_its_key_come_together(name: str) -> None:
    assert "set both" in read({name: "/x"}).fatal[0]


def test_proxies_are_addresses_and_networks() -> None:
    found = read({"APPROVAL_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8,2001:db8::/32"})
    assert found.proxies == tuple(map(ipaddress.ip_network, ("127.0.0.1/32", "10.0.0.0/8", "2001:db8::/32")))
    assert "proxy.example" in read({"APPROVAL_TRUSTED_PROXIES": "proxy.example"}).fatal[0]


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("a.example", ("a.example", None)),
        ("A.example.:80", ("a.example", 80)),
        ("[::1]:80", ("::1", 80)),
        ("", None),
        ("a:b", None),
        ("a:", None),
        ("a@b", None),
        ("a/b", None),
        ("a b", None),
        ("a,b", None),
        ("[::1", None),
        ("a:99999", None),
        ("ä", None),
    ],
)
def test_names_of_hosts(text: str, split: tuple[str, int | None] | None) -> None:
    assert split_host(text) == split
