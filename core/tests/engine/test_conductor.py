"""Step, commit, and only then let out: nothing leaves, and nothing moves, that is not on disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.contracts import Decision
from tmux_sentry.control.client import ask
from tmux_sentry.control.person import person_of
from tmux_sentry.control.server import ControlServer
from tmux_sentry.engine.conductor import Conductor, Step
from tmux_sentry.engine.desk import Desk
from tmux_sentry.engine.events import Ask, Order, Send, SendDone, SendHeld
from tmux_sentry.engine.herald import Herald
from tmux_sentry.engine.panes import Panes
from tmux_sentry.engine.run import Run
from tmux_sentry.errors import UsageError
from tmux_sentry.notify.routing import Defaults, Router
from tmux_sentry.state.records import RunNames
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock

NAMES = RunNames(session_name="work", window_name="w", window_index=0, pane_index=0)
TYPES = {"name": "a", "actions_on_start": [{"send_keys": "make"}]}
ASKS = {**TYPES, "require_approval": True}
NewRun = Callable[..., Run]


class Disk:
    """A Store whose commits fail while `full`."""

    def __init__(self, store: Store) -> None:
        self._store, self.full = store, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self._store.transaction() as tx:
            yield tx
            if self.full:
                raise OSError("disk full")


@dataclass(kw_only=True)
class Room:
    store: Store
    disk: Disk
    clock: FakeClock
    conductor: Conductor
    out: list[Step]
    socket: Path

    def last(self, kind: type[Any]) -> Any:
        return [effect for one in self.out for effect in one.effects if isinstance(effect, kind)][-1]

    def decision(self, approved: bool = True, by: str = "ann", request: str = "") -> Decision:
        return Decision(
            request_id=request or self.last(Ask).approval_id, approved=approved, by=by, channel="terminal", at=1.0
        )

    def desk(self) -> Desk:
        starter: Any = None
        return Desk(self.store, self.clock, self.conductor, starter, Panes(), {})


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    clock, out = FakeClock(), []  # type: ignore[var-annotated]
    with Store.open(tmp_path / "state.db", clock) as store:
        disk: Any = Disk(store)
        conductor = Conductor(
            disk, clock, Herald(router=Router(defaults=Defaults(channels=("stdout",), local=("stdout",)))), out.append
        )
        yield Room(store=store, disk=disk, clock=clock, conductor=conductor, out=out, socket=tmp_path / "control.sock")


def test_what_is_let_out_is_on_disk_already(room: Room, new_run: NewRun) -> None:
    seen: list[Any] = []
    room.conductor._let_out = lambda step: seen.append(room.store.open_runs()[0].state["attempt"]["action_id"])
    room.conductor.add(new_run(TYPES), NAMES)
    assert seen == ["r1/a/1/1"]


def test_a_full_disk_starts_nothing(room: Room, new_run: NewRun) -> None:
    room.disk.full = True
    with pytest.raises(OSError, match="disk full"):
        room.conductor.add(new_run(TYPES), NAMES)
    assert (room.out, room.conductor.runs, room.store.open_runs()) == ([], {}, [])


def test_a_full_disk_moves_nothing_and_lets_nothing_out(room: Room, new_run: NewRun) -> None:
    room.conductor.add(new_run(TYPES), NAMES)
    before, let_out = room.conductor.runs["r1"], list(room.out)
    room.disk.full = True
    with pytest.raises(OSError, match="disk full"):
        room.conductor.step("r1", SendDone(action_id="r1/a/1/1"))
    assert room.conductor.runs["r1"] == before
    assert room.out == let_out
    room.disk.full = False
    assert room.conductor.step("r1", SendDone(action_id="r1/a/1/1")) != before


def test_a_full_disk_takes_no_decision(room: Room, new_run: NewRun) -> None:
    room.conductor.add(new_run(ASKS), NAMES)
    room.disk.full = True
    with pytest.raises(OSError, match="disk full"):
        room.conductor.decide(room.decision())
    assert room.store.pending_approvals()
    room.disk.full = False
    assert room.conductor.decide(room.decision()).status == "approved"
    assert room.last(Send).keys.text == "make"


def test_of_several_answers_exactly_one_counts_and_all_are_written_down(room: Room, new_run: NewRun) -> None:
    room.conductor.add(new_run(ASKS), NAMES)
    answers = [room.conductor.decide(room.decision(approved)) for approved in (True, True, False)]
    late = "too late: the request is already approved by ann"
    assert [answer.words for answer in answers] == ["approved", late, late]
    assert sum(isinstance(e, Send) for one in room.out for e in one.effects) == 1
    with room.store._database.read() as connection:
        counted = connection.exec_driver_sql("SELECT counted FROM votes ORDER BY id").scalars().all()
    assert counted == [1, 0, 0]


def test_an_answer_of_a_stranger_does_not_count(room: Room, new_run: NewRun) -> None:
    room.conductor.add(new_run({**TYPES, "require_approval": {"approvers": ["bob"]}}), NAMES)
    assert "not one of the approvers" in room.conductor.decide(room.decision()).words
    assert room.conductor.decide(room.decision(by="bob")).status == "approved"


def test_two_answers_of_one_user_are_one_voice_whatever_names_they_come_with(room: Room, new_run: NewRun) -> None:
    room.conductor.add(new_run({**TYPES, "require_approval": {"required": 2}}), NAMES)
    asked = {"id": room.last(Ask).approval_id, "approved": True}
    me = person_of(os.geteuid())
    with ControlServer(room.socket, room.desk().handle):
        answers = [ask(room.socket, "decide", {**asked, "by": name}) for name in ("ann", "bob")]
    assert [answer["outcome"] for answer in answers] == [
        "noted: 1 of 2 have said yes",
        f"does not count: {me} has said so already",
    ]
    assert {vote.by for vote in room.store.votes(asked["id"])} == {me}


def test_an_answer_after_the_end_is_late(room: Room, new_run: NewRun) -> None:
    room.conductor.add(new_run(ASKS), NAMES)
    decision = room.decision()
    room.conductor.order("r1", Order(verb="cancel", by="ann"))
    assert room.conductor.decide(decision).words.startswith("too late")
    stored = room.store.approval(decision.request_id)
    assert stored is not None
    assert stored.status == "cancelled"


def test_an_answer_to_something_else_than_would_be_typed_now_does_not_count(room: Room, new_run: NewRun) -> None:
    """An allowed variable has another value since a restart."""
    stage = {**ASKS, "actions_on_start": [{"send_keys": "make ${env.TARGET}"}]}
    run = new_run(stage, allow_env=["TARGET"], run={"env": {"TARGET": "one"}})
    room.conductor.add(run, NAMES)
    decision = room.decision()
    room.conductor.runs["r1"] = replace(room.conductor.runs["r1"], env={"TARGET": "two"})
    assert room.conductor.decide(decision).words.startswith("does not count")
    stored = room.store.approval(decision.request_id)
    assert stored is not None
    assert stored.status == "superseded"
    asked = room.last(Ask)
    assert (asked.approval_id != decision.request_id, asked.sends[0].text) == (True, "make two")
    assert room.conductor.decide(room.decision()).status == "approved"
    assert room.last(Send).keys.text == "make two"


def test_an_unknown_request_is_a_usage_error(room: Room) -> None:
    with pytest.raises(UsageError, match="no approval request"):
        room.conductor.decide(room.decision(request="nothing"))


@pytest.mark.parametrize(("verb", "sends"), [("send", 2), ("skip", 1), ("abort", 1)])
def test_a_held_send_is_decided_by_a_person(room: Room, new_run: NewRun, verb: str, sends: int) -> None:
    room.conductor.add(new_run(TYPES), NAMES)
    room.conductor.step("r1", SendHeld(action_id="r1/a/1/1", reason="someone is typing"))
    answer = room.desk().order("r1", verb, "ann")
    assert answer["held"] is None
    ids = [e.action_id for one in room.out for e in one.effects if isinstance(e, Send)]
    assert len(ids) == len(set(ids)) == sends  # typed again under a new name: the journal has the old one
    assert answer["status"] == ("failed" if verb == "abort" else "open")


def test_an_ended_run_that_gets_no_order_stays_ended(room: Room, new_run: NewRun) -> None:
    """Else its pane would count as taken for ever."""
    room.conductor.add(new_run(TYPES), NAMES)
    room.conductor.order("r1", Order(verb="cancel", by="ann"))
    with pytest.raises(UsageError):
        room.desk().order("r1", "send", "ann")
    assert room.conductor.runs == {}


def test_an_ended_run_is_not_retried_into_a_taken_pane(room: Room, new_run: NewRun) -> None:
    room.conductor.add(new_run(TYPES), NAMES)
    room.conductor.step("r1", SendHeld(action_id="r1/a/1/1", reason="x"))
    room.desk().order("r1", "abort", "ann")
    room.conductor.add(new_run(TYPES, run={"id": "r2"}), NAMES)
    with pytest.raises(UsageError) as raised:
        room.desk().order("r1", "retry", "ann")
    assert "r2" in raised.value.why
    assert set(room.conductor.runs) == {"r2"}
    room.conductor.order("r2", Order(verb="cancel", by="ann"))
    assert room.desk().order("r1", "retry", "ann")["status"] == "open"


def test_resuming_everything_does_not_stop_at_one_that_cannot(room: Room, new_run: NewRun) -> None:
    room.conductor.add(new_run(ASKS, run={"id": "r1"}), NAMES)
    room.conductor.order("r1", Order(verb="hold", reason="look first"))
    other = replace(room.conductor.runs["r1"].pane, pane_id="%9")
    room.conductor.add(new_run(TYPES, run={"id": "r2", "pane": other}), NAMES)
    room.conductor.step("r2", SendHeld(action_id="r2/a/1/1", reason="x"))
    first, second = room.desk().resume_all("skip", "ann")["runs"]
    assert "cannot be skipped" in first["held"]
    assert second["held"] is None


def test_a_run_is_the_same_after_a_restart(room: Room, new_run: NewRun) -> None:
    room.conductor.add(new_run(ASKS), NAMES)
    room.conductor.decide(room.decision())
    again = Conductor(room.store, room.clock, Herald(), lambda step: None)
    [run] = again.load({})
    assert run == room.conductor.runs["r1"]
