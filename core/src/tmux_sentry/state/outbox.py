"""The outbox: messages wait here, committed with the step they tell about, until a channel took them.

At least once: what is not known to have arrived is sent again, for 24 hours. Every attempt is kept.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from sqlalchemy import Connection, RowMapping, func, select, update
from sqlalchemy.dialects.sqlite import insert

from tmux_sentry.contracts import Delivery, DeliveryResult, Level, Message
from tmux_sentry.state.records import Outgoing, Planned
from tmux_sentry.state.tables import deliveries, outbox

GIVE_UP_AFTER = 86400.0
_LONGEST = 900.0
#: Attempts, of half a minute in all, after which a message is one that does not get through.
FAILING = 5
#: Of a Message, what is known only when it is sent.
_LATER = ("first", "ends", "link", "links")


def backoff(tries: int) -> float:
    """Seconds to wait after `tries` attempts: 1, 2, 4 ... 15 minutes, and up to a second (a fifth of it) more."""
    from tenacity import RetryCallState, wait_exponential, wait_random

    state = RetryCallState(None, None, (), {})  # type: ignore[arg-type]  # the waits ask for the number only
    state.attempt_number = min(tries, 20)
    wait = wait_exponential(multiplier=1, max=_LONGEST)(state)
    return wait + wait_random(0, max(wait / 5, 0.2))(state)


def enqueue(
    connection: Connection,
    message: Message,
    channels: Iterable[str | Planned],
    dedupe_key: str,
    at: float,
    matter: str = "",
    ends: str = "",
) -> None:
    """Queue a message once for each channel; the same key on the same channel again changes nothing."""
    body = _body(message)
    planned: dict[str, Planned] = {}
    for each in channels:
        one = Planned(channel=each, at=at) if isinstance(each, str) else each
        planned.setdefault(one.channel, one)
    rows = [
        {
            "channel": one.channel,
            "dedupe_key": dedupe_key or message.id,
            "message": body,
            "status": "silenced" if one.silenced else "pending",
            "tries": 0,
            "detail": one.silenced,
            "created_at": at,
            "next_at": one.at,
            "settled_at": at if one.silenced else None,
            "thread": message.thread,
            "matter": matter,
            "ends": ends,
            "receipt": "",
            "repeat": one.repeat,
        }
        for one in planned.values()
    ]
    if rows:
        connection.execute(insert(outbox).on_conflict_do_nothing(), rows)


def due(connection: Connection, channel: str, at: float, limit: int) -> list[Outgoing]:
    """Messages to send by `channel` now, the longest overdue first."""
    rows = connection.execute(
        select(outbox)
        .where(outbox.c.status == "pending", outbox.c.channel == channel, outbox.c.next_at <= at)
        .order_by(outbox.c.next_at, outbox.c.id)
        .limit(limit)
    )
    return [_with_receipts(connection, _outgoing(row)) for row in rows.mappings().all()]


def next_due(connection: Connection, channel: str) -> float | None:
    """When the next message of `channel` is due; None when nothing waits."""
    found: float | None = connection.execute(
        select(func.min(outbox.c.next_at)).where(outbox.c.status == "pending", outbox.c.channel == channel)
    ).scalar()
    return found


def merge(connection: Connection, together: Sequence[Outgoing], message: Message, at: float) -> None:
    """Tell these messages of one channel in one: a row of its own, so that it keeps its id on every attempt."""
    first = together[0]
    values = {
        "channel": first.channel,
        "dedupe_key": message.id,
        "message": _body(message),
        "status": "pending",
        "tries": 0,
        "detail": "",
        "created_at": min(one.created_at for one in together),
        "next_at": at,
    }
    row = connection.execute(insert(outbox).values(**values))
    ids = [one.id for one in together]
    told = update(outbox).where(outbox.c.id.in_(ids), outbox.c.status == "pending")
    connection.execute(told.values(status="told", told_in=row.lastrowid, settled_at=at))


def tried(connection: Connection, outgoing: Outgoing, result: DeliveryResult, at: float) -> bool:
    """One attempt is over: delivered, dead, or due again later (never sooner than the provider asked).

    Returns whether the message is dead now.
    """
    tries = outgoing.tries + 1
    values: dict[str, object] = {"tries": tries, "detail": result.detail}
    wait = max(backoff(tries), result.retry_after or 0.0)
    too_late = at + wait > outgoing.created_at + GIVE_UP_AFTER
    dead = (result.outcome is Delivery.PERMANENT and not result.whole_channel) or (
        result.outcome is not Delivery.DELIVERED and too_late
    )
    if result.outcome is Delivery.DELIVERED:
        values |= {"status": "delivered", "settled_at": at, "receipt": result.receipt}
    elif dead:
        values |= {"status": "dead", "settled_at": at}
    else:
        values |= {"next_at": at + wait}
    # Only while pending: a slow attempt must not undo what was settled meanwhile.
    connection.execute(update(outbox).where(outbox.c.id == outgoing.id, outbox.c.status == "pending").values(**values))
    attempt = {"outbox_id": outgoing.id, "channel": outgoing.channel, "at": at}
    connection.execute(insert(deliveries).values(**attempt, outcome=result.outcome.value, detail=result.detail))
    if dead:
        lost = update(outbox).where(outbox.c.told_in == outgoing.id, outbox.c.status == "told")
        if connection.execute(lost.values(status="dead", detail=result.detail, settled_at=at)).rowcount:
            # From here on they stand for themselves, also when they are revived.
            connection.execute(update(outbox).where(outbox.c.id == outgoing.id).values(status="dropped"))
    if result.outcome is Delivery.DELIVERED:
        _again(connection, outgoing, at)
    return dead


def end_matter(connection: Connection, matter: str, at: float) -> tuple[list[str], str]:
    """What was open is decided: nothing that waits to be told of it is told any more.

    Returns the channels that have told of it, and the thread of it.
    """
    of_it = outbox.c.matter == matter
    rows = connection.execute(select(outbox.c.channel, outbox.c.status, outbox.c.thread).where(of_it)).all()
    moot = update(outbox).where(of_it, outbox.c.status == "pending")
    connection.execute(moot.values(status="dropped", detail="decided before it was told", settled_at=at))
    connection.execute(update(outbox).where(of_it).values(repeat=None))
    told = [channel for channel, status, _ in rows if status in ("delivered", "told")]
    # Where an answer was lost it may have arrived: whoever read it should read the end of it too.
    told += _perhaps_told(connection, matter)
    return list(dict.fromkeys(told)), next((thread for _, _, thread in rows), "")


def attempts_since(connection: Connection, channel: str, since: float) -> list[float]:
    """When messages may have reached the provider of `channel` since then, oldest first."""
    query = select(deliveries.c.at).where(deliveries.c.channel == channel, deliveries.c.at > since)
    return list(connection.execute(query.order_by(deliveries.c.at)).scalars())


def give_up(connection: Connection, channel: str, at: float) -> int:
    """Messages of a channel that is off and that have waited for 24 hours are dead; returns how many."""
    old = update(outbox).where(
        outbox.c.channel == channel, outbox.c.status == "pending", outbox.c.created_at < at - GIVE_UP_AFTER
    )
    return connection.execute(old.values(status="dead", settled_at=at)).rowcount


def revive(connection: Connection, ids: Iterable[int] | None, at: float, channel: str | None = None) -> int:
    """Give dead messages (all, or those of `ids` or of `channel`) another 24 hours; returns how many there were."""
    again = update(outbox).where(outbox.c.status == "dead")
    if ids is not None:
        again = again.where(outbox.c.id.in_(list(ids)))
    if channel is not None:
        again = again.where(outbox.c.channel == channel)
    values = {"status": "pending", "tries": 0, "created_at": at, "next_at": at, "settled_at": None, "told_in": None}
    return connection.execute(again.values(**values)).rowcount


def log(connection: Connection, limit: int, channel: str | None = None) -> list[Outgoing]:
    """The newest messages, newest first, whatever became of them."""
    query = select(outbox).order_by(outbox.c.id.desc()).limit(limit)
    if channel is not None:
        query = query.where(outbox.c.channel == channel)
    return [_outgoing(row) for row in connection.execute(query).mappings()]


def undelivered(connection: Connection, since: float, local: Collection[str], off: Collection[str]) -> list[Outgoing]:
    """Messages that reach nobody, one row each, oldest first: dead, failing or stuck on every channel.

    `local` channels do not count, for nobody who is away sees them; `off` are those that are turned off.
    """
    recent = (outbox.c.created_at >= since) & outbox.c.channel.not_in(local)
    pending = outbox.c.status == "pending"
    hopeless = (outbox.c.tries >= FAILING) | outbox.c.channel.in_(off)
    failed = (outbox.c.status == "dead") | (pending & hopeless)
    told = outbox.c.status.in_(("delivered", "told", "dropped", "silenced")) | (pending & ~hopeless)
    others = select(outbox.c.dedupe_key).where(recent, told)
    query = select(outbox).where(recent, failed, outbox.c.dedupe_key.not_in(others))
    rows = connection.execute(query.group_by(outbox.c.dedupe_key).order_by(outbox.c.id)).mappings()
    return [_outgoing(row) for row in rows]


def _again(connection: Connection, outgoing: Outgoing, at: float) -> None:
    """Queue what is to be told again while its matter is open; the end of the matter takes `repeat` away."""
    row = connection.execute(select(outbox).where(outbox.c.id == outgoing.id)).mappings().one()
    if row["repeat"] is None or not row["matter"]:
        return
    base, _, number = row["dedupe_key"].partition("#again")
    key = f"{base}#again{int(number or 0) + 1}"
    message = outgoing.message
    body = json.loads(_body(message)) | {"id": key, "at": at + row["repeat"]}
    values = {name: row[name] for name in ("channel", "thread", "matter", "repeat")}
    values |= {"dedupe_key": key, "message": json.dumps(body), "status": "pending", "tries": 0, "detail": ""}
    values |= {"created_at": at + row["repeat"], "next_at": at + row["repeat"]}
    connection.execute(insert(outbox).values(**values).on_conflict_do_nothing())


def _perhaps_told(connection: Connection, matter: str) -> list[str]:
    of_it = select(outbox.c.id).where(outbox.c.matter == matter)
    lost = (deliveries.c.outcome == Delivery.UNKNOWN.value) & deliveries.c.outbox_id.in_(of_it)
    return list(connection.execute(select(deliveries.c.channel).where(lost)).scalars())


def _with_receipts(connection: Connection, outgoing: Outgoing) -> Outgoing:
    """The message with the channel's own names for what it belongs to."""
    message = outgoing.message
    mine = (outbox.c.channel == outgoing.channel) & (outbox.c.receipt != "")
    if message.thread:
        first = select(outbox.c.receipt).where(mine, outbox.c.thread == message.thread).order_by(outbox.c.id).limit(1)
        message = replace(message, first=connection.execute(first).scalar() or "")
    if outgoing.ends:
        ended = select(outbox.c.receipt).where(mine, outbox.c.matter == outgoing.ends).order_by(outbox.c.id).limit(1)
        message = replace(message, ends=connection.execute(ended).scalar() or "")
    return replace(outgoing, message=message)


def _body(message: Message) -> str:
    names = [name for name in Message.__slots__ if name not in _LATER]
    return json.dumps({name: getattr(message, name) for name in names} | {"fields": dict(message.fields)})


def _outgoing(row: RowMapping) -> Outgoing:
    body = json.loads(row["message"])
    return Outgoing(
        id=row["id"],
        channel=row["channel"],
        message=Message(**{**body, "level": Level(body["level"])}),
        dedupe_key=row["dedupe_key"],
        status=row["status"],
        tries=row["tries"],
        detail=row["detail"],
        created_at=row["created_at"],
        next_at=row["next_at"],
        ends=row["ends"],
    )
