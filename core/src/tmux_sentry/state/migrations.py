"""How a database on disk becomes the one this version knows: numbered steps, each in one transaction.

A step that was released never changes; a new one is appended. `PRAGMA user_version` is the number of
steps a database has had.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

Migration = Callable[[Connection], None]

#: "SNTR": says in the file's header whose database it is.
APPLICATION_ID = 0x534E5452


def _first(connection: Connection) -> None:
    for statement in _FIRST:
        connection.exec_driver_sql(statement)


_FIRST = (
    f"PRAGMA application_id = {APPLICATION_ID}",
    """CREATE TABLE pane_states (
        host TEXT NOT NULL, pane_id TEXT NOT NULL, session_name TEXT NOT NULL, window_name TEXT NOT NULL,
        window_index INTEGER NOT NULL, pane_index INTEGER NOT NULL, agent TEXT NOT NULL, state TEXT NOT NULL,
        stage TEXT, pipeline TEXT, confidence REAL, trust TEXT, last_signal TEXT NOT NULL,
        updated_at TEXT NOT NULL, first_seen_at TEXT NOT NULL, PRIMARY KEY (host, pane_id))""",
    """CREATE TABLE stage_history (
        id INTEGER NOT NULL PRIMARY KEY, run_id TEXT NOT NULL, host TEXT NOT NULL, pane_id TEXT NOT NULL,
        pipeline TEXT NOT NULL, stage TEXT NOT NULL, attempt INTEGER NOT NULL, status TEXT NOT NULL,
        reason TEXT NOT NULL, started_at TEXT, finished_at TEXT, approved_by TEXT, UNIQUE (run_id, stage, attempt))""",
    "CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE pane_keys (
        host TEXT NOT NULL, pane_id TEXT NOT NULL, pane_key TEXT NOT NULL, PRIMARY KEY (host, pane_id))""",
    """CREATE TABLE runs (
        id TEXT NOT NULL PRIMARY KEY, pipeline TEXT NOT NULL, host TEXT NOT NULL, server TEXT NOT NULL,
        pane_key TEXT NOT NULL, pane_id TEXT NOT NULL, pane_name TEXT NOT NULL, session_name TEXT NOT NULL,
        window_name TEXT NOT NULL, window_index INTEGER NOT NULL, pane_index INTEGER NOT NULL, status TEXT NOT NULL,
        policy_digest TEXT NOT NULL, source TEXT NOT NULL, state TEXT NOT NULL, started_at REAL NOT NULL,
        finished_at REAL)""",
    "CREATE INDEX runs_status ON runs (status)",
    """CREATE TABLE sends (
        action_id TEXT NOT NULL PRIMARY KEY, run_id TEXT NOT NULL, stage TEXT NOT NULL, attempt INTEGER NOT NULL,
        pane_key TEXT NOT NULL, keys TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
        planned_at REAL NOT NULL)""",
    """CREATE TABLE intents (
        id INTEGER NOT NULL PRIMARY KEY, action_id TEXT NOT NULL, step TEXT NOT NULL, "try" INTEGER NOT NULL,
        pane TEXT NOT NULL, pane_key TEXT NOT NULL, epoch INTEGER NOT NULL, previous INTEGER NOT NULL,
        marker INTEGER NOT NULL, payload_sha256 TEXT NOT NULL, command TEXT NOT NULL, cursor_column INTEGER NOT NULL,
        cursor_row INTEGER NOT NULL, expires_at REAL NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
        created_at REAL NOT NULL, settled_at REAL, UNIQUE (action_id, step, "try"),
        UNIQUE (pane_key, epoch, marker))""",
    "CREATE INDEX intents_status ON intents (status)",
    "CREATE TABLE fences (pane_key TEXT NOT NULL PRIMARY KEY, epoch INTEGER NOT NULL, marker INTEGER NOT NULL)",
    """CREATE TABLE approvals (
        id TEXT NOT NULL PRIMARY KEY, request TEXT NOT NULL, run_id TEXT NOT NULL, digest TEXT NOT NULL,
        approvers TEXT NOT NULL, shown TEXT NOT NULL, status TEXT NOT NULL, created_at REAL NOT NULL,
        expires_at REAL NOT NULL, decided_at REAL, decided_by TEXT, channel TEXT, comment TEXT)""",
    "CREATE INDEX approvals_status ON approvals (status)",
    """CREATE TABLE votes (
        id INTEGER NOT NULL PRIMARY KEY, approval_id TEXT NOT NULL, approved INTEGER NOT NULL, "by" TEXT NOT NULL,
        channel TEXT NOT NULL, comment TEXT NOT NULL, digest TEXT NOT NULL, counted INTEGER NOT NULL,
        "at" REAL NOT NULL)""",
    """CREATE TABLE outbox (
        id INTEGER NOT NULL PRIMARY KEY, channel TEXT NOT NULL, dedupe_key TEXT NOT NULL, message TEXT NOT NULL,
        status TEXT NOT NULL, tries INTEGER NOT NULL, detail TEXT NOT NULL, created_at REAL NOT NULL,
        next_at REAL NOT NULL, settled_at REAL, UNIQUE (dedupe_key, channel))""",
    "CREATE INDEX outbox_due ON outbox (status, next_at)",
)


def _notifications(connection: Connection) -> None:
    for statement in _NOTIFICATIONS:
        connection.exec_driver_sql(statement)


_NOTIFICATIONS = (
    "ALTER TABLE outbox ADD COLUMN thread TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE outbox ADD COLUMN matter TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE outbox ADD COLUMN ends TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE outbox ADD COLUMN receipt TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE outbox ADD COLUMN repeat REAL",
    "ALTER TABLE outbox ADD COLUMN told_in INTEGER",
    "CREATE INDEX outbox_thread ON outbox (thread, channel) WHERE thread != ''",
    "CREATE INDEX outbox_matter ON outbox (matter) WHERE matter != ''",
    """CREATE TABLE deliveries (
        id INTEGER NOT NULL PRIMARY KEY, outbox_id INTEGER NOT NULL, channel TEXT NOT NULL, "at" REAL NOT NULL,
        outcome TEXT NOT NULL, detail TEXT NOT NULL)""",
    'CREATE INDEX deliveries_channel ON deliveries (channel, "at")',
    "CREATE INDEX deliveries_outbox ON deliveries (outbox_id)",
    """CREATE TABLE channels (
        name TEXT NOT NULL PRIMARY KEY, state TEXT NOT NULL, why TEXT NOT NULL, since REAL NOT NULL, until REAL,
        settings TEXT NOT NULL)""",
    """CREATE TABLE silences (
        id TEXT NOT NULL PRIMARY KEY, pipeline TEXT NOT NULL, host TEXT NOT NULL, event TEXT NOT NULL,
        until REAL NOT NULL, reason TEXT NOT NULL, "by" TEXT NOT NULL, created_at REAL NOT NULL)""",
)


def _approvals(connection: Connection) -> None:
    for statement in _APPROVALS:
        connection.exec_driver_sql(statement)


_APPROVALS = (
    "ALTER TABLE approvals ADD COLUMN rules TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE approvals ADD COLUMN until REAL",
    "ALTER TABLE votes ADD COLUMN known TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX votes_approval ON votes (approval_id)",
    """CREATE TABLE links (
        hash TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, approval_id TEXT NOT NULL, channel TEXT NOT NULL,
        recipient TEXT NOT NULL, created_at REAL NOT NULL, expires_at REAL NOT NULL, used_at REAL, revoked_at REAL,
        wrong_codes INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX links_approval ON links (approval_id)",
    "CREATE INDEX links_expires ON links (expires_at)",
)

MIGRATIONS: tuple[Migration, ...] = (_first, _notifications, _approvals)


def version(connection: Connection) -> int:
    """How many steps this database has had."""
    return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())


def migrate(connection: Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Take the steps that are missing, each in a transaction of its own with its number."""
    for number, step in enumerate(migrations, start=1):
        with connection.begin():
            if version(connection) < number:
                step(connection)
                connection.exec_driver_sql(f"PRAGMA user_version = {number:d}")
