"""What is checked before a database is believed, and what is never done to one."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from tmux_sentry.errors import DatabaseDamaged, Refused, SentryError
from tmux_sentry.state.database import open_database
from tmux_sentry.state.files import filesystem_magic, network_filesystem
from tmux_sentry.state.migrations import MIGRATIONS
from tmux_sentry.state.store import Store
from tmux_sentry.state.tables import metadata
from tmux_sentry.testing.clock import FakeClock


def test_a_new_database_is_private_and_durable(store: Store, path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert (path.parent / "state.db-wal").stat().st_mode & 0o777 == 0o600
    with store._database.read() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


def test_the_instance_is_one_random_word_that_stays(path: Path, clock: FakeClock) -> None:
    with Store.open(path, clock) as first, Store.open(None, clock) as other:
        word = first.instance
        assert word.isalnum()
        assert len(word) >= 20
        assert word != other.instance
    with Store.open(path, clock) as again:
        assert again.instance == word


def test_migrations_make_exactly_the_declared_tables(store: Store, path: Path) -> None:
    declared = sqlite3.connect(":memory:")
    engine = create_engine("sqlite://", creator=lambda: declared, poolclass=StaticPool)
    metadata.create_all(engine)
    migrated = sqlite3.connect(path)
    try:
        assert _shape(migrated) == _shape(declared)
    finally:
        migrated.close()
        engine.dispose()


def _shape(connection: sqlite3.Connection) -> dict[str, object]:
    shape: dict[str, object] = {}
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        columns = [row[1:6] for row in connection.execute(f"PRAGMA table_info({table})")]
        indexes = set()
        for _, name, unique, origin, _ in connection.execute(f"PRAGMA index_list({table})").fetchall():
            over = tuple(row[2] for row in connection.execute(f"PRAGMA index_info({name})"))
            indexes.add((over, unique, origin, name if origin == "c" else ""))
        shape[table] = (columns, indexes)
    return shape


def _text(path: Path) -> None:
    path.write_text("this is my diary\n" * 300)


def _empty(path: Path) -> None:
    path.touch()


def _cut(path: Path) -> None:
    with Store.open(path, FakeClock()):
        pass
    os.truncate(path, path.stat().st_size // 2)


def _zeroed_page(path: Path) -> None:
    with Store.open(path, FakeClock()):
        pass
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(bytes(4096))


@pytest.mark.parametrize("harm", [_text, _empty, _cut, _zeroed_page])
def test_a_damaged_database_is_named_and_left_as_it_is(harm: Callable[[Path], None], path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    harm(path)
    path.chmod(0o600)
    before = path.read_bytes()
    with pytest.raises(DatabaseDamaged) as caught:
        Store.open(path, FakeClock())
    assert str(path) in caught.value.what
    assert caught.value.fix
    assert path.read_bytes() == before


def test_the_journal_of_a_damaged_database_is_left_as_it_is_too(path: Path, clock: FakeClock, tmp_path: Path) -> None:
    """It may hold the only good copy of a page; the end of a connection that can write would use it up."""
    with Store.open(path, clock) as store:
        store.heartbeat()
    left = tmp_path / "left"
    clock.advance(60)
    with Store.open(path, clock) as store:
        store.heartbeat()
        shutil.copytree(path.parent, left)  # as a kill leaves it
    spoiled, wal = left / path.name, left / "state.db-wal"
    with spoiled.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(bytes(4096))
    before = spoiled.read_bytes(), wal.read_bytes()
    assert before[1]
    with pytest.raises(DatabaseDamaged):
        Store.open(spoiled, clock)
    assert (spoiled.read_bytes(), wal.read_bytes()) == before


def test_a_database_whose_file_vanished_beside_its_journal_is_not_made_anew(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.with_name("state.db-wal").write_bytes(b"committed work")
    with pytest.raises(DatabaseDamaged, match="damaged"):
        Store.open(path, FakeClock())
    assert not path.exists()


def test_another_programs_database_is_refused_untouched(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    path.chmod(0o600)
    before = path.read_bytes()
    with pytest.raises(Refused, match="another program's database"):
        Store.open(path, FakeClock())
    assert path.read_bytes() == before


def test_a_database_from_a_newer_version_is_refused(path: Path) -> None:
    with Store.open(path, FakeClock()):
        pass
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    for opened in (Store.open, Store.open_readonly):
        with pytest.raises(Refused, match=r"newer tmux-sentry .schema 999") as caught:
            opened(path, FakeClock())
        assert "upgrade" in caught.value.fix


def test_a_migration_makes_a_backup_first_and_counts_itself(path: Path, clock: FakeClock) -> None:
    with Store.open(path, clock) as store:
        store.heartbeat()

    def second(connection: Connection) -> None:
        connection.exec_driver_sql("ALTER TABLE runs ADD COLUMN note TEXT")

    upgraded = open_database(path, migrations=(*MIGRATIONS, second))
    with upgraded.read() as connection:
        assert connection.exec_driver_sql("PRAGMA user_version").scalar() == len(MIGRATIONS) + 1
        connection.exec_driver_sql("SELECT note FROM runs")
    upgraded.close()
    (backup,) = (path.parent / "backups").iterdir()
    assert backup.stat().st_mode & 0o777 == 0o600
    with Store.open(backup, clock) as old:
        assert old.seen_at() == clock.now()


def test_a_migration_that_fails_changes_nothing(path: Path, clock: FakeClock) -> None:
    with Store.open(path, clock) as store:
        store.heartbeat()

    def breaks(connection: Connection) -> None:
        connection.exec_driver_sql("DROP TABLE outbox")
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        open_database(path, migrations=(*MIGRATIONS, breaks))
    with Store.open(path, clock) as store:
        assert store.seen_at() == clock.now()
        assert store.messages() == []


def test_a_crash_while_the_database_is_made_leaves_none(path: Path) -> None:
    def breaks(connection: Connection) -> None:
        raise ValueError("power cut")

    with pytest.raises(ValueError, match="power cut"):
        open_database(path, migrations=(breaks,))
    assert not path.exists()
    with Store.open(path, FakeClock()) as store:
        assert store.instance


@pytest.mark.parametrize("mode", [0o660, 0o606])
def test_a_database_that_others_can_write_is_refused(path: Path, mode: int) -> None:
    with Store.open(path, FakeClock()):
        pass
    path.chmod(mode)
    with pytest.raises(Refused) as caught:
        Store.open(path, FakeClock())
    assert caught.value.fix == f"chmod go-w {path}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_home_of_another_user_is_refused(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    os.chown(path.parent, 65534, -1)
    with pytest.raises(Refused, match="another user"):
        Store.open(path, FakeClock())


@pytest.mark.parametrize(
    ("magic", "name"),
    [(0x6969, "NFS"), (0xFF534D42, "CIFS"), (0xFE534D42, "SMB2"), (0x65735546, "FUSE"), (0xEF53, None), (None, None)],
)
def test_network_file_systems_are_known_by_their_number(magic: int | None, name: str | None) -> None:
    assert network_filesystem(magic) == name


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="statfs numbers are Linux's")
def test_the_kernel_is_asked_for_the_kind_of_file_system() -> None:
    assert filesystem_magic(Path("/proc")) == 0x9FA0
    assert filesystem_magic(Path("/no/such/place")) is None


def test_a_network_file_system_is_refused_unless_allowed_and_then_has_no_wal(path: Path) -> None:
    with pytest.raises(Refused, match=r"network or FUSE file system .NFS."):
        open_database(path, magic_of=lambda _: 0x6969)
    assert not path.exists()
    allowed = open_database(path, magic_of=lambda _: 0x6969, allow_network_fs=True)
    with allowed.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "truncate"
    allowed.close()


def test_reading_works_while_another_connection_writes_and_never_writes(
    store: Store, path: Path, clock: FakeClock
) -> None:
    with Store.open_readonly(path, clock) as reader:
        assert reader.instance == store.instance
        with store._database.write():
            assert reader.seen_at() is None
        store.heartbeat()
        assert reader.seen_at() == clock.now()
        with pytest.raises(SentryError, match="cannot use the database"):
            reader.heartbeat()


def test_reading_without_a_database_says_so_and_makes_none(path: Path, clock: FakeClock) -> None:
    with pytest.raises(SentryError, match="there is no database"):
        Store.open_readonly(path, clock)
    assert not path.exists()


def test_a_full_disk_is_said_with_the_file_and_loses_nothing(path: Path) -> None:
    with Store.open(path, FakeClock()) as store:
        store.heartbeat()
    script = """
import resource, sys
sys.dont_write_bytecode = True  # half a file would stay for every later test
from pathlib import Path
from tmux_sentry.clock import SystemClock
from tmux_sentry.contracts import Level, Message
from tmux_sentry.errors import SentryError
from tmux_sentry.state.store import Store
store = Store.open(Path(sys.argv[1]), SystemClock())
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))  # as a quota or a full disk would
done = 0
try:
    while True:
        with store.transaction() as step:
            step.enqueue(Message(id=str(done), at=0, level=Level.INFO, event="x", title="t" * 9000), ["a"], "")
        done += 1
except SentryError as error:
    print(done, "|".join(error.lines()))
store.close()
"""
    out = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out.stderr
    done, _, message = out.stdout.partition(" ")
    assert str(path) in message
    assert len(message.split("|")) == 3
    assert int(done) > 5
    with Store.open(path, FakeClock()) as store:
        assert len(store.messages(10_000)) == int(done)


def test_a_transaction_inside_a_transaction_is_a_mistake(store: Store) -> None:
    with pytest.raises(RuntimeError, match="already"), store.transaction():
        store.heartbeat()
    assert store.seen_at() is None


def test_another_thread_waits_for_the_transaction_in_progress(store: Store) -> None:
    with store.transaction():
        other = threading.Thread(target=store.heartbeat)
        other.start()
        other.join(0.2)
        assert other.is_alive()
    other.join(10)
    assert store.seen_at() is not None


def test_the_in_memory_database_needs_no_file(clock: FakeClock, tmp_path: Path) -> None:
    with Store.open(None, clock) as store:
        store.heartbeat()
        assert store.seen_at() == clock.now()
    assert list(tmp_path.iterdir()) == []
