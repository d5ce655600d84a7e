"""The disk fails in the middle of a send: tmux is asked for nothing that is not on the disk before."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.contracts import PaneIdentity
from tmux_sentry.engine.events import Keys
from tmux_sentry.engine.guarded import guarded
from tmux_sentry.engine.job import Job, Ports
from tmux_sentry.errors import Refused, SentryError
from tmux_sentry.state import database
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock
from tmux_sentry.tmux.client import Reply
from tmux_sentry.tmux.fence import Adopted
from tmux_sentry.tmux.guard import Word

PANE = PaneIdentity(host="here", server_pid=100, server_start=1_795_000_000, pane_id="%3", pane_pid=4242)
HOUR = 3600.0


class Disk(sqlite3.Connection):
    """A connection whose disk fails at the COMMIT of a change: before it takes effect, or after."""

    fails = ""
    seen = 0

    def commit(self) -> None:
        fails, self.seen = self.fails if self.total_changes != self.seen else "", self.total_changes
        if fails == "before":
            self.rollback()  # as SQLite does by itself after an I/O error
        else:
            super().commit()
        if fails:
            raise sqlite3.OperationalError("disk I/O error")


class Tmux:
    """Answers every guard with SENT, and notes what the disk has of it at that moment."""

    host = "here"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sent: list[int] = []
        self.unwritten: list[int] = []
        self.then: Callable[[], None] = lambda: None

    def converse(self, line: str, until: object, timeout: float) -> list[Reply]:
        found = re.search(r"SENT (\d+) (\w+)", line)
        assert found is not None
        marker = int(found.group(1))
        self.sent.append(marker)
        if (marker, "intent") not in written(self.path):
            self.unwritten.append(marker)
        self.then()
        return [Reply(ok=True, lines=(found.group(),))]


class Bench:
    """A database on the disk, a tmux that answers, and the faults."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = FakeClock(1_795_339_200.0)
        self.store = Store.open(path, self.clock)
        self.store.save_fence(PANE.key, 1, 0)
        self.tmux = Tmux(path)
        self.marker = 0

    @property
    def disk(self) -> Any:
        return self.store._database._connection.connection.driver_connection

    def send(self, action_id: str) -> Word:
        ports: Any = Ports(
            watcher=type("Pane", (), {"client": self.tmux})(),
            store=self.store,
            clock=self.clock,
            owner="me@here",
            take_over=False,
            announce=lambda job, event, seen: None,
            agent_state=lambda pane: None,  # type: ignore[arg-type, return-value]
        )
        job = Job(action_id=action_id, pane=PANE, keys=Keys(text="x"), wait_idle=0.0, stopped=threading.Event())
        info: Any = type("Info", (), {"command": "bash", "cursor": (2, 0)})()
        outcome, after = guarded(job, ports, "line", info, Adopted(epoch=1, marker=self.marker))
        self.marker = after.marker
        return outcome.word

    def fail(self, how: str) -> None:
        match how:
            case "read-only":
                self.disk.execute("PRAGMA query_only = ON")
            case "full":
                pages = self.disk.execute("PRAGMA page_count").fetchone()[0]
                self.disk.execute(f"PRAGMA max_page_count = {pages}")
            case "commit fails" | "commit fails late":
                self.disk.fails = "after" if how.endswith("late") else "before"

    def mend(self) -> None:
        self.disk.fails = ""
        self.disk.execute("PRAGMA query_only = OFF")
        self.disk.execute("PRAGMA max_page_count = 1000000")


def written(path: Path) -> list[tuple[int, str]]:
    """Marker and status of every intent, as another process reads them."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT marker, status FROM intents ORDER BY id").fetchall()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    connect = sqlite3.connect
    monkeypatch.setattr(database.sqlite3, "connect", lambda *args, **options: connect(*args, factory=Disk, **options))
    made = Bench(tmp_path / "home" / "state.db")
    yield made
    made.mend()
    made.store.close()


def sends_until_it_fails(bench: Bench) -> str:
    """Send until the disk refuses; what it said. A full disk takes what still fits into its last page."""
    for number in range(200):
        try:
            bench.send(f"r/s/1/{number}")
        except SentryError as error:
            return error.why or error.what
    raise AssertionError("the disk never refused")


@pytest.mark.parametrize(
    ("how", "said"),
    [("read-only", "readonly"), ("full", "full"), ("commit fails", "disk I/O"), ("commit fails late", "disk I/O")],
)
def test_without_a_committed_intent_tmux_is_not_asked(bench: Bench, how: str, said: str) -> None:
    assert bench.send("r/s/0/0") is Word.SENT
    bench.fail(how)
    assert said in sends_until_it_fails(bench)
    before = list(bench.tmux.sent)
    bench.mend()
    assert bench.send("r/s/2/0") is Word.SENT  # with room again it goes on
    assert bench.tmux.unwritten == []
    assert len(bench.tmux.sent) == len(before) + 1
    assert len(set(bench.tmux.sent)) == len(bench.tmux.sent)  # no marker is used twice


@pytest.mark.parametrize("how", ["read-only", "commit fails"])
def test_what_was_typed_and_could_not_be_settled_is_not_typed_again(bench: Bench, how: str) -> None:
    bench.tmux.then = lambda: bench.fail(how)
    with pytest.raises(SentryError):
        bench.send("r/s/1/1")
    bench.mend()
    assert written(bench.path) == [(1, "intent")]  # the next start reads the marker
    with pytest.raises(Refused, match="may have been typed already"):
        bench.send("r/s/1/1")
    assert bench.tmux.sent == [1]


def test_a_commit_that_fails_after_it_took_effect_is_not_taken_for_one_that_did_not(bench: Bench) -> None:
    bench.fail("commit fails late")
    with pytest.raises(SentryError, match="cannot use the database"):
        bench.send("r/s/1/1")
    bench.mend()
    with pytest.raises(Refused, match="may have been typed already"):
        bench.send("r/s/1/1")
    assert bench.tmux.sent == []


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])
@pytest.mark.parametrize("when", ["before", "while tmux is asked"])
def test_an_hour_that_the_clock_jumps_changes_nothing(bench: Bench, jump: float, when: str) -> None:
    if when == "before":
        bench.clock.jump(jump)
    else:
        bench.tmux.then = lambda: bench.clock.jump(jump)
    assert bench.send("r/s/1/1") is Word.SENT
    with pytest.raises(Refused, match="may have been typed already"):
        bench.send("r/s/1/1")
    assert bench.send("r/s/1/2") is Word.SENT
    assert written(bench.path) == [(1, "injected"), (2, "injected")]
    assert bench.tmux.unwritten == []
