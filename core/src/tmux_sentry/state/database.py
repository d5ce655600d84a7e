"""The database file: how it comes to be, what is checked before it is believed, and its one connection."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import StaticPool

from tmux_sentry.errors import Refused, SentryError
from tmux_sentry.state import backup, restore
from tmux_sentry.state.faults import damaged, translated
from tmux_sentry.state.files import filesystem_magic, network_filesystem, private_directory, sync_directory
from tmux_sentry.state.migrations import MIGRATIONS, Migration, migrate, version
from tmux_sentry.state.verify import check_file, check_pages, other_version


class Database:
    """One connection, used by one thread at a time. SQLite before 3.51.3 can corrupt a WAL when two
    connections write or checkpoint at the same moment, so nothing else in the program ever writes."""

    def __init__(self, connection: Connection, path: Path | None, *, alone: bool = False) -> None:
        """`alone`: it is locked for this connection, so that no other could read it."""
        self.path = path
        self._alone = alone
        self._connection = connection
        self._lock = threading.RLock()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: committed and on disk when the block ends, rolled back when it raises."""
        with self._lock:
            if self._connection.in_transaction():
                # Joining it would make "committed before it was sent" a lie.
                raise RuntimeError("this thread already has a transaction open")
            with translated(self.path), self._connection.begin():
                yield self._connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view; inside this thread's own transaction, that transaction's view."""
        with self._lock, translated(self.path):
            if self._connection.in_transaction():
                yield self._connection
            else:
                with self._connection.begin():
                    yield self._connection

    def backup(self, kind: backup.Kind, now: float) -> Path:
        """Make a snapshot of it while others work; on a network file system they wait for it."""
        if self.path is None:
            raise ValueError("a database in memory has no backups")
        with translated(self.path):
            if not self._alone:
                return backup.make(self.path, kind, now)
            with self._lock:
                return backup.make(self.path, kind, now, _raw(self._connection))

    def close(self) -> None:
        """Close the connection. Idempotent."""
        with self._lock:
            self._connection.close()
            self._connection.engine.dispose()


def open_database(
    path: Path | None,
    *,
    allow_network_fs: bool = False,
    migrations: Sequence[Migration] = MIGRATIONS,
    magic_of: Callable[[Path], int | None] = filesystem_magic,
) -> Database:
    """The database at `path`, made if there is none, in memory for None.

    Raises DatabaseDamaged, Refused (foreign, newer, unsafe owner or mode, network file system) or
    SentryError (cannot be written). A file that is there is never replaced.
    """
    if path is None:
        with translated(None):
            connection = _connect(lambda: sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None))
            migrate(connection, migrations)
        return Database(connection, None)
    path = Path(os.path.realpath(path))
    private_directory(path.parent)
    network = network_filesystem(magic_of(path.parent))
    if network and not allow_network_fs:
        raise Refused(
            f"{path} is on a network or FUSE file system ({network})",
            "SQLite's locks and shared memory cannot be trusted there",
            "set DATABASE_PATH to a file on a local disk, or take the risk: DATABASE_ALLOW_NETWORK_FS=yes",
        )
    restore.finish(path)
    check_file(path)
    with translated(path):
        if not path.exists():
            _create(path, migrations)
        # No shared memory across hosts: no WAL on a network file system.
        journal = ("journal_mode = TRUNCATE", "locking_mode = EXCLUSIVE") if network else ("journal_mode = WAL",)
        return _open_existing(path, journal, migrations)


def open_readonly(path: Path, *, immutable: bool = False) -> Database:
    """The database as it is, for listings while another process may write. Raises like `open_database`.

    SQLite makes the -wal and -shm files of a WAL database for a reader too, and leaves them. With `immutable` it makes
    nothing and sees no -wal: for a file that nobody has open.
    """
    path = Path(os.path.realpath(path))
    if not path.exists():
        raise SentryError(f"there is no database at {path}", "nothing has run here yet", "start `tmux-sentry run`")
    check_file(path)
    with translated(path):
        mode = "ro&immutable=1" if immutable else "ro"
        connection = _connect(lambda: _open_file(path, mode), begin="BEGIN")
        with connection.begin():
            have = version(connection)
        if have != len(MIGRATIONS):
            connection.close()
            connection.engine.dispose()
            raise other_version(path, have, len(MIGRATIONS))
    return Database(connection, path)


def _open_existing(path: Path, journal: Sequence[str], migrations: Sequence[Migration]) -> Database:
    hot = path.with_name(f"{path.name}-journal").exists()  # only who may write can read behind it
    if not hot:
        # Before a connection that writes is there: its end would move the journal's pages into a damaged file.
        check_pages(path)
    connection = _connect(lambda: _open_file(path, "rw", journal))
    try:
        with connection.begin():
            have = version(connection)
            if have > len(migrations):
                raise other_version(path, have, len(migrations))
            if hot:
                problems = connection.exec_driver_sql("PRAGMA quick_check(3)").scalars().all()
                if list(problems) != ["ok"]:
                    raise damaged(path, "; ".join(map(str, problems)))
        if have < len(migrations):
            backup.make(path, "before-migration", time.time(), _raw(connection))
            migrate(connection, migrations)
    except BaseException:
        connection.close()
        connection.engine.dispose()
        raise
    return Database(connection, path, alone=len(journal) > 1)


def _raw(connection: Connection) -> sqlite3.Connection:
    """SQLite's own connection: VACUUM cannot run in the transaction that SQLAlchemy would begin."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw


def _connect(creator: Callable[[], sqlite3.Connection], begin: str = "BEGIN IMMEDIATE") -> Connection:
    engine = create_engine("sqlite://", creator=creator, poolclass=StaticPool)

    # sqlite3 itself would begin late and not immediately; its connections here are in autocommit mode.
    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine.connect()


def _open_file(path: Path, mode: str, pragmas: Sequence[str] = ()) -> sqlite3.Connection:
    uri = f"{path.as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
    try:
        # FULL: in WAL mode NORMAL may lose the last commits with the power, and an intent must not be lost.
        # fullfsync: macOS's fsync alone does not reach the disk.
        common = ("busy_timeout = 5000", "foreign_keys = ON", "synchronous = FULL", "fullfsync = ON")
        for pragma in (*common, "journal_size_limit = 67108864", *pragmas):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def _create(path: Path, migrations: Sequence[Migration]) -> None:
    """Make the whole database beside `path`, then rename it: a crash leaves either none or a good one."""
    made = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        made.unlink()
    os.close(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    connection = _connect(lambda: _open_file(made, "rw", ("auto_vacuum = INCREMENTAL",)))
    try:
        migrate(connection, migrations)
    finally:
        connection.close()
        connection.engine.dispose()
    made.rename(path)
    sync_directory(path.parent)
