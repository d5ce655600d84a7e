"""GitHub is asked no more often than it wants."""

from __future__ import annotations

import pytest
from github_api import GitHub, said
from github_asker import Asker, Clock

from tmux_sentry import Answer, CheckStatus
from tmux_sentry.testing.provider import Reply
from tmux_sentry_check_github.limits import Limits

SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize("skew", [0.0, 5000.0])
def test_used_up_requests_wait_for_the_reset_by_githubs_clock(
    ask: Asker, github: GitHub, clock: Clock, status: int, skew: float
) -> None:
    github.skew = skew
    headers = {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": str(int(clock.at + skew + 1234))}
    github.fail(".", said(status, "API rate limit exceeded for user ID 1.", **headers))
    result = ask(run_id=github.add_run())
    assert result.status is CheckStatus.UNKNOWN
    assert result.next_in == pytest.approx(1234, abs=2)
    assert f"HTTP {status}" in result.detail


def test_the_last_request_allowed_is_noticed(ask: Asker, github: GitHub, clock: Clock) -> None:
    run = github.add_run()
    github.rate.remaining, github.rate.reset = 1, clock.at + 600
    result = ask(run_id=run)
    assert result.status is CheckStatus.PENDING
    assert result.next_in == pytest.approx(600, abs=2)


def test_a_secondary_limit_waits_longer_each_time(ask: Asker, github: GitHub, clock: Clock) -> None:
    run = github.add_run()
    github.fail(".", said(403, SECONDARY), times=8)
    waits = []
    for _ in range(8):
        waits.append(ask(run_id=run).next_in)
        clock.at += waits[-1] + 1
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert ask(run_id=run).status is CheckStatus.PENDING
    github.fail(".", said(403, SECONDARY))
    assert ask(run_id=run).next_in == 60


@pytest.mark.parametrize("status", [403, 429])
def test_retry_after_is_kept_to(ask: Asker, github: GitHub, status: int) -> None:
    github.fail(".", said(status, SECONDARY, Retry_After="77"))
    result = ask(run_id=github.add_run())
    assert (result.status, result.next_in) == (CheckStatus.UNKNOWN, 77)
    assert "HTTP" in result.detail


def test_a_limit_without_any_header_waits_a_minute(ask: Asker, github: GitHub) -> None:
    github.fail(".", Reply(status=429))
    assert ask(run_id=github.add_run()).next_in == 60


def test_all_checks_of_one_address_rest_together(ask: Asker, github: GitHub, clock: Clock) -> None:
    run = github.add_run()
    github.fail(".", said(429, "slow down", Retry_After="50"))
    ask(run_id=run)
    github.forget()
    ask.id = "another/check"
    result = ask(run_id=run)
    assert result.status is CheckStatus.UNKNOWN
    assert result.next_in == pytest.approx(50, abs=1)
    assert github.requests == []
    clock.at += 51
    assert ask(run_id=run).status is CheckStatus.PENDING


def test_checks_that_meet_a_limit_together_count_it_once_and_a_clock_set_back_ends_it() -> None:
    limits, limited = Limits(), Answer(status=429)
    waits = [limits.note("api", limited, 1000.0, 0.0) for _ in range(3)]
    assert [rest.wait for rest in waits if rest is not None] == [60, 60, 60]
    assert limits.rest("api", 1059.0) is not None
    assert limits.rest("api", 1061.0) is None
    assert limits.rest("other", 1010.0) is None
    assert limits.rest("api", -9000.0) is None


def test_a_missing_permission_is_no_limit(ask: Asker, github: GitHub) -> None:
    github.fail(".", said(403, "Resource not accessible by personal access token"))
    result = ask(run_id=github.add_run())
    assert result.next_in is None
    assert "Resource not accessible" in result.detail


def test_an_interval_that_github_asks_for_is_kept_to(ask: Asker, github: GitHub) -> None:
    run = github.add_run()
    github.fail(".", Reply.of_json(github.run(run), X_Poll_Interval="45"))
    assert ask(run_id=run).next_in == 45


def test_a_server_without_limits_is_asked_at_our_pace(ask: Asker, github: GitHub) -> None:
    github.rate.remaining = None
    assert ask(run_id=github.add_run()).next_in is None


def test_without_a_token_it_is_asked_rarely_and_says_why(github: GitHub, clock: Clock) -> None:
    """60 requests an hour: the jobs are only asked for when the run has changed."""
    ask = Asker(github, clock, GITHUB_TOKEN="")
    run = github.add_run(status="in_progress")
    assert ask(run_id=run).next_in == 90
    github.forget()
    result = ask(run_id=run)
    assert (result.status, result.next_in) == (CheckStatus.PENDING, 90)
    assert "no GITHUB_TOKEN: asked every 90 s" in result.detail
    assert github.paths() == [f"/actions/runs/{run}"]
    assert all("authorization" not in one.headers for one in github.requests)
    github.rate.remaining = 0
    assert "without GITHUB_TOKEN GitHub allows 60 requests an hour" in ask(run_id=run).detail


@pytest.mark.parametrize("junk", ["-1", "x", "9" * 40, "", "1e9", "٣"])
def test_headers_that_are_none_are_harmless(ask: Asker, github: GitHub, junk: str) -> None:
    names = ("X_RateLimit_Remaining", "X_RateLimit_Reset", "X_Poll_Interval", "Retry_After", "Date", "ETag", "Link")
    junk = junk.encode().decode("latin-1")
    github.fail(".", Reply.of_json(github.run(github.add_run()), **dict.fromkeys(names, junk)))
    assert ask(run_id=github.runs[0]["id"]).status is CheckStatus.PENDING
    github.fail(".", said(403, "no", **{**dict.fromkeys(names, junk), "X_RateLimit_Remaining": "0"}))
    result = ask(run_id=github.runs[0]["id"])
    assert result.status is CheckStatus.UNKNOWN
    assert result.next_in is None or 0 < result.next_in <= 86400
    assert "if-none-match" not in github.requests[-1].headers
