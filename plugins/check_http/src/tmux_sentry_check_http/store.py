"""Deliveries on disk: `webhooks.db` in tmux-sentry's home. What was accepted is here before the sender hears of it."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "webhooks.db"
DAY = 86400.0
#: Seconds: deliveries, and what they are known by (GitHub's signature never gets old, so an id must not soon).
KEEP, KEEP_IDS = DAY, 30 * DAY
#: Limits against a sender that has gone mad; none is reached by one that has not.
MOST_DELIVERIES, MOST_BYTES, MOST_IDS = 10_000, 64 * 1024 * 1024, 100_000
#: Seconds to wait for another process that writes.
BUSY = 3.0
# Checks remember numbers, so those of a new file begin at the milliseconds of the epoch: above those of any older file.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, received REAL NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL,
    event TEXT NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS deliveries_by_path ON deliveries (path, seq);
CREATE INDEX IF NOT EXISTS deliveries_by_time ON deliveries (received);
CREATE TABLE IF NOT EXISTS ids (id TEXT PRIMARY KEY, received REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ids_by_time ON ids (received);
INSERT INTO sqlite_sequence (name, seq) SELECT 'deliveries', CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'deliveries');
"""


class StoreError(Exception):
    """The file cannot be used; the message says why and what to do."""


class Full(StoreError):
    """There is no room, and nothing is dropped to make some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One delivery that was accepted. `event` is its X-GitHub-Event, or ""; `name` is its id, for people."""

    received: float  # epoch seconds
    path: str
    name: str
    event: str
    body: bytes
    seq: int = 0


class Store:
    """One connection, used by one thread at a time. Every method raises StoreError."""

    def __init__(self, home: str, busy: float = BUSY) -> None:
        path = Path(home) / NAME
        _private(path)
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(path, timeout=busy, check_same_thread=False, isolation_level=None)
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")  # a power cut must not take what was accepted
                self._db.executescript(_SCHEMA)
            except sqlite3.Error:
                self._db.close()
                raise
        except sqlite3.Error as error:
            raise StoreError(f"{NAME} cannot be used ({error}): move it away, it is made again") from None

    def add(self, delivery: Delivery, ids: Sequence[str]) -> bool:
        """Commit a delivery; False, and nothing is written, when it came before by any of its `ids`. Raises Full."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    added = self._added(delivery, ids)
                    self._db.execute("COMMIT")
                    return added
                except BaseException:
                    with suppress(sqlite3.Error):
                        self._db.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise StoreError(f"{NAME} cannot be written ({error})") from None

    def after(self, seq: int, path: str, since: float, most: int = 100) -> list[Delivery]:
        """Deliveries at `path` after number `seq` that were received at `since` or later, in order."""
        rows = self._rows(
            "SELECT seq, received, path, name, event, body FROM deliveries"
            " WHERE path = ? AND seq > ? AND received >= ? ORDER BY seq LIMIT ?",
            (path, seq, since, most),
        )
        return [_delivery(row) for row in rows]

    def last(self, path: str, since: float, until: float) -> Delivery | None:
        """The last delivery at `path` that was received at `since` or later, and before `until`."""
        rows = self._rows(
            "SELECT seq, received, path, name, event, body FROM deliveries"
            " WHERE path = ? AND received >= ? AND received < ? ORDER BY seq DESC LIMIT 1",
            (path, since, until),
        )
        return _delivery(rows[0]) if rows else None

    def elsewhere(self, path: str, since: float) -> str:
        """The last other path that something came to since then; ""."""
        rows = self._rows(
            "SELECT path FROM deliveries WHERE received >= ? AND path != ? ORDER BY seq DESC LIMIT 1", (since, path)
        )
        return str(rows[0][0]) if rows else ""

    def close(self) -> None:
        with self._lock, suppress(sqlite3.Error):
            self._db.close()

    def _rows(self, query: str, values: tuple[object, ...]) -> list[Any]:
        with self._lock:
            try:
                return self._db.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise StoreError(f"{NAME} cannot be read ({error})") from None

    def _added(self, delivery: Delivery, ids: Sequence[str]) -> bool:
        now, db = delivery.received, self._db
        db.execute("DELETE FROM deliveries WHERE received < ?", (now - KEEP,))
        db.execute("DELETE FROM ids WHERE received < ?", (now - KEEP_IDS,))
        for id_ in ids:
            if db.execute("SELECT 1 FROM ids WHERE id = ?", (id_,)).fetchone():
                return False
        (rows, size), (known,) = (
            db.execute("SELECT count(*), coalesce(sum(length(body)), 0) FROM deliveries").fetchone(),
            db.execute("SELECT count(*) FROM ids").fetchone(),
        )
        if rows >= MOST_DELIVERIES or size + len(delivery.body) > MOST_BYTES or known + len(ids) > MOST_IDS:
            raise Full(f"{NAME} is full: what came in the last day goes by itself, or move the file away")
        db.executemany("INSERT INTO ids VALUES (?, ?)", [(id_, now) for id_ in ids])
        db.execute(
            "INSERT INTO deliveries (received, path, name, event, body) VALUES (?, ?, ?, ?, ?)",
            (now, delivery.path, delivery.name, delivery.event, delivery.body),
        )
        return True


def _delivery(row: tuple[Any, ...]) -> Delivery:
    return Delivery(seq=row[0], received=row[1], path=row[2], name=row[3], event=row[4], body=row[5])


def _private(path: Path) -> None:
    """Make the file for us alone, or refuse one that is not: who writes to it decides what has been delivered."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        info = path.lstat()
    except OSError as error:
        raise StoreError(f"{NAME} cannot be made in {path.parent} ({error.strerror})") from None
    if not stat.S_ISREG(info.st_mode) or info.st_uid != os.geteuid():
        raise StoreError(f"{path} is no file of yours: move it away")
    if info.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise StoreError(f"{path} is open to other users: chmod 600 {path}")
