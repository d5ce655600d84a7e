"""An attempt and the clock: what is due, when to look again, and time that does not count."""

from __future__ import annotations

from dataclasses import replace

from tmux_sentry.engine import asking, attempts, evidence, external
from tmux_sentry.engine.builder import Builder
from tmux_sentry.engine.conditions import stage_leaves
from tmux_sentry.engine.run import PENDING, REJECTED, RUNNING, TIMED_OUT, Attempt, Phase, Run
from tmux_sentry.policy.model import IdleFor


def due(b: Builder) -> None:
    """Time has passed: whichever deadline was reached. A rest that is over is ended by `stages.go_on`."""
    b.run = replace(b.run, looked_at=b.now)
    attempt = b.attempt
    if attempt is None:
        return
    if attempt.phase is Phase.APPROVING:
        why = asking.due(b)
        if why is not None:
            attempts.conclude(b, REJECTED, why)
    elif attempt.held is None and attempt.phase is not Phase.RESTING and not b.run.limited:
        _due_while_acting(b, attempt)


def _due_while_acting(b: Builder, attempt: Attempt) -> None:
    if attempt.phase is not Phase.ENDING:
        external.give_up_reruns(b)
        late = external.overdue(b.attempt or attempt, b.now)
        over = attempt.deadline is not None and b.now >= attempt.deadline
        if over and late is None:
            late = f"not decided after {b.stage.timeout:g} s{external.last_seen(attempt)}"
        if late is not None and not external.awaits_last(b, every=over):
            attempts.conclude(b, TIMED_OUT, late)
            return
        if attempt.echo_until is not None and b.now >= attempt.echo_until:
            evidence.no_echo(b)
    if attempt.wait_until is not None and b.now >= attempt.wait_until:
        b.update(wait_until=None)
        attempts.go(b)
    else:
        attempts.look(b)


def next_due(run: Run) -> float | None:
    """The earliest time at which `due` would find something, epoch seconds."""
    attempt = run.attempt
    if attempt is None or not run.open or run.unreachable:
        return None
    if attempt.phase is Phase.APPROVING:
        return asking.next_due(attempt)
    if attempt.held is not None or (run.limited and attempt.phase is not Phase.RESTING):
        return None
    times = [attempt.wait_until]
    if not attempt.phase.decided:
        times += [external.put_off(attempt), attempt.echo_until, *external.times(attempt), *_silences(run, attempt)]
    return min((at for at in times if at is not None), default=None)


def _silences(run: Run, attempt: Attempt) -> list[float]:
    """When an `idle_for` comes true, unless the attempt was looked at since."""
    stage = run.pipeline.stage(attempt.stage)
    if stage is None or run.last_output_at is None or not attempt.armed:
        return []
    times = [run.last_output_at + leaf.seconds for leaf in stage_leaves(stage) if isinstance(leaf, IdleFor)]
    return [at for at in times if run.looked_at is None or at > run.looked_at]


def go_away(b: Builder) -> None:
    """Nobody can watch the pane: its clocks stop."""
    if not b.run.unreachable:
        b.run = replace(b.run, away_since=b.now)


def come_back(b: Builder, away: float) -> None:
    """The pane was resynchronised: its clocks go on, and what was seen meanwhile is judged."""
    if b.run.away_since is not None:
        away = max(away, b.now - b.run.away_since)
    b.run = replace(b.run, away_since=None, last_output_at=b.now)
    attempt = b.attempt
    if attempt is None:
        return
    if attempt.held_at is not None:
        # The time of the hold is given back when the hold ends; only what was before it is given back here.
        b.update(held_at=attempt.held_at + min(away, b.now - attempt.held_at))
    _shift(b, away)
    attempts.look(b)


def release(b: Builder) -> None:
    """The hold is over; deadlines go on from where they stood."""
    attempt = b.attempt
    assert attempt is not None
    assert attempt.held_at is not None
    _shift(b, b.now - attempt.held_at)
    attempt = b.update(held=None, held_at=None)
    if attempt.phase in (Phase.ACTING, Phase.WATCHING):
        b.record(attempt, *((PENDING, attempts.UNTYPED) if attempt.started_at is None else (RUNNING,)))


def give_back(b: Builder, since: float) -> None:
    """The agent was at its usage limit since then: that time does not count, nor does it twice for what is held."""
    attempt = b.attempt
    if attempt is None:
        return
    until = b.now if attempt.held_at is None else attempt.held_at
    _shift(b, max(until - max(since, attempt.started_at or since), 0.0))


def _shift(b: Builder, away: float) -> None:
    attempt = b.attempt
    assert attempt is not None

    def later(at: float | None) -> float | None:
        return None if at is None else at + away

    b.update(
        deadline=later(attempt.deadline),
        wait_until=later(attempt.wait_until),
        echo_until=later(attempt.echo_until),
        check_deadlines={key: at + away for key, at in attempt.check_deadlines.items()},
        check_reruns={key: at + away for key, at in attempt.check_reruns.items()},
        check_last={key: at + away for key, at in attempt.check_last.items()},
    )
