"""A Watcher on a private tmux server, and a sink that remembers."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import termios
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
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


class Human:
    """`tmux attach` in a terminal of its own, as a person has it; what tmux draws there is read all the time."""

    def __init__(self, server: TmuxServer, *args: str, columns: int = 100, rows: int = 30) -> None:
        self._server = server
        self._ours, terminal = os.openpty()
        self.name = os.ttyname(terminal)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        env = {name: value for name, value in os.environ.items() if name not in ("TMUX", "TMUX_PANE")}
        self._process = subprocess.Popen(
            [*server.address.argv(), "attach", *args],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env={**env, "TERM": "xterm-256color"},
            start_new_session=True,
        )
        os.close(terminal)
        self._drawn = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        server.wait(lambda: self.attached, "the person's tmux")

    def _read(self) -> None:
        with suppress(OSError):  # the last one with the terminal open has left
            while data := os.read(self._ours, 1 << 16):
                self._drawn += data

    @property
    def drawn(self) -> bytes:
        """Every byte that tmux wrote to the terminal."""
        return bytes(self._drawn)

    @property
    def attached(self) -> bool:
        return self.name in self._server.run("list-clients", "-F", "#{client_name}").splitlines()

    def type(self, text: str) -> None:
        """Press these keys; `\\x02` is tmux's prefix."""
        os.write(self._ours, text.encode())

    def detach(self) -> None:
        """Leave as a person does."""
        self.type("\x02d")
        self._process.wait(10)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(10)
        self._reader.join(10)
        os.close(self._ours)


@pytest.fixture
def human(tmux_server: TmuxServer) -> Iterator[Callable[..., Human]]:
    """`human("-t", "work", columns=100, rows=30)`: a person attaches; whoever is still there leaves at the end."""
    people: list[Human] = []

    def attach(*args: str, **size: int) -> Human:
        people.append(Human(tmux_server, *args, **size))
        return people[-1]

    yield attach
    for person in people:
        person.close()


COUNT = """\
import sys, time
from pathlib import Path

word, stop, pause, number = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), 0
while not stop.exists():
    number += 1
    print(f"{word}{number}", flush=True)
    time.sleep(pause)
stop.with_suffix(".last").write_text(f"{number}\\n")
"""


class Count:
    """A program in a pane that prints `word1`, `word2`, ... until it is ended."""

    def __init__(self, directory: Path, log: Log, word: str, pause: float = 0.01) -> None:
        """It rests `pause` seconds between two lines."""
        self._log, self._word = log, word
        self._stop = directory / f"stop-{word}"
        script = directory / "count.py"
        script.write_text(COUNT)
        self.command = f"{sys.executable} {script} {word} {self._stop} {pause}"

    def numbers(self, lines: Iterator[str]) -> list[int]:
        rest = [line[len(self._word) :] for line in lines if line.startswith(self._word)]
        return [int(number) for number in rest if number.isdigit()]

    def told(self, pane: str) -> list[int]:
        """What came as lines, in order."""
        return self.numbers(iter(self._log.lines(pane)))

    def shown(self, pane: str) -> set[int]:
        """What came as lines or on a screen."""
        return set(self.told(pane)).union(*(self.numbers(iter(s.lines)) for s in self._log.screens(pane)))

    def wait_more(self, pane: str, count: int = 20) -> None:
        """Wait for `count` more lines."""
        before = len(self.told(pane))
        self._log.wait(lambda: len(self.told(pane)) >= before + count, f"more lines of {pane}")

    def end(self, pane: str) -> int:
        """End the program, wait until its last line is known; the last number."""
        self._stop.touch()
        last = self._stop.with_suffix(".last")
        self._log.wait(lambda: last.exists() and last.read_text().endswith("\n"), "the end of the program")
        number = int(last.read_text())
        self._log.wait(lambda: number in self.shown(pane), f"the last line of {pane}")
        return number

    def end_once(self, pane: str) -> None:
        """End it: no line came twice, in no wrong order, and each came as a line or with the capture of a gap."""
        last = self.end(pane)
        self._log.wait(lambda: self.shown(pane) == set(range(1, last + 1)), f"every line of {pane}")
        told = self.told(pane)
        assert [number for number, times in Counter(told).items() if times > 1] == []
        assert told == sorted(told)


@pytest.fixture
def count(tmux_server: TmuxServer, log: Log) -> Callable[..., Count]:
    """`count("a", pause=0.1)`: a program for a pane that prints a1, a2, ..."""
    return lambda word, **options: Count(tmux_server.directory, log, word, **options)


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
