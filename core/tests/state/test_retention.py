"""What goes after 90 days, and what has to stay however old it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry import PaneIdentity
from tmux_sentry.contracts import ApprovalRequest, Decision, Delivery, DeliveryResult, Level, Message
from tmux_sentry.engine.events import Keys, Record, Send
from tmux_sentry.engine.run import Run
from tmux_sentry.state import retention
from tmux_sentry.state.records import Fence, Link, Rules, RunNames
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock

from .conftest import NOON

DAY = 86400.0
LINK = Link(hash="", kind="link", approval_id="", channel="slack", recipient="", created_at=0.0, expires_at=NOON + 3600)
STEP: dict[str, Any] = {"payload_sha256": "", "command": "bash", "cursor": (0, 0), "expires_at": 0.0}


class Old:
    """Writes Runs with all that belongs to one, as they were when they ended."""

    def __init__(self, store: Store, pane: PaneIdentity, names: RunNames, make: tuple[Any, Any]) -> None:
        self.store, self.pane, self.names = store, pane, names
        self.make_run, self.make_request = make

    def run(self, run_id: str, number: int, status: str = "succeeded", started: float = NOON, **names: Any) -> Run:
        pane = replace(self.pane, pane_id=f"%{number}")
        finished = None if status == "open" else started + 60
        run: Run = self.make_run(run_id, pane=pane, status=status, started_at=started, finished_at=finished)
        send = Send(action_id=f"{run_id}/a", stage="build", attempt=1, keys=Keys(text="ls"), wait_idle=0)
        request: ApprovalRequest = replace(self.make_request(f"q-{run_id}"), run_id=run_id)
        decision = Decision(request_id=request.id, approved=True, by="ann", channel="x", at=started)
        with self.store.transaction() as tx:
            tx.save_run(run, replace(self.names, **names))
            tx.record(run, Record(stage="build", attempt=1, status="succeeded", reason=""))
            tx.plan_send(run, send, started)
            tx.open_approval(request, Rules())
            tx.vote(decision, request.digest, counted=True)
            tx.add_link(replace(LINK, hash=run_id, approval_id=request.id, created_at=started))
            if status != "open":
                tx.decide(decision, request.digest, "ann")
        self.store.save_fence(pane.key, 1, 0)
        self.store.intend(send.action_id, "line", pane=pane, epoch=1, previous=0, marker=1, **STEP)
        if status != "open":
            self.store.settle(send.action_id, "line", "injected")
            with self.store.transaction() as tx:
                tx.finish_send(send.action_id)
        return run


@pytest.fixture
def old(
    store: Store,
    pane: PaneIdentity,
    names: RunNames,
    make_run: Callable[..., Run],
    make_request: Callable[..., ApprovalRequest],
) -> Old:
    return Old(store, pane, names, (make_run, make_request))


def left(store: Store) -> dict[str, list[str]]:
    """The Runs that each table still knows."""
    queries = {
        "runs": "SELECT id FROM runs",
        "history": "SELECT run_id FROM stage_history",
        "sends": "SELECT run_id FROM sends",
        "intents": "SELECT replace(action_id, '/a', '') FROM intents",
        "approvals": "SELECT run_id FROM approvals",
        "votes": "SELECT replace(approval_id, 'q-', '') FROM votes",
    }
    with store._database.read() as connection:
        return {table: sorted(connection.exec_driver_sql(query).scalars().all()) for table, query in queries.items()}


def prune(store: Store) -> int:
    total = 0
    while batch := store.prune():
        assert batch <= retention.BATCH
        total += batch
    return total


def test_what_ended_90_days_ago_goes_with_all_that_belongs_to_it(store: Store, clock: FakeClock, old: Old) -> None:
    old.run("first", 1)
    clock.advance(30 * DAY)
    old.run("later", 2, started=clock.now())  # the same name: the newest one of it
    clock.advance(60 * DAY)
    assert prune(store) == 0
    clock.advance(120)
    prune(store)
    assert {tuple(runs) for runs in left(store).values()} == {("later",)}
    assert store.fence(replace(old.pane, pane_id="%1").key) == Fence(epoch=1, marker=1)


def test_what_an_open_run_needs_stays_however_old(store: Store, clock: FakeClock, old: Old) -> None:
    old.run("waits", 1, "open")
    clock.advance(1000 * DAY)
    assert prune(store) == 0
    assert left(store)["intents"] == ["waits"]
    assert [intent.action_id for intent in store.open_intents()] == ["waits/a"]
    assert len(store.pending_approvals()) == 1


def test_matching_still_knows_what_ran_where(store: Store, clock: FakeClock, old: Old) -> None:
    """Of each name the newest Run stays, and every Run of a pane that is there; their history goes."""
    old.run("alone", 1, window_name="alone")
    present = old.run("present", 2)
    old.run("replaced", 3)
    old.run("newest", 4, started=NOON + 1)
    with store._database.write() as connection:
        connection.exec_driver_sql("INSERT INTO pane_keys VALUES ('here', '%2', ?)", (present.pane.key,))
    clock.advance(91 * DAY)
    prune(store)
    assert left(store)["runs"] == ["alone", "newest", "present"]
    assert left(store)["history"] == []
    assert [run.id for run in store.past_runs()] == ["alone", "present", "newest"]


def test_messages_go_when_they_have_arrived(store: Store, clock: FakeClock) -> None:
    for number in range(3):
        with store.transaction() as tx:
            tx.enqueue(Message(id=str(number), at=0, level=Level.INFO, event="x", title="t"), ["a"], "")
    arrived, lost, _ = store.due_messages("a")
    store.message_tried(arrived, DeliveryResult(outcome=Delivery.DELIVERED))
    store.message_tried(lost, DeliveryResult(outcome=Delivery.PERMANENT))
    clock.advance(91 * DAY)
    assert prune(store) == 3  # the message, and both attempts
    assert {message.status for message in store.messages()} == {"dead", "pending"}


def test_it_goes_in_batches(store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 10)
    for number in range(25):
        with store.transaction() as tx:
            tx.enqueue(Message(id=str(number), at=0, level=Level.INFO, event="x", title="t"), ["a"], "")
    for message in store.due_messages("a"):
        store.message_tried(message, DeliveryResult(outcome=Delivery.DELIVERED))
    clock.advance(91 * DAY)
    assert [store.prune() for _ in range(7)] == [10, 10, 5] * 2 + [0]  # messages, then their attempts


def test_how_long_it_stays_is_the_users_choice(path: Path, old: Old, clock: FakeClock) -> None:
    old.run("short", 1)
    clock.advance(9 * DAY)
    old.store.close()
    with Store.open(path, clock, keep=10 * DAY) as patient:
        assert prune(patient) == 0
    with Store.open(path, clock, keep=8 * DAY) as tidy:
        assert prune(tidy) > 0


def test_messages_that_are_over_go_with_their_attempts_and_those_that_failed_or_wait_stay(
    store: Store, clock: FakeClock
) -> None:
    def queue(name: str, **more: str) -> None:
        what = Message(id=name, at=clock.now(), level=Level.INFO, event="e", title=name)
        with store.transaction() as tx:
            tx.enqueue(what, ["slack"], name, **more)

    for name, outcome in (("arrived", Delivery.DELIVERED), ("dead", Delivery.PERMANENT)):
        queue(name)
        (one,) = store.due_messages("slack")
        store.message_tried(one, DeliveryResult(outcome=outcome))
    queue("moot", matter="m")
    with store.transaction() as tx:
        tx.end_matter("m")
    queue("waits")
    (one,) = store.due_messages("slack")
    store.message_tried(one, DeliveryResult(outcome=Delivery.RETRY))
    clock.advance(91 * DAY)
    prune(store)
    assert sorted(one.message.id for one in store.messages()) == ["dead", "waits"]
    with store._database.read() as connection:
        left_over = connection.exec_driver_sql("SELECT outcome FROM deliveries").scalars().all()
    assert list(left_over) == ["retry"]
