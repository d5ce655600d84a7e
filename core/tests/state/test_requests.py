"""Of all answers to a request exactly one counts, and only to what was shown."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tmux_sentry.contracts import ApprovalRequest, Decision
from tmux_sentry.state.store import Store

Make = Callable[..., ApprovalRequest]


def answer(request_id: str = "q1", *, approved: bool = True, by: str = "dev", comment: str = "") -> Decision:
    return Decision(request_id=request_id, approved=approved, by=by, channel="file", at=5.0, comment=comment)


def ask(store: Store, request: ApprovalRequest, *approvers: str) -> None:
    with store.transaction() as step:
        step.open_approval(request, approvers)


def decide(store: Store, decision: Decision, digest: str = "d1") -> bool:
    with store.transaction() as step:
        return step.decide(decision, digest)


def test_a_pending_request_comes_back_whole(store: Store, make_request: Make) -> None:
    ask(store, make_request(), "dev", "ops")
    with store.transaction() as step:
        step.show_approval("q1", {"file": "/home/x"})
    (stored,) = store.pending_approvals()
    assert stored.request == make_request()
    assert (stored.approvers, stored.shown, stored.status) == (("dev", "ops"), {"file": "/home/x"}, "pending")


def test_the_first_answer_counts_and_the_second_does_not(store: Store, make_request: Make) -> None:
    ask(store, make_request())
    assert decide(store, answer(comment="looks good\x1b[2J"))
    assert not decide(store, answer(approved=False))
    stored = store.approval("q1")
    assert stored is not None
    assert (stored.status, stored.decided_by, stored.channel, stored.comment) == (
        "approved",
        "dev",
        "file",
        "looks good",
    )
    assert store.pending_approvals() == []


@pytest.mark.parametrize(
    ("decision", "digest"),
    [
        (answer(), "d2"),
        (answer("unknown"), "d1"),
        (answer(by="mallory"), "d1"),
        (answer(by="mallory", approved=False), "d1"),
    ],
)
def test_an_answer_to_something_else_or_by_someone_else_does_not_count(
    store: Store, make_request: Make, decision: Decision, digest: str
) -> None:
    ask(store, make_request(), "dev")
    assert not decide(store, decision, digest)
    assert [stored.request.id for stored in store.pending_approvals()] == ["q1"]


def test_every_vote_is_on_record(store: Store, path: Path, make_request: Make) -> None:
    ask(store, make_request())
    decide(store, answer(), "other digest")
    decide(store, answer(approved=False))
    decide(store, answer("unknown"))
    connection = sqlite3.connect(path)
    votes = connection.execute("SELECT approval_id, approved, digest, counted FROM votes ORDER BY id").fetchall()
    connection.close()
    assert votes == [("q1", 1, "other digest", 0), ("q1", 0, "d1", 1), ("unknown", 1, "d1", 0)]


def test_a_closed_request_takes_no_answer_and_a_decided_one_stays_decided(store: Store, make_request: Make) -> None:
    ask(store, make_request("q1"))
    ask(store, make_request("q2"))
    decide(store, answer("q2"))
    with store.transaction() as step:
        step.close_approval("q1", "cancelled", 9.0)
        step.close_approval("q2", "cancelled", 9.0)
    assert not decide(store, answer("q1"))
    statuses = [stored.status for stored in map(store.approval, ("q1", "q2")) if stored]
    assert statuses == ["cancelled", "approved"]


def test_asking_again_under_the_same_id_changes_nothing(store: Store, make_request: Make) -> None:
    ask(store, make_request())
    decide(store, answer(approved=False))
    ask(store, make_request(digest="another"))
    stored = store.approval("q1")
    assert stored is not None
    assert (stored.status, stored.request.digest) == ("rejected", "d1")


def test_a_hundred_answers_at_once_have_one_winner(store: Store, make_request: Make) -> None:
    ask(store, make_request())
    counted: list[bool] = []
    threads = [
        threading.Thread(target=lambda n=n: counted.append(decide(store, answer(approved=n % 2 == 0))))
        for n in range(100)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counted) == [False] * 99 + [True]
