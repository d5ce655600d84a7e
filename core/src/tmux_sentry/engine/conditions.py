"""Conditions, three-valued: True, False, or None for unknown. Unknown is never success (nor its `not:`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from tmux_sentry.contracts import AgentState, CheckStatus, Signal
from tmux_sentry.engine.run import Attempt, Run
from tmux_sentry.policy.model import (
    AgentStateIs,
    AllOf,
    AnyOf,
    Condition,
    ExitCode,
    ExternalStatus,
    IdleFor,
    LogRegex,
    Not,
    SentryEvent,
    Stage,
)

#: RE2 is linear, but a line of output is still bounded.
LINE_LIMIT = 8192


def evaluate(condition: Condition, run: Run, attempt: Attempt, now: float) -> bool | None:
    """Whether `condition` holds for the attempt now."""
    match condition:
        case LogRegex() | SentryEvent():
            key = leaf_key(condition)
            return True if key in attempt.matched else None if key in attempt.unsearched else False
        case ExternalStatus():
            return _external(condition, attempt)
        case AgentStateIs():
            # Idle before the keys says nothing about after them; and a state that nobody can see may have changed.
            unknown = run.agent_state is AgentState.UNKNOWN or attempt.state_old or run.unreachable
            return None if unknown else run.agent_state in condition.states
        case ExitCode():
            return None if attempt.exit_code is None else attempt.exit_code in condition.codes
        case IdleFor():
            # An agent at its usage limit is silent, and has not finished.
            at = None if run.unreachable or run.limited else run.last_output_at
            return None if at is None else now - at >= condition.seconds
        case AnyOf():
            values = [evaluate(c, run, attempt, now) for c in condition.of]
            return True if True in values else None if None in values else False
        case AllOf():
            values = [evaluate(c, run, attempt, now) for c in condition.of]
            return False if False in values else None if None in values else True
        case Not():
            value = evaluate(condition.of, run, attempt, now)
            return None if value is None else not value


def _external(condition: ExternalStatus, attempt: Attempt) -> bool | None:
    statuses = set(attempt.checks.values())
    if not statuses or any(not CheckStatus(status).final for status in statuses):
        # With several checks, one that failed settles it; one that succeeded waits for the others.
        if condition.status == CheckStatus.FAILURE.value and CheckStatus.FAILURE.value in statuses:
            return True
        return None
    if condition.status == CheckStatus.SUCCESS.value:
        return statuses == {CheckStatus.SUCCESS.value}
    return condition.status in statuses


def leaf_key(leaf: LogRegex | SentryEvent) -> str:
    """The name under which an attempt remembers that a leaf was met once."""
    if isinstance(leaf, LogRegex):
        return f"log_regex {leaf.pattern}" if leaf.engine == "re2" else f"log_regex:{leaf.engine} {leaf.pattern}"
    return f"sentry {leaf.type} {leaf.stage} {leaf.ok}"


def leaves(conditions: Iterable[Condition]) -> Iterator[Condition]:
    """Every condition that is not a combination, in order."""
    for condition in conditions:
        if isinstance(condition, (AnyOf, AllOf)):
            yield from leaves(condition.of)
        elif isinstance(condition, Not):
            yield from leaves((condition.of,))
        else:
            yield condition


def stage_leaves(stage: Stage) -> list[Condition]:
    """Every leaf of the stage's success and failure conditions."""
    return list(leaves((*stage.success_when, *stage.failure_when)))


#: Whether a line of output matches; None when nobody can tell.
Search = Callable[[LogRegex, str], bool | None]


def matches_line(leaf: LogRegex, line: str) -> bool | None:
    """Whether a line of output matches; None for a pattern of another engine than RE2, see engine/patterns.py."""
    return found(leaf.pattern, line) if leaf.engine == "re2" else None


def matches_event(leaf: SentryEvent, signal: Signal, stage: str) -> bool:
    """Whether a SENTRY event is the one meant. An event without a stage is about the running one."""
    if leaf.type is not None and leaf.type.upper() != (signal.event_type or signal.kind.value.upper()):
        return False
    if (leaf.stage or stage) != (signal.stage or stage):
        return False
    return leaf.ok is None or leaf.ok == signal.ok


def passes(signal: Signal, stage: Stage) -> bool:
    """Whether the stage may act on the event; below its bar a Signal is shown, not acted on."""
    return signal.confidence >= stage.min_confidence and signal.trust >= stage.min_trust


def found(pattern: str, text: str) -> bool:
    """Whether RE2 finds `pattern` in `text`, which counts up to LINE_LIMIT; a lone surrogate, which UTF-8 cannot say,
    is a `?`."""
    return compiled(pattern).search(text[:LINE_LIMIT].encode("utf-8", "replace").decode("utf-8")) is not None


@lru_cache(maxsize=512)
def compiled(pattern: str) -> Any:
    """The RE2 program of a pattern that `policy.load` has accepted. RE2 writes nothing to stderr."""
    import re2

    from tmux_sentry.config.regex import options

    return re2.compile(pattern, options())
