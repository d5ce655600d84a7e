"""What every check that talks HTTP must get right, as tests against a real server on loopback:

    class TestMine(HttpCheckerConformance):
        plugin = plugin
        unanswered = {"job": "nightly"}
        answers = {
            "it runs": (Reply.of_json({"state": "running"}), CheckStatus.PENDING),
            "it is done": (Reply.of_json({"state": "done"}), CheckStatus.SUCCESS),
        }
        secret = "SECRET-TOKEN"

        def settings_at(self, url):
            return {"MINE_URL": url, "MINE_TOKEN": "SECRET-TOKEN"}

        def showing(self, *jobs):
            return Reply.of_json({"at": jobs[-1].began, "state": "done" if jobs[-1].ended else "running"})

`answers` are what the service says to every request, each with the status that is true of it. `unanswered` is the
action that is asked, here and by the tests of `CheckerConformance`. `showing` is what the service says while these jobs
(`tmux_sentry.testing.stages`) are all that it has, the newest last; a function of the request, where it matters which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tmux_sentry import http
from tmux_sentry.contracts import CheckResult, CheckStatus, PluginContext
from tmux_sentry.testing.asking import checked
from tmux_sentry.testing.conformance import CheckerConformance
from tmux_sentry.testing.provider import Provider, Received, Reply, closed_port, full_port, self_signed
from tmux_sentry.testing.stages import Job

JSON = {"Content-Type": "application/json"}


class HttpCheckerConformance(CheckerConformance):
    """See above. `secret` is what no answer may show: part of `settings_at`, or of `action_at`."""

    answers: ClassVar[Mapping[str, tuple[Reply, CheckStatus]]]
    secret: ClassVar[str] = ""

    def settings_at(self, url: str) -> Mapping[str, str]:
        """The settings with which the check talks to `url`."""
        return self.settings

    def action_at(self, url: str) -> Mapping[str, Any]:
        """The action with which the check talks to `url`."""
        return self.unanswered

    def showing(self, *jobs: Job) -> Reply | Callable[[Received], Reply]:
        """What the service answers while it has these jobs."""
        raise NotImplementedError("say what your service answers while it has these jobs, or set of_stage = False")

    # ------------------------------------------------------------------- what it stands on

    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Seconds instead of half minutes, for checks that use `tmux_sentry.exchange`."""
        monkeypatch.setattr(http, "TIMEOUT", 1.0)
        monkeypatch.setattr(http, "CONNECT", 0.5)

    @pytest.fixture
    def provider(self) -> Iterator[Provider]:
        """The service."""
        with Provider(Reply(status=404)) as server:
            yield server

    @pytest.fixture(autouse=True)
    def _served(self, provider: Provider) -> None:
        self._provider = provider

    def asked_about(self, home: Path, *jobs: Job) -> tuple[Mapping[str, str], Mapping[str, Any]]:
        self._provider.answer = self.showing(*jobs)
        return self.settings_at(self._provider.url), self.action_at(self._provider.url)

    def asked(self, url: str, home: Path) -> CheckResult:
        """One answer of the check, made as the core makes it; it may not show the secret."""
        (record,) = self.records()
        context = PluginContext(config=self.config, settings=self.settings_at(url), home=str(home))
        result = checked(record.factory(context), self.action_at(url))
        shown = result.detail + result.url + result.log_tail
        assert not self.secret or self.secret not in shown
        return result

    # ------------------------------------------------------------------------- the rows

    def test_each_answer_of_the_service_is_told_as_what_it_is(self, provider: Provider, tmp_path: Path) -> None:
        assert any(status is CheckStatus.SUCCESS for _, status in self.answers.values())
        for name, (reply, status) in self.answers.items():
            provider.answer = reply
            result = self.asked(provider.url, tmp_path)
            assert result.status is status, f"{name}: {result}"

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 410, 418, 429, 500, 502, 503, 504])
    def test_an_error_decides_nothing_and_is_named(self, provider: Provider, tmp_path: Path, status: int) -> None:
        provider.answer = Reply(status=status, body=b"<html>upstream</html>", headers={"Content-Type": "text/html"})
        result = self.asked(provider.url, tmp_path)
        assert not result.status.final
        assert str(status) in result.detail

    def test_too_many_requests_wait_as_long_as_asked(self, provider: Provider, tmp_path: Path) -> None:
        provider.answer = Reply(status=429, headers={"Retry-After": "137"})
        result = self.asked(provider.url, tmp_path)
        assert not result.status.final
        assert result.next_in is not None
        assert result.next_in >= 137

    @pytest.mark.parametrize(
        "body",
        [b"", b"null", b"[]", b"{}", b"0", b'"success"', b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 1000, b"NaN"],
    )
    def test_json_that_is_none_or_says_nothing_is_no_success(
        self, provider: Provider, tmp_path: Path, body: bytes
    ) -> None:
        provider.answer = Reply(body=body, headers=JSON)
        assert not self.asked(provider.url, tmp_path).status.final

    def test_a_page_of_html_is_no_success(self, provider: Provider, tmp_path: Path) -> None:
        """A captive portal answers 200 to everything."""
        provider.answer = Reply(body=b"<!DOCTYPE html><title>Log in</title>", headers={"Content-Type": "text/html"})
        assert not self.asked(provider.url, tmp_path).status.final

    def test_a_redirect_takes_no_secret_elsewhere(self, provider: Provider, tmp_path: Path) -> None:
        with Provider(Reply(status=404)) as elsewhere:
            for status in (301, 302, 303, 307, 308):
                provider.answer = Reply(status=status, headers={"Location": elsewhere.url + "/x"})
                assert not self.asked(provider.url, tmp_path).status.final
            told = [*(request.headers.values() for request in elsewhere.requests)]
            assert not self.secret or not any(self.secret in value for values in told for value in values)

    @pytest.mark.parametrize("how", ["hang", "reset", "drip"])
    def test_an_answer_that_was_lost_is_none(self, provider: Provider, tmp_path: Path, how: str) -> None:
        provider.answer = Reply(how=how)
        assert not self.asked(provider.url, tmp_path).status.final

    def test_an_endless_answer_is_not_read_to_its_end(self, provider: Provider, tmp_path: Path) -> None:
        provider.answer = Reply(body=b"[" + b"1," * 10_000_000, headers=JSON)
        result = self.asked(provider.url, tmp_path)
        assert not result.status.final
        assert len(result.detail) < 2000

    def test_nobody_there_is_no_answer(self, tmp_path: Path) -> None:
        assert not self.asked(f"http://127.0.0.1:{closed_port()}", tmp_path).status.final
        with full_port() as port:
            assert not self.asked(f"http://127.0.0.1:{port}", tmp_path).status.final

    def test_a_certificate_that_nobody_vouches_for_is_no_answer(self, tmp_path: Path) -> None:
        good = next(reply for reply, status in self.answers.values() if status is CheckStatus.SUCCESS)
        with Provider(good, self_signed(tmp_path / "tls")) as server:
            assert not self.asked(server.url, tmp_path).status.final
            assert server.requests == []
