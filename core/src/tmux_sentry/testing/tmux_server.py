"""A private tmux server for a test: its own socket, no configuration, gone afterwards."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tmux_sentry.tmux.model import TmuxAddress

SHELL = "env PS1='$ ' HISTFILE= bash --norc --noprofile"


class TmuxServer:
    """A tmux server on a socket of its own. Sockets have short path limits, so its directory is not pytest's."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="sentry-tmux-"))
        self.address = TmuxAddress(socket_path=str(self.directory / f"s-{secrets.token_hex(4)}"))
        self._pids: set[int] = set()

    def run(self, *args: str) -> str:
        """Run one tmux command and return what it printed; CalledProcessError when it fails."""
        # A test that itself runs inside tmux must not be taken for a client of this server.
        env = {name: value for name, value in os.environ.items() if name not in ("TMUX", "TMUX_PANE")}
        argv = [*self.address.argv(), "-f", "/dev/null", *args]
        done = subprocess.run(
            argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=True
        )
        return done.stdout.rstrip("\n")

    def new_session(
        self, name: str = "work", window: str = "main", command: str = SHELL, *, width: int = 120, height: int = 40
    ) -> str:
        """Start a detached session and return the id of its pane."""
        size = ("-x", str(width), "-y", str(height))
        pane = self.run("new-session", "-d", "-P", "-F", "#{pane_id}", "-s", name, "-n", window, *size, command)
        self._pids.add(self.pid)
        return pane

    @property
    def pid(self) -> int:
        """The server's process id."""
        return int(self.run("display-message", "-p", "#{pid}"))

    def show(self, pane: str, what: str) -> str:
        """A format, expanded for one pane."""
        return self.run("display-message", "-p", "-t", pane, what)

    def screen(self, pane: str) -> str:
        """What the pane shows, trailing blank rows removed."""
        return self.run("capture-pane", "-p", "-t", pane).rstrip()

    def send(self, pane: str, text: str, *keys: str) -> None:
        """Type as a person would: text as it is, then named keys."""
        if text:
            self.run("send-keys", "-t", pane, "-l", "--", text)
        if keys:
            self.run("send-keys", "-t", pane, *keys)

    def wait(self, until: Callable[[], object], what: str = "the condition", timeout: float = 10.0) -> None:
        """Poll `until` until it is true; AssertionError after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not until():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what} did not come true within {timeout:g} s")
            time.sleep(0.02)

    def wait_prompt(self, pane: str, prompt: str = "$") -> None:
        """Wait until the last row that shows anything is the bare prompt."""
        self.wait(lambda: self.screen(pane).splitlines()[-1:] == [prompt], f"a prompt in {pane}")

    def kill(self) -> None:
        """End the server and whatever clients it left behind, for certain, and remove its directory."""
        clients = self._clients()
        subprocess.run([*self.address.argv(), "kill-server"], capture_output=True, timeout=20, check=False)
        for pid in clients:
            _end(pid, signal.SIGTERM)  # a stuck client would keep the server from ending
        for pid in self._pids:
            if not _wait_end(pid, 3.0):
                _end(pid, signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _clients(self) -> list[int]:
        try:
            return [int(pid) for pid in self.run("list-clients", "-F", "#{client_pid}").split()]
        except subprocess.CalledProcessError:
            return []  # the server is gone already


@contextmanager
def running_server() -> Iterator[TmuxServer]:
    """A TmuxServer that is killed at the end of the block. It has no session yet."""
    server = TmuxServer()
    try:
        yield server
    finally:
        server.kill()


def _is_tmux(pid: int) -> bool:
    done = subprocess.run(["ps", "-o", "stat=,comm=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return "tmux" in done.stdout and not done.stdout.startswith("Z")  # a zombie has ended


def _end(pid: int, number: signal.Signals) -> None:
    if pid != os.getpid() and _is_tmux(pid):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _wait_end(pid: int, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while _is_tmux(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
