"""Snapshots of the database, in `backups/` beside it: how they are made, what they are called, which ones go."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Literal

from tmux_sentry.state.faults import translated
from tmux_sentry.state.files import private_directory, sync_directory
from tmux_sentry.state.verify import check_with, reading, verify

Kind = Literal["hourly", "daily", "before-migration", "by-hand"]

#: How many of each kind stay. Those made by hand belong to whoever made them.
KEPT: dict[Kind, int] = {"hourly": 24, "daily": 14, "before-migration": 5}
HOUR = 3600.0

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_STAMP = "%Y%m%dT%H%M%S%fZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One snapshot, as its name tells. `at` is in epoch seconds."""

    path: Path
    kind: Kind
    at: float


def directory_of(database: Path) -> Path:
    """Where the snapshots of a database are."""
    return database.parent / "backups"


def backups_of(database: Path) -> list[Backup]:
    """Its snapshots, newest first; whatever else is in the directory is not ours."""
    name = re.compile(rf"{re.escape(database.stem)}-(\d{{8}}T\d{{12}}Z)-(hourly|daily|before-migration|by-hand)\.db")
    found = []
    directory = directory_of(database)
    for path in directory.iterdir() if directory.is_dir() else ():
        match = name.fullmatch(path.name)
        if match is not None:
            with suppress(ValueError):  # digits that are no date
                moment = datetime.strptime(match[1], _STAMP).replace(tzinfo=timezone.utc)
                at = (moment - _EPOCH) / timedelta(seconds=1)
                found.append(Backup(path=path, kind=match[2], at=at))  # type: ignore[arg-type]
    return sorted(found, key=lambda one: one.path.name, reverse=True)


def due(database: Path, now: float) -> Kind | None:
    """Which regular snapshot is to be made now: the first of a UTC day is its daily one, and counts for its hour."""
    regular = [one for one in backups_of(database) if one.kind in ("hourly", "daily")]
    # One from the future (a clock that was set back) must not stop them.
    if any(now - HOUR < one.at <= now for one in regular):
        return None
    today = _moment(now).date()
    return "hourly" if any(one.kind == "daily" and _moment(one.at).date() == today for one in regular) else "daily"


def make(database: Path, kind: Kind, now: float, source: sqlite3.Connection | None = None) -> Path:
    """Make a snapshot and remove those that are over; returns its path. Raises SentryError or OSError."""
    directory = directory_of(database)
    private_directory(directory)
    target = directory / f"{database.stem}-{_moment(now).strftime(_STAMP)}-{kind}.db"
    write(database, target, source)
    rotate(database, now)
    return target


def write(database: Path, target: Path, source: sqlite3.Connection | None = None) -> None:
    """A verified copy of the database as it is now, at `target`, whole or not at all.

    It is read through a connection of its own, or through `source`, which must not be in a transaction: a
    database that is locked for one connection cannot be read by another.
    """
    partial = target.with_name(f".{target.name}.partial")
    # In one step, and in pages of its own: the online backup API starts anew with every foreign commit.
    with translated(target), _partial(partial):
        if source is None:
            with reading(database) as connection:
                _copy(connection, database, partial)
        else:
            _copy(source, database, partial)
        verify(partial)
        sync_file(partial)
        partial.rename(target)
        sync_directory(target.parent)


def rotate(database: Path, now: float) -> None:
    """Remove what is above the number kept of each kind, and what a killed process left half made."""
    present = backups_of(database)
    for kind, number in KEPT.items():
        for old in [one for one in present if one.kind == kind][number:]:
            old.path.unlink(missing_ok=True)
    for partial in directory_of(database).glob(f".{database.stem}-*.partial"):
        with suppress(FileNotFoundError):  # its maker may be about to finish it
            if partial.stat().st_mtime < now - HOUR:
                partial.unlink()


def _copy(connection: sqlite3.Connection, database: Path, target: Path) -> None:
    # Of a damaged database VACUUM makes a sound copy with rows missing, which would push out the good ones.
    check_with(connection, database)
    connection.execute("VACUUM INTO ?", (str(target),))


def sync_file(path: Path) -> None:
    """What is in the file is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def _partial(path: Path) -> Iterator[None]:
    """A new private file, gone again if the block raises."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    try:
        yield
    except BaseException:
        for name in (path.name, f"{path.name}-journal"):
            path.with_name(name).unlink(missing_ok=True)
        raise


def _moment(epoch_seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=epoch_seconds)
