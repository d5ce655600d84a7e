"""Damage at seeded places of a database as it is after weeks: seen and repaired, or refused; never an empty start.

`TMUX_SENTRY_TEST_DAMAGES=200` tries more places than the 30 of an ordinary run.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tmux_sentry import PaneIdentity
from tmux_sentry.contracts import Level, Message
from tmux_sentry.engine.events import Record
from tmux_sentry.engine.run import Run
from tmux_sentry.errors import DatabaseDamaged, Refused, SentryError
from tmux_sentry.state import restore
from tmux_sentry.state.records import RunNames
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock

DAMAGES = int(os.environ.get("TMUX_SENTRY_TEST_DAMAGES", "30"))
RUNS = 120


def zeroed_page(path: Path, chance: random.Random) -> None:
    with path.open("r+b") as file:
        file.seek(4096 * chance.randrange(path.stat().st_size // 4096))
        file.write(bytes(4096))


def flipped_bytes(path: Path, chance: random.Random) -> None:
    place = chance.randrange(path.stat().st_size - 16)
    with path.open("r+b") as file:
        file.seek(place)
        old = file.read(16)
        file.seek(place)
        file.write(bytes(byte ^ 0xFF for byte in old))


def truncation(path: Path, chance: random.Random) -> None:
    os.truncate(path, chance.randrange(path.stat().st_size))


HARMS = (zeroed_page, flipped_bytes, truncation)


@pytest.fixture
def worn(path: Path, clock: FakeClock, pane: PaneIdentity, names: RunNames, make_run: Callable[..., Run]) -> Path:
    """The home of a database with Runs, history, intents and messages; its backup is older than its end."""
    with Store.open(path, clock) as store:
        for number in range(RUNS):
            own = replace(pane, pane_id=f"%{number}")
            run = make_run(f"run{number:04d}", pane=own, status="open" if number % 9 == 0 else "succeeded")
            message = Message(id=f"m{number}", at=0, level=Level.INFO, event="stage.succeeded", title="done " * 20)
            with store.transaction() as tx:
                tx.save_run(run, names)
                for attempt in range(1, 4):
                    tx.record(run, Record(stage="build", attempt=attempt, status="failed", reason="exit status 1 " * 5))
                tx.enqueue(message, ["slack", "email"], "")
            store.save_fence(own.key, 1, number)
            if number == RUNS // 2:
                store.backup("hourly")
    return path.parent


@pytest.mark.parametrize("backup", [True, False], ids=["backup", "no backup"])
def test_damage_is_repaired_or_refused_and_never_starts_empty(
    worn: Path, tmp_path: Path, clock: FakeClock, backup: bool
) -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(DAMAGES):
        home = tmp_path / f"home{seed}"
        shutil.copytree(worn, home)
        if not backup:
            shutil.rmtree(home / "backups")
        path, chance = home / "state.db", random.Random(seed)
        HARMS[seed % 3](path, chance)
        harmed = path.read_bytes()
        try:
            outcome = start(path, clock)
        except AssertionError as error:
            raise AssertionError(f"seed {seed} ({HARMS[seed % 3].__name__}): {error}") from error
        outcomes[outcome] += 1
        if outcome == "restored":
            [aside] = home.glob("corrupt-*")
            assert (aside / "state.db").read_bytes() == harmed, seed
        elif outcome in ("damaged", "refused"):
            assert path.read_bytes() == harmed, seed
            assert not list(home.glob("corrupt-*")), seed
        assert (outcome in ("restored", "refused", "unseen")) if backup else outcome != "restored", seed
        shutil.rmtree(home)
    print(dict(outcomes))
    assert outcomes["restored" if backup else "damaged"] > DAMAGES / 2


def start(path: Path, clock: FakeClock) -> str:
    """What a start makes of it, held against what SQLite itself says of the file."""
    sound = is_sound(path)
    try:
        restored = restore.recover(path, clock.now())
    except DatabaseDamaged:
        return "damaged"
    except Refused:
        return "refused"
    if restored is None:
        assert sound, "integrity_check sees damage and the start did not"
    with suppress_if(restored is None), Store.open(path, clock) as store:
        # A value in which a bit has fallen over is seen by no check; the rows are all there.
        assert len(store.past_runs()) == (RUNS if restored is None else RUNS // 2 + 1)
        assert store.instance
    return "unseen" if restored is None else "restored"


def suppress_if(allowed: bool) -> suppress:
    """What no check sees may still be refused when it is read."""
    return suppress(*((SentryError, ValueError) if allowed else ()))


def is_sound(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            connection.text_factory = bytes
            return connection.execute("PRAGMA integrity_check").fetchall() == [(b"ok",)]
    except sqlite3.DatabaseError:
        return False
