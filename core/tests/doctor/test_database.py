from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tmux_sentry.contracts import Delivery, DeliveryResult, Level, Message
from tmux_sentry.doctor import database as doctor
from tmux_sentry.doctor.finding import Finding
from tmux_sentry.doctor.finding import Level as Says
from tmux_sentry.doctor.known import Known, Undelivered
from tmux_sentry.state.database import open_readonly
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock

NOON = 1_795_339_200.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "state.db"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def store(path: Path, clock: FakeClock) -> Iterator[Store]:
    with Store.open(path, clock) as opened:
        yield opened


def examine(path: Path) -> tuple[list[Finding], Known | None]:
    return doctor.examine(path, since=NOON - 1000, overdue=NOON - 100)


def problems(path: Path) -> list[Finding]:
    return [one for one in examine(path)[0] if one.level is Says.PROBLEM]


def put(path: Path, key: str, value: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO meta VALUES (?, ?)", (key, value))


def test_a_sound_database_that_nobody_has_open_is_left_exactly_as_it_is(store: Store, path: Path) -> None:
    store.heartbeat()
    store.close()
    before = sorted(os.listdir(path.parent)), path.stat().st_mtime_ns
    found, known = examine(path)
    assert [one.level for one in found] == [Says.OK, Says.OK]
    assert known is not None
    assert (known.seen_at, known.observe_only, known.held_runs) == (NOON, None, 0)
    assert (sorted(os.listdir(path.parent)), path.stat().st_mtime_ns) == before == (["state.db"], before[1])


def test_what_a_running_instance_has_committed_is_seen(store: Store, path: Path) -> None:
    store.heartbeat()
    store.save_clients("nas", [3, 5])
    found, known = examine(path)
    assert all(one.level is Says.OK for one in found)
    assert known is not None
    assert (known.instance, known.seen_at, known.clients) == (store.instance, NOON, {"nas": frozenset({3, 5})})
    store.heartbeat()  # it can still write


def test_a_link_to_a_database_in_use_shows_what_is_committed(store: Store, path: Path, tmp_path: Path) -> None:
    store.heartbeat()
    link = tmp_path / "link.db"
    link.symlink_to(path)
    known = examine(link)[1]
    assert known is not None
    assert known.seen_at == NOON


def test_one_that_starts_while_we_look_is_looked_at_again(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.close()
    opened: list[bool] = []

    def opening(path: Path, *, immutable: bool = False) -> object:
        opened.append(immutable)
        if immutable:
            path.with_name("state.db-wal").touch()
        return open_readonly(path, immutable=immutable)

    monkeypatch.setattr(doctor, "open_readonly", opening)
    assert problems(path) == []
    assert opened == [True, False]


def test_no_database_is_a_note_and_its_lost_file_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    assert [one.level for one in examine(path)[0]] == [Says.NOTE]
    (tmp_path / "state.db-wal").touch()
    (lost,) = problems(path)
    assert "the file itself is gone" in lost.what
    assert not path.exists()


def _foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a)")


def _zeroed(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:8192] = bytes(4096)
    path.write_bytes(data)


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")


@pytest.mark.parametrize(
    ("harm", "what", "fix"),
    [
        (lambda path: path.write_bytes(b""), "the file is empty", "tmux-sentry db restore"),
        (lambda path: path.write_bytes(b"x" * 9999), "not a SQLite database", "tmux-sentry db restore"),
        (_zeroed, "is damaged", "tmux-sentry db restore"),
        (_foreign, "another program's database", "DATABASE_PATH"),
        (_newer, "newer tmux-sentry", "upgrade tmux-sentry"),
        (lambda path: put(path, "clients nas", "{"), "did not write", "tmux-sentry db restore"),
        (lambda path: path.chmod(0o644), "can be read by other users", "chmod 600"),
        (lambda path: path.chmod(0o666), "can be written by other users", "chmod 600"),
    ],
)
def test_each_harm_is_one_problem_and_changes_nothing(
    store: Store, path: Path, harm: Callable[[Path], object], what: str, fix: str
) -> None:
    store.close()
    harm(path)
    path.chmod(path.stat().st_mode if "chmod" in fix else 0o600)
    before = path.read_bytes()
    (found,) = problems(path)
    assert what in found.what
    assert fix in found.fix
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("restored from a backup", "restored from a backup"),
        ('"restored"', "restored"),
        ('{"reason": "quarantined", "at": 1}', "quarantined"),
        ('{"at": 1}', '{"at": 1}'),
        ("1", "1"),
        ("null", None),
        ("false", None),
    ],
)
def test_observe_only_is_read_as_json_or_as_text(store: Store, path: Path, value: str, reason: str | None) -> None:
    put(path, "observe_only", value)
    known = examine(path)[1]
    assert known is not None
    assert known.observe_only == reason


def test_messages_that_did_not_arrive_are_counted_by_channel(store: Store, path: Path, clock: FakeClock) -> None:
    def message(name: str, *channels: str) -> None:
        text = Message(id=name, at=clock.now(), level=Level.INFO, event="e", title="t")
        with store.transaction() as transaction:
            transaction.enqueue(text, channels, name)

    message("old", "email")
    (outgoing,) = store.due_messages("email")
    store.message_tried(outgoing, DeliveryResult(outcome=Delivery.PERMANENT, detail="given up long ago"))
    clock.advance(10_000)
    message("dead", "email", "slack")
    for channel, outcome in (("email", Delivery.PERMANENT), ("slack", Delivery.DELIVERED)):
        (outgoing,) = store.due_messages(channel)
        store.message_tried(outgoing, DeliveryResult(outcome=outcome, detail=f"said {channel}"))
    message("waits", "email", "slack")
    message("waits too", "email")
    now = clock.now()
    known = doctor.examine(path, since=now - 5, overdue=now + 1)[1]
    assert known is not None
    assert known.undelivered == (
        Undelivered(channel="email", dead=1, due=2, detail="said email"),
        Undelivered(channel="slack", dead=0, due=1),
    )
    for since, dead in ((now - 5, 1), (NOON, 2)):
        known = doctor.examine(path, since=since, overdue=now - 1)[1]
        assert known is not None
        assert known.undelivered == (Undelivered(channel="email", dead=dead, detail="said email"),)


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ((3, 6, 23), Says.OK),
        ((3, 7, 0), Says.NOTE),
        ((3, 40, 1), Says.NOTE),
        ((3, 51, 2), Says.NOTE),
        ((3, 51, 3), Says.OK),
        ((3, 52, 0), Says.OK),
    ],
)
def test_the_sqlite_with_the_wal_reset_bug_is_a_note(version: tuple[int, ...], level: Says) -> None:
    assert doctor.library(version).level is level
