"""A backend that raises, hangs or talks nonsense never keeps people from answering on another one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tmux_sentry.approvals.broker import Broker
from tmux_sentry.contracts import ApprovalRequest, Complaint, Decision
from tmux_sentry.testing.clock import FakeClock
from tmux_sentry.testing.samples import approval_request

REQUEST = approval_request("q1", "build")


def yes(request_id: str = "q1") -> Decision:
    return Decision(request_id=request_id, approved=True, by="dev", channel="somewhere", at=1.0)


class Backend:
    """Does what it is told; remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.answers: Any = []
        self.trouble: Callable[[], None] = lambda: None

    def open(self, request: ApprovalRequest) -> str:
        self.trouble()
        self.calls.append(("open", request.id))
        return f"/shown/{request.id}"

    def poll(self) -> Sequence[Decision | Complaint]:
        self.trouble()
        answers, self.answers = self.answers, []
        return answers  # type: ignore[no-any-return]

    def close(self, request: ApprovalRequest, outcome: str) -> None:
        self.trouble()
        self.calls.append(("close", request.id, outcome))


@pytest.fixture
def good() -> Backend:
    return Backend()


@pytest.fixture
def bad() -> Backend:
    return Backend()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def broker(good: Backend, bad: Backend, clock: FakeClock) -> Any:
    # The bad one comes first: order must not matter.
    made = Broker({"bad": bad, "good": good}, clock, timeout=0.3)
    yield made
    made.stop()


def fails() -> None:
    raise OSError("disk full\x1b[2J")


def decisions(items: Sequence[Decision | Complaint]) -> list[Decision]:
    return [item for item in items if isinstance(item, Decision)]


def complaints(items: Sequence[Decision | Complaint]) -> list[str]:
    return [f"{item.where}: {item.why}" for item in items if isinstance(item, Complaint)]


def test_a_request_is_shown_everywhere_and_closed_everywhere(broker: Broker, good: Backend, bad: Backend) -> None:
    shown = broker.open(REQUEST)
    assert shown.places == {"bad": "/shown/q1", "good": "/shown/q1"}
    assert shown.complaints == []
    assert broker.close(REQUEST, "approved") == []
    assert good.calls == bad.calls == [("open", "q1"), ("close", "q1", "approved")]
    assert broker.places("q1") == {}


def test_answers_come_back_under_their_backends_name(broker: Broker, good: Backend) -> None:
    note = Complaint(where="x", why="y")
    good.answers = [yes(), note]
    decision, complaint = broker.poll()
    assert (decision.channel, complaint) == ("good", note)  # type: ignore[union-attr]
    assert broker.poll() == []


def test_a_backend_that_raises_is_told_once_and_tried_again(
    broker: Broker, good: Backend, bad: Backend, clock: FakeClock
) -> None:
    bad.trouble = fails
    shown = broker.open(REQUEST)
    assert shown.places == {"good": "/shown/q1"}
    assert complaints(shown.complaints) == ["approval backend bad: open failed: OSError: disk full"]
    good.answers = [yes()]
    found = broker.poll()
    assert len(decisions(found)) == 1
    assert complaints(found) == ["approval backend bad: poll failed: OSError: disk full"]
    assert broker.poll() == []
    bad.trouble = lambda: None
    clock.advance(31)
    broker.poll()
    deadline = time.monotonic() + 5
    while "bad" not in broker.places("q1") and time.monotonic() < deadline:
        broker.poll()
    assert broker.places("q1") == {"bad": "/shown/q1", "good": "/shown/q1"}
    bad.trouble = fails
    assert complaints(broker.poll()) == ["approval backend bad: poll failed: OSError: disk full"]


def test_a_failed_close_is_tried_again_and_a_failed_open_of_a_closed_request_is_not(
    broker: Broker, bad: Backend, clock: FakeClock
) -> None:
    bad.trouble = fails
    broker.open(REQUEST)
    broker.close(REQUEST, "expired")
    bad.trouble = lambda: None
    clock.advance(31)
    broker.poll()
    broker.poll()
    assert bad.calls == [("close", "q1", "expired")]


def test_a_backend_that_hangs_holds_up_nobody(broker: Broker, good: Backend, bad: Backend) -> None:
    gate = threading.Event()
    bad.trouble = lambda: gate.wait(30) and None
    started = time.monotonic()
    shown = broker.open(REQUEST)
    assert shown.places == {"good": "/shown/q1"}
    told = complaints(shown.complaints)
    while not told and time.monotonic() - started < 5:  # its thread may have begun a little later than we
        told = complaints(broker.poll())
    assert told == ["approval backend bad: it has not answered for 0.3 s; the others go on"]
    good.answers = [yes()]
    assert len(decisions(broker.poll())) == 1
    for number in range(20):
        assert broker.open(approval_request(f"more{number}", "x")).complaints == []
    assert broker.close(REQUEST, "approved") == []
    assert time.monotonic() - started < 5
    assert ("close", "q1", "approved") in good.calls
    # What it says when it comes back is not lost, and it has missed nothing.
    bad.answers = [yes("more1")]
    gate.set()
    late: list[Decision | Complaint] = []
    deadline = time.monotonic() + 10
    while not decisions(late) and time.monotonic() < deadline:
        late += broker.poll()
    assert [(answer.request_id, answer.channel) for answer in decisions(late)] == [("more1", "bad")]
    assert ("close", "q1", "approved") in bad.calls
    assert broker.places("more7") == {"bad": "/shown/more7", "good": "/shown/more7"}


@pytest.mark.parametrize("nonsense", [["approve"], None, 7, [True]])
def test_what_is_no_decision_never_becomes_one(broker: Broker, bad: Backend, nonsense: Any) -> None:
    bad.answers = nonsense
    (found,) = broker.poll()
    assert isinstance(found, Complaint)
    assert "not a Decision" in found.why


def test_a_plugin_that_exits_does_not_end_its_thread(broker: Broker, bad: Backend) -> None:
    def leaves() -> None:
        raise SystemExit(0)

    bad.trouble = leaves
    assert complaints(broker.poll()) == ["approval backend bad: poll failed: SystemExit: 0"]
    bad.trouble = lambda: None
    bad.answers = [yes()]
    assert len(decisions(broker.poll())) == 1


def test_after_a_restart_what_waits_is_shown_again(broker: Broker, good: Backend) -> None:
    assert broker.reopen([REQUEST, approval_request("q2", "deploy")]) == []
    assert [call[1] for call in good.calls] == ["q1", "q2"]
    assert broker.places("q2")["good"] == "/shown/q2"


def test_without_backends_nothing_happens(clock: FakeClock) -> None:
    broker = Broker({}, clock)
    assert broker.open(REQUEST).places == {}
    assert broker.poll() == []
    assert broker.close(REQUEST, "expired") == []
