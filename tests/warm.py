"""An interpreter that has imported what `tmux-sentry` needs, and forks a process of it for each command.

A test that runs ten commands would otherwise wait ten times for the same imports, which cost more than the commands.
Each fork is `python -W error -m tmux_sentry ARGS` in all else: a process of its own that ends as an interpreter ends,
with the environment, directory and files that it is given. It loads the plugins itself. A command whose environment
an interpreter reads as it starts needs a fresh one: see `Warm.fits`.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

#: What commands import when they run, here and elsewhere; the tests of `--help` and of lazy imports take no fork.
MODULES = (
    "tmux_sentry.cli.main",
    "tmux_sentry.cli.bar",
    "tmux_sentry.cli.run",
    "tmux_sentry.cli.runs",
    "tmux_sentry.cli.status",
    "tmux_sentry.cli.check",
    "tmux_sentry.cli.telling",
    "tmux_sentry.cli.assemble",
    "tmux_sentry.cli.parts",
    "tmux_sentry.cli.secrets",
    "tmux_sentry.registry",
    "tmux_sentry.transport.target",
    "tmux_sentry.policy.load",
    "tmux_sentry.engine.runner",
    "tmux_sentry.control.server",
    "tmux_sentry.state.store",
    "packaging.requirements",
    "jsonschema",
    "paramiko",
    "requests",
    "rich.table",
)
#: How the names of variables begin which an interpreter or a library reads when it starts. PYTHONPATH is seen to here.
AT_START = ("PYTHON", "COV", "LC_", "LD_", "MALLOC_", "OPENSSL_")
#: What is told of a process: its id, and when it has ended its exit status.
NUMBER = struct.Struct("!q")
FRESH = (sys.executable, "-W", "error", "-m", "tmux_sentry")


class Forked:
    """A process of ours, used as a `subprocess.Popen` is."""

    def __init__(self, connection: socket.socket, stdout: IO[str] | None) -> None:
        self._connection = connection
        self._waiting = threading.Lock()
        self.stdout = stdout
        self.returncode: int | None = None
        self.pid = self._number()

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status; subprocess.TimeoutExpired after `timeout` seconds."""
        with self._waiting:
            if self.returncode is None:
                if not select.select([self._connection], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired("tmux-sentry", timeout or 0.0)
                self.returncode = self._number()
                self._connection.close()
            return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def _number(self) -> int:
        said = self._connection.recv(NUMBER.size, socket.MSG_WAITALL)
        assert len(said) == NUMBER.size, "the interpreter that forks, or what waits for the fork, has ended"
        return int(NUMBER.unpack(said)[0])


class Warm:
    """The client's side; `close` ends the interpreter, not what was forked from it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sentry-warm-")
        self._path = str(Path(self._folder.name) / "s")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self._path)
        listener.listen(16)
        with listener:
            # A pipe for stdout, so that Python buffers there as it does in a test's own process.
            self._popen = subprocess.Popen(
                [sys.executable, "-W", "error", __file__, str(listener.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, "LANG": "C.UTF-8"},
                pass_fds=[listener.fileno()],
            )

    def fits(self, env: Mapping[str, str]) -> bool:
        """Whether a fork can stand for a fresh interpreter with this environment."""
        read = [name for name in env if name.startswith(AT_START) and name != "PYTHONPATH"]
        places = [Path(place) for place in env.get("PYTHONPATH", "").split(os.pathsep) if place]
        if any((place / f"{name}.py").exists() for place in places for name in ("sitecustomize", "usercustomize")):
            return False
        # On macOS, libraries of the system may not be used in a fork.
        return sys.platform != "darwin" and env.get("LANG") == "C.UTF-8" and not read

    def start(
        self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], stdout: Any, stderr: Any, stdin: Any = None
    ) -> Forked | subprocess.Popen[str]:
        """`tmux-sentry ARGV` in a session of its own, on these files; or PIPE as stdout and STDOUT as stderr."""
        if not self.fits(env):
            stdin = subprocess.DEVNULL if stdin is None else stdin
            return subprocess.Popen(
                [*FRESH, *argv],
                cwd=cwd,
                env=env,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                text=True,
                start_new_session=True,
            )
        read = None
        if stdout == subprocess.PIPE:
            reading, writing = os.pipe()
            read = open(reading)  # noqa: SIM115 - whoever reads it closes it
            stdout = stderr = writing
        else:
            stdout, stderr = stdout.fileno(), stderr.fileno()
        given = os.open(os.devnull, os.O_RDONLY) if stdin is None else os.dup(stdin.fileno())
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self._path)
        wanted = json.dumps({"argv": list(argv), "cwd": str(cwd), "env": dict(env)}).encode()
        socket.send_fds(connection, [len(wanted).to_bytes(4, "big")], [given, stdout, stderr])
        connection.sendall(wanted)
        os.close(given)
        if read is not None:
            os.close(stdout)
        return Forked(connection, read)

    def run(
        self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """As `subprocess.run` with captured text; the process is killed at the end of `timeout` seconds."""
        done = self.run_bytes(argv, cwd, env, timeout)
        # As text files are read: "\r\n" and "\r" are ends of lines too.
        out, err = (io.TextIOWrapper(io.BytesIO(said), "utf-8").read() for said in (done.stdout, done.stderr))
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    def run_bytes(
        self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float, given: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """The same with bytes; `given` is what it reads on stdin."""
        with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            stdin.write(given), stdin.seek(0)
            process = self.start(argv, cwd, env, out, err, stdin)
            try:
                status = process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait(timeout)
                raise
            out.seek(0), err.seek(0)
            return subprocess.CompletedProcess(["tmux-sentry", *argv], status, out.read(), err.read())

    def close(self) -> None:
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._popen.stdin.close()
        self._popen.wait(20)
        self._popen.stdout.close()
        self._folder.cleanup()


# ------------------------------------------------------------------------- the other side


def serve(listener: socket.socket) -> dict[str, Any] | None:
    """Fork for each caller until stdin ends. Returns in each fork, with what it is to be, and at the end with None."""
    for module in MODULES:
        importlib.import_module(module)
    gc.freeze()  # else each collection in a fork would copy all that was imported
    while True:
        if sys.stdin in select.select([listener, sys.stdin], [], [])[0]:
            return None
        connection, _ = listener.accept()
        with connection:
            if os.fork() == 0:
                listener.close()
                return _attend(connection)
        # Those who attended earlier and are done.
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _attend(connection: socket.socket) -> dict[str, Any]:
    """Fork the process that one caller wants, and tell them its id and its end."""
    try:
        size, files, _, _ = socket.recv_fds(connection, 4, 3)
        text = b""
        while len(text) < int.from_bytes(size, "big"):
            text += connection.recv(65536)
        wanted: dict[str, Any] = json.loads(text)
        pid = os.fork()
        if pid == 0:
            os.setsid()
            for number, file in enumerate(files):
                os.dup2(file, number)
            connection.detach()
            os.closerange(3, 256)
            return wanted
        for file in (0, 1, 2, *files):
            os.close(file)
        connection.sendall(NUMBER.pack(pid))
        connection.sendall(NUMBER.pack(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))
    except BrokenPipeError:
        pass  # the test is over
    os._exit(0)


def become(argv: list[str], cwd: str, env: dict[str, str]) -> None:
    """Be `python -m tmux_sentry ARGV`."""
    from tmux_sentry import failpoints

    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    # What was on the path when this interpreter started stays; a test puts its own before that.
    own = [part for part in env.get("PYTHONPATH", "").split(os.pathsep) if part and part not in sys.path]
    sys.path[:1] = [cwd, *own]
    importlib.reload(failpoints)  # the one module of ours that reads the environment when it is imported
    sys.argv = ["tmux-sentry", *argv]
    runpy.run_module("tmux_sentry", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    if (wish := serve(socket.socket(fileno=int(sys.argv[1])))) is not None:
        become(**wish)
