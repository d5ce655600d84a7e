"""Whether a file is a whole database of ours. Only reads: what is damaged must stay as it was found."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tmux_sentry.errors import Refused
from tmux_sentry.state.faults import damaged, translated
from tmux_sentry.state.files import check_ours
from tmux_sentry.state.migrations import APPLICATION_ID, MIGRATIONS

_HEADER = b"SQLite format 3\0"

#: Bytes from which on a start makes the quick check only (about 0.7 s for each GB instead of 3.6 s).
LARGE = 500_000_000


def check_file(path: Path) -> None:
    """Refuse what is not our database before SQLite gets to touch it. Raises DatabaseDamaged or Refused."""
    if not path.exists():
        if path.with_name(path.name + "-wal").exists():
            raise damaged(
                path, f"its journal {path.name}-wal is there, the file itself is gone (remove both to start anew)"
            )
        return
    check_ours(path)
    with path.open("rb") as file:
        header = file.read(100)
    if not header.startswith(_HEADER):
        # Ours is never empty: it is renamed into place when it is complete.
        raise damaged(path, "the file is empty" if not header else "it is not a SQLite database")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise Refused(
            f"{path} is another program's database", "it was left as it is", "set DATABASE_PATH to another file"
        )


def check_pages(path: Path, *, whole: bool = False) -> int:
    """Have SQLite look at every page, committed work in the journal included; returns the schema's version.

    Above `LARGE` it is the quick check, unless `whole`. Raises DatabaseDamaged, or SentryError when the file
    cannot be read.
    """
    try:
        with translated(path), reading(path) as connection:
            check_with(connection, path, quick=not whole and path.stat().st_size >= LARGE)
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.DatabaseError as error:
        # Nothing but reading was asked of it.
        raise damaged(path, str(error)) from error
    if version == 0 or "fences" not in tables:
        raise damaged(path, "it has no tables of ours")  # ours are complete before they are renamed into place
    return version


def check_with(connection: sqlite3.Connection, path: Path, *, quick: bool = False) -> None:
    """Have SQLite check `path` through a connection that is open already. Raises DatabaseDamaged."""
    check = "quick_check" if quick else "integrity_check"
    found = [str(row[0]) for row in connection.execute(f"PRAGMA {check}(3)")]
    if found != ["ok"]:
        raise damaged(path, "; ".join(found))


def verify(path: Path) -> None:
    """Raise DatabaseDamaged or another SentryError unless `path` is a whole database that this version can use."""
    if not path.exists():
        raise damaged(path, "there is no such file")
    check_file(path)
    version = check_pages(path, whole=True)
    if version > len(MIGRATIONS):
        raise other_version(path, version, len(MIGRATIONS))


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection of its own that cannot write, not even a checkpoint at its end."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
    try:
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")  # damage need not be UTF-8
        connection.execute("PRAGMA busy_timeout = 5000")
        yield connection
    finally:
        connection.close()


def other_version(path: Path, have: int, known: int) -> Refused:
    """The error for a database of another version than this program's."""
    if have > known:
        return Refused(
            f"{path} was written by a newer tmux-sentry (schema {have}, this one knows {known})",
            "an older program would misread it",
            f"upgrade tmux-sentry, or use a copy from {path.parent / 'backups'}",
        )
    return Refused(
        f"{path} was written by an older tmux-sentry (schema {have}, this one reads {known})",
        "it is brought up to date by the program that writes it",
        "start `tmux-sentry run` once",
    )
