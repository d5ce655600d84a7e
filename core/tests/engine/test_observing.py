"""Observe-only at the desk: who says go, what goes on then, and what stays held."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.engine.conductor import Conductor, Step
from tmux_sentry.engine.desk import Desk
from tmux_sentry.engine.events import Order, Send
from tmux_sentry.engine.herald import Herald
from tmux_sentry.engine.panes import Panes
from tmux_sentry.engine.run import Run
from tmux_sentry.errors import UsageError
from tmux_sentry.state import observe
from tmux_sentry.state.records import RunNames
from tmux_sentry.state.restore import restore
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock

NAMES = RunNames(session_name="work", window_name="w", window_index=0, pane_index=0)
TYPES = {"name": "a", "actions_on_start": [{"send_keys": "make"}]}


class Room:
    """A restored database with one held Run, and a desk that notes whether it still observes when something goes on."""

    def __init__(self, store: Store, run: Run) -> None:
        self.store = store
        self.sent: list[bool] = []
        self.started: list[bool] = []
        self.conductor = Conductor(store, FakeClock(), Herald(), self._let_out)
        self.conductor.add(run, NAMES)
        self.conductor.order(run.id, Order(verb="hold", reason="look first"))
        self.sent.clear()
        starter: Any = self
        self.desk = Desk(store, FakeClock(), self.conductor, starter, Panes(), {})

    def start(self) -> None:
        self.started.append(self.store.observing is not None)

    def _let_out(self, step: Step) -> None:
        self.sent += [self.store.observing is not None for effect in step.effects if isinstance(effect, Send)]


@pytest.fixture
def room(tmp_path: Path, new_run: Callable[..., Run]) -> Iterator[Room]:
    path, clock = tmp_path / "home" / "state.db", FakeClock()
    with Store.open(path, clock) as store:
        made = store.backup("by-hand")
    restore(path, made, clock.now(), "the database was damaged")
    with Store.open(path, clock) as store:
        yield Room(store, new_run(TYPES))


def test_a_verb_resumes_what_is_held_and_only_after_observing_has_ended(room: Room) -> None:
    answer = room.desk.resume_all("send", "ann")
    assert answer["went_on"] is True
    assert [run["held"] for run in answer["runs"]] == [None]
    assert (room.sent, room.started) == ([False], [False])
    assert room.desk.resume_all("send", "ann") == {"went_on": False, "runs": []}
    assert room.started == [False]


def test_without_a_verb_what_is_held_stays_held_and_new_runs_may_start(room: Room) -> None:
    answer = room.desk.resume_all(None, "ann")
    assert answer["went_on"] is True
    assert [run["held"] for run in answer["runs"]] == ["look first"]
    assert (room.sent, room.started) == ([], [False])
    with pytest.raises(UsageError, match="held runs"):
        room.desk.resume_all(None, "ann")


def test_a_flag_that_cannot_be_read_any_more_still_holds(room: Room) -> None:
    with room.store._database.write() as connection:
        connection.exec_driver_sql("UPDATE meta SET value = '{\"rea' WHERE key = ?", (observe.KEY,))
    with room.store._database.read() as connection:
        assert observe.read(connection) is not None
