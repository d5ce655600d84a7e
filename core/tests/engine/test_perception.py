"""Parsers that raise, hang or answer nonsense: the others' Signals arrive, in order, all the same."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tmux_sentry.contracts import Emitted, Lines, Observation, PaneFacts, Signal, SignalKind, Trust
from tmux_sentry.engine.perception import Perception
from tmux_sentry.testing.samples import AT, PANE

FACTS = PaneFacts(identity=PANE)


def lines(text: str) -> Lines:
    return Lines(pane=PANE, at=AT, lines=(text,))


def signal(text: str) -> Signal:
    return Signal(kind=SignalKind.STATUS, parser="good", trust=Trust.PRINTED, confidence=1.0, digest=text, at=AT)


class Good:
    def parse(self, observation: Observation, pane: PaneFacts) -> Iterable[Signal]:
        assert isinstance(observation, Lines)
        yield signal(observation.lines[0])


class Bad:
    """Does something else than parse for the observation "bad"."""

    def __init__(self, what: Callable[[], Any]) -> None:
        self.what = what

    def parse(self, observation: Observation, pane: PaneFacts) -> Any:
        assert isinstance(observation, Lines)
        return self.what() if observation.lines == ("bad",) else ()


class Delivered:
    def __init__(self) -> None:
        self._got: queue.Queue[tuple[str, tuple[str, ...]]] = queue.Queue()

    def __call__(self, observation: Observation, facts: PaneFacts, signals: tuple[Signal, ...]) -> None:
        assert isinstance(observation, Lines)
        self._got.put((observation.lines[0], tuple(one.digest for one in signals)))

    def next(self) -> tuple[str, tuple[str, ...]]:
        return self._got.get(timeout=10.0)

    @property
    def empty(self) -> bool:
        return self._got.empty()


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """What a hanging call waits for; set at the end."""
    event = threading.Event()
    yield event
    event.set()


def leave() -> None:
    raise SystemExit(3)


def fail() -> None:
    raise RuntimeError("\x1b[31mbroken")


@pytest.mark.parametrize("what", [fail, leave, lambda: None, lambda: ["nonsense"], lambda: 7])
def test_a_parser_that_fails_loses_its_own_signals_only(what: Callable[[], Any]) -> None:
    delivered = Delivered()
    perception = Perception({"bad": Bad(what), "good": Good()}, delivered)
    for text in ("one", "bad", "two"):
        perception.feed(lines(text), FACTS)
    assert [delivered.next() for _ in range(3)] == [(text, (text,)) for text in ("one", "bad", "two")]
    perception.close()


def test_a_parser_that_hangs_is_dropped_and_nothing_is_lost(
    never: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    delivered = Delivered()
    perception = Perception({"bad": Bad(never.wait), "good": Good()}, delivered, patience=0.05)
    for text in ("one", "bad", "two"):
        perception.feed(lines(text), FACTS)
    assert delivered.next() == ("one", ("one",))
    deadline = time.monotonic() + 10.0
    while delivered.empty and time.monotonic() < deadline:
        perception.check()
    assert [delivered.next() for _ in range(2)] == [("bad", ("bad",)), ("two", ("two",))]
    assert "parser bad did not answer" in caplog.text
    never.set()
    perception.feed(lines("bad"), FACTS)
    perception.feed(lines("three"), FACTS)
    assert [delivered.next() for _ in range(2)] == [
        ("bad", ("bad",)),
        ("three", ("three",)),
    ]  # the lost thread is silent
    perception.close()


def test_the_capture_before_a_send_does_not_hang_either(never: threading.Event) -> None:
    perception = Perception({"bad": Bad(never.wait), "good": Good()}, Delivered(), patience=0.05)
    assert [one.digest for one in perception.read(lines("bad"), FACTS)] == ["bad"]
    perception.close()


def test_a_busy_parser_is_not_taken_for_a_hanging_one() -> None:
    delivered = Delivered()
    perception = Perception({"good": Good()}, delivered, patience=30.0)
    for number in range(200):
        perception.feed(lines(str(number)), FACTS)
        perception.check()
    assert [delivered.next()[0] for _ in range(200)] == [str(number) for number in range(200)]
    perception.close()


class Borderline:
    """Takes about as long as a parser may."""

    def parse(self, observation: Observation, pane: PaneFacts) -> Iterable[Signal]:
        time.sleep(0.001)
        return ()


def test_parsers_that_end_just_as_they_are_given_up_lose_and_double_nothing() -> None:
    delivered = Delivered()
    perception = Perception({f"{n:02}": Borderline() for n in range(40)}, delivered, patience=0.001)
    texts = [str(number) for number in range(20)]
    for text in texts:
        perception.feed(lines(text), FACTS)
    found: list[str] = []
    deadline = time.monotonic() + 20.0
    while len(found) < len(texts) and time.monotonic() < deadline:
        perception.check()
        if not delivered.empty:
            found.append(delivered.next()[0])
    assert found == texts
    perception.close()
    time.sleep(0.01)
    assert delivered.empty


def test_a_parser_that_is_dropped_by_a_read_is_not_asked_again(never: threading.Event) -> None:
    delivered = Delivered()
    perception = Perception({"bad": Bad(never.wait), "good": Good()}, delivered, patience=0.05)
    perception.read(lines("bad"), FACTS)
    perception.feed(lines("bad"), FACTS)
    assert delivered.next() == ("bad", ("bad",))
    perception.close()


def test_a_parser_that_fails_again_and_again_for_a_pane_is_not_asked_about_that_pane() -> None:
    asked: list[str] = []

    class Failing:
        def parse(self, observation: Observation, pane: PaneFacts) -> Any:
            asked.append(pane.identity.pane_id)
            raise ZeroDivisionError

    delivered = Delivered()
    perception = Perception({"failing": Failing(), "good": Good()}, delivered)
    other = PaneFacts(identity=replace(PANE, pane_id="%9"))
    for number in range(5):
        perception.feed(lines(str(number)), FACTS)
        assert delivered.next() == (str(number), (str(number),))
    perception.feed(lines("elsewhere"), other)
    assert delivered.next() == ("elsewhere", ("elsewhere",))
    perception.close()
    assert asked == [PANE.pane_id] * 3 + ["%9"]


def test_a_panes_key_keeps_its_place_and_reaches_no_parser() -> None:
    asked: list[str] = []

    class Curious:
        def parse(self, observation: Observation, pane: PaneFacts) -> Iterable[Signal]:
            assert isinstance(observation, Emitted)
            asked.append(observation.text)
            return ()

    got: queue.Queue[str] = queue.Queue()
    perception = Perception({"curious": Curious()}, lambda observation, *_: got.put(getattr(observation, "text", "")))
    for text in ('{"n":1}', "KEY " + "k" * 43, '{"n":2}'):
        perception.feed(Emitted(pane=PANE, at=AT, text=text, entry=text), FACTS)
    assert [got.get(timeout=10.0) for _ in range(3)] == ['{"n":1}', "KEY " + "k" * 43, '{"n":2}']
    assert asked == ['{"n":1}', '{"n":2}']
    perception.close()
