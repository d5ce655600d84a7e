"""What a run says, as the answer of a check."""

from __future__ import annotations

from dataclasses import replace

from tmux_sentry import CheckRequest, CheckResult, CheckStatus, HttpError, clean
from tmux_sentry_check_github import gates, logs, progress, wire
from tmux_sentry_check_github.api import Api, Trouble, problem
from tmux_sentry_check_github.memory import Memory, write
from tmux_sentry_check_github.wanted import Wanted
from tmux_sentry_check_github.wire import Job, Run

_RUNS = frozenset({"queued", "in_progress", "requested", "pending", "waiting"})
#: A run that is over and did not succeed; only `success` is success.
_ENDS = {
    "failure": "failed",
    "timed_out": "ran out of time",
    "startup_failure": "could not start: is the workflow's file right?",
    "cancelled": "was cancelled",
    "neutral": "ended neutral, which is no success",
    "skipped": "was skipped, which is no success",
    "stale": "was given up by GitHub as stale",
}


def follow(
    api: Api, wanted: Wanted, request: CheckRequest, memory: Memory, run_id: int
) -> tuple[CheckResult, Memory, Run]:
    """Ask for the run once. Raises Trouble and HttpError where nothing is known of it."""
    what = f"the run {run_id} of {wanted.repository}"
    got = api.get(wanted.url(f"actions/runs/{run_id}"), wire.run, what)
    run = got.data
    if run.id != run_id:
        raise Trouble(f"GitHub was asked for {what} and answered with another")
    seen = memory.attempt if memory.run_id == run_id else 0
    if run.attempt < seen:
        # Not every server of GitHub has heard of the re-run: what this one says is over.
        detail = f"{_label(run)}: attempt {seen} has begun, and GitHub still shows an earlier one"
        return CheckResult(status=CheckStatus.PENDING, detail=detail, url=run.url), memory, run
    if run.attempt > seen or memory.run_id != run_id:
        memory = write(request, memory, run_id=run_id, attempt=run.attempt)
    told = api.memo.told
    if told is not None and told[0] == run and not _moves(api, run, got.changed):
        return told[1], memory, run
    result, is_whole = _told(api, wanted, run)
    api.memo.told = (run, result) if is_whole else None
    return result, memory, run


def _moves(api: Api, run: Run, changed: bool) -> bool:
    """Whether to look at what moves on while the run itself stays as it is: its jobs, its gates.

    Without a token that costs too much; for the jobs every other question is enough.
    """
    if run.status not in ("in_progress", "waiting"):
        return False
    if changed or not api.token:
        api.memo.rested = False
        return changed
    api.memo.rested = run.status == "in_progress" and not api.memo.rested
    return not api.memo.rested


def _told(api: Api, wanted: Wanted, run: Run) -> tuple[CheckResult, bool]:
    """The answer, and whether all of it could be had: what is missing is asked for again."""
    if run.status == "completed":
        return _over(api, wanted, run)
    plain = CheckResult(status=CheckStatus.PENDING, detail=f"{_label(run)}: {clean(run.status, 40)}", url=run.url)
    if run.status == "in_progress":
        try:
            jobs, complete = _jobs(api, wanted, run)
        except (Trouble, HttpError) as error:
            return replace(plain, next_in=problem(error).next_in), False
        now = progress.where(jobs)
        done = progress.percent(jobs) if complete else None
        return replace(plain, detail=f"{_label(run)}: {now}" if now else plain.detail, percent=done), True
    if run.status == "waiting":
        url = wanted.url(f"actions/runs/{run.id}/pending_deployments")
        try:
            status, words = gates.told(api.get(url, wire.gates, "what it waits for").data)
        except (Trouble, HttpError) as error:
            status, words = gates.told(None)
            wait = problem(error).next_in
            return replace(plain, status=status, detail=f"{_label(run)} {words}", next_in=wait), False
        return replace(plain, status=status, detail=f"{_label(run)} {words}"), True
    if run.status in _RUNS:
        return plain, True
    words = f"has the status {clean(run.status, 40)!r}, which this version does not know"
    return replace(plain, status=CheckStatus.UNKNOWN, detail=f"{_label(run)} {words}"), True


def _over(api: Api, wanted: Wanted, run: Run) -> tuple[CheckResult, bool]:
    end = run.conclusion
    plain = CheckResult(status=CheckStatus.UNKNOWN, url=run.url)
    if end == "success":
        return replace(plain, status=CheckStatus.SUCCESS, detail=f"{_label(run)} succeeded", percent=100.0), True
    if end == "action_required":
        words = "needs somebody to approve it before it runs"
        return replace(plain, status=CheckStatus.ATTENTION, detail=f"{_label(run)} {words}"), True
    if end not in _ENDS:
        words = f"with {clean(end, 40)!r}, which this version does not know" if end else "and does not say how"
        return replace(plain, detail=f"{_label(run)} is completed {words}"), True
    failed = replace(plain, status=CheckStatus.FAILURE, detail=f"{_label(run)} {_ENDS[end]}")
    try:
        culprit = progress.failed(_jobs(api, wanted, run)[0])
    except (Trouble, HttpError):  # the run has said that it failed, whatever is wrong with its jobs
        return failed, False
    if culprit is None:
        return failed, True
    job, words = culprit
    log = ""
    if api.token and job.id:  # GitHub gives logs to nobody else, of public repositories neither
        log = logs.tail(api, wanted.url(f"actions/jobs/{job.id}/logs"))
    return replace(failed, detail=f"{failed.detail}: {words}", log_tail=log), True


def _jobs(api: Api, wanted: Wanted, run: Run) -> tuple[tuple[Job, ...], bool]:
    """The jobs of this attempt, at most 100, and whether these are all."""
    url = wanted.url(f"actions/runs/{run.id}/attempts/{run.attempt}/jobs?per_page=100")
    return api.get(url, wire.jobs, "its jobs").data


def _label(run: Run) -> str:
    return clean(run.label, 120)
