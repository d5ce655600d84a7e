"""The pipeline machine: `step(run, event, now) -> (run, effects)`, a pure function.

No clock, no I/O, no threads, no randomness: everything comes in as an argument. The Run it returns and the
effects belong together; the caller commits both in one transaction before it carries any effect out.

    stage:  pending -> [waiting_approval] -> running -> succeeded | failed | timed_out | rejected
                              |                 |
                              +---- held -------+      (a person decides: runs resume --send|--skip|--abort)

`step` dispatches. What moves an attempt is in `attempts`, what it is judged by in `evidence` and `verdict`, its
external check in `external`, its clocks in `timing`, asking people in `asking`, what comes after it in `stages`, the
agent's dialogs in `dialogs`, its usage limits in `limiting`, and a person's orders in `orders`.
"""

from __future__ import annotations

from dataclasses import replace

from tmux_sentry.contracts import AgentState
from tmux_sentry.engine import attempts, dialogs, evidence, external, limiting, orders, stages, timing
from tmux_sentry.engine.builder import Builder
from tmux_sentry.engine.conditions import Search, matches_line
from tmux_sentry.engine.events import (
    AboutToSend,
    Activity,
    CheckRemembered,
    CheckReported,
    Decided,
    Due,
    Effect,
    Event,
    ExitSeen,
    LimitsRead,
    Order,
    OutputBegins,
    OutputSeen,
    PaneGone,
    Reachable,
    ScreenSeen,
    SendDone,
    SendHeld,
    SendMoot,
    Started,
    StateSeen,
    Unreachable,
)
from tmux_sentry.engine.run import Run, remembered


def step(run: Run, event: Event, now: float, search: Search = matches_line) -> tuple[Run, tuple[Effect, ...]]:
    """What `event` makes of `run` at `now` (epoch seconds), and the effects it wants, in order.

    `search` says whether a pattern is in a line. The default is RE2's pure answer; what may take too long for it, and
    therefore needs a clock, is the caller's affair.
    """
    if not run.open and not isinstance(event, Order):
        return run, ()
    b = Builder(run, now, search)
    _dispatch(b, event)
    stages.go_on(b)
    dialogs.look(b)
    limiting.look(b)
    return b.run, tuple(b.effects)


def next_due(run: Run, now: float) -> float | None:
    """When `Due` must come at the latest, epoch seconds; None when only other events can move the Run."""
    times = [timing.next_due(run)]
    if run.open and not run.unreachable:
        times += [dialogs.next_due(run), limiting.next_due(run)]
    return min((at for at in times if at is not None), default=None)


def _dispatch(b: Builder, event: Event) -> None:
    match event:
        case Started():
            # What is visible now is no news; stages.go_on starts what needs no trigger.
            b.run = replace(b.run, digests=remembered(b.run.digests, sorted(b.run.on_screen)))
        case OutputSeen():
            b.run = replace(b.run, last_output_at=b.now)
            limiting.seen(b, event.limits, screen=False)
            news = evidence.output(b, event)
            dialogs.printed(b, news)
            stages.ready_on_signals(b, news)
        case ScreenSeen():
            dialogs.screen(b, event.signals, event.folder)
            limiting.seen(b, event.limits, screen=True)
            news = evidence.screen(b, event)
            dialogs.printed(b, news)
            stages.ready_on_signals(b, news)
        case Activity():
            b.run = replace(b.run, last_output_at=b.now)
        case StateSeen():
            _state(b, event)
        case ExitSeen():
            evidence.exit_seen(b, event)
        case OutputBegins():
            evidence.output_begins(b)
        case CheckReported():
            external.reported(b, event)
            attempts.look(b)
        case CheckRemembered():
            external.remembered(b, event)
        case AboutToSend():
            evidence.about_to_send(b, event)
            limiting.about_to_send(b, event)
        case SendDone():
            attempts.send_done(b, event)
            dialogs.send_done(b, event)
            limiting.send_done(b, event)
        case SendHeld():
            attempts.send_held(b, event)
            dialogs.send_held(b, event)
            limiting.send_held(b, event)
        case SendMoot():
            dialogs.send_moot(b, event)
            limiting.send_moot(b, event)
        case Decided():
            if not dialogs.decided(b, event):
                attempts.decided(b, event)
        case PaneGone():
            attempts.pane_gone(b, event)
        case Unreachable():
            timing.go_away(b)
            dialogs.go_away(b)
        case Reachable():
            limiting.come_back(b, event.away)
            timing.come_back(b, event.away)
            dialogs.come_back(b)
        case LimitsRead():
            limiting.seen(b, event.limits, screen=False)
        case Due():
            if not b.run.unreachable:
                timing.due(b)
        case Order():
            orders.carry_out(b, event)


def _state(b: Builder, event: StateSeen) -> None:
    """The agent's state changed; whoever waits for it acts on it only above its own bar."""
    if event.state is b.run.agent_state:
        return
    stages.ready_on_state(b, event)
    if b.attempt is not None and event.confidence < b.stage.min_confidence:
        return
    b.run = replace(b.run, agent_state=event.state)
    # Idle, nothing known for a moment, idle: that has not been anything else since the keys. Where nothing was known
    # when they were typed, the first rest that is seen may be the one before them.
    if b.attempt is not None and event.state not in (AgentState.UNKNOWN, b.attempt.rest_before):
        b.update(state_old=False)
    attempts.look(b)
