"""The outbox: messages wait here, committed with the step they tell about, until a channel took them.

At least once: what is not known to have arrived is sent again, for 24 hours.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, RowMapping, func, select, update
from sqlalchemy.dialects.sqlite import insert

from tmux_sentry.contracts import Delivery, DeliveryResult, Level, Message
from tmux_sentry.state.records import Outgoing
from tmux_sentry.state.tables import outbox

GIVE_UP_AFTER = 86400.0
_LONGEST = 900.0


def backoff(tries: int, jitter: float) -> float:
    """Seconds to wait after `tries` attempts: 1, 2, 4 ... 15 minutes, times 0.8 to 1.2 (`jitter` in 0..1)."""
    return float(min(2.0 ** min(tries - 1, 20), _LONGEST)) * (0.8 + 0.4 * jitter)


def enqueue(connection: Connection, message: Message, channels: Sequence[str], dedupe_key: str, at: float) -> None:
    """Queue a message once for each channel; the same key on the same channel again changes nothing."""
    body = json.dumps({name: getattr(message, name) for name in Message.__slots__} | {"fields": dict(message.fields)})
    rows = [
        {
            "channel": channel,
            "dedupe_key": dedupe_key or message.id,
            "message": body,
            "status": "pending",
            "tries": 0,
            "detail": "",
            "created_at": at,
            "next_at": at,
        }
        for channel in dict.fromkeys(channels)
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
    return [_outgoing(row) for row in rows.mappings()]


def next_due(connection: Connection, channel: str) -> float | None:
    """When the next message of `channel` is due; None when nothing waits."""
    found: float | None = connection.execute(
        select(func.min(outbox.c.next_at)).where(outbox.c.status == "pending", outbox.c.channel == channel)
    ).scalar()
    return found


def tried(connection: Connection, outgoing: Outgoing, result: DeliveryResult, at: float) -> None:
    """One attempt is over: delivered, dead, or due again later (never sooner than the provider asked)."""
    tries = outgoing.tries + 1
    values: dict[str, object] = {"tries": tries, "detail": result.detail}
    wait = max(backoff(tries, random.random()), result.retry_after or 0.0)
    if result.outcome is Delivery.DELIVERED:
        values |= {"status": "delivered", "settled_at": at}
    elif result.outcome is Delivery.PERMANENT or at + wait > outgoing.created_at + GIVE_UP_AFTER:
        values |= {"status": "dead", "settled_at": at}
    else:
        values |= {"next_at": at + wait}
    # Only while pending: a slow attempt must not undo what was settled meanwhile.
    connection.execute(update(outbox).where(outbox.c.id == outgoing.id, outbox.c.status == "pending").values(**values))


def revive(connection: Connection, ids: Iterable[int] | None, at: float) -> int:
    """Give dead messages (all, or those of `ids`) another 24 hours; returns how many there were."""
    again = update(outbox).where(outbox.c.status == "dead")
    if ids is not None:
        again = again.where(outbox.c.id.in_(list(ids)))
    done = connection.execute(again.values(status="pending", tries=0, created_at=at, next_at=at, settled_at=None))
    return done.rowcount


def log(connection: Connection, limit: int) -> list[Outgoing]:
    """The newest messages, newest first, whatever became of them."""
    query = select(outbox).order_by(outbox.c.id.desc()).limit(limit)
    return [_outgoing(row) for row in connection.execute(query).mappings()]


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
    )
