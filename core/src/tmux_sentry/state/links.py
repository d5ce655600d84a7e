"""Links, logins and sessions: what each opens, until when, and whether it was used. Of the token itself only a hash."""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select, update

from tmux_sentry.state.records import Link
from tmux_sentry.state.tables import links

_ALIVE = (links.c.used_at.is_(None), links.c.revoked_at.is_(None))


def add(connection: Connection, link: Link) -> None:
    """Write one down."""
    connection.execute(insert(links).values(**{name: getattr(link, name) for name in Link.__slots__}))


def find(connection: Connection, hash: str) -> Link | None:
    """One by its hash."""
    row = connection.execute(select(links).where(links.c.hash == hash)).mappings().first()
    return None if row is None else Link(**row)


def use(connection: Connection, hash: str, at: float) -> bool:
    """Use one up; of all that try, one is told True."""
    alive = update(links).where(links.c.hash == hash, *_ALIVE, links.c.expires_at > at)
    return connection.execute(alive.values(used_at=at)).rowcount == 1


def revoke(connection: Connection, at: float, *, hash: str = "", approval_id: str = "") -> int:
    """Let one, those of a request, or (with neither) all of them open nothing any more; returns how many."""
    query = update(links).where(links.c.revoked_at.is_(None))
    if hash:
        query = query.where(links.c.hash == hash)
    if approval_id:
        query = query.where(links.c.approval_id == approval_id)
    return connection.execute(query.values(revoked_at=at)).rowcount


def wrong_code(connection: Connection, hash: str) -> int:
    """One more wrong code; returns how many there were."""
    connection.execute(update(links).where(links.c.hash == hash).values(wrong_codes=links.c.wrong_codes + 1))
    return int(connection.execute(select(links.c.wrong_codes).where(links.c.hash == hash)).scalar_one())


def newest(connection: Connection, approval_id: str, channel: str) -> float | None:
    """When the newest link of a request by a channel was made."""
    made = select(func.max(links.c.created_at)).where(links.c.approval_id == approval_id, links.c.channel == channel)
    found = connection.execute(made).scalar()
    return None if found is None else float(found)
