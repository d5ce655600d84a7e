"""What a run says while it goes on, and at its end."""

from __future__ import annotations

import threading

import pytest
from github_api import GitHub, job, said
from github_asker import AT, TOKEN, Asker, Clock

from tmux_sentry import CheckStatus
from tmux_sentry.testing.provider import Reply
from tmux_sentry_check_github import wire
from tmux_sentry_check_github.api import Api, Trouble
from tmux_sentry_check_github.limits import Limits
from tmux_sentry_check_github.memo import ANSWERS, CHECKS, Kept, Memo, Memos


def conditional(github: GitHub) -> list[bool]:
    return ["if-none-match" in request.headers for request in github.requests]


def test_progress_comes_from_the_steps_of_the_jobs(ask: Asker, github: GitHub) -> None:
    run = github.add_run(status="in_progress")
    github.set_jobs(
        run,
        job(1, "lint", conclusion="success", steps="+Set up,+Lint"),
        job(2, "build", "in_progress", steps="+Set up,+Check out,>Run tests,Upload"),
        job(3, "deploy", "queued"),
    )
    result = ask(run_id=run)
    assert result.status is CheckStatus.PENDING
    assert result.detail == "deploy.yml #1: build: step 3 of 4 Run tests"
    assert result.percent == 50.0
    ask.restart()
    github.set_jobs(run, job(2, "a", "in_progress"), job(3, "b", "in_progress"))
    assert ask(run_id=run).detail == "deploy.yml #1: a (and 1 more)"


def test_a_run_that_has_not_changed_costs_nothing(ask: Asker, github: GitHub) -> None:
    run = github.add_run(status="queued")
    first = ask(run_id=run)
    used = github.rate.used
    github.forget()
    for _ in range(3):
        assert ask(run_id=run) == first
    assert github.paths() == [f"/actions/runs/{run}"] * 3
    assert conditional(github) == [True] * 3
    assert github.rate.used == used


def test_while_it_runs_the_jobs_are_asked_for_every_other_time_at_no_cost(ask: Asker, github: GitHub) -> None:
    run = github.add_run(status="in_progress")
    github.set_jobs(run, job(2, "build", "in_progress", steps=">One,Two"))
    ask(run_id=run)
    used = github.rate.used
    github.forget()
    for _ in range(4):
        assert "step 1 of 2" in ask(run_id=run).detail
    jobs = f"/actions/runs/{run}/attempts/1/jobs?per_page=100"
    assert github.paths() == [f"/actions/runs/{run}", f"/actions/runs/{run}", jobs] * 2
    assert conditional(github) == [True] * 6
    assert github.rate.used == used


def test_a_step_that_is_done_is_told_at_the_second_question_at_the_latest(ask: Asker, github: GitHub) -> None:
    run = github.add_run(status="in_progress")
    steps = ("+One,>Two,Three", "+One,+Two,>Three", "+One,+Two,+Three")
    github.set_jobs(run, job(2, "build", "in_progress", steps=">One,Two,Three"))
    ask(run_id=run)
    for done, now in enumerate(steps, 1):
        github.set_jobs(run, job(2, "build", "in_progress", steps=now))
        assert ask(run_id=run).percent == pytest.approx(100.0 * (done - 1) / 3)
        assert ask(run_id=run).percent == pytest.approx(100.0 * done / 3)


def test_when_the_run_itself_changes_its_jobs_are_looked_at_at_once(ask: Asker, github: GitHub) -> None:
    run = github.add_run(status="in_progress")
    github.set_jobs(run, job(2, "build", "in_progress", steps=">One,Two"))
    ask(run_id=run)
    github.set_jobs(run, job(2, "build", "in_progress", steps="+One,>Two"))
    github.set(run, updated_at="2023-11-14T22:15:00Z")
    assert "step 2 of 2" in ask(run_id=run).detail


def test_a_failure_names_job_and_step_and_is_read_once(ask: Asker, github: GitHub) -> None:
    run = github.add_run(status="completed", conclusion="failure")
    github.set_jobs(
        run,
        job(1, "lint", conclusion="success", steps="+Lint"),
        job(3, "late", conclusion="cancelled"),
        job(2, "build", conclusion="failure", steps="+Set up,!Run tests,+Clean up"),
    )
    github.logs[2] = b"2026-11-28T22:15:03.1234567Z npm ERR!\n"
    result = ask(run_id=run)
    assert result.status is CheckStatus.FAILURE
    assert result.detail == "deploy.yml #1 failed: job build, step Run tests"
    assert result.log_tail == "npm ERR!"
    github.forget()
    assert ask(run_id=run) == result
    assert github.paths() == [f"/actions/runs/{run}"]
    assert github.log_requests == []


def test_without_etags_a_failure_is_still_read_once(ask: Asker, github: GitHub) -> None:
    github.etags = False
    run = github.add_run(status="completed", conclusion="failure")
    github.set_jobs(run, job(2, "build", conclusion="failure"))
    result = ask(run_id=run)
    github.forget()
    assert ask(run_id=run) == result
    assert github.paths() == [f"/actions/runs/{run}"]


@pytest.mark.parametrize("trouble", [said(500, "x"), said(404, "Not Found"), Reply.of_json([]), Reply(how="reset")])
def test_a_failure_is_one_without_its_jobs_too(ask: Asker, github: GitHub, trouble: Reply) -> None:
    run = github.add_run(status="completed", conclusion="failure")
    github.set_jobs(run, job(2, "build", conclusion="failure"))
    github.fail("/jobs", trouble)
    assert (ask(run_id=run).status, ask(run_id=run).detail) == (
        CheckStatus.FAILURE,
        "deploy.yml #1 failed: job build",
    )


def test_trouble_with_the_jobs_leaves_a_run_running(ask: Asker, github: GitHub) -> None:
    run = github.add_run(status="in_progress")
    github.fail("/jobs", said(429, "slow down", Retry_After="90"))
    result = ask(run_id=run)
    assert (result.status, result.detail, result.next_in) == (CheckStatus.PENDING, "deploy.yml #1: in_progress", 90.0)


def test_of_more_jobs_than_one_page_no_percent_is_invented(ask: Asker, github: GitHub) -> None:
    run = github.add_run(status="in_progress")
    github.set_jobs(run, *(job(number, "x", "queued") for number in range(101)))
    assert ask(run_id=run).percent is None


# ------------------------------------------------------------------------------ re-runs


def test_a_rerun_after_a_failure_is_pending_and_its_end_counts(ask: Asker, github: GitHub) -> None:
    run = github.add_run(status="completed", conclusion="failure")
    github.set_jobs(run, job(2, "build", conclusion="failure"))
    assert ask(run_id=run).status is CheckStatus.FAILURE
    assert ask.memory["attempt"] == 1
    github.rerun(run)
    result = ask(run_id=run)
    assert (result.status, result.detail) == (CheckStatus.PENDING, "deploy.yml #1 (attempt 2): queued")
    assert ask.memory["attempt"] == 2
    github.set(run, status="completed", conclusion="success")
    assert ask(run_id=run).status is CheckStatus.SUCCESS


@pytest.mark.parametrize("restarted", [False, True])
def test_the_failure_of_an_old_attempt_is_not_told_of_the_new_one(ask: Asker, github: GitHub, restarted: bool) -> None:
    """One of GitHub's servers may not have heard of the re-run yet."""
    run = github.add_run(status="completed", conclusion="failure")
    github.rerun(run)
    assert ask(run_id=run).status is CheckStatus.PENDING
    if restarted:
        ask.restart()
    github.set(run, run_attempt=1, status="completed", conclusion="failure")
    assert ask(run_id=run).status is CheckStatus.PENDING


def test_what_is_remembered_of_another_run_says_nothing_of_this(ask: Asker, github: GitHub) -> None:
    ask.memory = {"run_id": 5, "attempt": 9}
    run = github.add_run(status="completed", conclusion="success")
    assert ask(run_id=run).status is CheckStatus.SUCCESS
    assert ask.memory["attempt"] == 1


def test_the_jobs_are_those_of_the_attempt(ask: Asker, github: GitHub) -> None:
    run = github.add_run(status="completed", conclusion="failure", run_attempt=2)
    github.set_jobs(run, job(2, "old", conclusion="failure"))
    github.set_jobs(run, job(3, "new", conclusion="failure"), attempt=2)
    assert "job new" in ask(run_id=run).detail


def test_a_rerun_that_begins_in_between_does_not_mix_its_jobs_in(ask: Asker, github: GitHub) -> None:
    run = github.add_run(status="completed", conclusion="failure")
    github.set_jobs(run, job(2, "old", conclusion="failure"))
    first = Reply.of_json(github.run(run))
    github.rerun(run)
    github.set_jobs(run, job(3, "new", conclusion="cancelled"), attempt=2)
    github.fail(rf"/{run}$", first)
    assert "job old" in ask(run_id=run).detail


# ------------------------------------------------------------------------------ waiting


def gate(name: str, timer: int = 0, *reviewers: str) -> dict[str, object]:
    people = [{"type": "User", "reviewer": {"login": one}} for one in reviewers]
    return {"environment": {"name": name}, "wait_timer": timer, "reviewers": people, "current_user_can_approve": True}


def test_a_review_is_named_with_its_environment_and_its_people(ask: Asker, github: GitHub) -> None:
    run = github.add_run(status="waiting")
    github.pending[run] = [gate("staging", 30), gate("production", 0, "ana", "ben")]
    result = ask(run_id=run)
    assert result.status is CheckStatus.ATTENTION
    assert result.detail == "deploy.yml #1 waits for a review: production (by ana, ben)"
    assert result.url == github.run(run)["html_url"]
    github.pending[run] = [gate("staging", 30)]
    result = ask(run_id=run)
    assert result.status is CheckStatus.PENDING
    assert result.detail == "deploy.yml #1 waits for the timer of staging, 30 minutes"


def test_what_github_does_not_name_needs_somebody_to_look(ask: Asker, github: GitHub) -> None:
    run = github.add_run(status="waiting")
    assert ask(run_id=run).status is CheckStatus.ATTENTION
    github.pending[run] = [gate("production")]
    assert "a protection rule of production" in ask(run_id=run).detail
    github.fail("pending_deployments", said(403, "Forbidden"))
    assert ask(run_id=run).status is CheckStatus.ATTENTION


# ------------------------------------------------------------------------- hostile answers


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "file:///etc/passwd", "http://", "https://x/" + "a" * 600, "https://a b/", 7, None]
)
def test_only_web_addresses_are_links(ask: Asker, github: GitHub, url: object) -> None:
    run = github.add_run(html_url=url)
    assert ask(run_id=run).url == ""


def test_answers_of_every_kind_are_read(ask: Asker, github: GitHub) -> None:
    kinds: list[object] = [None, True, -1, 2**70, 1.5, "x" * 100_000, [], [[]], {}, {"name": {}}]
    for kind in kinds:
        run = github.add_run(status="in_progress")
        github.jobs[run, 1] = [{"id": kind, "name": kind, "status": kind, "conclusion": kind, "steps": kind}, {}]
        github.set(run, **dict.fromkeys(("run_number", "path", "name", "head_sha", "actor", "created_at"), kind))
        result = ask(run_id=run)
        assert result.status is CheckStatus.PENDING
        assert len(result.detail) < 1000
        github.set(run, status="waiting", run_attempt=kind)
        github.pending[run] = [{"environment": kind, "wait_timer": kind, "reviewers": kind}]
        assert ask(run_id=run).status in (CheckStatus.ATTENTION, CheckStatus.PENDING)
        github.set(run, run_attempt=1, status="completed", conclusion="failure")
        github.jobs[run, 1] = [{"id": kind, "conclusion": "failure", "steps": [kind, {"conclusion": "failure"}]}]
        assert ask(run_id=run).status is CheckStatus.FAILURE
        github.runs.clear()


def test_a_truth_is_no_number() -> None:
    assert [wire.whole({"n": value}, "n") for value in (True, 1, -1, "1", 1.0, 2**63, None)] == [0, 1, 0, 0, 0, 0, 0]


def test_a_list_of_jobs_that_is_none_is_no_end(ask: Asker, github: GitHub) -> None:
    run = github.add_run(status="in_progress")
    for data in (None, 3, {"jobs": None}, {"jobs": {"a": 1}}):
        github.fail("/jobs", Reply.of_json(data))
        assert ask(run_id=run).status is CheckStatus.PENDING


def test_several_checks_at_once_keep_to_their_own_runs(ask: Asker, github: GitHub, clock: Clock) -> None:
    runs = [github.add_run(status="completed", conclusion=end) for end in ("success", "failure") * 6]
    found: dict[int, CheckStatus] = {}

    def watch(number: int, run: int) -> None:
        one = Asker(github, clock)
        one.checker, one.id = ask.checker, f"check{number}"
        for _ in range(5):
            found[number] = one(run_id=run).status

    threads = [threading.Thread(target=watch, args=pair) for pair in enumerate(runs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == {n: CheckStatus.FAILURE if n % 2 else CheckStatus.SUCCESS for n in range(12)}


def test_what_is_kept_of_checks_is_bounded() -> None:
    memos = Memos()
    first, second = memos.of("first"), memos.of("second")
    for number in range(CHECKS - 2):
        memos.of(f"check{number}")
    assert memos.of("first") is first
    memos.of("one more")
    assert len(memos) == CHECKS
    assert memos.of("first") is first
    assert memos.of("second") is not second
    assert memos.of("by-hand") is not memos.of("by-hand"), "these are many questions with one name"
    for number in range(99):
        first.keep(f"url{number}", Kept(etag='"x"', data=None, following=""))
    assert (len(first.answers), "url98" in first.answers) == (ANSWERS, True)


def test_a_slow_github_does_not_hold_a_question_for_longer_than_the_core_waits(github: GitHub) -> None:
    ticks = [100.0]
    api = Api(github.url, TOKEN, limits=Limits(), memo=Memo(), now=AT, ticks=lambda: ticks[0])
    url = f"{github.url}/repos/owner/name/actions/runs/{github.add_run()}"
    assert api.get(url, wire.run, "it").data.number == 1
    ticks[0] += 21
    with pytest.raises(Trouble, match="too slowly"):
        api.get(url, wire.run, "it")
    assert len(github.requests) == 1
