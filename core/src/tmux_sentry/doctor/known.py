"""What the database knows that the doctor looks at, read at one go."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, case, func, select

from tmux_sentry.clock import SystemClock
from tmux_sentry.state.database import Database
from tmux_sentry.state.records import ChannelHealth
from tmux_sentry.state.store import Store
from tmux_sentry.state.tables import meta, outbox

_CLIENTS = "clients "
_MANY = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """The messages of one channel that did not arrive, and what was said about the newest of them."""

    channel: str
    dead: int = 0  # given up since `since`
    due: int = 0  # waiting since before `overdue`
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """`clients` are process ids by host; `observe_only` is why nothing may be typed, None when it may."""

    instance: str = ""
    seen_at: float | None = None
    clients: Mapping[str, frozenset[int]] = field(default_factory=dict)
    observe_only: str | None = None
    approvals: int = 0
    open_runs: int = 0
    held_runs: int = 0
    undelivered: tuple[Undelivered, ...] = ()
    unwell: tuple[ChannelHealth, ...] = ()  # channels that do not work
    newer_agents: tuple[str, ...] = ()  # than what is known of their screens


def read_known(database: Database, *, since: float, overdue: float) -> Known:
    """Read it. Raises SentryError for a damaged file, ValueError, KeyError or TypeError for values nobody wrote."""
    store = Store(database, SystemClock())
    with database.read() as connection:
        values = {row.key: row.value for row in connection.execute(select(meta.c.key, meta.c.value))}
        undelivered = _undelivered(connection, since, overdue)
    runs = store.runs(limit=_MANY, open_only=True)
    return Known(
        instance=store.instance,
        seen_at=store.seen_at(),
        clients={
            key.removeprefix(_CLIENTS): frozenset(map(int, json.loads(value)))
            for key, value in values.items()
            if key.startswith(_CLIENTS)
        },
        observe_only=_reason(values["observe_only"]) if "observe_only" in values else None,
        approvals=len(store.pending_approvals()),
        open_runs=len(runs),
        held_runs=sum(run.held is not None for run in runs),
        undelivered=undelivered,
        unwell=tuple(store.unwell_channels()),
        newer_agents=tuple(map(str, json.loads(values.get("newer agents", "[]")))),
    )


def _reason(value: str) -> str | None:
    """JSON or plain text; None for what says no."""
    try:
        data = json.loads(value)
    except ValueError:
        return value
    if isinstance(data, dict):
        data = data.get("reason") or data.get("why") or json.dumps(data)
    return str(data) if data else None


def _undelivered(connection: Connection, since: float, overdue: float) -> tuple[Undelivered, ...]:
    dead = (outbox.c.status == "dead") & (outbox.c.settled_at >= since)
    due = (outbox.c.status == "pending") & (outbox.c.created_at < overdue)
    # A sum of conditions would come back as one: true.
    number_dead, number_due = (func.sum(case((one, 1), else_=0)) for one in (dead, due))
    counted = select(outbox.c.channel, number_dead, number_due).where(dead | due).group_by(outbox.c.channel)
    said = select(outbox.c.detail).where(dead | due, outbox.c.detail != "").order_by(outbox.c.id.desc()).limit(1)
    return tuple(
        Undelivered(
            channel=channel,
            dead=int(gone),
            due=int(waiting),
            detail=connection.execute(said.where(outbox.c.channel == channel)).scalar() or "",
        )
        for channel, gone, waiting in connection.execute(counted.order_by(outbox.c.channel)).all()
    )
