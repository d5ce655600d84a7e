"""Which run is meant: the right one, or none."""

from __future__ import annotations

from typing import Any

import pytest
from github_api import GitHub, said, stamp
from github_asker import AT, RUN, Asker, Clock

from tmux_sentry import CheckStatus
from tmux_sentry.testing.provider import Reply

DISPATCHED = ("gh workflow run deploy.yml",)


def test_the_run_of_the_typed_command_is_found_followed_and_remembered(ask: Asker, github: GitHub) -> None:
    ask.typed = DISPATCHED
    assert ask().status is CheckStatus.PENDING
    run = github.add_run()
    github.add_run(workflow="lint.yml")
    github.add_run(event="push")
    github.set(run, status="in_progress")
    result = ask()
    assert (result.status, result.url) == (CheckStatus.PENDING, github.run(run)["html_url"])
    assert ask.memory["run_id"] == run
    ask.restart()
    github.forget()
    github.set(run, status="queued")
    assert ask().status is CheckStatus.PENDING
    assert github.paths() == [f"/actions/runs/{run}"]


def test_only_lists_without_a_filter_are_asked_for(ask: Asker, github: GitHub) -> None:
    """GitHub answers those with one from an index that lags: here it never has anything."""
    run = github.add_run()
    ask(workflow="deploy.yml", ref="main", event="workflow_dispatch", actor="OctoCat", sha=github.run(run)["head_sha"])
    assert ask.memory["run_id"] == run
    assert "/actions/runs?per_page=100" in github.paths()


@pytest.mark.parametrize(
    ("other", "config"),
    [
        ({"workflow": "lint.yml"}, {"workflow": "deploy.yml"}),
        ({"workflow": "xdeploy.yml"}, {"workflow": ".github/workflows/deploy.yml"}),
        ({"workflow": "lint.yml"}, {"workflow": "Deploy"}),
        ({"workflow": "lint.yml"}, {"workflow": 101}),
        ({"workflow": "lint.yml"}, {"workflow": "101"}),
        ({"head_branch": "dev"}, {"branch": "main"}),
        ({"head_branch": "dev"}, {"ref": "refs/heads/main"}),
        ({"event": "push"}, {"event": "workflow_dispatch"}),
        ({"actor": {"login": "bot"}, "triggering_actor": {"login": "bot"}}, {"actor": "octocat"}),
        ({}, {"sha": "356a192b7913b04c54574d18c28d46e6395428ab"}),  # of run number 1
        ({}, {"sha": "356A192"}),
        ({"title": "Deploy 12345"}, {"inputs": {"id": "1234"}}),
        ({"title": "Deploy 01234"}, {"inputs": {"id": "1234"}}),
        ({"title": "Deploy staging"}, {"inputs": {"where": "prod-eu", "dry": True}}),
    ],
)
def test_each_key_tells_runs_apart(ask: Asker, github: GitHub, other: dict[str, Any], config: dict[str, Any]) -> None:
    mine = github.add_run(title="Deploy prod-eu 1234")
    github.add_run(**other)
    assert ask(**config).status is CheckStatus.PENDING
    assert ask.memory["run_id"] == mine


def test_the_ref_behind_the_path_of_a_run_is_no_part_of_the_file(ask: Asker, github: GitHub) -> None:
    run = github.add_run(path=".github/workflows/deploy.yml@refs/heads/main")
    assert ask(workflow="deploy.yml").detail == "deploy.yml #1: queued"
    assert ask.memory["run_id"] == run


def test_several_that_fit_are_told_and_none_is_taken(ask: Asker, github: GitHub) -> None:
    one, two = github.add_run(title="Deploy A", head_branch="dev"), github.add_run(title="Deploy B", status="completed")
    github.set(two, conclusion="success")
    result = ask(workflow="deploy.yml")
    assert result.status is CheckStatus.ATTENTION
    for word in (str(one), str(two), "Deploy A", "Deploy B", f"/actions/runs/{one}", "run_id or branch or sha"):
        assert word in result.detail
    assert "actor" not in result.detail
    assert len(result.detail) <= 500
    assert ask.remembered == []
    assert ask(workflow="deploy.yml", ref="main").status is CheckStatus.SUCCESS


@pytest.mark.parametrize("skew", [-7200.0, -40.0, 0.0, 40.0, 7200.0])
def test_a_clock_that_differs_from_githubs_changes_nothing(
    ask: Asker, github: GitHub, clock: Clock, skew: float
) -> None:
    github.skew = skew
    github.add_run(age=40.0, status="completed", conclusion="success")
    github.add_run(age=20.0, status="completed", conclusion="success")
    result = ask(workflow="deploy.yml")
    assert result.status is CheckStatus.PENDING
    assert "deploy.yml #2, began before the stage" in result.detail
    assert ask.remembered == []
    clock.at += 5
    run = github.add_run()
    clock.at += 5
    ask(workflow="deploy.yml")
    assert ask.memory["run_id"] == run


@pytest.mark.parametrize("conclusion", ["success", "failure"])
def test_without_a_date_nobody_can_tell_so_a_person_is_asked(ask: Asker, github: GitHub, conclusion: str) -> None:
    github.skew = None
    github.add_run(age=70.0)
    run = github.add_run(age=50.0, status="in_progress")
    assert ask(workflow="deploy.yml").status is CheckStatus.PENDING
    assert ask.memory["run_id"] == run
    github.set(run, status="completed", conclusion=conclusion)
    result = ask(workflow="deploy.yml")
    assert result.status is CheckStatus.ATTENTION
    assert f"no answer had a Date, so nobody can tell whether it began since the stage; if {run} is" in result.detail
    assert result.url == github.run(run)["html_url"]
    assert ask(workflow="deploy.yml", run_id=run).status.value == conclusion


def test_without_a_date_the_runs_own_id_and_a_late_beginning_are_proof(
    ask: Asker, github: GitHub, clock: Clock
) -> None:
    github.skew = None
    done = {"status": "completed", "conclusion": "success"}
    github.add_run(title=f"Deploy {RUN}", **done)
    assert ask(workflow="deploy.yml", inputs={"id": RUN}).status is CheckStatus.SUCCESS
    ask.next_check("ship")
    clock.at += 61
    github.add_run(**done)
    assert ask(workflow="deploy.yml").status is CheckStatus.SUCCESS


def test_a_date_that_comes_later_tells_of_what_was_found_without(ask: Asker, github: GitHub, clock: Clock) -> None:
    github.skew = None
    github.add_run(age=20.0, status="completed", conclusion="success")
    assert ask(workflow="deploy.yml").status is CheckStatus.ATTENTION
    github.skew = 0.0
    result = ask(workflow="deploy.yml")
    assert result.status is CheckStatus.PENDING
    assert "deploy.yml #1, began before the stage" in result.detail
    clock.at += 5
    run = github.add_run(status="completed", conclusion="success")
    assert ask(workflow="deploy.yml").status is CheckStatus.SUCCESS
    assert ask.memory["run_id"] == run


# ------------------------------------------------------------------ runs from before the stage


def test_the_next_stage_of_a_chain_waits_for_a_run_of_its_own(ask: Asker, github: GitHub, clock: Clock) -> None:
    """Stage after stage types the same command, and begins in the second in which the run before has succeeded."""
    ask.typed = DISPATCHED
    one = github.add_run()
    clock.at += 1.5  # the whole run is within what the clocks allow for
    github.set(one, status="completed", conclusion="success", updated_at=stamp(clock.at))
    assert ask().status is CheckStatus.SUCCESS
    ask.next_check("ship")
    for _ in range(2):
        result = ask()
        assert result.status is CheckStatus.PENDING
        assert "deploy.yml #1, began before the stage" in result.detail
    assert ask.memory == {}
    two = github.add_run(status="completed", conclusion="success")
    assert ask().status is CheckStatus.SUCCESS
    assert ask.memory["run_id"] == two


def test_a_second_attempt_waits_for_a_run_of_its_own(ask: Asker, github: GitHub, clock: Clock) -> None:
    """A stage that is tried again types its command again, with the same id of the Run."""
    ask.typed = (f"gh workflow run deploy.yml -f id={RUN}",)
    github.add_run(title=f"Deploy {RUN}", status="completed", conclusion="failure")
    assert ask().status is CheckStatus.FAILURE
    ask.next_check("deploy", attempt=2)
    assert ask().status is CheckStatus.PENDING
    two = github.add_run(title=f"Deploy {RUN}", status="completed", conclusion="success")
    assert ask().status is CheckStatus.SUCCESS
    assert ask.memory["run_id"] == two
    ask.next_check("deploy", attempt=3)
    assert ask().status is CheckStatus.PENDING


def test_without_a_date_an_earlier_checks_run_is_none_either(ask: Asker, github: GitHub) -> None:
    github.skew = None
    run = github.add_run(status="completed", conclusion="success")
    ask.memory = {"run_id": run, "sure": True}
    ask.next_check("ship")
    assert ask(workflow="deploy.yml").status is CheckStatus.PENDING
    assert ask.remembered == []


@pytest.mark.parametrize(
    ("age", "over", "is_it"),
    [
        (4.8, None, False),
        (3.1, None, False),
        (1.9, None, True),  # GitHub's times are of whole seconds, and its clocks differ
        (1.9, 1.1, False),  # over before the stage
        (1.9, 0.0, True),
    ],
)
def test_a_run_of_somebody_else_from_before_the_stage_is_not_ours(
    ask: Asker, github: GitHub, age: float, over: float | None, is_it: bool
) -> None:
    ended = {} if over is None else {"status": "completed", "conclusion": "success", "updated_at": stamp(AT - over)}
    run = github.add_run(age=age, **ended)
    result = ask(workflow="deploy.yml")
    assert ask.memory.get("run_id") == (run if is_it else None)
    assert result.status is (CheckStatus.SUCCESS if is_it and ended else CheckStatus.PENDING)


def test_a_run_that_is_over_in_the_second_in_which_the_stage_began_is_ours(ask: Asker, github: GitHub) -> None:
    """A workflow that cannot start is over at once; GitHub shows the whole second for both."""
    ask.started_at = AT + 0.7
    run = github.add_run(age=-0.8, status="completed", conclusion="startup_failure")
    assert ask(workflow="deploy.yml").status is CheckStatus.FAILURE
    assert ask.memory["run_id"] == run


def test_an_empty_answer_is_not_yet_no_run(ask: Asker, github: GitHub, clock: Clock) -> None:
    ask.typed = DISPATCHED
    for _ in range(3):
        result = ask()
        assert (result.status, result.detail) == (CheckStatus.PENDING, "no run of deploy.yml yet")
    clock.at += 121
    result = ask()
    assert result.status is CheckStatus.PENDING
    assert "path" in result.detail
    assert "disabled" in result.detail
    assert github.paths().count("/actions/workflows/deploy.yml") == 1
    assert "for the commit 0123456" in ask(sha="0123456").detail


def test_a_workflow_that_is_not_there_is_named_and_looked_for_again(ask: Asker, github: GitHub, clock: Clock) -> None:
    result = ask(workflow="depoly.yml")
    assert result.status is CheckStatus.UNKNOWN
    assert "HTTP 404: the workflow depoly.yml of owner/name is not there, or the token has no access" in result.detail
    ask(workflow="depoly.yml")
    assert github.paths().count("/actions/workflows/depoly.yml") == 1
    github.add_workflow("depoly.yml", "Later")
    clock.at += 61
    assert ask(workflow="depoly.yml").status is CheckStatus.PENDING


def test_a_disabled_workflow_is_said_to_be(ask: Asker, github: GitHub) -> None:
    github.add_workflow("off.yml", "Off", "disabled_inactivity")
    result = ask(workflow="off.yml")
    assert result.status is CheckStatus.UNKNOWN
    assert "disabled" in result.detail


def test_further_pages_are_read_while_their_runs_are_new_enough(ask: Asker, github: GitHub) -> None:
    github.page = 3
    for _ in range(4):
        github.add_run(age=100.0)
    mine = github.add_run(workflow="deploy.yml")
    for _ in range(7):
        github.add_run(workflow="lint.yml")
    ask(workflow="deploy.yml")
    assert ask.memory["run_id"] == mine
    lists = [path for path in github.paths() if path.startswith("/actions/runs?")]
    assert lists == ["/actions/runs?per_page=100", *(f"/actions/runs?per_page=100&page={page}" for page in (2, 3))]


def test_a_list_without_end_is_not_read_to_it(ask: Asker, github: GitHub) -> None:
    github.page = 1
    github.add_run(title="first")
    for _ in range(9):
        github.add_run(workflow="lint.yml")
    assert ask(workflow="deploy.yml").status is CheckStatus.PENDING
    assert len([path for path in github.paths() if path.startswith("/actions/runs?")]) == 5
    run = github.add_run(title=f"Deploy {RUN}")
    result = ask(workflow="deploy.yml")
    assert result.status is CheckStatus.ATTENTION
    assert str(run) in result.detail
    assert ask.remembered == []
    ask(workflow="deploy.yml", inputs={"id": RUN})
    assert ask.memory["run_id"] == run


def test_a_next_page_elsewhere_gets_no_token(ask: Asker, github: GitHub) -> None:
    with GitHub() as other:
        link = f'<{other.url}/repos/owner/name/actions/runs?page=2>; rel="next"'
        github.add_run(workflow="lint.yml")
        github.fail("actions/runs", Reply.of_json({"workflow_runs": [github.runs[0]]}, Link=link))
        ask(workflow="deploy.yml")
        assert other.requests == []


def test_while_it_is_looked_for_a_list_that_has_not_changed_costs_nothing(ask: Asker, github: GitHub) -> None:
    github.add_run(workflow="lint.yml")
    ask(workflow="deploy.yml")
    used = github.rate.used
    ask(workflow="deploy.yml")
    assert github.rate.used == used


# ------------------------------------------------------------------- the wrong one at first


def test_before_the_end_counts_another_run_that_may_be_meant_is_looked_for(
    ask: Asker, github: GitHub, clock: Clock
) -> None:
    """Somebody else's run came first; ours is in the list a moment later."""
    ask.typed = DISPATCHED
    other = github.add_run(title="of somebody else")
    assert ask().status is CheckStatus.PENDING
    assert ask.memory["run_id"] == other
    clock.at += 2
    github.add_run(title="mine")
    github.set(other, status="completed", conclusion="success")
    result = ask()
    assert result.status is CheckStatus.ATTENTION
    assert "mine" in result.detail
    assert ask().status is CheckStatus.ATTENTION


def test_a_later_run_does_not_make_the_first_one_doubtful(ask: Asker, github: GitHub, clock: Clock) -> None:
    ask.typed = DISPATCHED
    run = github.add_run()
    ask()
    clock.at += 100
    github.add_run(title="the next one")
    github.set(run, status="completed", conclusion="failure")
    assert ask().status is CheckStatus.FAILURE
    assert ask.memory["sure"] is True
    lists = [request for request in github.requests if "/actions/runs?" in request.path]
    assert len(lists) == 2
    assert "if-none-match" not in lists[1].headers, "a list is large, and is kept only while it is looked through"
    github.forget()
    assert ask().status is CheckStatus.FAILURE
    assert github.paths() == [f"/actions/runs/{run}"]


def test_the_runs_own_id_in_the_title_corrects_a_first_guess(ask: Asker, github: GitHub) -> None:
    ask.typed = (f"gh workflow run deploy.yml -f id={RUN} -f where=prod",)
    other = github.add_run(title="Deploy prod 11111111", status="completed", conclusion="success")
    github.add_run(title=f"Deploy prod {RUN}", status="in_progress")
    github.set(github.runs[1]["id"], hidden=True)
    mine = github.runs[1]["id"]
    github.set(other, status="in_progress", conclusion=None, run_attempt=3)
    ask()
    assert ask.memory["run_id"] == other
    github.set(mine, hidden=False)
    github.set(other, status="completed", conclusion="success")
    assert ask().status is CheckStatus.PENDING
    assert (ask.memory["run_id"], ask.memory["sure"], ask.memory["attempt"]) == (mine, True, 1)
    assert github.run(mine)["html_url"] == ask().url


@pytest.mark.parametrize(
    ("value", "id", "is_proof"),
    [
        (RUN, f"{RUN}/deploy/1/check1", True),
        (f"deploy-{RUN}-2", f"{RUN}/deploy/2/check1", True),
        ("v1.10.0-rc1", f"{RUN}/deploy/1/check1", False),
        ("7f3a9c21", f"{RUN}/deploy/1/check1", False),
        (RUN, "018bcfe5681a11a5c99/deploy/1/check1", False),
        (RUN, RUN, False),
        (RUN, "by-hand", False),
    ],
)
def test_only_the_runs_own_id_proves_which_run_it_is(
    ask: Asker, github: GitHub, value: str, id: str, is_proof: bool
) -> None:
    github.add_run(title=f"Deploy {value}")
    ask.id = id
    ask(workflow="deploy.yml", inputs={"x": value})
    assert ask.memory.get("sure", False) is is_proof


def test_a_colleague_who_gives_the_same_version_is_not_taken_for_us(ask: Asker, github: GitHub) -> None:
    ask.typed = ("gh workflow run deploy.yml -f version=v1.10.0-rc1",)
    theirs = github.add_run(title="Deploy v1.10.0-rc1")
    ask()
    github.add_run(title="Deploy v1.10.0-rc1")
    github.set(theirs, status="completed", conclusion="success")
    result = ask()
    assert result.status is CheckStatus.ATTENTION
    assert "add run_id" in result.detail
    assert "`run-name` show an input with ${run.id}" in result.detail


def test_a_run_that_is_on_two_pages_is_one(ask: Asker, github: GitHub) -> None:
    """Another run began while the pages were read, and the rows moved on."""
    github.add_run(workflow="lint.yml")
    run = github.add_run()
    github.page = 1
    github.fail("page=2", Reply.of_json({"workflow_runs": [github.run(run)]}))
    assert ask(workflow="deploy.yml").status is CheckStatus.PENDING
    assert ask.memory["run_id"] == run


def test_a_list_that_cannot_be_had_leaves_the_end_open(ask: Asker, github: GitHub) -> None:
    ask.typed = DISPATCHED
    run = github.add_run()
    ask()
    github.set(run, status="completed", conclusion="success")
    github.fail(r"actions/runs\?", said(502, "Bad gateway"))
    assert ask().status is CheckStatus.UNKNOWN
    assert ask().status is CheckStatus.SUCCESS


def test_a_run_that_is_named_is_not_looked_for(ask: Asker, github: GitHub) -> None:
    run = github.add_run(status="completed", conclusion="success", age=90_000.0)
    github.add_run()
    for run_id in (run, str(run)):
        assert ask(run_id=run_id).status is CheckStatus.SUCCESS
    assert {path.partition("?")[0] for path in github.paths()} == {f"/actions/runs/{run}"}
    assert ask.started_at == AT
