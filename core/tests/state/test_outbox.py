"""A message waits until a channel took it, is queued once, and is given up after a day."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tmux_sentry.contracts import Delivery, DeliveryResult, Level, Message
from tmux_sentry.state.database import open_database
from tmux_sentry.state.migrations import MIGRATIONS
from tmux_sentry.state.outbox import backoff
from tmux_sentry.state.records import ChannelHealth, Planned, Silence
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
    waits = [backoff(tries) for _ in range(50)]
    assert all(seconds <= wait <= max(seconds * 1.2, seconds + 0.2) for wait in waits)
    assert len(set(waits)) > 1  # not all channels at the same moment


# --------------------------------------------------------------------------- matters, digests, attempts


def queue(store: Store, id: str, *planned: Planned | str, **more: str) -> None:
    with store.transaction() as tx:
        tx.enqueue(replace(MESSAGE, id=id), planned, id, **more)


def status(store: Store) -> dict[str, str]:
    return {f"{one.message.id}@{one.channel}": one.status for one in store.messages()}


def deliver(store: Store, channel: str, receipt: str = "") -> None:
    for one in store.due_messages(channel):
        store.message_tried(one, DeliveryResult(outcome=Delivery.DELIVERED, receipt=receipt))


def test_what_waits_to_be_told_is_dropped_when_its_matter_has_ended(store: Store, clock: FakeClock) -> None:
    later = Planned(channel="email", at=clock.now() + 600)
    queue(store, "asked", "slack", later, matter="approval/1")
    deliver(store, "slack")
    with store.transaction() as tx:
        assert tx.end_matter("approval/1") == (["slack"], "")
    clock.advance(700)
    assert store.due_messages("email") == []
    assert status(store) == {"asked@slack": "delivered", "asked@email": "dropped"}


@pytest.mark.parametrize(("outcome", "told"), [(Delivery.UNKNOWN, ["slack"]), (Delivery.RETRY, [])])
def test_a_channel_that_may_have_told_is_told_the_end_and_nobody_is_asked_any_more(
    store: Store, outcome: Delivery, told: list[str]
) -> None:
    """A channel that was off for a day must not ask what was decided yesterday."""
    queue(store, "asked", "slack", matter="approval/1")
    (one,) = store.due_messages("slack")
    store.message_tried(one, result(outcome))
    with store.transaction() as tx:
        assert tx.end_matter("approval/1")[0] == told
    assert status(store) == {"asked@slack": "dropped"}


def test_it_is_told_again_until_its_matter_ends(store: Store, clock: FakeClock) -> None:
    queue(store, "asked", Planned(channel="slack", at=clock.now(), repeat=60.0), matter="approval/1")
    for _ in range(3):
        deliver(store, "slack")
        assert store.due_messages("slack") == []
        clock.advance(60)
    assert [one.message.id for one in store.messages()][::-1] == [
        "asked", "asked#again1", "asked#again2", "asked#again3",
    ]  # fmt: skip
    with store.transaction() as tx:
        tx.end_matter("approval/1")
    clock.advance(120)
    deliver(store, "slack")
    assert status(store)["asked#again3@slack"] == "dropped"
    assert store.next_message_due("slack") is None


def test_without_a_matter_nothing_is_told_again(store: Store, clock: FakeClock) -> None:
    queue(store, "m", Planned(channel="slack", at=clock.now(), repeat=60.0))
    deliver(store, "slack")
    assert store.next_message_due("slack") is None


def test_later_messages_bring_the_channels_own_names_of_what_they_belong_to(store: Store) -> None:
    first = replace(MESSAGE, id="one", thread="r1")
    with store.transaction() as tx:
        tx.enqueue(first, ["slack", "email"], "one", matter="approval/1")
    deliver(store, "slack", receipt="C1:1.0")
    with store.transaction() as tx:
        tx.enqueue(replace(first, id="two"), ["slack", "email"], "two", ends="approval/1")
        tx.enqueue(replace(first, id="three", thread="r2"), ["slack"], "three")
    two, three = store.due_messages("slack")
    assert (two.message.first, two.message.ends) == ("C1:1.0", "C1:1.0")
    assert (three.message.first, three.message.ends) == ("", "")
    assert [one.message.first for one in store.due_messages("email")] == ["", ""]


def test_messages_told_in_one_share_its_fate(store: Store, clock: FakeClock) -> None:
    for name in ("a", "b", "c"):
        queue(store, name, "slack")
    together = store.due_messages("slack")[:2]
    for outcome in (Delivery.RETRY, Delivery.PERMANENT):
        with store.transaction() as tx:
            tx.merge(together, replace(MESSAGE, id=f"digest{outcome.value}"))
        assert [one.message.id for one in store.due_messages("slack")] == ["c", f"digest{outcome.value}"]
        (_, one) = store.due_messages("slack")
        store.message_tried(one, result(outcome))
        if outcome is Delivery.RETRY:
            assert status(store)["a@slack"] == "told"
            clock.advance(10)
            store.message_tried(one, result(Delivery.PERMANENT))
        assert status(store)["a@slack"] == status(store)["b@slack"] == "dead"
        assert store.revive_messages() == 2  # by themselves, not once more in one
        together = [one for one in store.due_messages("slack") if one.message.id in "ab"]


def test_every_attempt_is_kept_for_the_rate(store: Store, clock: FakeClock) -> None:
    queue(store, "m", "slack", "email")
    (one,) = store.due_messages("slack")
    times = []
    for outcome in (Delivery.RETRY, Delivery.UNKNOWN, Delivery.DELIVERED):
        store.message_tried(one, result(outcome))
        times.append(clock.now())
        clock.advance(10)
    assert store.attempts_since("slack", 0.0) == times
    assert store.attempts_since("slack", times[1]) == times[2:]
    assert store.attempts_since("email", 0.0) == []


def test_a_channel_that_is_off_does_not_lose_its_messages_before_a_day_is_over(store: Store, clock: FakeClock) -> None:
    queue(store, "m", "slack")
    (one,) = store.due_messages("slack")
    store.message_tried(one, DeliveryResult(outcome=Delivery.PERMANENT, detail="bad key", whole_channel=True))
    assert status(store) == {"m@slack": "pending"}
    assert store.give_up_messages("slack") == 0
    clock.advance(86401)
    assert store.give_up_messages("slack") == 1
    assert status(store) == {"m@slack": "dead"}


def test_what_is_silenced_is_written_down_and_never_told(store: Store, clock: FakeClock) -> None:
    queue(store, "m", Planned(channel="slack", at=clock.now(), silenced="silenced by ann: maintenance"))
    assert store.due_messages("slack") == []
    (one,) = store.messages()
    assert (one.status, one.detail) == ("silenced", "silenced by ann: maintenance")


@pytest.mark.parametrize(
    ("slack", "email", "reaches_nobody"),
    [
        ("dead", "dead", True),
        ("dead", "failing", True),
        ("off", "off", True),
        ("dead", "tried", False),
        ("dead", "waiting", False),
        ("dead", "delivered", False),
        ("failing", "delivered", False),
    ],
)
def test_what_reaches_nobody_is_known(
    store: Store, clock: FakeClock, slack: str, email: str, reaches_nobody: bool
) -> None:
    queue(store, "m", "slack", "email", "stdout")
    deliver(store, "stdout")  # nobody who is away sees that
    for channel, what in (("slack", slack), ("email", email)):
        (one,) = store.due_messages(channel)
        for _ in range({"failing": 5, "tried": 1, "off": 1, "dead": 1, "delivered": 1}.get(what, 0)):
            outcome = {"delivered": Delivery.DELIVERED, "dead": Delivery.PERMANENT}.get(what, Delivery.RETRY)
            store.message_tried(one, result(outcome))
            one = replace(one, tries=one.tries + 1)
        if what == "off":
            with store.transaction() as tx:
                tx.save_channel(ChannelHealth(name=channel, state="off"))
    found = [one.message.id for one in store.undelivered(0.0, {"stdout"})]
    assert found == (["m"] if reaches_nobody else [])
    assert store.undelivered(clock.now() + 1, {"stdout"}) == []


def test_messages_of_an_older_database_are_still_told(path: Path, clock: FakeClock) -> None:
    path.parent.mkdir(mode=0o700)
    body = json.dumps({"id": "m", "at": 1.0, "level": 30, "event": "e", "title": "t", "text": "", "fields": {}})
    old = open_database(path, migrations=MIGRATIONS[:1])
    with old.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO outbox (channel, dedupe_key, message, status, tries, detail, created_at, next_at)"
            " VALUES ('slack', 'k', ?, 'pending', 0, '', 1.0, 1.0)",
            (body,),
        )
    old.close()
    with Store.open(path, clock) as store:
        (one,) = store.due_messages("slack")
        assert (one.message.id, one.message.level, one.message.answer) == ("m", Level.WARNING, "")


def test_silences_end_by_themselves_and_by_hand(store: Store, clock: FakeClock) -> None:
    for number, seconds in ((1, 60), (2, 3600), (3, 3600)):
        with store.transaction() as tx:
            tx.silence(
                Silence(id=f"s{number}", until=clock.now() + seconds, reason="r", by="ann", created_at=clock.now())
            )
    clock.advance(61)
    assert [one.id for one in store.silences()] == ["s2", "s3"]
    with store.transaction() as tx:
        assert tx.speak("s2")
        assert not tx.speak("s2")
        assert [one.id for one in tx.silences()] == ["s3"]


def test_what_was_under_way_when_its_matter_ended_is_not_told_again(store: Store, clock: FakeClock) -> None:
    queue(store, "asked", Planned(channel="slack", at=clock.now(), repeat=60.0), matter="approval/1")
    (under_way,) = store.due_messages("slack")
    with store.transaction() as tx:
        tx.end_matter("approval/1")
    store.message_tried(under_way, DeliveryResult(outcome=Delivery.DELIVERED))
    assert store.next_message_due("slack") is None
