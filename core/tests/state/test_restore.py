"""A damaged database: put aside, replaced by the newest good backup, and nothing that was used is used again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry import PaneIdentity
from tmux_sentry.errors import DatabaseDamaged, Refused
from tmux_sentry.state import restore
from tmux_sentry.state.records import Fence
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock

KEYS: dict[str, Any] = {"payload_sha256": "", "command": "bash", "cursor": (0, 0), "expires_at": 0.0}


def spoil(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(bytes(4096))


def files(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_a_sound_database_and_a_missing_one_are_left_alone(path: Path, clock: FakeClock) -> None:
    path.parent.mkdir(mode=0o700)
    assert restore.recover(path, clock.now()) is None
    assert files(path.parent) == set()
    with Store.open(path, clock) as store:
        store.heartbeat()
        before = path.read_bytes()
        assert restore.recover(path, clock.now()) is None
        assert path.read_bytes() == before


def test_a_damaged_one_is_put_aside_whole_and_the_newest_good_backup_takes_its_place(
    path: Path, clock: FakeClock
) -> None:
    with Store.open(path, clock) as store:
        store.heartbeat()
        good = store.backup("hourly")
        clock.advance(60)
        bad = store.backup("hourly")
        clock.advance(60)
        store.heartbeat()
        shutil.copy(f"{path}-wal", path.parent / "wal")  # as a kill leaves it: the end of the process takes it away
    shutil.copy(path.parent / "wal", f"{path}-wal")
    spoil(path)
    spoil(bad)
    damaged, wal = path.read_bytes(), path.with_name("state.db-wal").read_bytes()
    restored = restore.recover(path, clock.now())
    assert restored is not None
    assert restored.backup == good
    assert restored.aside is not None
    assert restored.aside.name.startswith("corrupt-")
    assert restored.aside.stat().st_mode & 0o777 == 0o700
    assert (restored.aside / "state.db").read_bytes() == damaged
    assert (restored.aside / "state.db-wal").read_bytes() == wal
    assert path.stat().st_mode & 0o777 == 0o600
    with Store.open(path, clock) as store:
        assert store.seen_at() == clock.now() - 120
        assert store.observing is not None
        assert store.observing.since == clock.now()
        assert "2026-11-22T09:20:00" in store.observing.reason
    assert restore.recover(path, clock.now()) is None


def test_the_reason_is_one_line_where_sqlite_says_several(path: Path, clock: FakeClock) -> None:
    with Store.open(path, clock) as store:
        store.backup("hourly")
    data = bytearray(path.read_bytes())
    data[2 * 4096 : 5 * 4096] = bytes(3 * 4096)
    path.write_bytes(data)
    restored = restore.recover(path, clock.now())
    assert restored is not None
    assert "\n" in restored.why
    with Store.open(path, clock) as store:
        assert store.observing is not None
        assert store.observing.reason.isprintable()


@pytest.mark.parametrize("backup", ["none", "damaged", "another program's", "of a newer version"])
def test_without_a_good_backup_nothing_is_moved_and_nothing_is_made(path: Path, clock: FakeClock, backup: str) -> None:
    with Store.open(path, clock) as store:
        made = store.backup("hourly")
    if backup == "none":
        made.unlink()
    elif backup == "damaged":
        spoil(made)
    else:
        place = 68 if backup == "another program's" else 60  # application_id, user_version
        with made.open("r+b") as file:
            file.seek(place)
            file.write((999).to_bytes(4, "big"))
    spoil(path)
    before, there = path.read_bytes(), files(path.parent)
    with pytest.raises(DatabaseDamaged) as caught:
        restore.recover(path, clock.now())
    assert "no good backup" in caught.value.what
    assert "nothing was moved aside" in caught.value.why
    assert "tmux-sentry db restore" in caught.value.fix
    assert path.read_bytes() == before
    assert files(path.parent) - {"state.db-wal", "state.db-shm"} == there - {"state.db-wal", "state.db-shm"}


def test_a_file_of_another_program_is_never_replaced(path: Path, clock: FakeClock) -> None:
    with Store.open(path, clock) as store:
        store.backup("hourly")
    with path.open("r+b") as file:
        file.seek(68)
        file.write(b"MINE")
    with pytest.raises(Refused, match="another program's"):
        restore.recover(path, clock.now())
    assert "corrupt" not in " ".join(files(path.parent))


def test_a_journal_without_its_file_is_put_aside_too(path: Path, clock: FakeClock) -> None:
    with Store.open(path, clock) as store:
        store.backup("hourly")
    path.unlink()
    path.with_name("state.db-wal").write_bytes(b"committed work")
    restored = restore.recover(path, clock.now())
    assert restored is not None
    assert restored.aside is not None
    assert (restored.aside / "state.db-wal").read_bytes() == b"committed work"


@pytest.mark.parametrize("step", ["decided", "database moved", "journal moved too"])
def test_a_crash_in_a_restore_is_finished_by_whoever_opens_it_next(
    path: Path, clock: FakeClock, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the old database going and the new one coming, a start must not make an empty one."""
    with Store.open(path, clock) as store:
        store.heartbeat()
        made = store.backup("hourly")
        instance = store.instance
    path.with_name("state.db-wal").write_bytes(b"")
    left = {"decided": 0, "database moved": 1, "journal moved too": 2}[step]
    rename = Path.rename

    def fails(self: Path, target: Path) -> Path:
        nonlocal left
        if self.name.startswith("state.db") or self.name == ".state.db.restored":
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fails)
        with pytest.raises(KeyboardInterrupt):
            restore.restore(path, made, clock.now(), "by hand")
    with Store.open(path, clock) as store:
        assert store.instance == instance
        assert store.observing is not None
    [aside] = path.parent.glob("corrupt-*")
    assert {"state.db", "state.db-wal"} <= files(aside)
    assert not list(path.parent.glob(".state.db*"))


def test_what_was_put_aside_is_never_overwritten(path: Path, clock: FakeClock) -> None:
    with Store.open(path, clock) as store:
        made = store.backup("by-hand")
    contents = set()
    for text in (b"one", b"two", b"three"):
        path.write_bytes(text)
        aside = restore.restore(path, made, clock.now(), "x")
        assert aside is not None
        contents.add((aside / "state.db").read_bytes())
    found = {file.read_bytes() for file in path.parent.glob("corrupt-*/state.db")}
    assert contents == found == {b"one", b"two", b"three"}


def test_a_backup_that_is_not_good_is_not_restored_by_hand_either(path: Path, clock: FakeClock) -> None:
    with Store.open(path, clock) as store:
        made = store.backup("by-hand")
    spoil(made)
    before = path.read_bytes()
    with pytest.raises(DatabaseDamaged):
        restore.restore(path, made, clock.now(), "x")
    assert path.read_bytes() == before
    assert not list(path.parent.glob(".state.db*"))


def test_every_epoch_is_one_that_was_never_used_also_when_a_backup_is_restored_twice(
    path: Path, clock: FakeClock, pane: PaneIdentity
) -> None:
    with Store.open(path, clock) as store:
        store.save_fence(pane.key, 3, 7)
        store.save_fence("other", 1, 2)
        store.intend("a", "line", pane=pane, epoch=3, previous=7, marker=8, **KEYS)
        store.settle("a", "line", "refused")
        made = store.backup("by-hand")
    seen = [{3, 1}]
    for _ in range(2):
        clock.advance(5)
        restore.restore(path, made, clock.now(), "x")
        with Store.open(path, clock) as store:
            fence, other = store.fence(pane.key), store.fence("other")
            assert fence is not None
            assert other is not None
            assert (fence.marker, other.marker) == (8, 2)  # markers never go down
            assert fence.epoch not in set.union(*seen)
            assert other.epoch not in set.union(*seen)
            assert store.first_epoch > 3  # for panes that the backup does not know
            # The pane may say that this very try was carried out: it has to be found by the numbers it will have.
            [old] = store.intents("a")
            assert (old.epoch, old.marker) == (fence.epoch, 8)
            seen.append({fence.epoch, other.epoch})


def test_nothing_is_intended_while_observing_and_again_when_a_person_has_said_go(
    path: Path, clock: FakeClock, pane: PaneIdentity
) -> None:
    with Store.open(path, clock) as store:
        store.save_fence(pane.key, 1, 0)
        made = store.backup("by-hand")
    restore.restore(path, made, clock.now(), "the backup was restored by hand")
    with Store.open(path, clock) as store:
        epoch = store.first_epoch
        step: dict[str, Any] = {"pane": pane, "epoch": epoch, "previous": 0, "marker": 1, **KEYS}
        with pytest.raises(Refused) as caught:
            store.intend("a", "line", **step)
        assert "restored by hand" in caught.value.why
        assert "tmux-sentry runs resume --all" in caught.value.why
        assert store.fence(pane.key) == Fence(epoch=epoch, marker=0)
        store.go_on()
        assert store.observing is None
        store.intend("a", "line", **step)
    with Store.open(path, clock) as store:
        assert store.observing is None


def test_a_restored_file_keeps_nobody_out(path: Path, clock: FakeClock) -> None:
    """No journal of the old database is applied to the new one, and reading works at once."""
    with Store.open(path, clock) as store:
        store.heartbeat()
        made = store.backup("by-hand")
        clock.advance(60)
        store.heartbeat()
        wal = path.with_name("state.db-wal").read_bytes()
    path.with_name("state.db-wal").write_bytes(wal)
    os.chmod(path.with_name("state.db-wal"), 0o600)
    restore.restore(path, made, clock.now(), "x")
    with Store.open_readonly(path, clock) as store:
        assert store.seen_at() == clock.now() - 60
