"""Who is told what."""

from __future__ import annotations

import pytest

from tmux_sentry.contracts import Level, Message
from tmux_sentry.notify.routing import Router
from tmux_sentry.policy.model import Route


def message(level: Level, event: str = "stage.failed") -> Message:
    return Message(id="m", at=1.0, level=level, event=event, title="t")


@pytest.mark.parametrize(
    ("routes", "level", "event", "expected"),
    [
        ((), Level.INFO, "stage.succeeded", ("a", "b")),
        ((), Level.DEBUG, "stage.succeeded", ()),
        ((Route(channels=("a",), min_level=Level.ERROR),), Level.WARNING, "x", ()),
        ((Route(channels=("a",), min_level=Level.ERROR),), Level.ERROR, "x", ("a",)),
        ((Route(channels=(), min_level=Level.INFO),), Level.INFO, "x", ("a", "b")),
        ((Route(channels=("b",), events=("run.failed",)),), Level.ERROR, "stage.failed", ()),
        ((Route(channels=("b",)), Route(channels=("a", "b"))), Level.ERROR, "x", ("b", "a")),
    ],
)
def test_a_message_goes_to_each_channel_once(
    routes: tuple[Route, ...], level: Level, event: str, expected: tuple[str, ...]
) -> None:
    assert Router(routes, ("a", "b")).channels(message(level, event)) == expected
