"""How each channel does, and what is silenced: both outlast a restart."""

from __future__ import annotations

from sqlalchemy import Connection, RowMapping, delete, select
from sqlalchemy.dialects.sqlite import insert

from tmux_sentry.state.records import ChannelHealth, Silence
from tmux_sentry.state.tables import channels, silences


def health(connection: Connection, name: str) -> ChannelHealth:
    """How a channel does; one that nothing is known of is fine."""
    row = connection.execute(select(channels).where(channels.c.name == name)).mappings().first()
    return ChannelHealth(name=name) if row is None else _health(row)


def unwell(connection: Connection) -> list[ChannelHealth]:
    """The channels that are not fine, by name."""
    rows = connection.execute(select(channels).where(channels.c.state != "on").order_by(channels.c.name))
    return [_health(row) for row in rows.mappings()]


def save(connection: Connection, health: ChannelHealth) -> None:
    """Write down how a channel does."""
    values = {name: getattr(health, name) for name in ("state", "why", "since", "until", "settings")}
    new = insert(channels).values(name=health.name, **values)
    connection.execute(new.on_conflict_do_update(index_elements=["name"], set_=values))


def silence(connection: Connection, one: Silence) -> None:
    """Write a silence down."""
    values = {name: getattr(one, name) for name in Silence.__slots__}
    connection.execute(insert(silences).values(**values))


def speak(connection: Connection, id: str) -> bool:
    """End a silence; False when there is none of that id."""
    return connection.execute(delete(silences).where(silences.c.id == id)).rowcount > 0


def silent(connection: Connection, at: float) -> list[Silence]:
    """The silences that hold now, oldest first. Those that are over are removed."""
    connection.execute(delete(silences).where(silences.c.until <= at))
    return silences_of(connection)


def silences_of(connection: Connection) -> list[Silence]:
    """Every silence that is written down, oldest first."""
    rows = connection.execute(select(silences).order_by(silences.c.created_at)).mappings()
    return [Silence(**row) for row in rows]


def _health(row: RowMapping) -> ChannelHealth:
    return ChannelHealth(**row)
