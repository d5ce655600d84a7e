from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from tmux_sentry.testing.provider import Provider, Reply
from tmux_sentry_notify_apprise.notifier import AppriseNotifier


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A service, in a good mood."""
    with Provider(Reply()) as server:
        yield server


@pytest.fixture
def other() -> Iterator[Provider]:
    """Another service."""
    with Provider(Reply()) as server:
        yield server


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What reaches the handlers of the program. (pytest's caplog also shows what a logger keeps to itself.)"""
    lines: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.name} {record.levelname} {record.getMessage()}")

    keeper = Keeper(logging.DEBUG)
    places = [logging.getLogger(), logging.getLogger("tmux_sentry")]
    levels = [place.level for place in places]
    for place in places:
        place.setLevel(logging.DEBUG)
    kept = places[:1] if places[1].propagate else places
    for place in kept:
        place.addHandler(keeper)
    yield lines
    for place, level in zip(places, levels, strict=True):
        place.removeHandler(keeper)
        place.setLevel(level)


@pytest.fixture
def at() -> Callable[..., str]:
    """The Apprise URL of a service on loopback that waits a second for an answer: `at("json", provider)`."""

    def make(kind: str, server: Provider, path: str = "/hook") -> str:
        return f"{kind}://{server.url.split('://')[1]}{path}?rto=1&cto=1"

    return make


@pytest.fixture
def channel() -> Callable[..., AppriseNotifier]:
    """The channel with some URLs."""

    def make(*urls: str, patience: float = 10.0) -> AppriseNotifier:
        return AppriseNotifier(" ".join(urls), patience=patience)

    return make
