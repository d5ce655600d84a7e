"""What bytes look like on a terminal: a private tmux server with one pane, whose program writes what it is given.

tmux has read a piece when it has told a control client of it (it tells and reads in one go), so bytes are counted and
nothing is waited for by time. The server has a socket in a directory of its own and no configuration, and ends with us.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tmux_sentry.errors import NoServer, SentryError, TmuxMissing, TmuxTooOld
from tmux_sentry.tmux import capture as tmux_capture
from tmux_sentry.tmux import quoting
from tmux_sentry.tmux.attach import attach
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.tmux.model import Capture, TmuxAddress
from tmux_sentry.tmux.streams import OutputStream
from tmux_sentry.tmux.version import Ability
from tmux_sentry.transport.local import LocalTransport

#: Bytes under way at most: tmux drops what a client has not read for seconds.
CHUNK = 1 << 15
#: Seconds after which tmux hangs.
PATIENCE = 20.0
_END = 3.0
#: Rows above the screen that it keeps.
HISTORY = 2000
# Raw: the bytes reach tmux as they are. Answers to queries in them go to the pane's input, which nobody reads.
_PROGRAM = 'stty raw -echo; exec cat "$0"'


class Terminal:
    """One screen. Made by `running`. Methods raise SentryError when tmux is gone."""

    def __init__(self, address: TmuxAddress, client: CommandClient, pane_id: str, pipe: int) -> None:
        self._client, self._pane, self._pipe = client, pane_id, pipe
        self._address = address
        self._given = 0
        self._taken = 0
        self._lost = False
        self._changed = threading.Condition()

    def output(self, pane_id: str, data: bytes, age: float) -> None:
        """tmux has taken these bytes in."""
        with self._changed:
            self._taken += len(data)
            self._changed.notify_all()

    def gap(self, pane_id: str | None) -> None:
        """Some were lost on the way, at the attach None were."""
        if pane_id is not None:
            self.end("its output was lost")

    def end(self, reason: str) -> None:
        """There will be no more of it."""
        with self._changed:
            self._lost = True
            self._changed.notify_all()

    def write(self, data: bytes) -> None:
        """Let the pane print these bytes; they are on the screen when this returns."""
        for start in range(0, len(data), CHUNK):
            piece = memoryview(data)[start : start + CHUNK]
            self._given += len(piece)
            self._pour(piece)
            with self._changed:
                done = self._changed.wait_for(lambda: self._lost or self._taken >= self._given, PATIENCE)
                if self._lost or not done:
                    raise _gone("it does not take the output")

    def resize(self, width: int, height: int) -> None:
        """The screen has another size now."""
        x, y = quoting.number(width), quoting.number(height)
        self._client.command(f"resize-window -t {quoting.pane(self._pane)} -x {x} -y {y}")

    def capture(self, history: int | None = 0) -> Capture:
        """The screen now; `info` is of the private pane but for cursor and alternate screen of no meaning."""
        return tmux_capture.capture(self._client, self._pane, history)

    def _pour(self, data: memoryview) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_WRITE)
            while data:
                if not selector.select(PATIENCE):
                    raise _gone("its pane does not read")
                with suppress(BlockingIOError):
                    data = data[os.write(self._pipe, data) :]


@contextmanager
def running(width: int, height: int, command: str = "tmux") -> Iterator[Terminal]:
    """A Terminal of so many columns and rows, gone after the block. `command` is the tmux program.

    Raises SentryError where there is none, or one without output streams (before 3.2).
    """
    directory = Path(tempfile.mkdtemp(prefix="sentry-screen-"))
    address = TmuxAddress(socket_path=str(directory / "s"), command=command)
    server = 0
    transport = LocalTransport("screen")
    try:
        fifo = directory / "output"
        os.mkfifo(fifo, 0o600)
        server, session, pane = _start(address, fifo, width, height)
        # Read and write: it opens whether or not the pane's program is there yet, and never meets a broken pipe.
        pipe = os.open(fifo, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            yield from _attached(transport, address, session, pane, pipe)
        finally:
            os.close(pipe)
    except (TmuxMissing, TmuxTooOld, NoServer, FileNotFoundError) as error:
        raise _gone(str(error)) from error
    finally:
        transport.close()
        _stop(address, server)
        shutil.rmtree(directory, ignore_errors=True)


def _attached(
    transport: LocalTransport, address: TmuxAddress, session: str, pane: str, pipe: int
) -> Iterator[Terminal]:
    client = attach(transport, address)
    try:
        if client.ability is not Ability.STREAM:
            raise _gone("it is older than 3.2")
        terminal = Terminal(address, client, pane, pipe)
        stream = OutputStream(
            transport, address, session, on_output=terminal.output, on_gap=terminal.gap, on_exit=terminal.end
        )
        stream.start()
        try:
            yield terminal
        finally:
            stream.close()
    finally:
        client.close()


def _start(address: TmuxAddress, fifo: Path, width: int, height: int) -> tuple[int, str, str]:
    """The server's process id, its session and its pane."""
    settings = [
        ("-g", "history-limit", str(HISTORY)), ("-g", "status", "off"), ("-g", "remain-on-exit", "on"),
        ("-s", "set-clipboard", "off"),
    ]  # fmt: skip
    argv = [*address.argv(), "-f", "/dev/null"]
    for setting in settings:
        argv += ["set-option", *setting, ";"]
    argv += ["new-session", "-d", "-P", "-F", "#{pid} #{session_id} #{pane_id}", "-x", str(width), "-y", str(height)]
    argv += ["sh", "-c", _PROGRAM, str(fifo)]
    # Last: a tmux 3.3a that has no session yet dies of it (measured).
    argv += [";", "set-option", "-g", "window-size", "manual"]
    env = {name: value for name, value in os.environ.items() if name not in ("TMUX", "TMUX_PANE")}
    try:
        done = subprocess.run(
            argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        pid, session, pane = done.stdout.split()
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise _gone("a server of its own does not start") from error
    return int(pid), session, pane


def _stop(address: TmuxAddress, server: int) -> None:
    """End the server, by force when it does not; it is gone when this returns."""
    if not server:
        return
    with suppress(subprocess.TimeoutExpired):
        subprocess.run(
            [*address.argv(), "kill-server"], stdin=subprocess.DEVNULL, capture_output=True, timeout=5, check=False
        )
    deadline = time.monotonic() + _END
    while _lives(server):
        if time.monotonic() > deadline:
            with suppress(ProcessLookupError):
                os.kill(server, signal.SIGKILL)
            return
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    """Whether it is there, is a tmux, and does not merely wait to be reaped."""
    argv = ["ps", "-o", "stat=,comm=", "-p", str(pid)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return "tmux" in done.stdout and not done.stdout.startswith("Z")


def _gone(why: str) -> SentryError:
    return SentryError(
        "the recording cannot be shown",
        f"tmux is the terminal for it: {why}",
        "install tmux 3.2 or newer here",
    )
