"""Backups and pruning beside the work: on time, told once when they fail, and never in the way."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tmux_sentry.engine import housekeeping
from tmux_sentry.engine.housekeeping import Housekeeper
from tmux_sentry.state.backup import backups_of
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_795_339_200.0)


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    with Store.open(tmp_path / "home" / "state.db", clock) as opened:
        yield opened


def kinds(store: Store) -> list[str]:
    assert store.path is not None
    return [one.kind for one in reversed(backups_of(store.path))]


def test_a_backup_is_made_at_once_and_then_each_hour(store: Store, clock: FakeClock) -> None:
    keeper = Housekeeper(store, clock)
    keeper.tend()
    assert kinds(store) == ["daily"]
    clock.advance(3599)
    keeper.tend()
    assert kinds(store) == ["daily"]
    clock.advance(1)
    keeper.tend()
    assert kinds(store) == ["daily", "hourly"]
    Housekeeper(store, clock).tend()  # a restart is no reason for another one
    assert kinds(store) == ["daily", "hourly"]


def test_the_thread_looks_as_soon_as_it_starts_and_ends_when_told(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Housekeeper(store, clock)
    keeper.start()
    keeper.stop()
    assert not keeper._thread.is_alive()
    # It may have been told to end before it first looked; a second one is waited for.
    monkeypatch.setattr(housekeeping, "LOOK", 0.01)
    second = Housekeeper(store, clock)
    looked = threading.Event()
    tend = second.tend

    def tended() -> None:
        tend()
        looked.set()

    monkeypatch.setattr(second, "tend", tended)
    second.start()
    assert looked.wait(10)
    second.stop()
    assert not second._thread.is_alive()
    assert kinds(store) == ["daily"]


def test_a_failure_is_told_once_until_it_works_again(
    store: Store, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    assert store.path is not None
    directory = store.path.parent / "backups"
    directory.write_text("no directory")
    keeper = Housekeeper(store, clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            keeper.tend()
            clock.advance(3600)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "no backup could be made" in caplog.text
    directory.unlink()
    keeper.tend()
    assert kinds(store) == ["daily"]
    clock.advance(3600)
    for file in directory.iterdir():
        file.unlink()
    directory.rmdir()
    directory.write_text("again")
    keeper.tend()
    assert len(caplog.records) == 2


def test_rows_are_pruned_once_a_day(store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = iter([3, 2, 0, 1, 0])
    asked: list[float] = []

    def prune() -> int:
        asked.append(clock.now())
        return next(batches)

    monkeypatch.setattr(store, "prune", prune)
    keeper = Housekeeper(store, clock)
    start = clock.now()
    for _ in range(30):
        keeper.tend()
        clock.advance(3600)
    assert asked == [start] * 3 + [start + 86400] * 2


def test_a_database_in_memory_has_no_housekeeping(clock: FakeClock) -> None:
    with Store.open(None, clock) as store:
        keeper = Housekeeper(store, clock)
        keeper.start()
        assert keeper._thread.ident is None
        keeper.stop()
