"""The journal of sends: an intent is committed before tmux is asked, and settled by what tmux answered."""

from __future__ import annotations

import json
from dataclasses import asdict

from sqlalchemy import Connection, RowMapping, and_, func, insert, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from tmux_sentry.contracts import PaneIdentity
from tmux_sentry.errors import Refused
from tmux_sentry.failpoints import reach
from tmux_sentry.state import observe
from tmux_sentry.state.records import Fence, Intent, IntentStatus, Step
from tmux_sentry.state.tables import fences, intents, sends

#: Not known to be over: tmux may have been asked, or what it did is not finished yet.
OPEN = ("intent", "unknown", "injected")
#: Known not to have been typed, or given up: the step may be tried again.
REPEATABLE = ("refused", "void")


def intend(
    connection: Connection,
    action_id: str,
    step: Step,
    *,
    pane: PaneIdentity,
    epoch: int,
    previous: int,
    marker: int,
    payload_sha256: str,
    command: str,
    cursor: tuple[int, int],
    expires_at: float,
    at: float,
) -> None:
    """Write the intent and move the pane's fence up to its marker.

    Raises Refused while observing only, when the send was given up, when the step's last try is not settled as
    refused or void, and when the fence has another epoch or is not below `marker`: any of them would let keys be
    typed twice.
    """
    observing = observe.read(connection)
    if observing is not None:
        raise Refused("nothing is typed now", observe.sentence(observing))
    given_up = select(sends.c.action_id).where(sends.c.action_id == action_id, sends.c.status == "dropped")
    if connection.execute(given_up).first() is not None:
        raise Refused(f"{action_id} ({step}) is not wanted any more", "its stage has moved on")
    last = connection.execute(
        select(intents.c["try"], intents.c.status)
        .where(intents.c.action_id == action_id, intents.c.step == step)
        .order_by(intents.c["try"].desc())
    ).first()
    if last is not None and last.status not in REPEATABLE:
        raise Refused(f"{action_id} ({step}) may have been typed already", f"its last try is {last.status!r}")
    raised = connection.execute(
        update(fences)
        .where(fences.c.pane_key == pane.key, fences.c.epoch == epoch, fences.c.marker < marker)
        .values(marker=marker)
    )
    if raised.rowcount != 1:
        have = fence(connection, pane.key)
        raise Refused(f"marker {marker} of epoch {epoch} is not the next one of pane {pane.pane_id}", f"it has {have}")
    values = {
        "action_id": action_id,
        "step": step,
        "try": 1 if last is None else last[0] + 1,
        "pane": json.dumps(asdict(pane)),
        "pane_key": pane.key,
        "epoch": epoch,
        "previous": previous,
        "marker": marker,
        "payload_sha256": payload_sha256,
        "command": command,
        "cursor_column": cursor[0],
        "cursor_row": cursor[1],
        "expires_at": expires_at,
        "status": "intent",
        "reason": "",
        "created_at": at,
    }
    connection.execute(insert(intents).values(values))
    reach("intend.written")


def settle(connection: Connection, action_id: str, step: Step, status: IntentStatus, reason: str, at: float) -> None:
    """What became of the step's last try. Raises LookupError when it was never intended."""
    newest = (
        select(func.max(intents.c.id)).where(intents.c.action_id == action_id, intents.c.step == step).scalar_subquery()
    )
    changed = connection.execute(
        update(intents).where(intents.c.id == newest).values(status=status, reason=reason, settled_at=at)
    )
    if changed.rowcount != 1:
        raise LookupError(f"{action_id} ({step}) was never intended")
    reach("settle.written")


def open_intents(connection: Connection) -> list[Intent]:
    """Last tries that are not known to be over, oldest first, without those whose send was dropped or done."""
    later = intents.alias()
    newest = ~(
        select(later.c.id)
        .where(later.c.action_id == intents.c.action_id, later.c.step == intents.c.step, later.c.id > intents.c.id)
        .exists()
    )
    rows = connection.execute(
        select(intents)
        .outerjoin(sends, sends.c.action_id == intents.c.action_id)
        # A send by hand has no row in `sends`.
        .where(and_(intents.c.status.in_(OPEN), newest, or_(sends.c.status.is_(None), sends.c.status == "planned")))
        .order_by(intents.c.id)
    )
    return [_intent(row) for row in rows.mappings()]


def intents_of(connection: Connection, action_id: str) -> list[Intent]:
    """Every try of every step of one send, oldest first."""
    query = select(intents).where(intents.c.action_id == action_id).order_by(intents.c.id)
    return [_intent(row) for row in connection.execute(query).mappings()]


def fence(connection: Connection, pane_key: str) -> Fence | None:
    """The pane's fence as the journal knows it."""
    row = connection.execute(select(fences).where(fences.c.pane_key == pane_key)).first()
    return None if row is None else Fence(epoch=row.epoch, marker=row.marker)


def fence_before_respawn(connection: Connection, pane: PaneIdentity) -> Fence | None:
    """The fence of the same tmux pane under an earlier process: its options survive `respawn-pane`."""
    place = f"{pane.server}/{pane.pane_id}/"
    row = connection.execute(
        select(fences)
        .where(func.substr(fences.c.pane_key, 1, len(place)) == place)
        .order_by(fences.c.epoch.desc(), fences.c.marker.desc())
    ).first()
    return None if row is None else Fence(epoch=row.epoch, marker=row.marker)


def save_fence(connection: Connection, pane_key: str, epoch: int, marker: int) -> None:
    """Raise the pane's fence. It never goes down: a number that was used must not be used again."""
    new = upsert(fences).values(pane_key=pane_key, epoch=epoch, marker=marker)
    connection.execute(
        new.on_conflict_do_update(
            index_elements=["pane_key"],
            set_={
                "epoch": func.max(fences.c.epoch, new.excluded.epoch),
                "marker": func.max(fences.c.marker, new.excluded.marker),
            },
        )
    )


def _intent(row: RowMapping) -> Intent:
    return Intent(
        action_id=row["action_id"],
        step=row["step"],
        number=row["try"],
        pane=PaneIdentity(**json.loads(row["pane"])),
        epoch=row["epoch"],
        previous=row["previous"],
        marker=row["marker"],
        payload_sha256=row["payload_sha256"],
        command=row["command"],
        cursor=(row["cursor_column"], row["cursor_row"]),
        expires_at=row["expires_at"],
        status=row["status"],
        reason=row["reason"],
        created_at=row["created_at"],
    )
