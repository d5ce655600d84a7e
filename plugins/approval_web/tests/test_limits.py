"""Bad links are counted by address; good ones never wait."""

from __future__ import annotations

from typing import Any

import pytest

from tmux_sentry_approval_web import limits
from tmux_sentry_approval_web.handles import home
from tmux_sentry_approval_web.limits import Buckets


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_ten_at_once_and_then_one_each_six_seconds() -> None:
    clock = Clock()
    buckets = Buckets(clock)
    assert [buckets.refuse("a") for _ in range(11)] == [0] * 10 + [6]
    assert buckets.refuse("b") == 0
    clock.now = 2.5
    assert buckets.refuse("a") == 4
    clock.now = 6.0
    assert [buckets.refuse("a"), buckets.refuse("a")] == [0, 6]
    clock.now = 1e6
    assert [buckets.refuse("a") for _ in range(11)][-2:] == [0, 6]


def test_memory_is_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "ADDRESSES", 3)
    buckets = Buckets(Clock())
    for _ in range(10):
        buckets.refuse("a")
    for other in "bcd":
        buckets.refuse(other)
    assert buckets.refuse("a") == 0, "forgotten, as the one not heard of for longest"
    assert len(buckets._left) == 3


@pytest.mark.parametrize("path", ["/a/bad", "/login/bad", home("tss_bad")])
def test_too_many_bad_links_wait_and_good_ones_do_not(site: Any, office: Any, path: str) -> None:
    phone = site.phone()
    phone.cookies["tmux-sentry-session", home("tss_bad")] = "tss_bad"
    assert [phone.get(path).status for _ in range(10)] == [403] * 10
    page = phone.get(path)
    assert page.status == 429
    assert 1 <= int(page.header("Retry-After")) <= 6
    assert site.phone().answer(f"/a/{office.link(office.ask())}").status == 200
    member = site.logged_in()
    assert member.get(member.home).status == 200


def test_a_link_that_is_only_too_old_is_no_attack(site: Any, office: Any) -> None:
    path = f"/a/{office.link(office.ask())}"
    office.clock.advance(4000)
    assert {site.phone().get(path).status for _ in range(15)} == {410}


def test_who_is_not_logged_in_at_all_is_no_attack(site: Any) -> None:
    assert {site.phone().get("/").status for _ in range(15)} == {403}
