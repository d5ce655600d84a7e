"""How far a run is, and where it failed, from its jobs."""

from __future__ import annotations

from collections.abc import Sequence

from tmux_sentry import clean
from tmux_sentry_check_github.wire import Job, Step

_FAILED = ("failure", "timed_out", "startup_failure", "cancelled", "action_required", "stale")


def percent(jobs: Sequence[Job]) -> float | None:
    """0 to 100: of each job the steps that are done, all jobs alike; None where nothing is known.

    Jobs that wait have no steps yet: counting steps alone would go back when they begin.
    """
    return 100.0 * sum(map(_done, jobs)) / len(jobs) if jobs else None


def where(jobs: Sequence[Job]) -> str:
    """What runs now: "build: step 3 of 7 Run tests"; "" when nothing does."""
    running = [job for job in jobs if job.status == "in_progress"]
    if not running:
        return ""
    job = running[0]
    text = clean(job.name, 80)
    now = [number for number, step in enumerate(job.steps) if step.status == "in_progress"]
    if now:
        text += f": step {now[0] + 1} of {len(job.steps)} {clean(job.steps[now[0]].name, 80)}"
    return text + (f" (and {len(running) - 1} more)" if len(running) > 1 else "")


def failed(jobs: Sequence[Job]) -> tuple[Job, str] | None:
    """The job that failed first, with the words "job build, step Run tests"; None when none says so."""
    by_kind = sorted((job for job in jobs if job.conclusion in _FAILED), key=lambda job: _FAILED.index(job.conclusion))
    if not by_kind:
        return None
    job = by_kind[0]
    step = _failed_step(job.steps)
    words = f"job {clean(job.name, 80)}" + (f", step {clean(step.name, 80)}" if step is not None else "")
    alike = sum(other.conclusion == job.conclusion for other in by_kind) - 1
    return job, words + (f" (and {alike} more)" if alike else "")


def _failed_step(steps: Sequence[Step]) -> Step | None:
    return next((step for step in steps if step.conclusion in _FAILED), None)


def _done(job: Job) -> float:
    if job.status == "completed":
        return 1.0
    return sum(step.status == "completed" for step in job.steps) / len(job.steps) if job.steps else 0.0
