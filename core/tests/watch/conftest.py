"""A Watcher on a private tmux server, and a sink that remembers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from tmux_sentry.clock import SystemClock
from tmux_sentry.contracts import Lines, PaneIdentity, Screen
from tmux_sentry.testing.tmux_server import TmuxServer
from tmux_sentry.tmux.model import PaneInfo
from tmux_sentry.transport.local import LocalTransport
from tmux_sentry.watch.events import Inventoried, PaneSeen, WatchRecord
from tmux_sentry.watch.watcher import Watcher

T = TypeVar("T")


class Log:
    """A sink; `wait` blocks until the records satisfy a condition."""

    def __init__(self) -> None:
        self._records: list[WatchRecord] = []
        self._more = threading.Condition()

    def __call__(self, record: WatchRecord) -> None:
        with self._more:
            self._records.append(record)
            self._more.notify_all()

    def all(self, kind: type[T]) -> list[T]:
        with self._more:
            return [record for record in self._records if isinstance(record, kind)]

    def everything(self, pane_id: str) -> list[WatchRecord]:
        """The observations of one pane, in order."""
        with self._more:
            return [r for r in self._records if getattr(getattr(r, "pane", None), "pane_id", "") == pane_id]

    def lines(self, pane_id: str) -> list[str]:
        return [line for r in self.everything(pane_id) if isinstance(r, Lines) for line in r.lines]

    def screens(self, pane_id: str) -> list[Screen]:
        return [r for r in self.everything(pane_id) if isinstance(r, Screen)]

    def wait(self, until: Callable[[], Any], what: str, timeout: float = 10.0) -> Any:
        deadline = time.monotonic() + timeout
        with self._more:
            while not (value := until()):
                left = deadline - time.monotonic()
                if left <= 0:
                    shown = "\n".join(str(r)[:300] for r in self._records if not isinstance(r, Inventoried))
                    raise AssertionError(f"{what} did not happen; there was:\n{shown[-6000:]}")
                self._more.wait(min(left, 0.05))
            return value

    def identity(self, pane_id: str) -> PaneIdentity:
        """The newest identity that was announced for a pane id."""
        return self.wait(
            lambda: next(
                (s.info.identity for s in reversed(self.all(PaneSeen)) if s.info.identity.pane_id == pane_id), None
            ),
            f"the announcement of {pane_id}",
        )

    def wait_line(self, pane_id: str, line: str, timeout: float = 10.0) -> None:
        self.wait(lambda: line in self.lines(pane_id), f"the line {line!r} of {pane_id}", timeout)

    def wait_ready(self, pane_id: str) -> None:
        """The pane's stream is attached and its first capture was taken."""
        self.wait(lambda: any(s.resync for s in self.screens(pane_id)), f"the first capture of {pane_id}")


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def watch(tmux_server: TmuxServer, log: Log) -> Iterator[Callable[..., Watcher]]:
    """`watch(**options)` starts a Watcher of the private server; it is stopped at the end."""
    watchers: list[Watcher] = []
    transport = LocalTransport("here")

    def begin(want: Callable[[PaneInfo], bool] = lambda info: True, **options: Any) -> Watcher:
        watcher = Watcher("here", transport, tmux_server.address, log, SystemClock(), **options)
        watchers.append(watcher)
        watcher.want(want)
        watcher.start()
        return watcher

    yield begin
    for watcher in watchers:
        watcher.stop()
    transport.close()


@pytest.fixture(scope="session")
def info() -> Callable[..., PaneInfo]:
    """`info(command="zsh", ...)`: a PaneInfo with everything else plain."""

    def make(**changes: Any) -> PaneInfo:
        values: dict[str, Any] = dict.fromkeys(("session_name", "window_name", "path", "title"), "x")
        values |= dict.fromkeys(("window_index", "pane_index"), 0)
        values |= dict.fromkeys(("dead", "in_mode", "alternate", "input_off", "synchronized", "hold"), False)
        values |= dict.fromkeys(("epoch", "marker", "owner"), "")
        values |= {
            "session_id": "$0",
            "window_id": "@0",
            "command": "bash",
            "width": 80,
            "height": 24,
            "cursor": (0, 0),
        }
        values["identity"] = PaneIdentity(host="here", server_pid=1, server_start=2, pane_id="%1", pane_pid=3)
        return PaneInfo(**{**values, "dead_status": None, **changes})

    return make
