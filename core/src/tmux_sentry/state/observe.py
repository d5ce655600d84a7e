"""Observe-only: after a restore the program watches, and types nothing until a person says go."""

from __future__ import annotations

import json

from sqlalchemy import Connection, delete, select

from tmux_sentry.state.records import Observing
from tmux_sentry.state.tables import meta
from tmux_sentry.state.times import iso

KEY = "observe_only"
#: What ends it.
GO_ON = "tmux-sentry runs resume --all"


def encode(reason: str, at: float) -> str:
    """The flag as it stands in the database."""
    return json.dumps({"reason": reason, "since": at})


def read(connection: Connection) -> Observing | None:
    """The flag; None when everything goes its way."""
    found = connection.execute(select(meta.c.value).where(meta.c.key == KEY)).scalar()
    if found is None:
        return None
    try:
        values = json.loads(found)
        return Observing(reason=str(values["reason"]), since=float(values["since"]))
    except (ValueError, TypeError, KeyError):  # no reason to type
        return Observing(reason="why it does is not readable any more", since=0.0)


def clear(connection: Connection) -> None:
    """A person has said go."""
    connection.execute(delete(meta).where(meta.c.key == KEY))


def sentence(observing: Observing) -> str:
    """One line for people: what, since when, why and how it ends."""
    return f"observing only since {iso(observing.since)}: {observing.reason}. Look at the panes, then: {GO_ON}"
