"""What may go after a while: Runs that have ended, what belongs to them, and messages that have arrived.

Matching asks for ever whether a pane has run a pipeline. So of every pipeline and pane the row of the Run itself
stays: while the pane is there, and, by its names, the newest one. Fences stay always.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

#: Seconds that what has ended stays, unless the user says otherwise: 90 days.
KEEP = 90 * 86400.0
#: Rows removed in one transaction at most; in between others get their turn.
BATCH = 1000

_OLD = "SELECT id FROM runs WHERE status != 'open' AND finished_at < :before"
_PLANNED = "SELECT action_id FROM sends WHERE status = 'planned'"
_ASKED = f"SELECT id FROM approvals WHERE run_id IN ({_OLD}) AND status != 'pending'"
# SQLite takes the other columns from the row that has the maximum.
_NEWEST = """SELECT id FROM (SELECT id, max(started_at) FROM runs
    GROUP BY pipeline, host, server, session_name, window_name, pane_index)"""

# In this order: a Run goes last, an intent before its send, or what is left would look open.
_RULES = (
    ("stage_history", f"run_id IN ({_OLD})"),
    (
        "intents",
        f"""action_id NOT IN ({_PLANNED})
        AND (action_id IN (SELECT action_id FROM sends WHERE run_id IN ({_OLD}))
             OR (action_id LIKE 'send/%' AND settled_at < :before AND status NOT IN ('intent', 'unknown')))""",
    ),
    ("sends", f"run_id IN ({_OLD}) AND status != 'planned'"),
    ("votes", f"approval_id IN ({_ASKED})"),
    ("links", f"approval_id IN ({_ASKED})"),
    ("links", "approval_id = '' AND expires_at < :before"),
    ("approvals", f"id IN ({_ASKED})"),
    ("outbox", "status IN ('delivered', 'told', 'dropped', 'silenced') AND settled_at < :before"),
    ("deliveries", "at < :before AND outbox_id NOT IN (SELECT id FROM outbox WHERE status = 'pending')"),
    (
        "runs",
        f"""id IN ({_OLD})
        AND pane_key NOT IN (SELECT pane_key FROM pane_keys)
        AND id NOT IN ({_NEWEST})
        AND id NOT IN (SELECT run_id FROM sends) AND id NOT IN (SELECT run_id FROM approvals)""",
    ),
)


def prune(connection: Connection, now: float, keep: float = KEEP) -> int:
    """Remove one batch of what is over for `keep` seconds; returns how many rows, 0 when nothing is left to remove."""
    for table, condition in _RULES:
        gone = connection.execute(
            text(f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE {condition} LIMIT :batch)"),
            {"before": now - keep, "batch": BATCH},
        )
        if gone.rowcount:
            return gone.rowcount
    return 0
