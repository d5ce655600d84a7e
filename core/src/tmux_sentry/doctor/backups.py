"""The copies of the database."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from tmux_sentry.doctor.files import private
from tmux_sentry.doctor.finding import Finding, note, ok, problem

#: Hours. A day, and the time that making one may be late.
OLDEST = 26.0
_PARTIAL = ".partial"


def backups(database: Path, now: float) -> Iterator[Finding]:
    """The newest file in `backups/` beside the database, by its time alone; nothing when there is no database."""
    if not database.exists():
        return
    directory = database.parent / "backups"
    yield from private(directory, "backups", "the backups directory")
    try:
        times = [
            path.stat().st_mtime
            for path in (directory.iterdir() if directory.is_dir() else ())
            if path.is_file() and path.suffix != _PARTIAL and not path.name.startswith(".")
        ]
        wal = database.with_name(database.name + "-wal")
        changed = max(path.stat().st_mtime for path in (database, wal) if path.exists())
    except OSError as error:
        yield problem("backups", f"{directory} cannot be read: {error.strerror}", f"chmod 700 {directory}")
        return
    yield age(directory, max(times, default=None), changed, now, _by_hand(database, directory))


def age(directory: Path, newest: float | None, changed: float, now: float, fix: str) -> Finding:
    """`newest` is when the newest copy was made, `changed` when the database last changed; epoch seconds."""
    if newest is None:
        return note("backups", f"there is no backup in {directory}", fix)
    hours = max(0.0, now - newest) / 3600
    if hours > OLDEST and changed > newest:
        return problem("backups", f"the newest backup is {hours:.0f} h old, and the database changed since", fix)
    return ok("backups", f"the newest backup is {hours:.0f} h old")


def _by_hand(database: Path, directory: Path) -> str:
    copy = directory / "by-hand.db"
    statement = f"VACUUM INTO '{str(copy).replace(chr(39), chr(39) * 2)}'"
    make = "" if directory.is_dir() else f"mkdir -m 700 {shlex.quote(str(directory))} && "
    return f"{make}sqlite3 {shlex.quote(str(database))} {shlex.quote(statement)}"
