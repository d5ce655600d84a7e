"""Events are hints: they wake, and a stream that breaks is made anew."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker_asking import Asking
from engine_api import EngineApi, container

from tmux_sentry import CheckStatus
from tmux_sentry_check_docker.container import ContainerCheck
from tmux_sentry_check_docker.events import News
from tmux_sentry_check_docker.places import Place
from tmux_sentry_check_docker.programs import ThisMachine
from tmux_sentry_check_docker.streams import over_unix


class Woken:
    """Counts wakes."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = threading.Condition()

    def __call__(self) -> None:
        with self._changed:
            self.count += 1
            self._changed.notify_all()

    def within(self, more_than: int, seconds: float = 10.0) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.count > more_than, seconds)


@pytest.fixture
def woken() -> Woken:
    return Woken()


@pytest.fixture
def news(woken: Woken) -> Iterator[News]:
    made = News("container", again=0.01, pause=0.01)
    made.open(woken)
    yield made
    made.close()


def at(path: Path) -> Place:
    return Place("here", over_unix(str(path)), ThisMachine({}))


def event(time: int, action: str = "die") -> dict[str, Any]:
    return {"Type": "container", "Action": action, "Actor": {"ID": "a" * 64}, "time": time, "timeNano": time * 10**9}


def test_an_event_wakes(engine: EngineApi, socket_path: Path, news: News, woken: Woken) -> None:
    news.follow(at(socket_path))
    assert engine.listening()
    assert woken.within(0)  # how are things, now that somebody listens
    before = woken.count
    engine.emit(event(1_700_000_001))
    assert woken.within(before)
    (query,) = engine.queries("/events")
    assert json.loads(query["filters"])["type"] == ["container"]
    assert "health_status" in json.loads(query["filters"])["event"]


def test_a_stream_that_breaks_is_made_anew_from_where_it_was(
    engine: EngineApi, socket_path: Path, news: News, woken: Woken
) -> None:
    news.follow(at(socket_path))
    assert engine.listening()
    assert woken.within(0)
    before = woken.count
    engine.emit(event(1_700_000_001))
    assert woken.within(before)
    engine.emit(event(1_700_000_002), slice(0, 20))  # and it breaks in the middle of the next
    before = woken.count
    engine.cut()
    assert engine.listening(asked=2)
    assert woken.within(before)  # whatever happened meanwhile is looked at
    assert engine.queries("/events")[1]["since"] == "1700000001"


def test_an_engine_that_is_started_again_is_found_again(socket_path: Path, news: News, woken: Woken) -> None:
    with EngineApi(socket_path) as engine:
        news.follow(at(socket_path))
        assert engine.listening()
    socket_path.unlink()
    before = woken.count
    with EngineApi(socket_path) as engine:
        assert engine.listening()
        assert woken.within(before)


@pytest.mark.parametrize("fault", ["reset", (500, {"message": "no"}), b"\x00\xff", b"HTTP/1.1 200 OK\r\n\r\n[[[\n{}\n"])
def test_a_sick_engine_is_tried_again(
    engine: EngineApi, socket_path: Path, news: News, woken: Woken, fault: Any
) -> None:
    engine.faults["/events"] = fault
    news.follow(at(socket_path))
    with engine.changed:
        assert engine.changed.wait_for(lambda: len(engine.queries("/events")) >= 3, 10.0)
    engine.faults.clear()
    before = woken.count
    assert engine.listening()
    assert woken.within(before)


def test_one_stream_for_one_engine(engine: EngineApi, socket_path: Path, news: News) -> None:
    for _ in range(5):
        news.follow(at(socket_path))
    assert engine.listening()
    assert len(engine.queries("/events")) == 1


def asked_until_followed(news: News, engine: EngineApi, path: Path, count: int) -> bool:
    """Ask again and again, as a check does: on a busy machine one question may be forgotten before it was followed."""
    for _ in range(200):
        news.follow(at(path))
        with engine.changed:
            if engine.changed.wait_for(lambda: engine.listeners and len(engine.queries("/events")) >= count, 0.05):
                return True
    return False


def test_what_nobody_asks_for_is_followed_no_longer(engine: EngineApi, socket_path: Path, woken: Woken) -> None:
    news = News("container", again=0.01, pause=0.01, idle=0.2)
    news.open(woken)
    try:
        assert asked_until_followed(news, engine, socket_path, 1)
        with engine.changed:
            assert engine.changed.wait_for(lambda: not engine.listeners, 10.0)
        assert asked_until_followed(news, engine, socket_path, len(engine.queries("/events")) + 1)
    finally:
        news.close()


def test_closing_ends_the_stream(engine: EngineApi, socket_path: Path, woken: Woken) -> None:
    news = News("container", again=0.01, pause=0.01)
    news.open(woken)
    news.follow(at(socket_path))
    assert engine.listening()
    threads = [one for one in threading.enumerate() if one.name.startswith("docker container")]
    assert len(threads) >= 2
    news.close()
    for one in threads:
        one.join(10.0)
    assert not any(one.is_alive() for one in threads)
    news.follow(at(socket_path))
    assert len(engine.queries("/events")) == 1


def test_a_check_is_followed_only_when_somebody_waits_for_news(engine: EngineApi, woken: Woken) -> None:
    engine.containers["web"] = container("created")
    checker = ContainerCheck({"DOCKER_HOST": engine.address})
    ask = Asking(checker, name="web")
    ask()
    assert engine.queries("/events") == []  # asked by hand
    checker.open(woken)
    try:
        ask()
        assert engine.listening()
        engine.containers["web"] = container("running")
        before = woken.count
        engine.emit(event(1_700_000_005, "start"))
        assert woken.within(before)
        assert ask().status is CheckStatus.SUCCESS
    finally:
        checker.close()
