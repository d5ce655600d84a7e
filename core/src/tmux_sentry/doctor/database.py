"""The database file and SQLite itself. It is opened for reading only."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tmux_sentry.doctor.files import private
from tmux_sentry.doctor.finding import Finding, Level, note, of_error, ok, problem
from tmux_sentry.doctor.known import Known, read_known
from tmux_sentry.errors import SentryError
from tmux_sentry.state.database import Database, open_readonly
from tmux_sentry.state.faults import damaged

#: Versions in which two writers can damage a WAL.
_WAL_RESET = ((3, 7, 0), (3, 51, 3))
#: Bytes. SQLite writes the WAL back into the file long before.
_LARGE_WAL = 256 * 1000 * 1000
_RESTORE = "tmux-sentry db restore"


def library(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> Finding:
    """The SQLite that Python brings."""
    shown = f"SQLite {'.'.join(map(str, version))}"
    first, fixed = _WAL_RESET
    if first <= version < fixed:
        what = f"{shown} can damage a database that two programs write at once; tmux-sentry has one that writes"
        return note("database", what, "write to it with no other program; SQLite 3.51.3 has it fixed")
    return ok("database", shown)


def examine(path: Path, *, since: float, overdue: float) -> tuple[list[Finding], Known | None]:
    """What is wrong with the file, and what it knows; None when it cannot be read or is not there."""
    path = Path(os.path.realpath(path))  # SQLite's own files are beside the file itself, not beside a link to it
    found = list(private(path, "database", "the database"))
    if not path.exists():
        if path.with_name(path.name + "-wal").exists():
            error = damaged(path, f"its journal {path.name}-wal is there, the file itself is gone")
            return [*found, *of_error("database", error, _RESTORE)], None
        return [note("database", f"there is no database at {path} yet", "the first `tmux-sentry run` makes it")], None
    try:
        inside, known = _read(path, since, overdue)
    except SentryError as error:
        # Said already of a file that others may write to, which is not opened for that reason.
        if not any(one.level is Level.PROBLEM for one in found):
            found += of_error("database", error, _RESTORE)
        return found, None
    except OSError as error:
        return [
            *found,
            problem("database", f"{path} cannot be read: {error.strerror}", "check its owner and mode"),
        ], None
    except (ValueError, KeyError, TypeError) as error:
        return [*found, problem("database", f"{path} holds what tmux-sentry did not write: {error}", _RESTORE)], None
    return [*found, *inside], known


def _read(path: Path, since: float, overdue: float) -> tuple[list[Finding], Known | None]:
    """Without a -wal nobody has it open, and looking makes none either. If one came while we looked, look again."""
    wal = path.with_name(path.name + "-wal")
    for immutable in (True, False):
        if immutable and wal.exists():
            continue
        try:
            with closing(open_readonly(path, immutable=immutable)) as database:
                found = list(contents(database))
                sound = all(one.level is not Level.PROBLEM for one in found)
                answer = found, read_known(database, since=since, overdue=overdue) if sound else None
        except (SentryError, ValueError, KeyError, TypeError):
            if not immutable or not wal.exists():
                raise
            continue
        if not immutable or not wal.exists():
            return answer
    raise AssertionError("the second look returns or raises")


def contents(database: Database) -> Iterator[Finding]:
    """SQLite's own check, and the sizes."""
    path = database.path
    assert path is not None
    with database.read() as connection:
        said = list(map(str, connection.exec_driver_sql("PRAGMA quick_check(3)").scalars()))
        schema = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    if said != ["ok"]:
        yield from of_error("database", damaged(path, "; ".join(said)), _RESTORE)
        return
    wal = path.with_name(path.name + "-wal")
    journal = wal.stat().st_size if wal.exists() else 0
    yield ok("database", f"{path} is sound: schema {schema}, {_size(path.stat().st_size)}, journal {_size(journal)}")
    if journal > _LARGE_WAL:
        what = f"its journal {wal.name} has {_size(journal)}: somebody keeps it from being written back"
        yield problem("database", what, "close other programs that read the database (a sqlite3 shell?)")


def _size(number: int) -> str:
    return f"{number / 1e6:.1f} MB" if number >= 10**6 else f"{number // 1000} kB"
