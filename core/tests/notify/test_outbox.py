"""Messages go out at least once, whatever a channel does, and no channel waits for another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.clock import SystemClock
from tmux_sentry.contracts import Delivery, DeliveryResult, Level, Message
from tmux_sentry.notify.outbox import Outbox
from tmux_sentry.state.store import Store

OK = DeliveryResult(outcome=Delivery.DELIVERED)


class Channel:
    """Answers as told, then DELIVERED."""

    def __init__(self, *answers: Callable[[], Any]) -> None:
        self.answers = list(answers)
        self.got: list[str] = []
        self.more = threading.Condition()

    def send(self, message: Message) -> Any:
        with self.more:
            self.got.append(message.id)
            self.more.notify_all()
            answer = self.answers.pop(0) if self.answers else lambda: OK
        return answer()

    def wait(self, count: int) -> None:
        with self.more:
            assert self.more.wait_for(lambda: len(self.got) >= count, 10.0), self.got


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "state.db", SystemClock()) as opened:
        yield opened


def enqueue(store: Store, name: str, *channels: str) -> None:
    message = Message(id=name, at=1.0, level=Level.INFO, event="stage.succeeded", title=name)
    with store.transaction() as tx:
        tx.enqueue(message, channels, name)


def wait_status(store: Store, *wanted: tuple[str, str, str]) -> None:
    deadline = time.monotonic() + 10.0
    found: set[tuple[str, str, str]] = set()
    while time.monotonic() < deadline:
        found = {(one.channel, one.message.id, one.status) for one in store.messages()}
        if found >= set(wanted):
            return
        threading.Event().wait(0.02)
    raise AssertionError(found)


def fail() -> None:
    raise RuntimeError("down")


def leave() -> None:
    raise SystemExit(1)


def test_what_an_earlier_run_left_goes_out_and_only_once(store: Store) -> None:
    channel = Channel()
    enqueue(store, "old", "a")
    outbox = Outbox(store, {"a": channel}, SystemClock())
    outbox.start()
    wait_status(store, ("a", "old", "delivered"))
    enqueue(store, "new", "a")
    outbox.wake()
    wait_status(store, ("a", "new", "delivered"))
    outbox.stop()
    assert channel.got == ["old", "new"]


@pytest.mark.parametrize(
    "what",
    [fail, leave, lambda: None, lambda: True, lambda: DeliveryResult(outcome=Delivery.UNKNOWN, detail="lost")],
)
def test_what_is_not_known_to_have_arrived_is_sent_again(store: Store, what: Callable[[], Any]) -> None:
    channel = Channel(what)
    enqueue(store, "m", "a")
    outbox = Outbox(store, {"a": channel}, SystemClock())
    outbox.start()
    wait_status(store, ("a", "m", "delivered"))
    outbox.stop()
    assert channel.got == ["m", "m"]


def test_an_answer_that_is_none_counts_as_a_try(store: Store) -> None:
    channel = Channel(lambda: None)
    enqueue(store, "m", "a")
    outbox = Outbox(store, {"a": channel}, SystemClock())
    outbox.start()
    channel.wait(1)
    outbox.stop()
    [message] = store.messages()
    assert (message.status, message.tries) == ("pending", 1)
    assert message.detail == "the channel answered with a NoneType"


def test_a_hanging_channel_holds_nobody_up_and_stop_is_bounded(store: Store) -> None:
    never = threading.Event()
    hanging, good = Channel(never.wait), Channel()
    outbox = Outbox(store, {"hanging": hanging, "good": good, "other": Channel(never.wait)}, SystemClock())
    outbox.start()
    enqueue(store, "m", "hanging", "good", "other")
    outbox.wake()
    hanging.wait(1)
    wait_status(store, ("good", "m", "delivered"), ("hanging", "m", "pending"))
    began = time.monotonic()
    outbox.stop(0.2)
    assert time.monotonic() - began < 2.0
    never.set()


def test_a_channel_that_hung_is_tried_again(store: Store) -> None:
    never = threading.Event()
    channel = Channel(never.wait)
    enqueue(store, "m", "a")
    outbox = Outbox(store, {"a": channel}, SystemClock(), patience=0.05)
    outbox.start()
    wait_status(store, ("a", "m", "delivered"))
    outbox.stop()
    never.set()
    assert channel.got == ["m", "m"]


def test_stop_delivers_what_is_due(store: Store) -> None:
    channel = Channel()
    outbox = Outbox(store, {"a": channel}, SystemClock())
    outbox.start()
    enqueue(store, "last", "a")
    outbox.stop()
    assert channel.got == ["last"]


def test_a_database_that_fails_for_a_while_does_not_silence_the_channel(store: Store) -> None:
    class Full:
        """Its disk is full for two writes."""

        def __init__(self) -> None:
            self.left = 2

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def transaction(self) -> Any:
            if self.left:
                self.left -= 1
                raise OSError("disk full")
            return store.transaction()

    channel = Channel()
    enqueue(store, "m", "a")
    full: Any = Full()
    outbox = Outbox(full, {"a": channel}, SystemClock())
    outbox.start()
    for count in (1, 2, 3):
        channel.wait(count)
        outbox.wake()
    wait_status(store, ("a", "m", "delivered"))
    outbox.stop()
    assert channel.got == ["m", "m", "m"]  # at least once
