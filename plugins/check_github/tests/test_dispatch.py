"""A dispatch happens once, or not at all; what cannot be known is said."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from github_api import VERSIONS, GitHub, body_of, said
from github_asker import AT, RUN, TOKEN, Asker, Clock

from tmux_sentry import CheckStatus, exchange
from tmux_sentry.testing.provider import Reply, closed_port

DEPLOY: dict[str, Any] = {"workflow": "deploy.yml", "ref": "main", "dispatch": True}
PATH = "POST .*/dispatches"


def posts(github: GitHub) -> int:
    return len(github.paths("POST"))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_answer_names_the_run(ask: Asker, github: GitHub, version: str) -> None:
    github.speaks = version
    result = ask(**DEPLOY, inputs={"where": "prod", "dry": True, "count": 3})
    assert (result.status, result.detail) == (CheckStatus.PENDING, "dispatched: deploy.yml #1: queued")
    assert github.dispatched == [
        {"ref": "main", "inputs": {"where": "prod", "dry": "true", "count": "3"}, "return_run_details": True}
    ]
    run = github.runs[0]["id"]
    assert (ask.memory["run_id"], ask.memory["sure"]) == (run, True)
    github.add_run()  # of somebody else, at the same time
    github.set(run, status="completed", conclusion="success")
    assert ask(**DEPLOY).status is CheckStatus.SUCCESS
    assert posts(github) == 1
    assert "/actions/runs?per_page=100" not in github.paths()


def test_where_our_version_is_gone_nothing_is_started_and_the_reason_told(ask: Asker, github: GitHub) -> None:
    github.versions = VERSIONS[1:]
    result = ask(**DEPLOY)
    assert result.status is CheckStatus.UNKNOWN
    assert "HTTP 400: The API version 2022-11-28 is not supported." in result.detail
    assert (ask.memory["dispatch"], github.dispatched) == ("not sent", [])
    assert "HTTP 400" in ask(run_id=github.add_run()).detail


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, {}, 204),
        ({}, {"return_run_details": True}, 200),
        ({"X-GitHub-Api-Version": "2022-11-28"}, {}, 204),
        ({"X-GitHub-Api-Version": "2022-11-28"}, {"return_run_details": True}, 200),
        ({"X-GitHub-Api-Version": "2026-03-10"}, {}, 200),
        ({"X-GitHub-Api-Version": "2030-01-01"}, {}, 400),
    ],
)
def test_the_loopback_github_speaks_both_versions(
    github: GitHub, headers: dict[str, str], body: dict[str, Any], status: int
) -> None:
    url = f"{github.url}/repos/owner/name/actions/workflows/deploy.yml/dispatches"
    sent = json.dumps({"ref": "main", **body}).encode()
    answer = exchange("POST", url, headers={"Authorization": f"Bearer {TOKEN}", **headers}, body=sent)
    assert answer.status == status
    if status == 200:
        assert set(answer.json()) == {"workflow_run_id", "run_url", "html_url"}


def test_it_is_on_disk_before_it_is_sent(ask: Asker, github: GitHub) -> None:
    sent_before = []
    remember = ask.remember

    def watched(memory: Mapping[str, Any]) -> None:
        sent_before.append((memory.get("dispatch"), posts(github)))
        remember(memory)

    ask.remember = watched  # type: ignore[method-assign]
    ask(**DEPLOY)
    assert sent_before[0] == ("sent", 0)


def test_what_cannot_be_remembered_is_not_sent(ask: Asker, github: GitHub) -> None:
    def full(memory: Mapping[str, Any]) -> None:
        raise OSError("disk full")

    ask.remember = full  # type: ignore[method-assign]
    with pytest.raises(OSError, match="disk full"):
        ask(**DEPLOY)
    assert posts(github) == 0


@pytest.mark.parametrize("restarted", [False, True])
def test_a_lost_answer_is_never_asked_for_again_and_its_run_is_found(
    ask: Asker, github: GitHub, restarted: bool
) -> None:
    github.fail(PATH, Reply(how="reset"), acts=True)
    github.appears = False
    result = ask(**DEPLOY)
    assert result.status is CheckStatus.PENDING
    assert "lost" in result.detail
    if restarted:
        ask.restart()
    github.set(github.runs[0]["id"], hidden=False, status="in_progress")
    assert ask(**DEPLOY).status is CheckStatus.PENDING
    assert ask.memory["run_id"] == github.runs[0]["id"]
    assert (posts(github), len(github.dispatched)) == (1, 1)


def test_a_lost_answer_without_a_run_is_told_as_unknowable(ask: Asker, github: GitHub, clock: Clock) -> None:
    github.fail(PATH, Reply(how="reset"))
    assert ask(**DEPLOY).status is CheckStatus.PENDING
    clock.at += 121
    result = ask(**DEPLOY)
    assert result.status is CheckStatus.ATTENTION
    assert "nobody can tell whether it was started" in result.detail
    for _ in range(3):
        clock.at += 1000
        ask.restart()
        ask(**DEPLOY)
    assert posts(github) == 1


def test_a_later_run_of_somebody_else_is_not_the_lost_one(ask: Asker, github: GitHub, clock: Clock) -> None:
    github.fail(PATH, Reply(how="reset"))
    inputs = {"id": RUN}
    ask(**DEPLOY, inputs=inputs)
    clock.at += 300
    github.add_run(status="completed", conclusion="success")
    assert ask(**DEPLOY, inputs=inputs).status is CheckStatus.ATTENTION
    assert "run_id" not in ask.memory
    github.add_run(title=f"Deploy {RUN}", status="completed", conclusion="success")
    assert ask(**DEPLOY, inputs=inputs).status is CheckStatus.SUCCESS


@pytest.mark.parametrize(
    "answer",
    [said(500, "x"), said(502, "x"), said(408, "x"), Reply(body=b"<html>Log in</html>"), Reply.of_json({}), Reply()],
)
def test_an_answer_that_does_not_say_counts_as_lost(ask: Asker, github: GitHub, answer: Reply) -> None:
    github.fail(PATH, answer)
    result = ask(**DEPLOY)
    assert (result.status, "lost" in result.detail) == (CheckStatus.PENDING, True)
    ask(**DEPLOY)
    assert posts(github) == 1


@pytest.mark.parametrize(
    "memory", [{"dispatch": "sent"}, {"dispatch": "sent", "at": AT}, {"dispatch": ["?"], "at": "x"}]
)
def test_after_a_crash_in_mid_request_nothing_is_sent(ask: Asker, github: GitHub, memory: dict[str, Any]) -> None:
    ask.memory = memory
    run = github.add_run()
    assert ask(**DEPLOY).status is CheckStatus.PENDING
    assert ask.memory["run_id"] == run
    assert posts(github) == 0


def test_one_that_died_between_the_disk_and_the_answer_sends_once(ask: Asker, github: GitHub) -> None:
    """The process ends in the request: what the next one knows is what was on disk then."""
    remember, memories = ask.remember, []

    def keep(memory: Mapping[str, Any]) -> None:
        remember(memory)
        memories.append(ask.memory)

    ask.remember = keep  # type: ignore[method-assign]
    ask(**DEPLOY)
    ask.memory = memories[0]
    ask.restart()
    ask(**DEPLOY)
    assert (posts(github), ask.memory["run_id"]) == (1, github.runs[0]["id"])


CHILD = """
import json, sys
from tmux_sentry import CheckRequest, PluginContext
from tmux_sentry_check_github import plugin

url, token, path, at = sys.argv[1:]
def remember(memory):
    with open(path, "w") as file:
        json.dump(dict(memory), file)

(record,) = plugin.tmux_sentry_checkers()
config = {"repository": "owner/name", "workflow": "deploy.yml", "ref": "main", "dispatch": True}
checker = record.factory(PluginContext(settings={"GITHUB_API_URL": url, "GITHUB_TOKEN": token}))
checker.check(CheckRequest(config=config, id="c", started_at=float(at), now=float(at), remember=remember))
"""


@pytest.mark.parametrize("acts", [True, False])
def test_a_process_that_is_killed_in_mid_dispatch_has_sent_it_for_good(
    ask: Asker, github: GitHub, tmp_path: Path, acts: bool
) -> None:
    github.fail(PATH, Reply(how="hang"), acts=acts)
    kept = tmp_path / "memory.json"
    child = subprocess.Popen([sys.executable, "-c", CHILD, github.url, TOKEN, str(kept), str(AT)])
    try:
        assert github.wait_for("POST")
    finally:
        child.kill()
        child.wait(30)
    ask.memory = json.loads(kept.read_text())
    assert ask(**DEPLOY).status is CheckStatus.PENDING
    assert ask.memory.get("run_id") == (github.runs[0]["id"] if acts else None)
    assert (posts(github), len(github.dispatched)) == (1, int(acts))


def test_accepted_without_a_name_the_run_is_found(ask: Asker, github: GitHub, clock: Clock) -> None:
    github.dispatching, github.appears = "silent", False
    result = ask(**DEPLOY)
    assert (result.status, result.detail) == (CheckStatus.PENDING, "dispatched: no run of deploy.yml yet")
    clock.at += 130
    assert ask(**DEPLOY).status is CheckStatus.PENDING
    github.set(github.runs[0]["id"], hidden=False)
    github.add_run(event="push")
    ask(**DEPLOY)
    assert ask.memory["run_id"] == github.runs[0]["id"]
    assert posts(github) == 1


def test_a_run_from_before_the_dispatch_is_not_its_run(ask: Asker, github: GitHub, clock: Clock) -> None:
    """The stage began earlier: what counts is when the dispatch was sent."""
    github.add_run(status="completed", conclusion="success")
    clock.at += 30
    github.dispatching, github.appears = "silent", False
    assert ask(**DEPLOY).status is CheckStatus.PENDING
    assert ask(**DEPLOY).status is CheckStatus.PENDING


def test_an_older_server_is_asked_once_more_without_the_parameter(ask: Asker, github: GitHub) -> None:
    github.dispatching = "old"
    assert ask(**DEPLOY).status is CheckStatus.PENDING
    assert ["return_run_details" in body_of(one) for one in github.requests if one.method == "POST"] == [True, False]
    assert len(github.dispatched) == 1
    assert ask.memory["run_id"] == github.runs[0]["id"]


def test_a_server_that_refuses_the_parameter_for_ever_is_asked_twice(ask: Asker, github: GitHub) -> None:
    github.fail(PATH, said(400, '"return_run_details" is not a permitted key.'), times=10)
    result = ask(**DEPLOY)
    assert result.status is CheckStatus.UNKNOWN
    assert "400" in result.detail
    assert posts(github) == 2


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (said(401, "Bad credentials"), "GITHUB_TOKEN"),
        (
            said(403, "Resource not accessible", X_Accepted_GitHub_Permissions="actions=write"),
            "the token needs actions=write",
        ),
        (said(404, "Not Found"), "not there, or the token has no access"),
        (said(422, "No ref found for: main"), "No ref found for: main"),
        (said(429, "too many", Retry_After="70"), "HTTP 429"),
        (said(403, "You have exceeded a secondary rate limit"), "secondary"),
    ],
)
def test_a_refusal_started_nothing_and_may_be_tried_again(
    ask: Asker, github: GitHub, clock: Clock, answer: Reply, word: str
) -> None:
    github.fail(PATH, answer)
    result = ask(**DEPLOY)
    assert result.status is CheckStatus.UNKNOWN
    assert word in result.detail
    assert ask.memory["dispatch"] == "not sent"
    clock.at += 100
    assert ask(**DEPLOY).status is CheckStatus.PENDING
    assert len(github.dispatched) == 1


def test_what_was_certainly_not_sent_is_tried_again(ask: Asker, github: GitHub, clock: Clock) -> None:
    down = Asker(github, clock, GITHUB_API_URL=f"http://127.0.0.1:{closed_port()}")
    assert down(**DEPLOY).status is CheckStatus.UNKNOWN
    assert down.memory["dispatch"] == "not sent"
    ask.memory = down.memory
    assert ask(**DEPLOY).status is CheckStatus.PENDING
    assert posts(github) == 1


def test_without_a_ref_it_is_the_default_branch(ask: Asker, github: GitHub) -> None:
    ask(workflow=101, dispatch=True)
    assert github.dispatched[0]["ref"] == "main"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_renamed_repository_is_dispatched_to_once(ask: Asker, github: GitHub, version: str) -> None:
    github.speaks = version
    github.moved_to = "owner/renamed"
    assert ask(**DEPLOY).status is CheckStatus.PENDING
    assert len(github.dispatched) == 1


def test_a_redirect_elsewhere_gets_no_dispatch(ask: Asker, github: GitHub) -> None:
    with GitHub(token=TOKEN) as other:
        github.fail(PATH, Reply(status=307, headers={"Location": other.url + "/x"}))
        assert ask(**DEPLOY).status is CheckStatus.UNKNOWN
        assert other.requests == []


def test_without_a_token_or_an_id_nothing_is_sent(ask: Asker, github: GitHub, clock: Clock) -> None:
    bare = Asker(github, clock, GITHUB_TOKEN="")
    assert "needs GITHUB_TOKEN" in bare(**DEPLOY).detail
    ask.id = "by-hand"
    assert "without an id" in ask(**DEPLOY).detail
    assert github.requests == []
    assert ask.remembered == bare.remembered == []
