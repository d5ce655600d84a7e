from __future__ import annotations

import os
from pathlib import Path

import pytest

from tmux_sentry.doctor import backups, disk
from tmux_sentry.doctor.finding import Level

NOW = 1_795_339_200.0
HOUR = 3600.0


@pytest.mark.parametrize(
    ("free", "level"), [(0, Level.PROBLEM), (disk.LEAST - 1, Level.PROBLEM), (disk.LEAST, Level.OK), (10**12, Level.OK)]
)
def test_a_full_disk_is_a_problem(free: int, level: Level) -> None:
    found = disk.space(Path("/var/lib/x"), free)
    assert found.level is level
    assert ("200 MB" in found.fix) is (level is Level.PROBLEM)


def test_a_network_file_system_is_a_problem() -> None:
    assert [one.level for one in disk.kind(Path("/nas"), "NFS")] == [Level.PROBLEM]
    assert [one.level for one in disk.kind(Path("/nas"), "NFS", allowed=True)] == [Level.NOTE]
    assert list(disk.kind(Path("/home"), None)) == []


def test_the_disk_of_a_directory_that_is_not_there_yet_is_the_one_it_will_be_on(tmp_path: Path) -> None:
    found = list(disk.disk(tmp_path / "a" / "b"))
    assert [one.subject for one in found] == ["disk"]
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("newest", "changed", "level"),
    [
        (None, NOW, Level.NOTE),
        (NOW - HOUR, NOW, Level.OK),
        (NOW - 26 * HOUR, NOW, Level.OK),
        (NOW - 27 * HOUR, NOW - 26 * HOUR, Level.PROBLEM),
        (NOW - 27 * HOUR, NOW - 28 * HOUR, Level.OK),
        (NOW + HOUR, NOW, Level.OK),
    ],
)
def test_an_old_backup_is_a_problem_when_the_database_changed_since(
    newest: float | None, changed: float, level: Level
) -> None:
    found = backups.age(Path("/b"), newest, changed, NOW)
    assert (found.level, bool(found.fix)) == (level, level is not Level.OK)


def test_the_newest_whole_file_counts(tmp_path: Path) -> None:
    database, directory = tmp_path / "state.db", tmp_path / "backups"
    assert list(backups.backups(database, NOW)) == []
    directory.mkdir(mode=0o700)
    for path, hours in ((database, 50), (directory / "a.db", 30), (directory / "b.db", 40)):
        path.write_bytes(b"")
        os.utime(path, (NOW - hours * HOUR,) * 2)
    for name in ("c.partial", ".d.db"):
        (directory / name).write_bytes(b"")
    assert "30 h old" in list(backups.backups(database, NOW))[-1].what
    # What was committed last is in the journal.
    wal = tmp_path / "state.db-wal"
    wal.write_bytes(b"")
    os.utime(wal, (NOW, NOW))
    assert list(backups.backups(database, NOW))[-1].level is Level.PROBLEM
