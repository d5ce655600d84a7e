"""A usage limit of the agent: told, waited for, gone on from as the policy's `on_limit` says. Pure, as the machine is.

What is done about one is in `resuming`.

`look` runs at the end of every step. The agent's state alone says that a limit is there and when it is over, whoever
ended it; notices say how long it lasts. Meanwhile the clocks of the stage stand.

    (limited) -> waiting -> sending -> leaving -> over
                    ^                     |         |
                    +------ in vain ------+         | the limit soon comes again
                    +-------------------------------+
                    +--> stuck      no reset time, or max_tries: held, nothing more is typed
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tmux_sentry.contracts import AgentState
from tmux_sentry.engine import replying, resuming, timing
from tmux_sentry.engine.builder import Builder
from tmux_sentry.engine.events import AboutToSend, Send, SendDone, SendHeld, SendMoot, StopSend
from tmux_sentry.engine.limited import GRACE, SETTLED, SLOP, TAKEN, Limited, LimitNotice, Standing
from tmux_sentry.engine.run import Run


def seen(b: Builder, found: Iterable[LimitNotice], *, screen: bool) -> None:
    """Take in what an observation says of limits; of a capture that says nothing, that it does."""
    bar = replying.bar(b)
    sure = [notice for notice in found if notice.confidence >= bar]
    if sure or screen:
        b.run = replace(b.run, notice=sure[-1] if sure else None)


def look(b: Builder) -> None:
    """Go on with the limit in hand, or with the one that has come."""
    run, known = b.run, b.run.limit
    if not run.open or run.gone is not None:
        if known is not None and known.action_id is not None:
            b.emit(StopSend(action_id=known.action_id))
        b.run = replace(b.run, limit=None, notice=None)
        return
    if run.unreachable:
        return
    if run.agent_state is not AgentState.LIMITED:
        if known is not None and known.stands:
            _over(b, known)
        return
    known = known if known is not None and known.stands else _begin(b, known)
    known = resuming.tell(b, _read(b, _of_attempt(b, known)))
    b.run = replace(b.run, limit=known)
    resuming.go_on(b, known)


def next_due(run: Run) -> float | None:
    """When `look` would find something to do, epoch seconds."""
    limit = run.limit
    if limit is None or not limit.stands or run.agent_state is not AgentState.LIMITED:
        return None
    times = [limit.leave_by if limit.standing is Standing.LEAVING else None]
    if not limit.told and limit.until is None and limit.standing is Standing.WAITING:
        times.append(limit.seen_at + GRACE)
    attempt = run.attempt
    if limit.standing is Standing.WAITING and attempt is not None and resuming.may_act(attempt):
        rule = resuming.rule_of(run)
        times.append(resuming.due_at(limit, rule) if rule.resume else None)
    return min((at for at in times if at is not None), default=None)


def come_back(b: Builder, away: float) -> None:
    """The pane was resynchronised; the time without it does not count. Before `timing.come_back` gives that back."""
    limit = b.run.limit
    if limit is None:
        return
    if b.run.away_since is not None:
        away = max(away, b.now - b.run.away_since)
    leave_by = None if limit.leave_by is None else limit.leave_by + away
    b.run = replace(b.run, limit=replace(limit, since=min(b.now, limit.since + away), leave_by=leave_by))


def released(b: Builder, held_at: float, *, again: bool) -> None:
    """A person has ended the hold, whose time is given back already; `again`: and wants the message typed now."""
    limit = b.run.limit
    if limit is None:
        return
    if limit.stands:
        limit = replace(limit, since=limit.since + b.now - max(held_at, limit.since))
    if again and limit.standing is Standing.STUCK:
        now = b.now - resuming.rule_of(b.run).slack
        limit = replace(limit, standing=Standing.WAITING, tries=0, until=now, seen_at=now, zone="")
    b.run = replace(b.run, limit=limit)


# ------------------------------------------------------------------- what comes back


def about_to_send(b: Builder, event: AboutToSend) -> None:
    """What the message says is no event, when the agent shows it."""
    limit, attempt = _sent(b, event.action_id), b.attempt
    if limit is None or attempt is None or (attempt.stage, attempt.number) != (limit.stage, limit.attempt):
        return
    send = resuming.send_in_hand(b.run)
    if isinstance(send, Send) and send.keys.text not in attempt.typed:
        b.update(typed=(*attempt.typed, send.keys.text))


def send_done(b: Builder, event: SendDone) -> None:
    """The message is typed; whether the agent goes on, its state tells."""
    if (limit := _sent(b, event.action_id)) is None:
        return
    b.run = replace(b.run, last_output_at=b.now)
    _settle(b, limit)


def send_moot(b: Builder, event: SendMoot) -> None:
    """Nothing was typed: the agent was at no limit by then."""
    if (limit := _sent(b, event.action_id)) is not None:
        b.emit(StopSend(action_id=event.action_id))
        _settle(b, limit)


def send_held(b: Builder, event: SendHeld) -> None:
    """It was not typed, or that cannot be known: a person decides."""
    if (limit := _sent(b, event.action_id)) is not None:
        b.emit(StopSend(action_id=event.action_id))
        resuming.stuck(b, limit, event.reason)


# --------------------------------------------------------------------- what is seen


def _begin(b: Builder, before: Limited | None) -> Limited:
    """A limit has come. Soon after the last one was over, the tries for that go on."""
    new = Limited(since=b.now, seen_at=b.now, stage=resuming.here(b)[0], attempt=resuming.here(b)[1])
    if before is None or before.over_at is None:
        return new
    if before.action_id is not None:  # the message is still on its way
        new = replace(new, action_id=before.action_id, standing=Standing.SENDING)
    same = b.now - before.over_at < SETTLED and (before.stage, before.attempt) == (new.stage, new.attempt)
    # An agent that goes on for a moment again and again is told of once.
    return replace(new, tries=before.tries, told=before.told) if same else new


def _of_attempt(b: Builder, limit: Limited) -> Limited:
    """Another attempt has its own clocks and tries; a message for one that may not act any more is stopped."""
    here = resuming.here(b)
    if limit.action_id is not None and (here != (limit.stage, limit.attempt) or not resuming.may_act(b.attempt)):
        # The sender may be in the middle of it: another message now could be a second one.
        b.emit(StopSend(action_id=limit.action_id))
        limit = replace(limit, standing=Standing.LEAVING, action_id=None, leave_by=b.now + TAKEN)
    if here == (limit.stage, limit.attempt):
        return limit
    standing = Standing.WAITING if limit.standing is Standing.STUCK else limit.standing
    return replace(limit, stage=here[0], attempt=here[1], since=b.now, tries=0, standing=standing)


def _read(b: Builder, limit: Limited) -> Limited:
    """What the notice of now says more than the one that is known."""
    notice = b.run.notice
    if notice is None:
        return limit
    if limit.standing is Standing.LEAVING and notice.digest != limit.digest and (notice.until or 0.0) > b.now:
        return _take(resuming.again(b, limit), notice)
    if limit.standing not in (Standing.WAITING, Standing.STUCK):
        return limit
    if notice.digest == limit.digest and (limit.until is not None or notice.until is None):
        return limit
    return _take(limit, notice)


def _take(limit: Limited, notice: LimitNotice) -> Limited:
    until, zone = limit.until, limit.zone
    if notice.until is not None and (until is None or abs(notice.until - until) > SLOP):
        until, zone = notice.until, notice.zone
    return replace(limit, digest=notice.digest, text=notice.text, until=until, zone=zone)


def _over(b: Builder, limit: Limited) -> None:
    """The agent goes on, by our message, a person's, or by itself."""
    if (limit.stage, limit.attempt) == resuming.here(b):
        timing.give_back(b, limit.since)
    limit = replace(limit, standing=Standing.OVER, over_at=b.now, leave_by=None)
    b.run = replace(b.run, limit=limit, notice=None, last_output_at=b.now)


def _settle(b: Builder, limit: Limited) -> None:
    """No key of the message is on its way any more."""
    limit = replace(limit, action_id=None)
    if limit.standing is Standing.SENDING:
        limit = replace(limit, standing=Standing.LEAVING, leave_by=b.now + TAKEN)
    b.run = replace(b.run, limit=limit)


def _sent(b: Builder, action_id: str) -> Limited | None:
    limit = b.run.limit
    return limit if limit is not None and limit.action_id == action_id else None
