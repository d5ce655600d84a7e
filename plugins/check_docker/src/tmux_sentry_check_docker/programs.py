"""Programs on this machine, for `docker: local`: the same two calls as a watched host has."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress

from tmux_sentry import Completed, clean

#: What a shell says of a program that is not there.
NOT_FOUND = 127
_CHUNK = 64 * 1024


class Program:
    """A running program as a `Pipe`. Raises OSError when it cannot be started."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        # A file, not a pipe: nobody has to read it while the program runs, and a child that lives on cannot hold it.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the program
        try:
            self._process = subprocess.Popen(
                argv,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        except BaseException:
            self._stderr.close()
            raise
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def read(self) -> bytes:
        """Whatever has arrived, waiting for at least one byte; b"" at the end."""
        return os.read(self._stdout.fileno(), _CHUNK)

    def write(self, data: bytes) -> None:
        """Write all of `data`. Raises OSError when the program is gone."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._stdin.fileno(), view) :]

    def abort(self) -> None:
        """End the program, from any thread: a `read` then comes to its end."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def words(self) -> str:
        """The last line that it wrote about an error, "" when it wrote none."""
        number = self._stderr.fileno()
        # At a place of our own: the program writes at the place that a seek would move.
        written = os.pread(number, 2000, max(os.fstat(number).st_size - 2000, 0))
        lines = written.decode("utf-8", "replace").strip().splitlines()
        return clean(lines[-1], 200) if lines else ""

    def close(self) -> None:
        """End the program, reap it and free the pipes."""
        self.abort()
        self._process.wait()
        for file in (self._stdin, self._stdout, self._stderr):
            with suppress(OSError):
                file.close()


class ThisMachine:
    """A `HostAccess` for the machine that tmux-sentry runs on, with `environment` beside its own variables."""

    name = "this machine"

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> Completed:
        """Run a short program to its end; status 127 when there is none. Raises OSError."""
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout,
                env={**os.environ, **self._environment},
                start_new_session=True,
                check=False,
            )
        except FileNotFoundError as error:
            return Completed(status=NOT_FOUND, stderr=str(error).encode())
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{argv[0]} did not end within {timeout:g} s") from None
        return Completed(status=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def open(self, argv: Sequence[str]) -> Program:
        """Start a program. Raises OSError, FileNotFoundError where there is none."""
        return Program(argv, self._environment)
