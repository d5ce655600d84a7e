"""What SQLite's failures mean to a person."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DatabaseError

from tmux_sentry.errors import DatabaseDamaged, SentryError

# Matched by message: sqlite3 gives exceptions an error code only from Python 3.11 on.
_DAMAGED = ("malformed", "not a database", "unsupported file format", "decode to UTF-8")
_FIXES = (
    ("full", "the disk is full: free some space"),
    ("readonly", "it cannot be written: check its owner, its mode and the mount"),
    ("unable to open", "it cannot be opened: check its owner, its mode and the mount"),
    ("locked", "another program is using it: close it (a sqlite3 shell in a transaction?)"),
    ("disk I/O error", "the disk or its quota refused: look at the system's log"),
)


def damaged(path: Path | None, why: str) -> DatabaseDamaged:
    """The error for a database that cannot be trusted; the file stays as it is."""
    return DatabaseDamaged(
        f"the database {path} is damaged",
        why,
        "it was left as it is; bring a backup back with `tmux-sentry db restore`, or move it and its -wal and -shm "
        "files away to start anew",
    )


@contextmanager
def translated(path: Path | None) -> Iterator[None]:
    """Turn SQLite's own failures into errors that name the file and what to do."""
    try:
        yield
    except (DatabaseError, sqlite3.DatabaseError) as error:
        said = str(error.orig if isinstance(error, DatabaseError) else error)
        if any(word in said for word in _DAMAGED):
            raise damaged(path, said) from error
        for word, fix in _FIXES:
            if word in said:
                raise SentryError(f"cannot use the database {path}", said, fix) from error
        raise
