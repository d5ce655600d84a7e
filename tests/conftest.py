"""The whole program in a sandbox: a real tmux server, a shell in a pane, and the command line as a subprocess."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from warm import Warm

    from tmux_sentry.testing.tmux_server import TmuxServer

ROOT = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, "-W", "error", "-m", "tmux_sentry"]
PATIENCE = 20.0

#: What the pane's shell finds as npm and gh: it notes how it was called, waits while hold-NAME is there, prints
#: say-NAME or else what a successful program prints. NAME is its last argument.
STUB = """\
#!/bin/sh
echo "${0##*/} $*" >> typed.log
for name; do :; done
while [ -e "hold-$name" ]; do sleep 0.02; done
if [ -e "say-$name" ]; then
    cat "say-$name"
elif [ "$name" = lint ]; then
    echo "0 problems"
else
    echo "@@SENTRY {\\"type\\":\\"STATUS\\",\\"stage\\":\\"$name\\",\\"ok\\":true}"
fi
"""


def alive(pid: int) -> bool:
    """Whether a process is there and not merely waits to be reaped."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(done.stdout.strip()) and not done.stdout.startswith("Z")


class Process:
    """A command in the background; stdout and stderr are read together, line by line."""

    def __init__(self, popen: Any) -> None:
        """`popen` is a Popen, or one of warm.py."""
        self._popen = popen
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_line(self, text: str, times: int = 1, timeout: float = PATIENCE) -> str:
        """The line that contains `text`, once it was printed `times` times."""
        deadline = time.monotonic() + timeout
        while True:
            ended = not self._thread.is_alive()
            found = [line for line in self.lines if text in line]
            if len(found) >= times:
                return found[times - 1]
            assert not ended, f"it ended without saying {text!r}:\n{self.output}"
            assert time.monotonic() < deadline, f"it did not say {text!r} within {timeout:g} s:\n{self.output}"
            time.sleep(0.01)

    def end(self, number: int | None = None, timeout: float = PATIENCE) -> int:
        """Send a signal, if one is named, wait for the end and return the exit status."""
        if number is not None and self._popen.poll() is None:
            self._popen.send_signal(number)
        try:
            status = self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {timeout:g} s:\n{self.output}") from None
        self._thread.join(timeout)
        return status

    def end_after(self, seconds: float) -> None:
        """Kill it after so many seconds, unless it ends before."""
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(seconds)
        self.end(signal.SIGKILL)

    def _read(self) -> None:
        assert self._popen.stdout is not None
        with self._popen.stdout as stream:
            self.lines.extend(line.rstrip("\n") for line in iter(stream.readline, ""))


class Sandbox:
    """A home, a hosts file that names the test's tmux server, and a working directory with npm and gh on the PATH."""

    command = COMMAND

    def __init__(self, server: TmuxServer, path: Path, warm: Warm) -> None:
        self.server = server
        self.warm = warm
        self.path = path
        self.home = server.directory / "home"  # here, because the path of a socket has to be short
        self.bin = path / "bin"
        self.work = path / "work"
        for directory in (self.bin, self.work, path / "user"):
            directory.mkdir()
        for name in ("npm", "gh"):
            self.program(name, STUB)
        self.hosts = self.write("hosts.yaml", self.hosts_text())
        self.processes: list[Process] = []

    # ------------------------------------------------------------------- what there is

    def hosts_text(self, name: str = "here", **tmux: str) -> str:
        settings = json.dumps({"socket_path": self.server.address.socket_path, **tmux})
        return f"hosts:\n  - name: {name}\n    transport: local\n    tmux: {settings}\n"

    def write(self, name: str, text: str) -> Path:
        """A file in the working directory, readable by us alone."""
        path = self.work / name
        path.write_text(dedent(text))
        path.chmod(0o600)
        return path

    def program(self, name: str, text: str, directory: Path | None = None) -> Path:
        path = (directory or self.bin) / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def plugin(self, entry: str, source: str) -> str:
        """Install a plugin as pip leaves it: a module and a .dist-info; returns the directory for PYTHONPATH."""
        site = self.path / "site"
        name = "tmux-sentry-" + entry.replace("_", "-")
        info = site / f"{name.replace('-', '_')}-0.1.0.dist-info"
        info.mkdir(parents=True)
        (site / f"{entry}_module.py").write_text(dedent(source))
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\nRequires-Dist: tmux-sentry-core>=0.1,<0.2\n"
        )
        (info / "entry_points.txt").write_text(f"[tmux_sentry]\n{entry} = {entry}_module\n")
        return os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))

    def pane(self, window: str = "job", session: str = "work") -> str:
        """A new session with one shell at its prompt; the id of its pane."""
        pane = self.server.new_session(session, window, self.shell)
        self.server.wait_prompt(pane)
        return pane

    @property
    def shell(self) -> str:
        path = f"{self.bin}:{os.environ['PATH']}"
        return f"cd '{self.work}' && exec env PATH='{path}' PS1='$ ' HISTFILE= bash --norc --noprofile"

    def typed(self) -> list[str]:
        """Every call of npm and gh, in order."""
        log = self.work / "typed.log"
        return log.read_text().splitlines() if log.exists() else []

    def wait_typed(self, line: str) -> None:
        self.wait(lambda: line in self.typed(), f"{line!r} in the pane")

    def hold(self, name: str) -> Path:
        """Keep npm and gh from ending when their last argument is `name`, until the returned file is removed."""
        path = self.work / f"hold-{name}"
        path.touch()
        return path

    def wait(self, until: Any, what: str = "the condition", timeout: float = PATIENCE) -> None:
        self.server.wait(until, what, timeout)

    def end_server(self) -> None:
        """Kill the tmux server and wait until its process is gone: until then its socket takes new clients."""
        pid = self.server.pid
        self.server.run("kill-server")
        self.wait(lambda: not alive(pid), "the end of the tmux server")

    # ------------------------------------------------------------------ the command line

    def env(self, **more: str) -> dict[str, str]:
        """Nothing of the developer's own settings takes part, but what python and coverage need."""
        keep = {n: v for n, v in os.environ.items() if n in ("PATH", "PYTHONPATH", "TMPDIR") or n.startswith("COV")}
        fixed = {"HOME": str(self.path / "user"), "TMUX_SENTRY_HOME": str(self.home), "LANG": "C.UTF-8"}
        return {**keep, **fixed, **more}

    def run(self, *args: str | Path, timeout: float = 30.0, **env: str) -> subprocess.CompletedProcess[str]:
        """Run `tmux-sentry ARGS` to its end."""
        return self.warm.run([*map(str, args)], self.work, self.env(**env), timeout)

    def run_bytes(self, *args: str | Path, given: bytes = b"", **env: str) -> subprocess.CompletedProcess[bytes]:
        """The same with bytes; `given` is what it reads on stdin."""
        return self.warm.run_bytes([*map(str, args)], self.work, self.env(**env), 30.0, given)

    def execute(self, argv: list[str | Path], timeout: float = 30.0, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*map(str, argv)],
            cwd=self.work,
            env=self.env(**env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def ok(self, *args: str | Path, timeout: float = 30.0, **env: str) -> str:
        """Run `tmux-sentry ARGS`, which has to end well, and return its stdout."""
        done = self.run(*args, timeout=timeout, **env)
        assert done.returncode == 0, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *args: str | Path, **env: str) -> Any:
        """What `tmux-sentry ARGS --json` printed."""
        return json.loads(self.ok(*args, "--json", **env))

    def start(self, *args: str | Path, **env: str) -> Process:
        """Run `tmux-sentry ARGS` in the background."""
        popen = self.warm.start([*map(str, args)], self.work, self.env(**env), subprocess.PIPE, subprocess.STDOUT)
        process = Process(popen)
        self.processes.append(process)
        return process

    def watch(self, policy: Path, *options: str | Path, **env: str) -> Process:
        """`tmux-sentry run` on this sandbox's hosts with `policy`, in the background, once it watches."""
        process = self.start("run", "--hosts", self.hosts, "--policy", policy, *options, **env)
        process.wait_line(": watching")
        return process

    # --------------------------------------------------------------------- what is left

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Rows of the database, read as a user's own sqlite3 would."""
        with closing(sqlite3.connect(f"{(self.home / 'state.db').as_uri()}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]

    def stages(self) -> list[tuple[str, str]]:
        """Stage and status of every attempt, in the order in which they began."""
        return [
            (row["stage"], row["status"]) for row in self.rows("SELECT stage, status FROM stage_history ORDER BY id")
        ]

    def question(self, stage: str = "") -> Path:
        """The approval file of a request, once it is there."""

        def files() -> list[Path]:
            return sorted((self.home / "approvals").glob(f"*__{stage}*.txt"))

        self.wait(files, f"an approval file for {stage or 'a stage'}")
        return files()[0]

    def answer(self, path: Path, words: str) -> None:
        """Answer as the documentation says, with the shell's own redirect."""
        subprocess.run(["sh", "-c", f"echo {words} > '{path}'"], check=True)

    def clients(self) -> str:
        """The clients that the tmux server lists; "" when there is none."""
        return self.server.run("list-clients", "-F", "#{client_pid} #{client_flags}")

    def close(self) -> None:
        """End what was started, and print what it said: pytest shows that for a test that failed."""
        for process in self.processes:
            process.end(signal.SIGKILL)
            print(f"--- {process.pid}", process.output, sep="\n")
        print("--- typed", *self.typed(), sep="\n")


@pytest.fixture
def sandbox(tmux_server: TmuxServer, tmp_path: Path, warm: Warm) -> Iterator[Sandbox]:
    made = Sandbox(tmux_server, tmp_path, warm)
    try:
        yield made
    finally:
        made.close()
