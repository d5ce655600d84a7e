"""In which zone a host's clock is read: hosts.yaml, the host itself, the policy, this machine; in this order."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from tmux_sentry.contracts import Completed, Pipe
from tmux_sentry.limits.zones import Zones, zone_in
from tmux_sentry.testing.clock import FakeClock
from tmux_sentry.transport.access import TransportAccess
from tmux_sentry.transport.local import LocalTransport

WINTER = 1_795_959_000.0  # 29 November 2026


class Host:
    """A host that answers when it is let, and raises what it is told to."""

    name = "nas"

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer
        self.let = threading.Event()
        self.asked = 0

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> Completed:
        self.asked += 1
        assert self.let.wait(10)
        if isinstance(self.answer, Exception):
            raise self.answer
        return Completed(status=0, stdout=self.answer)

    def open(self, argv: Sequence[str]) -> Pipe:
        raise FileNotFoundError


class Room:
    def __init__(self, answer: bytes | Exception = b"", said: str | None = None, policy: str | None = None) -> None:
        self.host = Host(answer)
        self.known = threading.Event()
        self.zones = Zones({"nas": said}, {"nas": self.host}, policy, FakeClock(WINTER), lambda host: self.known.set())

    def ask(self) -> str:
        self.known.clear()
        self.host.let.set()
        self.zones.ask("nas")
        assert self.known.wait(10)
        return self.name()

    def name(self) -> str:
        found = self.zones.of("nas")
        return "unknown" if found is None else found.name


TOKYO = b"zone \nzone /usr/share/zoneinfo/Asia/Tokyo\nzone Asia/Tokyo\noffset +0900\n"


def test_the_host_is_asked_once_and_nothing_is_known_while_it_is() -> None:
    room = Room(TOKYO, policy="Europe/Berlin")
    room.zones.ask("nas")
    assert room.name() == "unknown"
    room.host.let.set()
    assert room.known.wait(10)
    assert room.name() == "Asia/Tokyo, the host's own"
    room.zones.ask("nas")
    assert room.host.asked == 1


def test_hosts_yaml_comes_first_and_nobody_is_asked() -> None:
    room = Room(TOKYO, said="America/New_York", policy="Europe/Berlin")
    room.zones.ask("nas")
    assert room.name() == "America/New_York, as hosts.yaml says"
    assert room.host.asked == 0


@pytest.mark.parametrize(
    "answer", [ConnectionError("gone"), TimeoutError("late"), b"", b"\xff\x00 offset +0", RuntimeError()]
)
def test_a_host_that_does_not_say_has_the_policys_zone(answer: bytes | Exception) -> None:
    assert Room(answer, policy="Europe/Berlin").ask() == "Europe/Berlin, as the policy says"
    assert Room(answer).ask().endswith(", this machine's")


@pytest.mark.parametrize("over", [False, True])
def test_a_question_that_the_end_cuts_off_is_no_trouble(over: bool, caplog: pytest.LogCaptureFixture) -> None:
    room = Room(ConnectionError("gone"))
    room.zones.ask("nas")
    if over:
        room.zones.close()
    room.host.let.set()
    assert room.known.wait(10)
    assert ("time zone cannot be read" in caplog.text) is not over


def test_a_host_that_could_not_be_asked_is_asked_when_it_is_back() -> None:
    room = Room(ConnectionError("gone"), policy="Europe/Berlin")
    room.ask()
    room.host.answer = TOKYO
    assert room.ask() == "Asia/Tokyo, the host's own"


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (TOKYO, "Asia/Tokyo"),
        (b"zone Europe/Berlin\nzone /x/zoneinfo/Asia/Tokyo\nzone \noffset +0100\n", "Europe/Berlin"),
        (b"zone :Europe/Berlin\noffset +0100\n", "Europe/Berlin"),
        # A name that the clock contradicts is none.
        (b"zone Asia/Tokyo\nzone \nzone Europe/Berlin\noffset +0100\n", "Europe/Berlin"),
        (b"zone Asia/Tokyo\noffset +0100\n", "UTC+0100"),
        (b"zone Asia/Tokyo\n", "Asia/Tokyo"),
        (b"zone CET-1CEST\nzone /etc/localtime\nzone \noffset +0100\n", "UTC+0100"),
        (b"zone UTC\noffset +0000\n", "UTC"),
        (b"zone ../../etc/passwd\noffset -0330\n", "UTC-0330"),
    ],
)
def test_what_a_host_answers(answer: bytes, name: str) -> None:
    found = zone_in(answer, WINTER)
    assert found is not None
    assert found.name == f"{name}, the host's own"


@pytest.mark.parametrize(
    "answer", [b"", b"offset +9999", b"offset \xd9\xa1", b"zone\n" * 5000, b"\xff" * 100_000, b"offset"]
)
def test_an_answer_that_says_nothing(answer: bytes) -> None:
    assert zone_in(answer, WINTER) is None


def test_this_machine_can_be_asked() -> None:
    known = threading.Event()
    transport = LocalTransport("here")
    zones = Zones({}, {"here": TransportAccess(transport)}, "Pacific/Apia", FakeClock(WINTER), lambda host: known.set())
    zones.ask("here")
    assert known.wait(10)
    transport.close()
    found = zones.of("here")
    assert found is not None
    assert found.name.endswith("the host's own")
    mine: timedelta | None = datetime.fromtimestamp(WINTER).astimezone().utcoffset()
    assert datetime.fromtimestamp(WINTER, found.zone).utcoffset() == mine
