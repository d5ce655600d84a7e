"""What an attempt is judged by: output, events, exit statuses, checks. Each counts at most once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tmux_sentry.contracts import CheckStatus, Signal, SignalKind
from tmux_sentry.engine import output as output_rules
from tmux_sentry.engine.attempts import look
from tmux_sentry.engine.builder import Builder
from tmux_sentry.engine.conditions import leaf_key, matches_event, matches_line, passes, stage_leaves
from tmux_sentry.engine.events import CheckReported, ExitSeen, OutputSeen, ScreenSeen
from tmux_sentry.engine.run import Phase
from tmux_sentry.policy.model import LogRegex, SentryEvent

#: How many event identities a Run remembers; far more than any attempt prints.
IDS_KEPT = 4096
_TEXT_EVENTS = frozenset({SignalKind.STATUS, SignalKind.PROGRESS, SignalKind.ERROR, SignalKind.PROMPT, SignalKind.STATE})


def output(b: Builder, event: OutputSeen) -> list[Signal]:
    """Take in new lines of the stream; returns the events that are news."""
    news = _news(b, event.signals)
    attempt = b.attempt
    if attempt is not None and _listening(b):
        attempt, lines = output_rules.from_stream(attempt, event.lines)
        b.run = replace(b.run, attempt=attempt)
        _match_lines(b, lines)
    look(b)
    return news


def screen(b: Builder, event: ScreenSeen) -> list[Signal]:
    """Take in a capture; returns the events that are news."""
    news = _news(b, event.signals)
    b.run = replace(b.run, on_screen=frozenset(signal.digest for signal in event.signals))
    attempt = b.attempt
    if attempt is not None and _listening(b):
        attempt, lines = output_rules.from_screen(attempt, event.lines, resync=event.resync)
        b.run = replace(b.run, attempt=attempt)
        _match_lines(b, lines)
    look(b)
    return news


def exit_seen(b: Builder, event: ExitSeen) -> None:
    """A command of the attempt ended with this status."""
    if _listening(b):
        b.update(exit_code=event.code)
        look(b)


def check_reported(b: Builder, event: CheckReported) -> None:
    """An external check answered; what is not final only tells how far it is."""
    attempt = b.attempt
    if attempt is None or event.action_id not in attempt.checks:
        return
    status = event.status.value if event.final else CheckStatus.PENDING.value
    b.update(
        checks={**attempt.checks, event.action_id: status},
        check_url=event.url or attempt.check_url,
        check_log_tail=event.log_tail or attempt.check_log_tail,
    )
    look(b)


def _listening(b: Builder) -> bool:
    attempt = b.attempt
    return attempt is not None and attempt.armed and attempt.phase in (Phase.ACTING, Phase.WATCHING)


def _news(b: Builder, signals: Iterable[Signal]) -> list[Signal]:
    """The events that were not there before, applied to the attempt in hand."""
    news = []
    for signal in signals:
        if signal.kind not in _TEXT_EVENTS or (signal.run is not None and signal.run != b.run.id):
            continue
        if not _first_time(b, signal):
            continue
        news.append(signal)
        if _listening(b):
            _apply(b, signal)
    return news


def _first_time(b: Builder, signal: Signal) -> bool:
    attempt = b.attempt
    if signal.event_id is not None:
        if signal.event_id in b.run.ids:
            return False
        b.run = replace(b.run, ids=(*b.run.ids, signal.event_id)[-IDS_KEPT:])
        return True
    if attempt is None or not attempt.armed:
        return signal.live or signal.digest not in b.run.on_screen
    if signal.digest in attempt.counted:
        return False
    if not signal.live and signal.digest in attempt.baseline:
        return False
    b.update(counted=attempt.counted | {signal.digest})
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
    lines = list(lines)
    met = {leaf_key(leaf) for leaf in open_leaves if any(matches_line(leaf, line) for line in lines)}
    if met:
        b.update(matched=attempt.matched | met)
