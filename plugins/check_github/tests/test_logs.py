"""The end of the failed job's log: from another host, without the token, and never in the way of the answer."""

from __future__ import annotations

import pytest
from github_api import GitHub, job, said
from github_asker import Asker, Clock

from tmux_sentry import CheckStatus
from tmux_sentry.testing.provider import Provider, Reply
from tmux_sentry_check_github import address

STAMP = "2026-11-28T22:15:03.1234567Z "


@pytest.fixture
def run(github: GitHub) -> int:
    made = github.add_run(status="completed", conclusion="failure")
    github.set_jobs(made, job(5, "build", conclusion="failure", steps="+Set up,!Test"))
    return made


def lines(*texts: str) -> bytes:
    return "".join(f"{STAMP}{text}\n" for text in texts).encode()


def test_it_ends_with_the_error_and_not_with_the_clean_up(ask: Asker, github: GitHub, run: int) -> None:
    before, after = (f"line {number}" for number in range(100)), (f"clean {number}" for number in range(60))
    github.logs[5] = b"\xef\xbb\xbf" + lines(*before, "\x1b[31mnpm ERR!", "##[error]Process completed.", *after)
    told = ask(run_id=run).log_tail.splitlines()
    assert len(told) == 40
    assert told[0] == "line 62"
    assert told[-2:] == ["npm ERR!", "##[error]Process completed."]


def test_the_host_of_the_log_gets_no_token(ask: Asker, github: GitHub, run: int) -> None:
    github.logs[5] = lines("the end")
    assert ask(run_id=run).log_tail == "the end"
    assert github.log_requests
    for request in github.log_requests:
        assert "authorization" not in request.headers
        assert not any("SECRET" in value for value in request.headers.values())


def test_of_a_large_log_only_the_end_is_read(ask: Asker, github: GitHub, run: int) -> None:
    github.logs[5] = lines(*("x" * 200 for _ in range(40_000)), "the end")
    told = ask(run_id=run).log_tail
    assert told.endswith("\nthe end")
    assert len(told) <= 3800
    size = len(github.logs[5])
    ranges = [request.headers["range"] for request in github.log_requests]
    assert ranges == ["bytes=0-0", f"bytes={size - 65536}-{size - 1}"]


def test_tabs_do_not_push_the_error_out(ask: Asker, github: GitHub, run: int) -> None:
    github.logs[5] = lines(*("\t" * 150 for _ in range(1000)), "\tthe end")
    assert ask(run_id=run).log_tail.endswith("the end")


def test_a_line_that_began_before_what_is_read_is_left_out(ask: Asker, github: GitHub, run: int) -> None:
    github.logs[5] = lines("y" * 70_000, "the end")
    assert ask(run_id=run).log_tail == "the end"


def test_where_the_end_alone_cannot_be_had_a_short_log_is_read_whole(ask: Asker, github: GitHub, run: int) -> None:
    github.log_ranges = False
    github.logs[5] = lines("short", "the end")
    assert ask(run_id=run).log_tail == "short\nthe end"


def test_a_long_one_whose_end_is_not_seen_is_left_out(ask: Asker, github: GitHub, run: int) -> None:
    """Its beginning would be taken for its end."""
    github.log_ranges = False
    github.logs[5] = b"beginning\n" * 500_000
    result = ask(run_id=run)
    assert (result.status, result.log_tail) == (CheckStatus.FAILURE, "")


@pytest.mark.parametrize(
    "answer",
    [
        said(404, "Not Found"),
        said(410, "Gone"),
        said(403, "Must have admin rights"),
        said(429, "slow", Retry_After="50"),
        Reply(how="reset"),
        Reply(status=302),
        Reply(status=302, headers={"Location": "http://["}),
        Reply(status=302, headers={"Location": "file:///etc/passwd"}),
        Reply(status=302, headers={"Location": "http://logs.invalid/x"}),
        Reply(status=302, headers={"Location": "https://127.0.0.1:1/x"}),
    ],
)
def test_a_log_that_cannot_be_had_changes_nothing_else(ask: Asker, github: GitHub, run: int, answer: Reply) -> None:
    github.fail("/logs", answer)
    result = ask(run_id=run)
    assert result.status is CheckStatus.FAILURE
    assert result.detail == "deploy.yml #1 failed: job build, step Test"
    assert result.log_tail == ""


@pytest.mark.parametrize(
    "answer",
    [
        Reply(status=403, body=b"expired"),
        Reply(status=302, headers={"Location": "/again"}),
        Reply(status=206, body=b"x"),
        Reply(status=206, body=b"x", headers={"Content-Range": "bytes 0-0/*"}),
        Reply(status=206, body=b"x", headers={"Content-Range": "bytes 0-0/" + "9" * 500}),
        Reply(how="reset"),
    ],
)
def test_a_log_host_that_misbehaves_changes_nothing_else(ask: Asker, github: GitHub, run: int, answer: Reply) -> None:
    with Provider(answer) as host:
        github.fail("/logs", Reply(status=302, headers={"Location": host.url + "/log"}))
        result = ask(run_id=run)
        assert (result.status, result.log_tail) == (CheckStatus.FAILURE, "")
        assert host.requests


def test_a_log_comes_over_https_from_any_host_and_over_http_from_this_machine_only() -> None:
    api = "https://api.github.com"
    assert address.of_log(api, "https://store.example/log?sig=x") == "https://store.example/log?sig=x"
    assert address.of_log(api, "http://store.example/log") is None
    assert address.of_log(api, "http://api.github.com/log") is None
    assert address.of_log("http://127.0.0.1:1", "http://127.0.0.1:2/log") == "http://127.0.0.1:2/log"
    assert address.of_log("http://127.0.0.1:1", "http://192.0.2.1/log") is None


def test_without_a_token_no_log_is_asked_for(github: GitHub, clock: Clock, run: int) -> None:
    github.logs[5] = lines("the end")
    result = Asker(github, clock, GITHUB_TOKEN="")(run_id=run)
    assert (result.status, result.log_tail) == (CheckStatus.FAILURE, "")
    assert not [path for path in github.paths() if path.endswith("/logs")]
