"""This machine as a host: programs behind pipes."""

from __future__ import annotations

import os
import select
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tmux_sentry.contracts import Completed
from tmux_sentry.errors import Unreachable
from tmux_sentry.transport.remote import PLACES

_CHUNK = 1 << 16
_WRITE_TIMEOUT = 10.0
_END_TIMEOUT = 1.0


class LocalChannel:
    """A program on this machine, in a session of its own so that Ctrl+C at our terminal does not reach it."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            argv,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=_environment(),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        os.set_blocking(self._stdin.fileno(), False)
        # A program that outlives its parent may keep stdout open: close() wakes the reader through this pipe.
        self._wake_read, self._wake_write = os.pipe()
        self._readable = select.poll()
        self._readable.register(self._stdout, select.POLLIN)
        self._readable.register(self._wake_read, select.POLLIN)
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        self._closing = threading.Lock()
        self._closed = self._ended = False

    @property
    def pid(self) -> int | None:
        """The program's process id."""
        return self._process.pid

    def read(self) -> bytes:
        """Whatever has arrived, waiting for at least one byte; b"" at the end or after `close`."""
        with self._reading:
            if self._closed:
                return b""
            self._readable.poll()
            if self._closed:
                return b""
            data = os.read(self._stdout.fileno(), _CHUNK)
            self._ended = not data
            return data

    def write(self, data: bytes) -> None:
        """Write all of `data`; OSError when the program is gone or takes nothing for ten seconds."""
        view = memoryview(data)
        with self._writing:
            if self._closed:
                raise BrokenPipeError("the channel is closed")
            while view:
                try:
                    view = view[os.write(self._stdin.fileno(), view) :]
                except BlockingIOError:
                    self._wait_writable()

    def _wait_writable(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdin, selectors.EVENT_WRITE)
            if not selector.select(_WRITE_TIMEOUT):
                raise TimeoutError("the program does not read its input")

    def close(self) -> None:
        """End the program, reap it and free the pipes. Idempotent; unblocks a `read`."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            os.write(self._wake_write, b"x")
            with self._reading:
                self._stdout.close()
            if not self._ended:
                self._hang_up()
            _end(self._process)
            with self._writing:
                self._stdin.close()
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _hang_up(self) -> None:
        """Close its input too, as a link that is cut does, and give it the time to end by itself."""
        if self._writing.acquire(blocking=False):  # else a `write` waits for it to read, and only its end ends that
            self._stdin.close()
            self._writing.release()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_TIMEOUT)


class LocalTransport:
    """The way to this machine."""

    def __init__(self, host: str) -> None:
        """`host` is the name in hosts.yaml."""
        self._host = host
        self._channels: list[LocalChannel] = []
        self._lock = threading.Lock()

    @property
    def host(self) -> str:
        """The host's name in hosts.yaml."""
        return self._host

    def open(self, argv: Sequence[str]) -> LocalChannel:
        """Start a program. Raises FileNotFoundError when there is none, Unreachable when it cannot be started."""
        try:
            channel = LocalChannel(argv)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Unreachable(f"{self._host}: {argv[0]} cannot be started", str(error)) from error
        with self._lock:
            self._channels = [known for known in self._channels if not known._closed]
            self._channels.append(channel)
        return channel

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> Completed:
        """Run a short program to its end. Raises FileNotFoundError, Unreachable or TimeoutError."""
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout,
                start_new_session=True,
                env=_environment(),
                check=False,
            )
        except FileNotFoundError:
            raise
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"{argv[0]} did not end within {timeout:g} s") from error
        except OSError as error:
            raise Unreachable(f"{self._host}: {argv[0]} cannot be started", str(error)) from error
        return Completed(status=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def in_foreground(self, pid: int) -> bool | None:
        """Whether the process group of `pid` is the foreground one of its terminal; None where it cannot be told."""
        groups = _groups_from_proc(pid) if sys.platform == "linux" else self._groups_from_ps(pid)
        if groups is None or groups[1] <= 0:  # no such process, or no terminal
            return None
        return groups[0] == groups[1]

    def _groups_from_ps(self, pid: int) -> tuple[int, int] | None:
        try:
            done = self.run(["ps", "-o", "pgid=,tpgid=", "-p", str(pid)])
            group, foreground = done.stdout.split()
            return int(group), int(foreground)
        except (OSError, ValueError, Unreachable):
            return None

    def reset(self) -> None:
        """There is no connection that could hang."""

    def close(self) -> None:
        """Close every channel. Idempotent."""
        with self._lock:
            channels, self._channels = self._channels, []
        for channel in channels:
            channel.close()


def _environment() -> dict[str, str]:
    """Ours, with the places behind its PATH in which programs are looked for on other hosts too."""
    return {
        **os.environ,
        "PATH": os.pathsep.join([os.environ.get("PATH", os.defpath), *map(os.path.expandvars, PLACES)]),
    }


def _groups_from_proc(pid: int) -> tuple[int, int] | None:
    """Process group of `pid` and foreground group of its terminal."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        # The name, field 2, is in parentheses and may hold blanks and parentheses itself: count after the last one.
        fields = stat[stat.rindex(b")") + 2 :].split()
        return int(fields[2]), int(fields[5])
    except (OSError, ValueError, IndexError):
        return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """TERM, then KILL the program's process group, and reap it. A program that has just ended is only reaped."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_TIMEOUT)
    process.wait()
