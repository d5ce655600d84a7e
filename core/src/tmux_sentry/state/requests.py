"""Approval requests and votes. A decision is one atomic UPDATE: of a hundred answers exactly one counts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from sqlalchemy import Connection, RowMapping, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from tmux_sentry.contracts import ApprovalRequest, Decision, PaneIdentity
from tmux_sentry.state.records import StoredApproval
from tmux_sentry.state.tables import approvals, votes

PENDING = "pending"


def open_approval(connection: Connection, request: ApprovalRequest, approvers: Sequence[str]) -> None:
    """Write a request down as pending. One that is there already stays as it is."""
    connection.execute(
        upsert(approvals)
        .values(
            id=request.id,
            request=json.dumps(asdict(request)),
            run_id=request.run_id,
            digest=request.digest,
            approvers=json.dumps(list(approvers)),
            shown="{}",
            status=PENDING,
            created_at=request.created_at,
            expires_at=request.expires_at,
        )
        .on_conflict_do_nothing()
    )


def show_approval(connection: Connection, approval_id: str, shown: Mapping[str, str]) -> None:
    """Remember where people can see the request."""
    connection.execute(update(approvals).where(approvals.c.id == approval_id).values(shown=json.dumps(dict(shown))))


def close_approval(connection: Connection, approval_id: str, outcome: str, at: float) -> None:
    """Settle a request that nobody decided: expired, cancelled, superseded. A decided one stays decided."""
    connection.execute(
        update(approvals)
        .where(approvals.c.id == approval_id, approvals.c.status == PENDING)
        .values(status=outcome, decided_at=at)
    )


def decide(connection: Connection, decision: Decision, digest: str) -> bool:
    """Record a vote, and let it count when the request is pending, shows this digest, and asked this person.

    A request that names its approvers takes an answer, yes or no, from them only.
    """
    row = connection.execute(select(approvals.c.approvers).where(approvals.c.id == decision.request_id)).first()
    asked = json.loads(row.approvers) if row is not None else []
    counted = not asked or decision.by in asked
    if counted:
        changed = connection.execute(
            update(approvals)
            .where(approvals.c.id == decision.request_id, approvals.c.status == PENDING, approvals.c.digest == digest)
            .values(
                status="approved" if decision.approved else "rejected",
                decided_at=decision.at,
                decided_by=decision.by,
                channel=decision.channel,
                comment=decision.comment,
            )
        )
        counted = changed.rowcount == 1
    connection.execute(
        insert(votes).values(
            approval_id=decision.request_id,
            approved=int(decision.approved),
            by=decision.by,
            channel=decision.channel,
            comment=decision.comment,
            digest=digest,
            counted=int(counted),
            at=decision.at,
        )
    )
    return counted


def pending(connection: Connection) -> list[StoredApproval]:
    """Requests that wait for a person, oldest first."""
    rows = connection.execute(
        select(approvals).where(approvals.c.status == PENDING).order_by(approvals.c.created_at, approvals.c.id)
    )
    return [_stored(row) for row in rows.mappings()]


def approval(connection: Connection, approval_id: str) -> StoredApproval | None:
    """One request by its id."""
    row = connection.execute(select(approvals).where(approvals.c.id == approval_id)).mappings().first()
    return None if row is None else _stored(row)


def _stored(row: RowMapping) -> StoredApproval:
    data = json.loads(row["request"])
    request = ApprovalRequest(**{**data, "pane": PaneIdentity(**data["pane"]), "keys": tuple(data["keys"])})
    return StoredApproval(
        request=request,
        approvers=tuple(json.loads(row["approvers"])),
        shown=json.loads(row["shown"]),
        status=row["status"],
        decided_at=row["decided_at"],
        decided_by=row["decided_by"],
        channel=row["channel"],
        comment=row["comment"],
    )
