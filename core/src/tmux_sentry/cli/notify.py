"""`tmux-sentry notify`: try a channel, look at the outbox, and be silent for a while."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tmux_sentry.cli import output
from tmux_sentry.cli.options import json_option
from tmux_sentry.cli.session import Session, begin, change, env_file_option, locked_store, person, reading_store
from tmux_sentry.errors import EXIT_FAILED, EXIT_OK, UsageError

if TYPE_CHECKING:
    from tmux_sentry.state.records import Outgoing

#: Rows that are looked through for an id.
_ALL = 100_000
_LOG_COLUMNS = ("id", "short", "at", "channel", "level", "event", "title", "status", "tries", "detail")
_SILENCE_COLUMNS = ("id", "until", "pipeline", "host", "event", "reason", "by")


@click.group("notify")
def notify() -> None:
    """Try a channel, look at the messages, and be silent for a while."""


@notify.command("test")
@click.argument("channel")
@env_file_option
@json_option
def test(channel: str, env_file: Path | None, as_json: bool) -> int:
    """Send a test message by CHANNEL and print the provider's real answer. Exit status 1 when it was not delivered.

    A channel that had been turned off is on again when the message has arrived.
    """
    import secrets
    import time

    from tmux_sentry.bounded import TimedOut, call_bounded
    from tmux_sentry.cli.parts import needed
    from tmux_sentry.contracts import Delivery, DeliveryResult, Level, Message
    from tmux_sentry.notify import texts
    from tmux_sentry.notify.by_hand import shown
    from tmux_sentry.notify.outbox import PATIENCE

    session = begin(env_file)
    notifier = needed(session, session.registry.notifiers, [channel], "notification channel", "notifier")[channel]
    language = session.settings.notification_language
    message = Message(
        id=f"test/{secrets.token_hex(8)}",
        at=time.time(),
        level=Level.WARNING,
        event="test",
        title=texts.title(language, "test", "a test message of tmux-sentry", {}),
        text=f"sent by {person()} with: tmux-sentry notify test {channel}",
        language=language,
    )
    try:
        result = call_bounded(lambda: notifier.send(message), PATIENCE, f"notify {channel}")
    except TimedOut as error:
        result = DeliveryResult(outcome=Delivery.UNKNOWN, detail=str(error))
    if as_json:
        output.emit_json({"channel": channel, **shown(result)})
    else:
        output.say(f"{channel}: {result.outcome.value}" + (f": {result.detail}" if result.detail else ""))
        if result.retry_after is not None:
            output.say(f"it may be tried again in {result.retry_after:.0f} s")
    if result.outcome is not Delivery.DELIVERED:
        return EXIT_FAILED
    if _was_off(session, channel):
        _ask(session, "notify_works", {"channel": channel})
        output.say(f"{channel} had been turned off and is on again")
    return EXIT_OK


@notify.command("log")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--channel", help="Only this channel.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=30, show_default=True, help="How many.")
@env_file_option
@json_option
def log(ids: tuple[str, ...], channel: str | None, limit: int, env_file: Path | None, as_json: bool) -> None:
    """List the messages, newest first, with what became of each, or those of the IDs.

    An ID is a number of this list, or the short id at the end of a message (`#abc123`).
    """
    session = begin(env_file)
    numbers = _numbers(session, ids) if ids else None
    with reading_store(session) as store:
        found = store.messages(limit if numbers is None else _ALL, channel) if store else []
        rows = [_row(one) for one in found if numbers is None or one.id in numbers]
        unwell = store.unwell_channels() if store else []
    if as_json:
        output.emit_json(rows)
        return
    if rows:
        output.table(_LOG_COLUMNS, [[row[column] for column in _LOG_COLUMNS] for row in rows])
    else:
        output.say("no message was ever queued")
    for health in unwell:
        output.say(f"{health.name} is {health.state}: {health.why}")


@notify.command("retry")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--channel", help="Only this channel.")
@env_file_option
@json_option
def retry(ids: tuple[str, ...], channel: str | None, env_file: Path | None, as_json: bool) -> None:
    """Send again what was given up (all of it, or the messages of the ids), and let channels that are off try again."""
    session = begin(env_file)
    numbers = _numbers(session, ids) if ids else None
    answer = _ask(session, "notify_retry", {"ids": numbers, "channel": channel})
    if as_json:
        output.emit_json(answer)
    else:
        output.say(f"messages that had been given up and are sent again: {answer['revived']}")


@notify.command("silence")
@click.option("--for", "duration", required=True, help="How long, e.g. 2h or 30m.")
@click.option("--reason", required=True, help="Why; it is kept with every message that is not told.")
@click.option("--pipeline", default="", help="Only messages of this pipeline (a name or a pattern).")
@click.option("--host", default="", help="Only messages of this host (a name or a pattern).")
@click.option("--event", default="", help="Only this event, e.g. stage.failed or approval.*.")
@env_file_option
@json_option
def silence(
    duration: str, reason: str, pipeline: str, host: str, event: str, env_file: Path | None, as_json: bool
) -> None:
    """Tell nobody for a while what matches all that is named. It is written down all the same."""
    from tmux_sentry.config.formats import FormatError, parse_duration

    session = begin(env_file)
    try:
        seconds = parse_duration(duration)
    except FormatError as error:
        raise UsageError(f"--for: {error}", "", "--for 2h") from error
    args = {"seconds": seconds, "reason": reason, "pipeline": pipeline, "host": host, "event": event}
    answer = _ask(session, "notify_silence", args)
    if as_json:
        output.emit_json(answer)
    else:
        output.say(f"silence {answer['id']} until {answer['until']}")
        output.say(f"end it with: tmux-sentry notify unsilence {answer['id']}")


@notify.command("silences")
@env_file_option
@json_option
def silences(env_file: Path | None, as_json: bool) -> None:
    """List what is silenced now."""
    from tmux_sentry.state.times import iso

    session = begin(env_file)
    with reading_store(session) as store:
        found = store.silences() if store else []
    rows = [{**{name: getattr(one, name) for name in _SILENCE_COLUMNS}, "until": iso(one.until)} for one in found]
    if as_json:
        output.emit_json(rows)
    elif rows:
        output.table(_SILENCE_COLUMNS, [[row[column] for column in _SILENCE_COLUMNS] for row in rows])
    else:
        output.say("nothing is silenced")


@notify.command("unsilence")
@click.argument("id")
@env_file_option
def unsilence(id: str, env_file: Path | None) -> None:
    """End the silence ID."""
    _ask(begin(env_file), "notify_speak", {"id": id})
    output.say(f"silence {id} has ended")


def _ask(session: Session, verb: str, args: dict[str, Any]) -> dict[str, Any]:
    """Of the running instance, or of the database when none runs."""

    def offline() -> Any:
        from tmux_sentry.clock import SystemClock
        from tmux_sentry.control.person import signed
        from tmux_sentry.notify.by_hand import NotifyOrders

        clock = SystemClock()
        with locked_store(session, clock) as store:
            orders = NotifyOrders(store, clock, language=session.settings.notification_language)
            return orders.verbs[verb](**signed(verb, args, person()))

    answer: dict[str, Any] = change(session, verb, args, offline)
    return answer


def _was_off(session: Session, channel: str) -> bool:
    with reading_store(session) as store:
        return store is not None and store.channel(channel).state != "on"


def _numbers(session: Session, ids: tuple[str, ...]) -> list[int]:
    """The rows that people name by number, or by the short id of a message (`#abc123`)."""
    with reading_store(session) as store:
        rows = store.messages(_ALL) if store else []
    found: list[int] = []
    for id in ids:
        name = id.removeprefix("#").lower()
        those = [row.id for row in rows if name in (str(row.id), row.message.short)]
        if not those:
            raise UsageError(f"there is no message {id[:40]}", "", "see: tmux-sentry notify log")
        found += those
    return found


def _row(one: Outgoing) -> dict[str, Any]:
    from tmux_sentry.state.times import iso

    return {
        "id": one.id,
        "short": one.message.short,
        "at": iso(one.message.at),
        "channel": one.channel,
        "level": one.message.level.name.lower(),
        "event": one.message.event,
        "title": one.message.title,
        "status": one.status,
        "tries": one.tries,
        "detail": one.detail,
        "next_at": iso(one.next_at) if one.status == "pending" else None,
    }
