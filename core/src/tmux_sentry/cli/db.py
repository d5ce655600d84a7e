"""`tmux-sentry db`: is the state database whole, a copy of it now, and an older one back."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tmux_sentry.cli import output
from tmux_sentry.cli.options import json_option
from tmux_sentry.cli.session import Session, begin, env_file_option, locked
from tmux_sentry.errors import EXIT_FAILED, EXIT_OK, SentryError, UsageError

if TYPE_CHECKING:
    from tmux_sentry.state.backup import Backup

_file = click.Path(path_type=Path)
_CHECK_COLUMNS = ("file", "kind", "made_at", "size", "ok", "problem")


@click.group("db")
def db() -> None:
    """Check, back up and restore the state database."""


@db.command("check")
@env_file_option
@json_option
def check(env_file: Path | None, as_json: bool) -> int:
    """Read every page of the database and of each backup. Exit status 1 when one is damaged."""
    from tmux_sentry.state.backup import backups_of
    from tmux_sentry.state.times import iso

    path = _path(begin(env_file))
    there = path.exists() or path.with_name(f"{path.name}-wal").exists()
    rows = [{"file": str(path), "kind": "database", "made_at": None, **_checked(path)}] if there else []
    rows += [
        {"file": str(one.path), "kind": one.kind, "made_at": iso(one.at), **_checked(one.path)}
        for one in backups_of(path)
    ]
    if as_json:
        output.emit_json(rows)
    elif rows:
        shown = [{**row, "ok": "yes" if row["ok"] else "no"} for row in rows]
        output.table(_CHECK_COLUMNS, [[row[column] for column in _CHECK_COLUMNS] for row in shown])
    else:
        output.say(f"there is no database at {path} yet, and no backup")
    return EXIT_OK if all(row["ok"] for row in rows) else EXIT_FAILED


@db.command("backup")
@click.argument("file", required=False, type=_file)
@env_file_option
def backup(file: Path | None, env_file: Path | None) -> None:
    """Copy the database as it is now to FILE, or into backups/; also while `run` is running."""
    from tmux_sentry.state import backup as backups
    from tmux_sentry.state.verify import check_file

    path = _path(begin(env_file))
    _must_exist(path)
    check_file(path)
    try:
        if file is None:
            made = backups.make(path, "by-hand", time.time())
        else:
            made = Path(os.path.abspath(file))
            if made.exists():
                raise UsageError(f"{made} exists", "a backup replaces nothing", "name another file")
            backups.write(path, made)
    except OSError as error:
        what = f"cannot write the backup {error.filename or file or backups.directory_of(path)}"
        raise SentryError(what, error.strerror or str(error)) from error
    output.say(f"copied to {made} ({made.stat().st_size} bytes), and checked")


@db.command("restore")
@click.argument("backup", required=False, type=_file)
@env_file_option
def restore(backup: Path | None, env_file: Path | None) -> None:
    """Put BACKUP, or the newest good one, in the place of the database.

    The present files are moved to corrupt-TIME/ beside it. Afterwards `run` only watches, until
    `tmux-sentry runs resume --all`.
    """
    from tmux_sentry.state import restore as restoring
    from tmux_sentry.state.backup import backups_of, directory_of

    session = begin(env_file)
    path = _path(session)
    with locked(session):
        restoring.finish(path)
        if backup is None:
            newest = restoring.newest_good(backups_of(path))
            if newest is None:
                raise UsageError(f"there is no good backup in {directory_of(path)}", "", "see: tmux-sentry db check")
            chosen = newest.path
        else:
            inside = directory_of(path) / backup.name
            chosen = inside if not backup.exists() and len(backup.parts) == 1 else Path(os.path.abspath(backup))
            if not chosen.exists():
                raise UsageError(f"there is no backup {chosen}", "", "see: tmux-sentry db check")
        try:
            aside = restoring.restore(path, chosen, time.time(), f"the backup {chosen.name} was restored by hand")
        except OSError as error:
            raise SentryError(f"cannot restore {path}", str(error)) from error
    output.say(f"restored {path} from {chosen}")
    if aside is not None:
        output.say(f"the files that were there are in {aside}")
    output.say("what was typed since that backup is not known: `tmux-sentry run` starts nothing and types nothing")
    output.say("look at the panes, then go on with: tmux-sentry runs resume --all")


@db.command("stats")
@env_file_option
@json_option
def stats(env_file: Path | None, as_json: bool) -> None:
    """Show how large the database is, what is in it, and its newest backup."""
    path = _path(begin(env_file))
    _must_exist(path)
    found = _stats(path)
    if as_json:
        output.emit_json(found)
        return
    flat = {name: value for name, value in found.items() if not isinstance(value, Mapping)}
    flat |= {f"rows of {table}": number for table, number in found["rows"].items()}
    output.table(("what", "value"), list(flat.items()))


def _stats(path: Path) -> dict[str, Any]:
    import sqlite3

    from tmux_sentry.state.backup import backups_of
    from tmux_sentry.state.faults import translated
    from tmux_sentry.state.tables import metadata
    from tmux_sentry.state.times import iso
    from tmux_sentry.state.verify import check_file, reading

    check_file(path)
    with translated(path), reading(path) as connection:
        rows = {
            name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in sorted(metadata.tables)
        }
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    newest: Backup | None = next(iter(backups_of(path)), None)
    return {
        "file": str(path),
        "size": path.stat().st_size,
        "wal_size": _size(path.with_name(f"{path.name}-wal")),
        "schema": version,
        "sqlite_version": sqlite3.sqlite_version,
        "backups": len(backups_of(path)),
        "newest_backup": None if newest is None else str(newest.path),
        "newest_backup_at": None if newest is None else iso(newest.at),
        "newest_backup_age": None if newest is None else round(max(0.0, time.time() - newest.at)),
        "rows": rows,
    }


def _checked(path: Path) -> dict[str, Any]:
    from tmux_sentry.state.verify import verify

    problem = None
    try:
        verify(path)
    except SentryError as error:
        problem = f"{error.what}: {error.why}" if error.why else error.what
    except OSError as error:
        problem = str(error)
    return {"size": _size(path), "ok": problem is None, "problem": problem}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _path(session: Session) -> Path:
    return Path(os.path.realpath(session.settings.database_path))


def _must_exist(path: Path) -> None:
    if not path.exists():
        raise SentryError(f"there is no database at {path}", "nothing has run here yet", "start `tmux-sentry run`")
