"""What systemd is told, over a real socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tmux_sentry.testing.clock import FakeClock
from tmux_sentry.watchdog import Watchdog


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[tuple[str, Callable[[], list[str]]]]:
    """A socket's path, and what has come."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.setblocking(False)

        def messages() -> list[str]:
            told = []
            while True:
                try:
                    told.append(sock.recv(100).decode())
                except BlockingIOError:
                    return told

        yield path, messages


def test_it_says_ready_pings_at_half_the_time_and_says_that_it_stops(
    heard: tuple[str, Callable[[], list[str]]],
) -> None:
    path, messages = heard
    clock = FakeClock()
    environ = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}
    watchdog = Watchdog(clock, environ)
    watchdog.ready()
    for _ in range(31):
        watchdog.progress()
        clock.advance(1.0)
    watchdog.stopping()
    assert messages() == ["READY=1", *["WATCHDOG=1"] * 3, "STOPPING=1"]


@pytest.mark.parametrize(
    "environ",
    [{}, {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}],
    ids=["not watched", "another process is", "nonsense"],
)
def test_it_pings_only_when_it_is_watched(heard: tuple[str, Callable[[], list[str]]], environ: dict[str, str]) -> None:
    path, messages = heard
    Watchdog(FakeClock(), {"NOTIFY_SOCKET": path, **environ}).progress()
    assert messages() == []


@pytest.mark.parametrize("where", ["", "/nowhere/notify", "@nobody-listens-here"])
def test_without_systemd_nothing_happens(where: str) -> None:
    watchdog = Watchdog(FakeClock(), {"NOTIFY_SOCKET": where, "WATCHDOG_USEC": "30000000"})
    watchdog.ready()
    watchdog.progress()
    watchdog.stopping()
