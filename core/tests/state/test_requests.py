"""Of all answers to a request exactly one counts, and only to what was shown."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.contracts import ApprovalRequest, Decision, Vote
from tmux_sentry.state.records import Rules
from tmux_sentry.state.requests import WITHOUT_EFFECT
from tmux_sentry.state.store import Store

Make = Callable[..., ApprovalRequest]


def answer(request_id: str = "q1", *, approved: bool = True, by: str = "dev", comment: str = "") -> Decision:
    return Decision(request_id=request_id, approved=approved, by=by, channel="file", at=5.0, comment=comment)


def ask(store: Store, request: ApprovalRequest, **rules: Any) -> None:
    with store.transaction() as step:
        step.open_approval(request, Rules(**rules))


def decide(store: Store, decision: Decision, digest: str = "d1") -> bool:
    with store.transaction() as step:
        return step.decide(decision, digest, decision.by)


def test_a_pending_request_comes_back_whole(store: Store, make_request: Make) -> None:
    ask(store, make_request(), approvers=("dev", "ops"))
    with store.transaction() as step:
        step.show_approval("q1", {"file": "/home/x"})
    (stored,) = store.pending_approvals()
    assert stored.request == make_request()
    assert (stored.rules.approvers, stored.shown, stored.status) == (("dev", "ops"), {"file": "/home/x"}, "pending")


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
    ],
)
def test_an_answer_to_something_else_does_not_count(
    store: Store, make_request: Make, decision: Decision, digest: str
) -> None:
    ask(store, make_request())
    assert not decide(store, decision, digest)
    assert [stored.request.id for stored in store.pending_approvals()] == ["q1"]


def test_every_vote_is_on_record(store: Store, make_request: Make) -> None:
    ask(store, make_request())
    said = replace(answer(comment="fine\x1b[2J"), known="login", digest="another")
    with store.transaction() as step:
        step.vote(said, "d1", counted=False)
        step.vote(answer(approved=False, by="ops"), "d1", counted=True)
        assert [vote.by for vote in step.votes("q1")] == ["dev", "ops"]
    first, second = store.votes("q1")
    assert first == Vote(by="dev", approved=True, counted=False, channel="file", known="login", comment="fine", at=5.0)
    assert (second.approved, second.counted) == (False, True)


def test_nobody_fills_the_database_with_answers_that_do_not_count(store: Store, make_request: Make) -> None:
    for one in ("q1", "q2"):
        ask(store, make_request(one))
    with store.transaction() as step:
        for _ in range(WITHOUT_EFFECT + 5):
            step.vote(answer("q1"), "d1", counted=False)
        step.vote(answer("q1", by="late"), "d1", counted=True)
        step.vote(answer("q2"), "d1", counted=False)
    assert [vote.counted for vote in store.votes("q1")] == [False] * WITHOUT_EFFECT + [True]
    assert len(store.votes("q2")) == 1


def test_an_answer_at_or_after_the_end_of_its_time_decides_nothing(store: Store, make_request: Make) -> None:
    ask(store, make_request("q1"), until=5.0)
    assert not decide(store, answer("q1"))
    ask(store, make_request("q2"), until=5.001)
    assert decide(store, answer("q2"))


def test_who_may_decide_comes_back_whole(store: Store, make_request: Make) -> None:
    rules = Rules(approvers=("a", "b"), required=2, any_reject=False, second=("c",), second_at=7.0, until=9.0)
    with store.transaction() as step:
        step.open_approval(make_request(), rules)
    stored = store.approval("q1")
    assert stored is not None
    assert stored.rules == rules


def test_a_request_of_an_earlier_version_keeps_its_approvers(store: Store, path: Path, make_request: Make) -> None:
    ask(store, make_request(), approvers=("dev",))
    connection = sqlite3.connect(path)
    connection.execute("UPDATE approvals SET rules = '{}'")
    connection.commit()
    connection.close()
    stored = store.approval("q1")
    assert stored is not None
    assert stored.rules == Rules(approvers=("dev",))


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
