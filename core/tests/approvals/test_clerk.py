"""The clerk shows, closes and collects, whatever goes wrong around it."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from tmux_sentry.approvals.broker import RETRY_AFTER, Broker
from tmux_sentry.approvals.clerk import Clerk
from tmux_sentry.contracts import ApprovalRequest, Complaint, Decision
from tmux_sentry.testing.clock import FakeClock
from tmux_sentry.testing.samples import AT, approval_request


class Backend:
    """Remembers what it was told; what is put into `answers` comes at the next poll."""

    def __init__(self) -> None:
        self.answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.told: queue.Queue[tuple[str, str]] = queue.Queue()
        self.full = False

    def open(self, request: ApprovalRequest) -> str:
        if self.full:
            self.full = False
            raise OSError("disk full")
        self.told.put(("open", request.id))
        return f"/approvals/{request.id}"

    def poll(self) -> Sequence[Decision | Complaint]:
        found = []
        while not self.answers.empty():
            found.append(self.answers.get())
        return found

    def close(self, request: ApprovalRequest, outcome: str) -> None:
        self.told.put((outcome, request.id))


class Office:
    def __init__(self) -> None:
        self.backend = Backend()
        self.shown: queue.Queue[tuple[str, Mapping[str, str]]] = queue.Queue()
        self.decided: queue.Queue[Decision] = queue.Queue()
        self.broken = 0
        self.clock = FakeClock(AT)
        self.clerk = Clerk(Broker({"file": self.backend}, self.clock), shown=self._shown, decided=self.decided.put)
        self.clerk.start()

    def _shown(self, approval_id: str, places: Mapping[str, str]) -> None:
        if self.broken:
            self.broken -= 1
            raise OSError("disk full")
        self.shown.put((approval_id, places))


@pytest.fixture
def office() -> Iterator[Office]:
    office = Office()
    yield office
    office.clerk.stop()


def test_a_request_is_shown_answered_and_closed(office: Office) -> None:
    request = approval_request("q1", "build")
    office.clerk.show(request)
    assert office.shown.get(timeout=10.0) == ("q1", {"file": "/approvals/q1"})
    office.backend.answers.put(Decision(request_id="q1", approved=True, by="ann", channel="x", at=AT))
    decision = office.decided.get(timeout=10.0)
    assert (decision.request_id, decision.approved, decision.channel) == ("q1", True, "file")
    office.clerk.close(request, "approved")
    assert [office.backend.told.get(timeout=10.0) for _ in range(2)] == [("open", "q1"), ("approved", "q1")]


def test_a_failure_to_write_down_where_it_is_shown_does_not_deafen(office: Office) -> None:
    office.broken = 1
    office.clerk.show(approval_request("q1", "build"))
    office.clerk.show(approval_request("q2", "build"))
    assert office.shown.get(timeout=10.0)[0] == "q2"
    office.backend.answers.put(Decision(request_id="q1", approved=False, by="ann", channel="x", at=AT))
    assert office.decided.get(timeout=10.0).request_id == "q1"


def test_a_place_that_is_known_only_later_is_written_down_then(office: Office) -> None:
    office.backend.full = True
    office.clerk.show(approval_request("q1", "build"))
    assert office.shown.get(timeout=10.0) == ("q1", {})
    office.clock.advance(RETRY_AFTER)
    assert office.shown.get(timeout=10.0) == ("q1", {"file": "/approvals/q1"})
    for _ in range(2):  # two more looks for answers
        office.backend.answers.put(Decision(request_id="q1", approved=True, by="ann", channel="x", at=AT))
        office.decided.get(timeout=10.0)
    assert office.shown.empty(), "once"


def test_who_waits_for_the_place_of_a_request_goes_on_when_it_is_known(office: Office) -> None:
    office.clerk.show(approval_request("q1", "build"))
    office.clerk.await_shown("q1", 30.0)
    assert office.shown.get_nowait()[0] == "q1"
    office.clerk.await_shown("q1", 30.0)  # and later ones at once


@pytest.mark.parametrize("trouble", ["never shown", "not written down"])
def test_who_waits_for_a_place_does_not_wait_for_ever(office: Office, trouble: str) -> None:
    began = time.monotonic()
    if trouble == "never shown":
        office.clerk.await_shown("q1", 0.05)
    else:
        office.broken = 1
        office.clerk.show(approval_request("q1", "build"))
        office.clerk.await_shown("q1", 30.0)
    assert time.monotonic() - began < 10.0
    assert office.shown.empty()


def test_stop_does_what_was_asked_before_and_ends(office: Office) -> None:
    office.clerk.close(approval_request("q1", "build"), "cancelled")
    began = time.monotonic()
    office.clerk.stop()
    assert time.monotonic() - began < 3.0
    assert office.backend.told.get(timeout=10.0) == ("cancelled", "q1")
