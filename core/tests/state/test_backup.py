"""Snapshots: whole and private or not there at all, taken while others write, and never more than are kept."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from tmux_sentry.errors import SentryError
from tmux_sentry.state import backup
from tmux_sentry.state.backup import Kind, backups_of, due
from tmux_sentry.state.database import open_database
from tmux_sentry.state.store import Store
from tmux_sentry.state.verify import verify
from tmux_sentry.testing.clock import FakeClock

HOUR = 3600.0


def kinds(path: Path) -> list[Kind]:
    return [one.kind for one in backups_of(path)]


def test_a_snapshot_is_private_named_by_its_time_and_has_what_was_committed(
    store: Store, path: Path, clock: FakeClock
) -> None:
    store.heartbeat()
    made = store.backup("hourly")
    assert made.name == "state-20261122T092000000000Z-hourly.db"
    assert made.stat().st_mode & 0o777 == 0o600
    assert made.parent.stat().st_mode & 0o777 == 0o700
    verify(made)
    with Store.open_readonly(made, clock) as copy:
        assert copy.instance == store.instance
        assert copy.seen_at() == clock.now()
    [listed] = backups_of(path)
    assert (listed.path, listed.kind, listed.at) == (made, "hourly", clock.now())


def test_a_snapshot_does_not_wait_for_who_writes_and_has_nothing_half_done(
    store: Store, path: Path, clock: FakeClock
) -> None:
    store.heartbeat()
    with store._database.write() as connection:
        connection.exec_driver_sql("DELETE FROM meta")
        made = backup.make(path, "by-hand", clock.now())
    with Store.open_readonly(made, clock) as copy:
        assert copy.seen_at() == clock.now()


def test_the_first_of_a_day_is_its_daily_one_and_the_others_come_each_hour(store: Store, path: Path) -> None:
    clock = store._clock
    assert isinstance(clock, FakeClock)
    made = []
    for _ in range(2 * 24 * 4):  # two days, looked at every quarter of an hour
        kind = due(path, clock.now())
        if kind is not None:
            store.backup(kind)
            made.append((kind, clock.now()))
        clock.advance(HOUR / 4)
    assert {later - earlier for (_, earlier), (_, later) in pairwise(made)} == {HOUR}
    assert [kind for kind, _ in made].count("daily") == 3  # it began in the middle of a day
    assert made[0][0] == "daily"


def test_a_clock_that_was_set_back_does_not_stop_them(store: Store, path: Path, clock: FakeClock) -> None:
    store.backup("daily")
    clock.jump(-30 * 86400)
    assert due(path, clock.now()) == "daily"


def test_of_each_kind_the_newest_stay_and_those_made_by_hand_all(path: Path, clock: FakeClock) -> None:
    with Store.open(path, clock):
        pass
    directory = path.parent / "backups"
    directory.mkdir(mode=0o700)
    other = directory / "state-2-20200101T000000000000Z-hourly.db"  # another database's
    notes = directory / "notes.txt"
    for kind in ("hourly", "daily", "before-migration", "by-hand"):
        for number in range(30):
            (directory / f"state-202601{number + 1:02d}T000000000000Z-{kind}.db").touch()
    for file in (other, notes):
        file.touch()
    backup.rotate(path, clock.now())
    left = kinds(path)
    assert {kind: left.count(kind) for kind in left} == {
        "hourly": 24, "daily": 14, "before-migration": 5, "by-hand": 30,
    }  # fmt: skip
    assert min(one.path.name for one in backups_of(path) if one.kind == "daily").startswith("state-20260117")
    assert other.exists()
    assert notes.exists()


def test_what_a_killed_process_left_goes_but_not_what_is_being_made(path: Path, clock: FakeClock) -> None:
    with Store.open(path, clock) as store:
        made = store.backup("hourly")
        old, fresh = (made.with_name(f".state-{name}.partial") for name in ("old", "fresh"))
        for file, age in ((old, 2 * HOUR), (fresh, 60)):
            file.touch()
            os.utime(file, (clock.now() - age, clock.now() - age))
        store.backup("by-hand")
    assert not old.exists()
    assert fresh.exists()


def test_a_damaged_source_gives_no_snapshot_and_no_half_of_one(path: Path, clock: FakeClock) -> None:
    with Store.open(path, clock):
        pass
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(bytes(4096))
    with pytest.raises(SentryError):
        backup.make(path, "hourly", clock.now())
    assert list((path.parent / "backups").iterdir()) == []


def test_a_copy_that_fails_its_check_is_not_kept(path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a disk would that returns other bytes than it was given."""

    def spoil(partial: Path) -> None:
        os.truncate(partial, partial.stat().st_size - 4096)
        verify(partial)

    monkeypatch.setattr(backup, "verify", spoil)
    with Store.open(path, clock) as store, pytest.raises(SentryError, match="damaged"):
        store.backup("hourly")
    assert list((path.parent / "backups").iterdir()) == []


def test_a_full_disk_leaves_no_half_of_a_snapshot(path: Path) -> None:
    script = """
import resource, sys
sys.dont_write_bytecode = True  # half a file would stay for every later test
from pathlib import Path
from tmux_sentry.clock import SystemClock
from tmux_sentry.errors import SentryError
from tmux_sentry.state.store import Store
with Store.open(Path(sys.argv[1]), SystemClock()) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # as a quota or a full disk would
    try:
        store.backup("hourly")
    except (SentryError, OSError) as error:
        print(type(error).__name__, error)
"""
    out = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out.stderr
    assert out.stdout.startswith("SentryError cannot use the database")
    assert list((path.parent / "backups").iterdir()) == []


def test_a_database_that_is_locked_for_one_connection_is_copied_through_that_one(path: Path, clock: FakeClock) -> None:
    database = open_database(path, magic_of=lambda _: 0x6969, allow_network_fs=True)
    with database.write() as connection:
        connection.exec_driver_sql("INSERT INTO meta VALUES ('seen_at', '1.0')")
    made = database.backup("hourly", clock.now())
    database.close()
    with closing(sqlite3.connect(made)) as copy:
        assert copy.execute("SELECT value FROM meta").fetchall() == [("1.0",)]
