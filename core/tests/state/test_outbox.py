"""A message waits until a channel took it, is queued once, and is given up after a day."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tmux_sentry.contracts import Delivery, DeliveryResult, Level, Message
from tmux_sentry.state.outbox import backoff
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock

MESSAGE = Message(id="m1", at=1.0, level=Level.ERROR, event="stage.failed", title="build failed", fields={"a": "b"})


def send(store: Store, message: Message = MESSAGE, key: str = "k", channels: tuple[str, ...] = ("slack",)) -> None:
    with store.transaction() as step:
        step.enqueue(message, channels, key)


def result(outcome: Delivery, after: float | None = None) -> DeliveryResult:
    return DeliveryResult(outcome=outcome, detail="503 from them", retry_after=after)


def test_a_message_is_due_on_each_channel_as_it_was(store: Store) -> None:
    send(store, channels=("slack", "email", "slack"))
    for channel in ("slack", "email"):
        assert [(out.channel, out.message) for out in store.due_messages(channel)] == [(channel, MESSAGE)]


def test_the_same_key_is_queued_once_a_channel(store: Store) -> None:
    send(store)
    send(store, replace(MESSAGE, id="m2"))
    send(store, replace(MESSAGE, id="m3"), channels=("email",))
    assert [out.message.id for channel in ("slack", "email") for out in store.due_messages(channel)] == ["m1", "m3"]


def test_messages_without_a_key_do_not_swallow_each_other(store: Store) -> None:
    send(store, key="")
    send(store, replace(MESSAGE, id="m2"), key="")
    assert len(store.due_messages("slack")) == 2


@pytest.mark.parametrize(("outcome", "status"), [(Delivery.DELIVERED, "delivered"), (Delivery.PERMANENT, "dead")])
def test_a_final_answer_ends_it(store: Store, outcome: Delivery, status: str) -> None:
    send(store)
    store.message_tried(store.due_messages("slack")[0], result(outcome))
    assert store.due_messages("slack") == []
    assert store.next_message_due("slack") is None
    (out,) = store.messages()
    assert (out.status, out.tries, out.detail) == (status, 1, "503 from them")


@pytest.mark.parametrize("outcome", [Delivery.RETRY, Delivery.UNKNOWN])
def test_what_may_not_have_arrived_is_due_again_later(store: Store, clock: FakeClock, outcome: Delivery) -> None:
    send(store)
    store.message_tried(store.due_messages("slack")[0], result(outcome))
    assert store.due_messages("slack") == []
    clock.advance(1.3)
    (out,) = store.due_messages("slack")
    assert out.tries == 1


def test_it_waits_as_long_as_the_provider_asks(store: Store, clock: FakeClock) -> None:
    send(store)
    store.message_tried(store.due_messages("slack")[0], result(Delivery.RETRY, after=600.0))
    assert store.next_message_due("slack") == clock.now() + 600.0


def test_after_a_day_it_is_dead_and_can_be_revived(store: Store, clock: FakeClock) -> None:
    send(store)
    for _ in range(1000):
        due = store.next_message_due("slack")
        if due is None:
            break
        clock.advance(max(due - clock.now(), 0.0))
        store.message_tried(store.due_messages("slack")[0], result(Delivery.RETRY))
    (out,) = store.messages()
    assert out.status == "dead"
    assert 90 < out.tries < 140
    assert store.revive_messages([out.id + 1]) == 0
    assert store.revive_messages() == 1
    assert store.due_messages("slack")[0].tries == 0


def test_a_slow_attempt_does_not_undo_a_delivery(store: Store) -> None:
    send(store)
    (out,) = store.due_messages("slack")
    store.message_tried(out, result(Delivery.DELIVERED))
    store.message_tried(out, result(Delivery.RETRY))
    assert store.messages()[0].status == "delivered"


@pytest.mark.parametrize(("tries", "seconds"), [(1, 1.0), (2, 2.0), (5, 16.0), (11, 900.0), (5000, 900.0)])
def test_the_wait_doubles_up_to_a_quarter_of_an_hour(tries: int, seconds: float) -> None:
    assert backoff(tries, 0.5) == pytest.approx(seconds)
