"""A real OpenSSH server for a test: a free loopback port, keys and configuration of its own, gone afterwards."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tmux_sentry.transport.target import SshTarget

_TRIES = 5  # another program may take the free port first


class SshServer:
    """An sshd in the foreground of a process of ours; whoever runs the test may log in with `key_file`."""

    host = "127.0.0.1"

    def __init__(self, config: Sequence[str] = ()) -> None:
        """`config` are lines of sshd_config; they win over those that are set here."""
        self.directory = Path(tempfile.mkdtemp(prefix="sentry-sshd-"))
        self.user = getpass.getuser()
        self.config = list(config)
        self.key_file = self._key("user")
        self.known_hosts = self.directory / "known_hosts"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.new_host_key()
        shutil.copy(self.key_file.with_suffix(".pub"), self.directory / "authorized_keys")

    def target(self, **changes: object) -> SshTarget:
        """How to reach it, with everything that is needed."""
        values: dict[str, object] = {"hostname": self.host, "port": self.port, "user": self.user, "agent": False}
        values |= {"key_files": (self.key_file,), "known_hosts": (self.known_hosts,)}
        return SshTarget(**(values | changes))  # type: ignore[arg-type]

    @property
    def host_key(self) -> Path:
        """The private half; `.pub` is beside it."""
        return self.directory / "host"

    @property
    def log(self) -> str:
        """What sshd said."""
        return (self.directory / "log").read_text(errors="replace")

    def new_host_key(self) -> None:
        """From the next start on it is another machine. `known_hosts` is left as it is."""
        for path in (self.host_key, self.host_key.with_suffix(".pub")):
            path.unlink(missing_ok=True)
        self._key("host")

    def trust_host_key(self) -> None:
        """Write `known_hosts` for the present key and port."""
        key = self.host_key.with_suffix(".pub").read_text().split()[:2]
        self.known_hosts.write_text(f"[{self.host}]:{self.port} {' '.join(key)}\n")

    def start(self) -> None:
        """Listen on the port of the last time, the first time on a free one, which `known_hosts` then names."""
        first = not self.port
        for _ in range(_TRIES):
            self.port = self.port or _free_port()
            if self._listen():
                break
            self.port = 0 if first else self.port
        else:
            raise RuntimeError(f"sshd does not start: {self.log[-2000:]}")
        if first:
            self.trust_host_key()

    def _listen(self) -> bool:
        program = shutil.which("sshd") or "/usr/sbin/sshd"
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # what Debian's start script makes
        (self.directory / "sshd_config").write_text("\n".join([*self.config, *self._settings(), ""]))
        with (self.directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [program, "-D", "-e", "-f", self.directory / "sshd_config"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 10.0
        while "Server listening" not in self.log:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                return False
            time.sleep(0.01)
        return True

    def _settings(self) -> list[str]:
        return [
            f"ListenAddress {self.host}:{self.port}",
            f"HostKey {self.host_key}",
            f"AuthorizedKeysFile {self.directory / 'authorized_keys'}",
            "PidFile none",
            "UsePAM no",
            "StrictModes no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PrintMotd no",
            "LogLevel VERBOSE",
        ]

    def connections(self) -> list[int]:
        """Process ids of what serves the connections, each one's children included."""
        if self._process is None:
            return []
        rows = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,comm="], capture_output=True, text=True, check=True).stdout
        parents = {
            int(pid): int(parent)
            for pid, parent, name in (r.split(None, 2) for r in rows.splitlines())
            if "sshd" in name
        }
        found: list[int] = []
        for pid in sorted(parents):
            parent = parents[pid]
            while parent in parents and parent != self._process.pid:
                parent = parents[parent]
            if parent == self._process.pid:
                found.append(pid)
        return found

    def signal(self, number: signal.Signals) -> list[int]:
        """Signal every process that serves a connection; returns their ids."""
        pids = self.connections()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return pids

    def stop(self) -> None:
        """End it with all of its connections. Idempotent."""
        if self._process is None:
            return
        self.signal(signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._process = None

    def restart(self) -> None:
        """Stop, and listen again on the same port."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop, and remove its files."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _key(self, name: str) -> Path:
        path = self.directory / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path], check=True)
        return path


@contextmanager
def running_ssh_server(*config: str) -> Iterator[SshServer]:
    """An SshServer that listens, and is ended with the block. `config` are lines of sshd_config."""
    server = SshServer(config)
    try:
        server.start()
        yield server
    finally:
        server.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((SshServer.host, 0))
        port: int = probe.getsockname()[1]
        return port
