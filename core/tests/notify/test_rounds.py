"""A worker's looks under a clock of ours: limits, rests, channels that are off, and what the others tell of that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.contracts import Delivery, DeliveryResult, Level, Message, Rate
from tmux_sentry.notify.health import PATIENCE
from tmux_sentry.notify.outbox import Channel, Outbox
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock

OK = DeliveryResult(outcome=Delivery.DELIVERED)
DOWN = DeliveryResult(outcome=Delivery.RETRY, detail="503")
REVOKED = DeliveryResult(outcome=Delivery.PERMANENT, detail="bad key", whole_channel=True)


class Provider:
    """Answers as told, and keeps what it got with the time."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.answer: DeliveryResult = OK
        self.got: list[tuple[float, Message]] = []

    def send(self, message: Message) -> DeliveryResult:
        self.got.append((self.clock.now(), message))
        return self.answer

    @property
    def titles(self) -> list[str]:
        return [message.title for _, message in self.got]


class Room:
    """Two channels, `phone` with a limit and `mail`, and a home directory."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.clock = FakeClock(1_795_339_200.0)
        self.store = Store.open(home / "state.db", self.clock)
        self.phone, self.mail = Provider(self.clock), Provider(self.clock)
        self.outbox = self.start()

    def start(self, settings: str = "f") -> Outbox:
        limits = Channel(rate=Rate(messages=3, seconds=60.0), settings=settings)
        self.outbox = Outbox(
            self.store,
            {"phone": self.phone, "mail": self.mail},
            self.clock,
            channels={"phone": limits, "mail": Channel(settings="g")},
            home=self.home,
        )
        return self.outbox

    def queue(self, name: str, *channels: str, **more: Any) -> None:
        message = Message(id=name, at=self.clock.now(), level=Level.WARNING, event="stage.held", title=name, **more)
        with self.store.transaction() as tx:
            tx.enqueue(message, channels or ("phone",), name)

    def pass_time(self, seconds: float, step: float = 5.0) -> None:
        """Both workers look every few seconds, as they do."""
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            self.look()
            self.clock.advance(step)

    def look(self) -> None:
        for channel in ("phone", "mail"):
            self.outbox.round(channel)

    def status(self) -> dict[str, str]:
        return {f"{one.message.id}@{one.channel}": one.status for one in self.store.messages(1000)}

    @property
    def undelivered(self) -> str:
        path = self.home / "UNDELIVERED"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.store.close()


def test_what_is_within_the_limit_goes_out_as_it_is(room: Room) -> None:
    for name in "abc":
        room.queue(name)
    room.look()
    assert room.phone.titles == ["a", "b", "c"]


def test_a_burst_is_told_together_and_every_message_of_it_once(room: Room) -> None:
    for number in range(100):
        room.queue(f"m{number:03}")
    room.pass_time(180)
    told = "\n".join(f"{message.title}\n{message.text}" for _, message in room.phone.got)
    assert all(told.count(f"m{number:03}") == 1 for number in range(100))
    assert len(room.phone.got) <= 4
    for begin, _ in room.phone.got:
        assert sum(begin <= at < begin + 60 for at, _ in room.phone.got) <= 3
    assert set(room.status().values()) == {"delivered", "told"}


def test_a_question_goes_out_by_itself_and_first(room: Room) -> None:
    for number in range(5):
        room.queue(f"m{number}")
    room.queue("asked", answer="tmux-sentry approve 1")
    room.look()
    assert room.phone.titles[0] == "asked"
    assert "m4" in room.phone.got[-1][1].text


def test_the_limit_outlasts_a_restart(room: Room) -> None:
    for name in "abc":
        room.queue(name)
    room.look()
    room.start()
    room.queue("d")
    room.look()
    assert room.phone.titles == ["a", "b", "c"]
    room.pass_time(70)
    assert room.phone.titles == ["a", "b", "c", "d"]


def test_what_was_told_together_keeps_its_id_on_every_attempt(room: Room) -> None:
    for number in range(10):
        room.queue(f"m{number}")
    room.phone.answer = DeliveryResult(outcome=Delivery.UNKNOWN, detail="lost")
    room.look()
    room.queue("late")
    room.phone.answer = OK
    room.pass_time(300)
    digests = {message.id: message.text for _, message in room.phone.got if message.event == "digest"}
    sent = [message.id for _, message in room.phone.got if message.event == "digest"]
    assert len(sent) > len(digests) == 1
    assert "late" not in next(iter(digests.values()))


def test_a_channel_that_asks_for_a_rest_gets_it(room: Room) -> None:
    room.phone.answer = DeliveryResult(outcome=Delivery.RETRY, detail="45009", retry_after=120.0, whole_channel=True)
    room.queue("a")
    room.queue("b")
    room.look()
    assert room.phone.titles == ["a"]  # not one more after that answer
    assert room.store.channel("phone").state == "resting"
    room.phone.answer = OK
    room.pass_time(115)
    assert room.phone.titles == ["a"]
    room.pass_time(20)
    assert sorted(room.phone.titles) == ["a", "a", "b"]
    assert room.store.unwell_channels() == []


def test_a_channel_that_is_off_is_left_alone_and_the_others_tell(room: Room) -> None:
    room.phone.answer = REVOKED
    room.queue("a")
    room.queue("b")
    room.pass_time(60)
    assert room.phone.titles == ["a"]
    assert room.mail.titles == ["channel phone is off"]
    assert "bad key" in room.mail.got[0][1].text
    assert [(one.name, one.state) for one in room.store.unwell_channels()] == [("phone", "off")]


def test_other_settings_deserve_another_try(room: Room) -> None:
    room.phone.answer = REVOKED
    room.queue("a")
    room.look()
    room.phone.answer = OK
    room.start()
    room.pass_time(60)
    assert room.phone.titles == ["a"]
    room.start(settings="other")
    room.pass_time(60)
    assert room.phone.titles == ["a", "a"]
    assert room.mail.titles[-1] == "channel phone works again"


def test_a_channel_that_fails_for_long_is_told_by_the_others_once_and_so_is_its_recovery(room: Room) -> None:
    room.phone.answer = DOWN
    room.queue("a")
    room.pass_time(PATIENCE - 120)
    assert room.mail.titles == []
    room.pass_time(3600, step=60)
    assert room.mail.titles == ["channel phone does not get through"]
    room.phone.answer = OK
    room.pass_time(1200, step=60)  # the longest wait between two attempts is 15 minutes and a fifth
    assert room.mail.titles[1:] == ["channel phone works again"]
    assert "a" in room.phone.titles


def test_a_recovery_is_told_to_nobody_who_has_not_heard_of_the_fault(room: Room) -> None:
    room.phone.answer = DOWN
    room.queue("a")
    room.pass_time(20)
    room.phone.answer = OK
    room.pass_time(60)
    assert room.phone.titles[-1] == "a"
    assert room.mail.titles == []


def test_a_message_that_was_refused_takes_no_channel_away(room: Room) -> None:
    room.phone.answer = DeliveryResult(outcome=Delivery.PERMANENT, detail="too long")
    room.queue("a")
    room.look()
    room.phone.answer = OK
    room.queue("b")
    room.look()
    assert room.status() == {"a@phone": "dead", "b@phone": "delivered"}
    assert room.store.unwell_channels() == []


def test_when_nothing_works_a_file_says_so_until_something_does(room: Room) -> None:
    room.phone.answer, room.mail.answer = REVOKED, DOWN
    room.queue("deploy is held", "phone", "mail")
    room.look()
    assert room.undelivered == ""  # the other one may still
    room.pass_time(90)
    assert "deploy is held" in room.undelivered
    assert (room.home / "UNDELIVERED").stat().st_mode & 0o777 == 0o600
    room.mail.answer = OK
    room.pass_time(120)
    assert room.undelivered == ""
    assert "deploy is held" in room.mail.titles


def test_the_file_is_brought_up_to_date_by_the_next_start(room: Room) -> None:
    (room.home / "UNDELIVERED").write_text("of yesterday")
    room.start().start()
    room.outbox.stop()
    assert not (room.home / "UNDELIVERED").exists()


def test_a_file_that_cannot_be_written_stops_nothing(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("tmux_sentry.notify.outbox.undelivered.show", full)
    room.phone.answer = REVOKED
    room.queue("a")
    with pytest.raises(OSError, match="disk full"):  # which the worker logs
        room.outbox.round("phone")
    assert room.store.channel("phone").state == "off"


@pytest.mark.parametrize("moment", ["tried", "saved"])
def test_an_attempt_and_what_it_says_of_its_channel_are_one_commit(
    room: Room, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash between them would lose what the others are to tell."""
    from tmux_sentry.state.transaction import Transaction

    name = {"tried": "channel", "saved": "enqueue"}[moment]
    original: Callable[..., Any] = getattr(Transaction, name)

    def dies(*args: Any, **more: Any) -> Any:
        raise OSError("disk full")

    room.phone.answer = REVOKED
    room.queue("a")
    monkeypatch.setattr(Transaction, name, dies)
    with pytest.raises(OSError, match="disk full"):
        room.outbox.round("phone")
    monkeypatch.setattr(Transaction, name, original)
    assert room.store.channel("phone").state == "on"
    assert room.store.attempts_since("phone", 0.0) == []
