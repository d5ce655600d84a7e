"""Redirects: only where the policy says so, and never to where they do harm."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry import CheckResult, CheckStatus
from tmux_sentry.testing.provider import Provider, Received, Reply, self_signed
from tmux_sentry.testing.samples import check_request
from tmux_sentry_check_http.addresses import Reach, nearest
from tmux_sentry_check_http.addresses import resolve as system
from tmux_sentry_check_http.http_check import HttpChecker

TOKEN = "tok-0123456789abcdef"
DONE = Reply.of_json({"state": "done"})


def to(location: str, status: int = 302) -> Reply:
    return Reply(status=status, headers={"Location": location})


def ask(url: str, redirects: int = 5, resolve: Callable[[str], Sequence[str]] = system, **more: Any) -> CheckResult:
    config = {"url": url, "success_when": "state == 'done'", "redirects": redirects, "headers": {"X-Token": TOKEN}}
    return HttpChecker(resolve).check(check_request({**config, **more}))


def chain(length: int) -> Callable[[Received], Reply]:
    """A server that redirects `length` times and then answers."""

    def answer(request: Received) -> Reply:
        step = int(request.path.strip("/") or 0)
        return DONE if step == length else to(f"/{step + 1}")

    return answer


@pytest.fixture
def pair() -> Iterator[tuple[Provider, Provider]]:
    with Provider(DONE) as one, Provider(DONE) as other:
        yield one, other


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_none_is_followed_unless_it_is_asked_for(pair: tuple[Provider, Provider], status: int) -> None:
    one, other = pair
    one.answer = to(f"{other.url}/?key={TOKEN}", status)
    result = ask(one.url, redirects=0)
    assert result.status is CheckStatus.UNKNOWN
    assert f"HTTP {status}: a redirect to 127.0.0.1; `redirects`" in result.detail
    assert TOKEN not in result.detail
    assert other.requests == []


@pytest.mark.parametrize(
    ("length", "allowed", "expected"),
    [
        (1, 1, CheckStatus.SUCCESS),
        (5, 5, CheckStatus.SUCCESS),
        (2, 1, CheckStatus.UNKNOWN),
        (6, 5, CheckStatus.UNKNOWN),
    ],
)
def test_so_many_are_followed_and_no_more(length: int, allowed: int, expected: CheckStatus) -> None:
    with Provider(chain(length)) as server:
        result = ask(server.url, redirects=allowed)
        assert result.status is expected
        assert len(server.requests) == min(length, allowed) + 1
        assert all(request.headers["x-token"] == TOKEN for request in server.requests)
    assert expected is CheckStatus.SUCCESS or f"more than {allowed} redirects" in result.detail


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_another_origin_gets_no_header_and_neither_does_who_comes_after(
    pair: tuple[Provider, Provider], method: str
) -> None:
    one, other = pair
    one.answer = to(f"{other.url}/x")
    result = ask(one.url, method=method, status=200)
    assert result.status is (CheckStatus.SUCCESS if method == "GET" else CheckStatus.UNKNOWN)
    (request,) = other.requests
    assert (request.method, request.path) == (method, "/x")
    assert not any(TOKEN in value for value in request.headers.values())


def test_the_own_origin_gets_them_again_only_as_the_own_origin(pair: tuple[Provider, Provider]) -> None:
    """Asked back by another, it is told nothing that it has not asked for itself: the other chose the path."""
    one, other = pair
    one.replies = [to(f"{other.url}/x")]
    other.answer = to(f"{one.url}/delete-all")
    ask(one.url)
    assert [request.path for request in one.requests] == ["/", "/delete-all"]
    assert "x-token" not in one.requests[1].headers


def test_never_from_https_to_http(tmp_path: Path, pair: tuple[Provider, Provider]) -> None:
    certificate, key = self_signed(tmp_path / "tls")
    one, _ = pair
    with Provider(to(f"{one.url}/x"), (certificate, key)) as secure:
        result = ask(secure.url, ca_file=str(certificate))
    assert result.status is CheckStatus.UNKNOWN
    assert "from https:// to http://" in result.detail
    assert one.requests == []


@pytest.mark.parametrize(
    "location",
    ["ftp://127.0.0.1/", "file:///etc/passwd", "javascript:alert(1)", "http://[", "//[::1", "gopher://x:70/",
     "http://a:b@127.0.0.1/", "http://127.0.0.1:0/", "http://no-such-host.invalid/", "http://" + "a" * 300 + "/"],
)  # fmt: skip
def test_a_location_that_cannot_be_asked_is_no_answer(pair: tuple[Provider, Provider], location: str) -> None:
    one, _ = pair
    one.answer = to(location)
    result = ask(one.url)
    assert result.status is CheckStatus.UNKNOWN
    assert "redirect" in result.detail or "leads to no address" in result.detail
    assert len(result.detail) < 300
    assert len(one.requests) == 1


def names(**known: str) -> Callable[[str], Sequence[str]]:
    """A resolver for which these names mean these addresses, and the others what they do."""
    return lambda host: [known[host]] if host in known else system(host)


@pytest.mark.parametrize("origin", ["1.1.1.1", "2606:4700::1111"])
def test_one_out_in_the_world_does_not_send_us_to_one_inside(pair: tuple[Provider, Provider], origin: str) -> None:
    one, other = pair
    one.answer = to(f"{other.url}/admin")
    public = one.url.replace("127.0.0.1", "localhost")
    result = ask(public, resolve=names(localhost=origin))
    assert result.status is CheckStatus.UNKNOWN
    assert "an address inside" in result.detail
    assert other.requests == []
    # From inside, others inside are neighbours.
    assert ask(public, resolve=names(localhost="192.168.1.4")).status is CheckStatus.SUCCESS


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "fd00:ec2::254"])
def test_nobody_sends_us_to_where_a_cloud_keeps_its_keys(pair: tuple[Provider, Provider], address: str) -> None:
    one, other = pair
    one.answer = to(other.url.replace("127.0.0.1", "localhost") + "/latest/meta-data")
    result = ask(one.url, resolve=names(localhost=address))
    assert result.status is CheckStatus.UNKNOWN
    assert "an address inside" in result.detail
    assert other.requests == []


def test_the_nearest_of_a_names_addresses_counts(pair: tuple[Provider, Provider]) -> None:
    one, other = pair
    one.answer = to(f"{other.url}/")

    def both(host: str) -> Sequence[str]:
        return ["1.1.1.1", "10.0.0.1"] if host == "127.0.0.1" else ["1.1.1.1"]

    assert ask(one.url.replace("127.0.0.1", "localhost"), resolve=both).status is CheckStatus.UNKNOWN
    assert other.requests == []


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        ("1.1.1.1", Reach.WORLD),
        ("2606:4700::1111", Reach.WORLD),
        ("127.0.0.1", Reach.INSIDE),
        ("::1", Reach.INSIDE),
        ("10.1.2.3", Reach.INSIDE),
        ("172.16.0.1", Reach.INSIDE),
        ("192.168.0.1", Reach.INSIDE),
        ("100.64.0.1", Reach.INSIDE),
        ("0.0.0.0", Reach.INSIDE),
        ("::", Reach.INSIDE),
        ("fc00::1", Reach.INSIDE),
        ("224.0.0.1", Reach.INSIDE),
        ("::ffff:127.0.0.1", Reach.INSIDE),
        ("::ffff:1.1.1.1", Reach.WORLD),
        ("2002:7f00:1::", Reach.INSIDE),
        ("64:ff9b::7f00:1", Reach.INSIDE),
        ("64:ff9b::a9fe:a9fe", Reach.LINK),
        ("169.254.169.254", Reach.LINK),
        ("100.100.100.200", Reach.LINK),
        ("fe80::1%eth0", Reach.LINK),
    ],
)
def test_how_near_an_address_is(address: str, reach: Reach) -> None:
    assert nearest("x", lambda host: [address]) is reach


def test_a_host_without_an_address_is_an_error() -> None:
    known: Mapping[str, Sequence[str]] = {"x": []}
    with pytest.raises(ValueError, match="empty"):
        nearest("x", known.__getitem__)
