"""What every channel that talks HTTP must get right, as tests against a real server on loopback:

    class TestMine(HttpNotifierConformance):
        plugin = plugin
        accepted = Reply.of_json({"ok": True})
        refused = {"bad key": (Reply.of_json({"ok": False, "error": "invalid_key"}), Delivery.PERMANENT)}
        limit = 4096

        def settings_at(self, url):
            return {"MINE_URL": url + "/hook/SECRET-KEY"}

        def content(self, request):
            return request.json()["text"]

The server answers as the provider does: `accepted` is its answer when it took a message, `refused` its errors, each
with the outcome that is true of it. `content` is the text of a message as the provider gets it, which has at most
`limit` characters, or UTF-8 bytes where `limit_in_bytes`.
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from tmux_sentry import http
from tmux_sentry.contracts import Delivery, DeliveryResult, Level, Message, Notifier, PluginContext
from tmux_sentry.notify.outbox import Channel, Outbox
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock
from tmux_sentry.testing.conformance import NotifierConformance
from tmux_sentry.testing.provider import Provider, Received, Reply, closed_port, full_port, self_signed
from tmux_sentry.testing.samples import message

#: Marks that a channel may put where it leaves something out.
CUTS = ("…", "...", "(cut")
NOT_DELIVERED = (Delivery.RETRY, Delivery.PERMANENT)


class HttpNotifierConformance(NotifierConformance):
    """See above. `secret` is what no detail may show: part of `settings_at`."""

    accepted: ClassVar[Reply]
    refused: ClassVar[Mapping[str, tuple[Reply, Delivery]]] = {}
    limit: ClassVar[int] = 0
    limit_in_bytes: ClassVar[bool] = True
    secret: ClassVar[str] = ""

    def settings_at(self, url: str) -> Mapping[str, str]:
        """The settings with which the channel talks to `url`."""
        raise NotImplementedError

    def content(self, request: Received) -> str:
        """The text of a message in a request."""
        raise NotImplementedError

    # ------------------------------------------------------------------- what it stands on

    @pytest.fixture
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Seconds instead of half minutes, for channels that use `tmux_sentry.exchange` or `deliver`."""
        monkeypatch.setattr(http, "TIMEOUT", 1.0)
        monkeypatch.setattr(http, "CONNECT", 0.5)

    @pytest.fixture
    def provider(self) -> Iterator[Provider]:
        """The provider, in a good mood."""
        with Provider(self.accepted) as server:
            yield server

    def notifier(self, url: str, home: Path) -> Notifier:
        """The channel, made as the core makes it."""
        (record,) = self.records()
        return record.factory(PluginContext(config=self.config, settings=self.settings_at(url), home=str(home)))

    def sent(self, provider: Provider, home: Path, what: Message | None = None) -> DeliveryResult:
        """The result of sending one message; no detail may show the secret."""
        result = self.notifier(provider.url, home).send(what or message("m1", "build failed", Level.ERROR))
        assert isinstance(result, DeliveryResult)
        assert not self.secret or self.secret not in result.detail
        return result

    # ------------------------------------------------------------------------- the rows

    def test_what_was_taken_is_delivered(self, provider: Provider, tmp_path: Path) -> None:
        assert self.sent(provider, tmp_path).outcome is Delivery.DELIVERED
        assert provider.requests
        assert "build failed" in "".join(map(self.content, provider.requests))

    def test_each_error_of_the_provider_is_told_as_what_it_is(self, provider: Provider, tmp_path: Path) -> None:
        for name, (reply, outcome) in self.refused.items():
            provider.answer = reply
            result = self.sent(provider, tmp_path)
            assert result.outcome is outcome, f"{name}: {result}"
            assert result.detail, f"{name}: without a word of why"

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_a_fault_of_the_server_is_tried_again(self, provider: Provider, tmp_path: Path, status: int) -> None:
        provider.answer = Reply(status=status, body=b"<html>upstream</html>", headers={"Content-Type": "text/html"})
        result = self.sent(provider, tmp_path)
        assert result.outcome is Delivery.RETRY
        assert "<html>" not in result.detail or str(status) in result.detail

    def test_too_many_requests_wait_as_long_as_asked_in_seconds(self, provider: Provider, tmp_path: Path) -> None:
        provider.answer = Reply(status=429, headers={"Retry-After": "37"})
        result = self.sent(provider, tmp_path)
        assert (result.outcome, result.retry_after, result.whole_channel) == (Delivery.RETRY, 37.0, True)

    def test_too_many_requests_wait_as_long_as_asked_by_a_date(self, provider: Provider, tmp_path: Path) -> None:
        provider.answer = Reply(
            status=429, headers={"Retry-After": email.utils.formatdate(time.time() + 90, usegmt=True)}
        )
        result = self.sent(provider, tmp_path)
        assert result.outcome is Delivery.RETRY
        assert result.retry_after is not None
        assert 60 < result.retry_after <= 91

    def test_a_page_of_html_is_not_delivered(self, provider: Provider, tmp_path: Path) -> None:
        """A captive portal answers 200 to everything."""
        provider.answer = Reply(body=b"<!DOCTYPE html><title>Log in</title>", headers={"Content-Type": "text/html"})
        assert self.sent(provider, tmp_path).outcome in NOT_DELIVERED

    def test_a_redirect_is_not_followed(self, provider: Provider, tmp_path: Path) -> None:
        with Provider(self.accepted) as elsewhere:
            for status in (301, 302, 307, 308):
                provider.answer = Reply(status=status, headers={"Location": elsewhere.url + "/x?key=1"})
                assert self.sent(provider, tmp_path).outcome in NOT_DELIVERED
            assert elsewhere.requests == []

    @pytest.mark.usefixtures("impatient")
    def test_an_answer_that_was_lost_is_unknown(self, provider: Provider, tmp_path: Path) -> None:
        for how in ("hang", "reset", "drip"):
            provider.answer = Reply(how=how)
            assert self.sent(provider, tmp_path).outcome is Delivery.UNKNOWN, how

    def test_an_endless_answer_is_not_read_to_its_end(self, provider: Provider, tmp_path: Path) -> None:
        provider.answer = Reply(status=400, body=b"x" * 20_000_000)
        result = self.sent(provider, tmp_path)
        assert result.outcome is not Delivery.DELIVERED
        assert len(result.detail) < 2000

    def test_nobody_there_is_tried_again(self, tmp_path: Path) -> None:
        result = self.notifier(f"http://127.0.0.1:{closed_port()}", tmp_path).send(message("m", "text", Level.ERROR))
        assert result.outcome is Delivery.RETRY
        assert not self.secret or self.secret not in result.detail

    @pytest.mark.usefixtures("impatient")
    def test_a_host_that_hangs_is_tried_again(self, tmp_path: Path) -> None:
        with full_port() as port:
            result = self.notifier(f"http://127.0.0.1:{port}", tmp_path).send(message("m", "text", Level.ERROR))
        assert result.outcome is Delivery.RETRY

    def test_a_certificate_of_nobody_is_refused_before_anything_is_sent(self, tmp_path: Path) -> None:
        with Provider(self.accepted, self_signed(tmp_path)) as server:
            result = self.sent(server, tmp_path)
            assert result.outcome is Delivery.RETRY
            assert server.requests == []

    def test_hostile_text_is_sent_as_text(self, provider: Provider, tmp_path: Path) -> None:
        from tmux_sentry.testing.samples import HOSTILE_TEXTS

        notifier = self.notifier(provider.url, tmp_path)
        for number, text in enumerate(HOSTILE_TEXTS):
            provider.requests.clear()
            assert notifier.send(message(f"h{number}", text, Level.ERROR)).outcome is Delivery.DELIVERED
            for request in provider.requests:
                shown = self.content(request)
                assert not [char for char in shown if (char < " " and char != "\n") or "\x7f" <= char < "\xa0"]
                assert not self.limit or self._size(shown) <= self.limit

    def test_no_message_is_longer_than_the_provider_takes_and_none_loses_its_head(
        self, provider: Provider, tmp_path: Path
    ) -> None:
        """Exactly the limit and one more, in letters of one, two, three and four bytes."""
        if not self.limit:
            pytest.skip("this provider has no limit")
        notifier = self.notifier(provider.url, tmp_path)
        for letter in ("a", "é", "构", "🔨"):
            width = len(letter.encode()) if self.limit_in_bytes else 1
            for letters in (self.limit // width, self.limit // width + 1, 3 * self.limit // width):
                provider.requests.clear()
                what = replace(message("m", "", Level.ERROR), title="the title", text=letter * letters)
                assert notifier.send(what).outcome is Delivery.DELIVERED
                shown = [self.content(request) for request in provider.requests]
                assert all(self._size(part) <= self.limit for part in shown), [self._size(part) for part in shown]
                assert "\N{REPLACEMENT CHARACTER}" not in "".join(shown), "a character was cut in two"
                assert "the title" in shown[0]
                whole = sum(part.count(letter) for part in shown) >= letters
                assert whole or any(cut in part for part in shown for cut in CUTS), "something is missing, unsaid"

    def test_a_burst_of_100_is_told_within_the_providers_rate(self, provider: Provider, tmp_path: Path) -> None:
        room = _Room(self, provider, tmp_path)
        room.queue(100)
        times = room.work(3600.0)
        assert [number for number in range(100) if room.told(number) != 1] == []
        rate = room.record.rate
        if rate is not None:
            busiest = max(sum(begin <= at < begin + rate.seconds for at in times) for begin in times)
            assert busiest <= rate.messages
        room.store.close()

    def test_after_a_restart_in_the_middle_the_rest_is_told_and_nothing_twice(
        self, provider: Provider, tmp_path: Path
    ) -> None:
        first = _Room(self, provider, tmp_path)
        first.queue(10)
        first.work(2.0)
        first.store.close()
        assert provider.requests
        second = _Room(self, provider, tmp_path)
        second.work(3600.0)
        second.store.close()
        assert [number for number in range(10) if second.told(number) != 1] == []

    def _size(self, text: str) -> int:
        return len(text.encode()) if self.limit_in_bytes else len(text)


class _Room:
    """The channel behind the core's own outbox, with a database on disk and a clock of the test."""

    def __init__(self, kit: HttpNotifierConformance, provider: Provider, home: Path) -> None:
        (self.record,) = kit.records()
        self.provider = provider
        self.clock = FakeClock(1_700_000_000.0)
        self.store = Store.open(home / "outbox" / "state.db", self.clock)
        notifier = kit.notifier(provider.url, home)
        channel = Channel(rate=self.record.rate, local=self.record.local)
        name = self.record.name
        self.outbox = Outbox(self.store, {name: notifier}, self.clock, channels={name: channel})

    def queue(self, count: int) -> None:
        for number in range(count):
            name = f"burst-{number:03}"
            what = Message(id=name, at=self.clock.now(), level=Level.WARNING, event="stage.held", title=name)
            with self.store.transaction() as tx:
                tx.enqueue(what, [self.record.name], name)

    def told(self, number: int) -> int:
        """In how many requests a message is."""
        return sum(f"burst-{number:03}".encode() in request.body for request in self.provider.requests)

    def work(self, seconds: float) -> list[float]:
        """Let the worker look again and again; when each request came."""
        times: list[float] = []
        end = self.clock.now() + seconds
        while self.clock.now() < end and self.store.next_message_due(self.record.name) is not None:
            before = len(self.provider.requests)
            self.outbox.round(self.record.name)
            times += [self.clock.now()] * (len(self.provider.requests) - before)
            self.clock.advance(1.0)
        return times
