"""What an attempt is judged by: output, events, exit statuses. Each counts at most once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tmux_sentry.contracts import AgentState, Signal, SignalKind, Trust
from tmux_sentry.engine import attempts, plan
from tmux_sentry.engine import output as output_rules
from tmux_sentry.engine.builder import Builder
from tmux_sentry.engine.conditions import leaf_key, matches_event, passes, stage_leaves
from tmux_sentry.engine.events import AboutToSend, ExitSeen, OutputSeen, ScreenSeen, StopSend
from tmux_sentry.engine.run import Phase, remembered
from tmux_sentry.policy.model import LogRegex, SendKeys, SentryEvent, Stage
from tmux_sentry.policy.variables import UnknownVariable


def about_to_send(b: Builder, event: AboutToSend) -> None:
    """From here on output counts, except what is visible now and the echo of the keys.

    Comes again when the guard refused: what was printed before the first keys went in is not about them.
    """
    attempt = b.attempt
    if attempt is None or attempt.action_id != event.action_id:
        return
    action = attempts.list_in_hand(b.stage, attempt)[attempt.action - 1]
    assert isinstance(action, SendKeys)
    try:
        text = plan.resolve(action, b.run, attempt.stage, attempt).text
    except UnknownVariable as error:
        b.emit(StopSend(action_id=event.action_id))
        b.hold(f"cannot type: {error}")
        return
    b.run = replace(b.run, digests=remembered(b.run.digests, event.digests))
    attempt = b.update(typed=(*attempt.typed, text) if text and text not in attempt.typed else attempt.typed)
    if attempt.phase is Phase.ENDING:
        return
    if attempt.sent:
        no_echo(b)  # of the text before: its first lines are output
    else:
        b.update(
            armed=True,
            baseline=frozenset(event.digests),
            baseline_lines=output_rules.fingerprints(event.lines),
            matched=frozenset(),
            unsearched=frozenset(),
            status_ok=None,
        )
    if b.run.agent_state is not AgentState.UNKNOWN:
        b.update(state_before=b.run.agent_state.value)
    b.update(state_old=True, exit_code=None, echo=text if output_rules.squeeze(text) else None, withheld=())
    b.update(echo_until=None)


def output(b: Builder, event: OutputSeen) -> list[Signal]:
    """Take in new lines of the stream; returns the events that are news."""
    news = _news(b, event.signals, resync=False)
    if b.run.seen is not None:
        b.run = replace(b.run, seen=output_rules.remember(b.run.seen, event.lines))
    attempt = b.attempt
    if attempt is not None and _listening(b):
        attempt, lines = output_rules.from_stream(attempt, event.lines)
        if attempt.withheld and attempt.echo_until is None:
            attempt = replace(attempt, echo_until=b.now + output_rules.ECHO_WAIT)
        b.run = replace(b.run, attempt=attempt)
        _match_lines(b, lines)
    attempts.look(b)
    return news


def no_echo(b: Builder) -> None:
    """The echo has not come in time, so there is none: what was withheld for it is output."""
    assert b.attempt is not None
    attempt, lines = output_rules.release(b.attempt)
    b.run = replace(b.run, attempt=attempt)
    _match_lines(b, lines)


def output_begins(b: Builder) -> None:
    """What an editor has drawn of several lines is no output, in whatever pieces it came."""
    attempt = b.attempt
    if attempt is not None and attempt.withheld and output_rules.of_several_lines(attempt):
        b.update(echo=None, withheld=(), echo_until=None)


def screen(b: Builder, event: ScreenSeen) -> list[Signal]:
    """Take in a capture; returns the events that are news."""
    news = _news(b, event.signals, resync=event.resync)
    b.run = replace(
        b.run,
        on_screen=frozenset(signal.digest for signal in event.signals),
        seen=output_rules.remember(b.run.seen, event.lines),
    )
    attempt = b.attempt
    if attempt is not None and _listening(b):
        attempt, lines = output_rules.from_screen(attempt, event.lines, resync=event.resync)
        b.run = replace(b.run, attempt=attempt)
        _match_lines(b, lines)
    attempts.look(b)
    return news


def exit_seen(b: Builder, event: ExitSeen) -> None:
    """A command of the attempt ended with this status.

    Where `report_exit` tells it, the shell's own report comes after that, and is about the reporting.
    """
    if _listening(b) and (event.reported or not _reports(b.stage)):
        b.update(exit_code=event.code)
        attempts.look(b)


def _reports(stage: Stage) -> bool:
    return any(isinstance(action, SendKeys) and action.report_exit for action in stage.actions_on_start)


def _listening(b: Builder) -> bool:
    attempt = b.attempt
    return attempt is not None and attempt.armed and attempt.phase in (Phase.ACTING, Phase.WATCHING)


def _news(b: Builder, signals: Iterable[Signal], *, resync: bool) -> list[Signal]:
    """The events that were not there before, applied to the attempt in hand."""
    news = []
    for signal in signals:
        if not _is_event(signal) or (signal.run is not None and signal.run != b.run.id):
            continue
        if not _first_time(b, signal, resync=resync):
            continue
        news.append(signal)
        if signal.kind is SignalKind.EXIT:
            # Only a wrapper that proves to be one knows how the agent ended.
            if signal.code is not None and signal.trust >= Trust.SIGNED:
                exit_seen(b, ExitSeen(code=signal.code))
        elif _listening(b):
            _apply(b, signal)
    return news


def _is_event(signal: Signal) -> bool:
    """An event of the text, and not a state, dialog or limit that a parser read off a screen."""
    return bool(signal.event_type) or signal.kind in (SignalKind.STATUS, SignalKind.ERROR)


def _first_time(b: Builder, signal: Signal, *, resync: bool) -> bool:
    """Whether the event is news, and remember it.

    What the stream brings is new by construction. A capture is a picture: what was on the one before, or was
    visible when the attempt started, is old; with history it also shows everything of earlier attempts again.
    """
    attempt = b.attempt
    known = signal.digest in b.run.digests
    if signal.event_id is not None:
        known = known or signal.event_id in b.run.ids
        b.run = replace(b.run, ids=remembered(b.run.ids, (signal.event_id,)))
        return not known
    if signal.kind is SignalKind.PROGRESS:
        # Thousands of them must not push out what is worth remembering; to count one twice does no harm.
        return signal.live or signal.digest not in b.run.on_screen
    b.run = replace(b.run, digests=remembered(b.run.digests, (signal.digest,)))
    if attempt is None or not _listening(b):
        return signal.live or not known
    if signal.digest in attempt.counted or (not signal.live and signal.digest in attempt.baseline):
        return False
    if not signal.live and resync and known:
        return False
    b.update(counted=remembered(attempt.counted, (signal.digest,)))
    return True


def _apply(b: Builder, signal: Signal) -> None:
    attempt, stage = b.attempt, b.stage
    assert attempt is not None
    if not passes(signal, stage):
        return
    met = {
        leaf_key(leaf)
        for leaf in stage_leaves(stage)
        if isinstance(leaf, SentryEvent) and matches_event(leaf, signal, stage.name)
    }
    if not met <= attempt.matched:
        attempt = b.update(matched=attempt.matched | met)
    # A STATUS is about the running stage or it is nothing; it is never kept for a later one.
    if signal.kind is SignalKind.STATUS and signal.ok is not None and signal.stage in (None, stage.name):
        b.update(status_ok=signal.ok)


def _match_lines(b: Builder, lines: Iterable[str]) -> None:
    attempt = b.attempt
    assert attempt is not None
    open_leaves = [
        leaf for leaf in stage_leaves(b.stage) if isinstance(leaf, LogRegex) and leaf_key(leaf) not in attempt.matched
    ]
    if not open_leaves:
        return
    lines, met, unsearched = list(lines), set(), set()
    for leaf in open_leaves:
        for line in lines:
            answer = b.search(leaf, line)
            if answer is None:
                unsearched.add(leaf_key(leaf))
            elif answer:
                met.add(leaf_key(leaf))
                break
    if met or not unsearched <= attempt.unsearched:
        b.update(matched=attempt.matched | met, unsearched=attempt.unsearched | unsearched)
