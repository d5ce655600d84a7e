"""Whether what is known decides an attempt: pure rules, failure before success."""

from __future__ import annotations

from tmux_sentry.contracts import CheckStatus
from tmux_sentry.engine import external
from tmux_sentry.engine.conditions import evaluate, leaves
from tmux_sentry.engine.run import Attempt, Phase, Run
from tmux_sentry.policy.model import ExternalStatus, Stage


def is_judged(attempt: Attempt) -> bool:
    """Whether output counts for or against it: not while its first keys are still on their way."""
    return attempt.armed and (attempt.sent or attempt.action_id is None)


def failure(run: Run, stage: Stage, attempt: Attempt, now: float) -> str | None:
    """Why the attempt has failed; None when it has not."""
    if CheckStatus.FAILURE.value in attempt.checks.values() and not _wants_failure(stage):
        return f"the external check failed{external.last_seen(attempt)}"
    if not is_judged(attempt):
        return None
    if attempt.status_ok is False:
        return "STATUS ok false"
    for number, condition in enumerate(stage.failure_when):
        if evaluate(condition, run, attempt, now):
            return f"failure_when[{number}]"
    if not stage.success_when and attempt.phase is Phase.WATCHING and attempt.exit_code:
        return f"exit status {attempt.exit_code}"
    return None


def success(run: Run, stage: Stage, attempt: Attempt, now: float) -> str | None:
    """Why the attempt has succeeded; None when that is not known. Its actions must all have been carried out."""
    if attempt.phase is not Phase.WATCHING or not is_judged(attempt):
        return None
    if stage.success_when:
        met = all(evaluate(condition, run, attempt, now) is True for condition in stage.success_when)
        return "success_when" if met else None
    checks = set(attempt.checks.values())
    if checks and checks != {CheckStatus.SUCCESS.value}:
        return None
    if attempt.status_ok:
        return "STATUS ok true"
    if attempt.exit_code == 0:
        return "exit status 0"
    return "external check succeeded" if checks else None


def _wants_failure(stage: Stage) -> bool:
    """Whether success itself is defined by a check that fails (`external_status: failure` under success_when)."""
    wanted = ExternalStatus(status=CheckStatus.FAILURE.value)
    return wanted in leaves(stage.success_when)
