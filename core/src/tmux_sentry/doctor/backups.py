"""The copies of the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tmux_sentry.doctor.files import private
from tmux_sentry.doctor.finding import Finding, note, ok, problem

#: Hours. A day, and the time that making one may be late.
OLDEST = 26.0
_PARTIAL = ".partial"
_FIX = "`tmux-sentry run` makes one every hour; now, by hand: tmux-sentry db backup"


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
    yield age(directory, max(times, default=None), changed, now)


def age(directory: Path, newest: float | None, changed: float, now: float) -> Finding:
    """`newest` is when the newest copy was made, `changed` when the database last changed; epoch seconds."""
    if newest is None:
        return note("backups", f"there is no backup in {directory}", _FIX)
    hours = max(0.0, now - newest) / 3600
    if hours > OLDEST and changed > newest:
        return problem("backups", f"the newest backup is {hours:.0f} h old, and the database changed since", _FIX)
    return ok("backups", f"the newest backup is {hours:.0f} h old")
