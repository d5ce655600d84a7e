"""What is no answer decides nothing, says what to do, and takes the token nowhere."""

from __future__ import annotations

import pytest
from github_api import GitHub, said
from github_asker import TOKEN, Asker, Clock

from tmux_sentry import CheckStatus
from tmux_sentry.testing.provider import Reply
from tmux_sentry_check_github import address


def test_a_private_repository_without_access_is_said_to_be_maybe_there(github: GitHub, clock: Clock) -> None:
    github.private = True
    run = github.add_run()
    ask = Asker(github, clock, GITHUB_TOKEN="")
    result = ask(run_id=run)
    assert result.status is CheckStatus.UNKNOWN
    assert "is not there, or it is private: set GITHUB_TOKEN" in result.detail
    assert "HTTP 404" in ask(workflow="deploy.yml").detail


def test_a_token_that_is_not_taken_is_named(ask: Asker, github: GitHub) -> None:
    github.token = "another"
    result = ask(workflow="deploy.yml")
    assert result.status is CheckStatus.UNKNOWN
    assert result.detail == "HTTP 401: GITHUB_TOKEN is wrong, has expired or was revoked"


def test_a_missing_permission_is_named_as_github_names_it(ask: Asker, github: GitHub) -> None:
    text = "Resource not accessible by personal access token"
    github.fail(".", said(403, text, X_Accepted_GitHub_Permissions="actions=read"))
    result = ask(workflow="deploy.yml")
    assert result.status is CheckStatus.UNKNOWN
    assert "HTTP 403" in result.detail
    assert "the token needs actions=read" in result.detail
    github.fail(".", said(403, "Resource protected", X_GitHub_SSO="required; url=https://github.com/x"))
    assert "single sign-on" in ask(workflow="deploy.yml").detail


def test_a_run_that_is_gone_is_no_failure(ask: Asker, github: GitHub) -> None:
    run = github.add_run()
    ask(run_id=run)
    github.runs.clear()
    assert ask(run_id=run).status is CheckStatus.UNKNOWN


def test_a_server_that_repeats_the_token_does_not_get_it_shown(ask: Asker, github: GitHub) -> None:
    github.fail(".", Reply(status=500, body=f"you sent {TOKEN}".encode()))
    assert "you sent ***" in ask(run_id=1).detail


@pytest.mark.parametrize("token", ["gh p", "ghp\nX", "gh\u2028p", "ghp\x00"])
def test_a_token_that_cannot_be_sent_is_named(github: GitHub, clock: Clock, token: str) -> None:
    result = Asker(github, clock, GITHUB_TOKEN=token)(run_id=1)
    assert result.status is CheckStatus.ATTENTION
    assert "GITHUB_TOKEN" in result.detail
    assert github.requests == []


# ---------------------------------------------------------------------------- redirects


def test_a_renamed_repository_is_followed(ask: Asker, github: GitHub) -> None:
    run = github.add_run(status="completed", conclusion="success")
    github.moved_to = "owner/renamed"
    assert ask(workflow="deploy.yml").status is CheckStatus.SUCCESS
    assert ask.memory["run_id"] == run
    github.forget()
    used = github.rate.used
    ask(run_id=run)
    assert "if-none-match" in github.requests[-1].headers
    assert github.rate.used == used + 1  # the redirect itself


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_only_three_redirects_are_followed_in_one_place(ask: Asker, github: GitHub, status: int) -> None:
    run = github.add_run()
    there = f"{github.url}/repos/owner/name/actions/runs/{run}"
    github.fail(".", Reply(status=status, headers={"Location": there}), times=3)
    assert ask(run_id=run).status is CheckStatus.PENDING
    github.forget()
    github.fail(
        ".", Reply(status=status, headers={"Location": f"/api/v3/repos/owner/name/actions/runs/{run}"}), times=9
    )
    result = ask(run_id=run)
    assert (result.status, len(github.requests)) == (CheckStatus.UNKNOWN, 4)
    assert str(status) in result.detail


@pytest.mark.parametrize("location", ["", "http://[", "//evil.invalid/x", "https://127.0.0.1/x", "ftp://127.0.0.1/"])
def test_a_redirect_that_leads_away_ends_there(ask: Asker, github: GitHub, location: str) -> None:
    """https://127.0.0.1 is the same host, but nobody is there: no answer either."""
    github.fail(".", Reply(status=301, headers={"Location": location}), times=9)
    assert ask(run_id=github.add_run()).status is CheckStatus.UNKNOWN


@pytest.mark.parametrize(
    ("before", "location", "target"),
    [
        ("https://api.github.com/a", "/b", "https://api.github.com/b"),
        ("https://api.github.com/a", "https://api.github.com:443/b", "https://api.github.com:443/b"),
        ("http://127.0.0.1:80/a", "https://127.0.0.1/b", "https://127.0.0.1/b"),
        ("https://api.github.com/a", "http://api.github.com/b", None),
        ("https://api.github.com/a", "https://api.github.com:8443/b", None),
        ("https://api.github.com/a", "https://evil.example/b", None),
        ("https://api.github.com/a", "//evil.example/b", None),
        ("https://api.github.com/a", "https://api.github.com@evil.example/b", None),
        ("https://api.github.com/a", "https://u:p@api.github.com/b", None),
        ("https://api.github.com/a", "https://evil.example\\@api.github.com/b", None),
        ("https://api.github.com/a", "https://api.github.com.evil.example/b", None),
        ("https://api.github.com/a", "https://[", None),
    ],
)
def test_where_the_token_may_go(before: str, location: str, target: str | None) -> None:
    assert address.redirected(before, location) == target


def test_a_redirect_to_another_port_gets_no_token(ask: Asker, github: GitHub) -> None:
    with GitHub(token=TOKEN) as other:
        github.fail(".", Reply(status=302, headers={"Location": other.url + "/repos/owner/name/actions/runs/1"}))
        assert ask(run_id=1).status is CheckStatus.UNKNOWN
        assert other.requests == []


def test_every_request_says_which_api_it_means(ask: Asker, github: GitHub) -> None:
    ask(run_id=github.add_run(status="in_progress"))
    for request in github.requests:
        assert request.headers["x-github-api-version"] == "2022-11-28"
        assert request.headers["accept"] == "application/vnd.github+json"
        assert request.headers["user-agent"] == "tmux-sentry"
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        assert not request.path.endswith("/")
