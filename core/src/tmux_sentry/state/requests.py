"""Approval requests and votes. A decision is one atomic UPDATE: of a hundred answers exactly one decides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from sqlalchemy import Connection, RowMapping, func, insert, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from tmux_sentry.contracts import ApprovalRequest, Decision, PaneIdentity, Vote
from tmux_sentry.state.records import Rules, StoredApproval
from tmux_sentry.state.tables import approvals, votes

PENDING = "pending"
#: Answers without effect that are written down of one request.
WITHOUT_EFFECT = 100


def open_approval(connection: Connection, request: ApprovalRequest, rules: Rules) -> None:
    """Write a request down as pending. One that is there already stays as it is."""
    connection.execute(
        upsert(approvals)
        .values(
            id=request.id,
            request=json.dumps(asdict(request)),
            run_id=request.run_id,
            digest=request.digest,
            approvers=json.dumps(list(rules.approvers)),
            rules=json.dumps(asdict(rules)),
            until=rules.until,
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


def decide(connection: Connection, decision: Decision, digest: str, by: str) -> bool:
    """Settle a request that is pending, shows this digest and is in time; of all that try, one is told True.

    `by` names everybody who has said so.
    """
    changed = connection.execute(
        update(approvals)
        .where(
            approvals.c.id == decision.request_id,
            approvals.c.status == PENDING,
            approvals.c.digest == digest,
            or_(approvals.c.until.is_(None), approvals.c.until > decision.at),
        )
        .values(
            status="approved" if decision.approved else "rejected",
            decided_at=decision.at,
            decided_by=by,
            channel=decision.channel,
            comment=decision.comment,
        )
    )
    return changed.rowcount == 1


def vote(connection: Connection, decision: Decision, digest: str, *, counted: bool) -> None:
    """Write an answer down: each that counts, and of others so many that nobody fills the table with them.

    `digest` is that of the request.
    """
    without_effect = select(func.count()).where(votes.c.approval_id == decision.request_id, votes.c.counted == 0)
    if not counted and connection.execute(without_effect).scalar_one() >= WITHOUT_EFFECT:
        return
    connection.execute(
        insert(votes).values(
            approval_id=decision.request_id,
            approved=int(decision.approved),
            by=decision.by,
            channel=decision.channel,
            comment=decision.comment,
            digest=decision.digest or digest,
            counted=int(counted),
            at=decision.at,
            known=decision.known,
        )
    )


def votes_of(connection: Connection, approval_id: str) -> list[Vote]:
    """Every answer to a request, in the order in which they came."""
    rows = connection.execute(select(votes).where(votes.c.approval_id == approval_id).order_by(votes.c.id))
    return [
        Vote(
            by=row["by"],
            approved=bool(row["approved"]),
            counted=bool(row["counted"]),
            channel=row["channel"],
            known=row["known"],
            comment=row["comment"],
            at=row["at"],
        )
        for row in rows.mappings()
    ]


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
    names = {name: tuple(data[name]) for name in ("keys", "approvers", "about") if name in data}
    request = ApprovalRequest(**{**data, **names, "pane": PaneIdentity(**data["pane"])})
    return StoredApproval(
        request=request,
        rules=_rules(row),
        shown=json.loads(row["shown"]),
        status=row["status"],
        decided_at=row["decided_at"],
        decided_by=row["decided_by"],
        channel=row["channel"],
        comment=row["comment"],
    )


def _rules(row: RowMapping) -> Rules:
    """Who may decide. A request of an earlier version has its approvers only."""
    data = json.loads(row["rules"])
    people = {name: tuple(data.get(name, ())) for name in ("approvers", "second")}
    people["approvers"] = people["approvers"] or tuple(json.loads(row["approvers"]))
    return Rules(**{**data, **people})
