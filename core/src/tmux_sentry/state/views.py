"""What listings read: Runs, stages and panes. Nothing here writes."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select

from tmux_sentry.state.records import PastRun, RunNames, RunRow, StoredRun
from tmux_sentry.state.tables import pane_states, runs, stage_history
from tmux_sentry.state.times import epoch, iso, iso_or_none


def open_runs(connection: Connection) -> list[StoredRun]:
    """Runs to resume, oldest first."""
    query = select(runs).where(runs.c.status == "open").order_by(_AGE, runs.c.id)
    return [_stored(row) for row in connection.execute(query).mappings()]


def run(connection: Connection, run_id: str) -> StoredRun | None:
    """One Run by its id."""
    row = connection.execute(select(runs).where(runs.c.id == run_id)).mappings().first()
    return None if row is None else _stored(row)


def run_ids(connection: Connection, prefix: str) -> list[str]:
    """Ids that start with `prefix`, the exact one alone if it is there; at most ten."""
    exact = connection.execute(select(runs.c.id).where(runs.c.id == prefix)).scalars().all()
    starts = func.substr(runs.c.id, 1, len(prefix)) == prefix
    return list(exact or connection.execute(select(runs.c.id).where(starts).order_by(_AGE).limit(10)).scalars())


def list_runs(connection: Connection, limit: int, open_only: bool) -> list[RunRow]:
    """Runs for people, newest first."""
    query = select(runs).order_by(_AGE.desc(), runs.c.id.desc()).limit(limit)
    if open_only:
        query = query.where(runs.c.status == "open")
    return [_row(row) for row in connection.execute(query).mappings()]


def past_runs(connection: Connection) -> list[PastRun]:
    """Every Run there ever was, oldest first, without what it did."""
    columns = (runs.c.id, runs.c.pipeline, runs.c.host, runs.c.server, runs.c.pane_key, runs.c.status, *_NAMES)
    return [
        PastRun(
            id=row["id"],
            pipeline=row["pipeline"],
            host=row["host"],
            server=row["server"],
            pane_key=row["pane_key"],
            names=_names(row),
            status=row["status"],
        )
        for row in connection.execute(select(*columns).order_by(_AGE)).mappings()
    ]


def history(connection: Connection, pipeline: str | None, host: str | None, limit: int) -> list[dict[str, Any]]:
    """Rows of stage_history, newest first, with `duration` in seconds where it has both times."""
    query = select(stage_history).order_by(stage_history.c.id.desc()).limit(limit)
    if pipeline is not None:
        query = query.where(stage_history.c.pipeline == pipeline)
    if host is not None:
        query = query.where(stage_history.c.host == host)
    rows = []
    for found in connection.execute(query).mappings():
        row = dict(found)
        started, finished = row["started_at"], row["finished_at"]
        row["duration"] = round(epoch(finished) - epoch(started), 3) if started and finished else None
        rows.append(row)
    return rows


def panes(connection: Connection) -> list[dict[str, Any]]:
    """Rows of pane_states in the order people expect them."""
    order = (pane_states.c.host, pane_states.c.session_name, pane_states.c.window_index, pane_states.c.pane_index)
    return [dict(row) for row in connection.execute(select(pane_states).order_by(*order)).mappings()]


_AGE = runs.c.started_at
_NAMES = (runs.c.session_name, runs.c.window_name, runs.c.window_index, runs.c.pane_index)


def _names(row: RowMapping) -> RunNames:
    return RunNames(
        session_name=row["session_name"],
        window_name=row["window_name"],
        window_index=row["window_index"],
        pane_index=row["pane_index"],
    )


def _stored(row: RowMapping) -> StoredRun:
    return StoredRun(
        id=row["id"],
        pipeline=row["pipeline"],
        status=row["status"],
        names=_names(row),
        state=json.loads(row["state"]),
        source=json.loads(row["source"]),
    )


def _row(row: RowMapping) -> RunRow:
    state = json.loads(row["state"])
    attempt = state["attempt"] or {}
    return RunRow(
        id=row["id"],
        pipeline=row["pipeline"],
        host=row["host"],
        pane_id=row["pane_id"],
        pane_name=row["pane_name"],
        status=row["status"],
        stage=attempt.get("stage"),
        held=attempt.get("held"),
        started_at=iso(row["started_at"]),
        finished_at=iso_or_none(row["finished_at"]),
        **_open_check(attempt),
        **_limit(state.get("limit") if row["status"] == "open" else None),
    )


def _limit(limit: dict[str, Any] | None) -> dict[str, Any]:
    """The fields of a RunRow about the usage limit that its agent is at; an earlier version wrote none."""
    if limit is None or limit["standing"] == "over":
        return {}
    return {"limited": True, "limited_until": iso_or_none(limit["until"])}


def _open_check(attempt: dict[str, Any]) -> dict[str, Any]:
    """The fields of a RunRow about the external check that an attempt waits for; an earlier version wrote fewer."""
    still = [status for status in attempt.get("checks", {}).values() if status not in ("success", "failure")]
    if not still or attempt["phase"] not in ("acting", "watching"):
        return {}
    return {
        "check": still[-1],
        "percent": attempt.get("check_percent"),
        "check_detail": attempt.get("check_detail", ""),
    }
