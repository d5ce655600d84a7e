"""Bringing a backup back: the present files go aside, never away, and a crash at any moment loses neither.

A restore is decided when the new database lies complete beside the old one, as `.state.db.restored`. From then
on whoever opens the database for writing first finishes it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from tmux_sentry.errors import DatabaseDamaged, SentryError
from tmux_sentry.security.sanitize import clean
from tmux_sentry.state import observe
from tmux_sentry.state.backup import Backup, backups_of, directory_of, sync_file
from tmux_sentry.state.faults import translated
from tmux_sentry.state.files import private_directory, sync_directory
from tmux_sentry.state.times import iso
from tmux_sentry.state.verify import check_file, check_pages, verify

#: `meta` key: panes that the journal does not know start with this epoch.
EPOCH = "epoch"
_SUFFIXES = ("", "-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was done: from which backup, why, and where the former files are (None when there were none)."""

    backup: Path
    why: str
    aside: Path | None


def recover(database: Path, now: float) -> Restored | None:
    """At a start: replace a damaged database by its newest good backup; None when it is sound, or not there.

    Raises DatabaseDamaged when there is no good backup (then nothing was moved), Refused for what is not ours.
    """
    finish(database)
    try:
        check_file(database)
        if database.exists() and not _hot_journal(database):
            check_pages(database)
        return None
    except DatabaseDamaged as error:
        why = error.why
    backup = newest_good(backups_of(database))
    if backup is None:
        raise DatabaseDamaged(
            f"the database {database} is damaged, and there is no good backup in {directory_of(database)}",
            f"{why}; it was left where it is, nothing was moved aside",
            "bring a copy of your own back: tmux-sentry db restore FILE; or move it and its -wal and -shm files away "
            "to start anew (what was typed before is then not known any more)",
        )
    made = f"the backup of {iso(backup.at)}"
    reason = f"the database was damaged ({clean(why, 120)}) and restored from {made}"
    aside = restore(database, backup.path, now, reason)
    return Restored(backup=backup.path, why=why, aside=aside)


def newest_good(backups: Iterable[Backup]) -> Backup | None:
    """The first that passes every check."""
    for one in backups:
        with suppress(SentryError, OSError):
            verify(one.path)
            return one
    return None


def restore(database: Path, backup: Path, now: float, reason: str) -> Path | None:
    """Put a backup in the place of the database, observing only from then on; returns where the former files are.

    Hold the InstanceLock. Raises SentryError when the backup is not good; then nothing has happened.
    """
    verify(backup)
    private_directory(database.parent)
    ready = _ready(database)
    partial = ready.with_name(f"{ready.name}.partial")
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    try:
        shutil.copyfile(backup, partial)
        with translated(partial):
            _mark(partial, now, reason)
        verify(partial)
        sync_file(partial)
        partial.rename(ready)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_directory(database.parent)
    return finish(database)


def finish(database: Path) -> Path | None:
    """Carry a decided restore out, or to its end; returns where the former files are, None if there were none."""
    ready = _ready(database)
    if not ready.exists():
        return None
    present = [path for suffix in _SUFFIXES if (path := database.with_name(database.name + suffix)).exists()]
    # Named by the file that decided it: whoever finishes it after a crash uses the same one.
    moment = datetime.fromtimestamp(ready.stat().st_mtime, timezone.utc)
    aside = _aside(database.parent, f"corrupt-{moment:%Y%m%dT%H%M%SZ}", present) if present else None
    if aside is not None:
        for path in present:
            path.rename(aside / path.name)
        sync_directory(aside)
        sync_directory(database.parent)
    ready.rename(database)
    sync_directory(database.parent)
    return aside


def _mark(path: Path, now: float, reason: str) -> None:
    """Say in a restored database that it is one, and move every pane to an epoch that was never used.

    What was lost since the backup has used marker numbers that the journal will use again. A command that still
    names one of those carries the old epoch, and the guard refuses it. Intents move along with their pane's
    epoch: a pane whose marker names one of them must still be recognised.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("BEGIN IMMEDIATE")
        (highest,) = connection.execute("SELECT coalesce(max(epoch), 0) FROM fences").fetchone()
        (floor,) = connection.execute(
            "SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE key = ?", (EPOCH,)
        ).fetchone()
        # The time, because the same backup may be restored twice.
        epoch = max(highest + 1, floor + 1, int(now))
        connection.execute(
            "UPDATE intents SET epoch = ?"
            " WHERE epoch = (SELECT epoch FROM fences WHERE fences.pane_key = intents.pane_key)",
            (epoch,),
        )
        connection.execute("UPDATE fences SET epoch = ?", (epoch,))
        put = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        connection.execute(put, (EPOCH, str(epoch)))
        connection.execute(put, (observe.KEY, observe.encode(reason, now)))
        connection.execute("COMMIT")


def _aside(home: Path, name: str, present: list[Path]) -> Path:
    """A directory that has none of these files yet: nothing that was put aside is ever overwritten."""
    number = 1
    while True:
        directory = home / (name if number == 1 else f"{name}-{number}")
        if not any((directory / path.name).exists() for path in present):
            directory.mkdir(mode=0o700, exist_ok=True)
            return directory
        number += 1


def _ready(database: Path) -> Path:
    return database.with_name(f".{database.name}.restored")


def _hot_journal(database: Path) -> bool:
    """On a network file system a crash leaves one, and only who may write can read behind it."""
    return database.with_name(f"{database.name}-journal").exists()
