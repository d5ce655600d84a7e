"""A machine reached over SSH: programs behind channels of as few connections as carry them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import paramiko

from tmux_sentry.contracts import Completed
from tmux_sentry.errors import Unreachable
from tmux_sentry.security.sanitize import clean
from tmux_sentry.transport import remote
from tmux_sentry.transport.foreground import Foreground
from tmux_sentry.transport.ssh_dial import Dial
from tmux_sentry.transport.ssh_link import Full, Link
from tmux_sentry.transport.target import SshTarget

_CHUNK = 1 << 16
_WRITE_TIMEOUT = 10.0
#: Seconds in which the host must have started what was asked for; a slow .bashrc takes its time.
_START_TIMEOUT = 10.0
#: Bytes that start-up files of the login shell may print first.
_NOISE = 1 << 16
#: Connections to one host. With the usual ten channels each, 79 sessions can be streamed; those beyond are polled.
MAX_LINKS = 8


class SshChannel:
    """A program on the host, its stdin and stdout joined to us."""

    def __init__(self, channel: paramiko.Channel, link: Link, host: str, argv: Sequence[str]) -> None:
        """Start it. Raises Unreachable when it did not start in time."""
        self._channel, self._link = channel, link
        channel.settimeout(_WRITE_TIMEOUT)
        nonce = remote.nonce()
        self._pid, self._rest = _started(channel, host, remote.opening(argv, nonce), nonce)

    @property
    def pid(self) -> int | None:
        """The program's process id on the host."""
        return self._pid

    def read(self) -> bytes:
        """Whatever has arrived, waiting for at least one byte; b"" at the end or after `close`."""
        if self._rest:
            rest, self._rest = self._rest, b""
            return rest
        while True:
            try:
                data: bytes = self._channel.recv(_CHUNK)
            except TimeoutError:  # paramiko has one timeout for both directions
                continue
            except OSError:
                return b""
            self._link.heard()
            return data

    def write(self, data: bytes) -> None:
        """Write all of `data`; OSError when the program is gone or takes nothing for ten seconds."""
        try:
            self._channel.sendall(data)
        except (EOFError, paramiko.SSHException) as error:
            raise BrokenPipeError(str(error)) from error

    def close(self) -> None:
        """End the channel, and with it the program's input and output. Idempotent; unblocks a `read`."""
        self._channel.close()


class SshTransport:
    """The way to one host. Connects when first used, and again when used after the connection was lost."""

    def __init__(self, host: str, target: Callable[[], SshTarget]) -> None:
        """`host` is the name in hosts.yaml; `target()` says where that is and may raise SentryError."""
        self._host, self._target = host, target
        self._links: list[Link] = []
        self._dial: Dial | None = None
        self._lock = threading.Lock()
        self._dialling = threading.Lock()  # whoever else needs a connection waits for the one under way
        self._closed = False
        self._foreground = Foreground(self._open_if_connected)

    @property
    def host(self) -> str:
        """The host's name in hosts.yaml."""
        return self._host

    def open(self, argv: Sequence[str]) -> SshChannel:
        """Start a program. Raises Unreachable; a program that is not there ends at once."""
        channel, link = self._session()
        try:
            return SshChannel(channel, link, self._host, argv)
        except BaseException:
            channel.close()
            raise

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> Completed:
        """Run a short program to its end; status 127 when it is not there. Raises Unreachable or TimeoutError."""
        channel, _ = self._session()
        try:
            return _completed(channel, self._host, argv, timeout)
        finally:
            channel.close()

    def in_foreground(self, pid: int) -> bool | None:
        """Whether the process group of `pid` is the foreground one of its terminal; None where it cannot be told."""
        return self._foreground.ask(pid)

    def reset(self) -> None:
        """Give up every connection at once, whatever is under way on it; the next use connects again."""
        with self._lock:
            links, self._links = self._links, []
            dial = self._dial
        if dial is not None:
            dial.close()
        for link in links:
            link.close()

    def close(self) -> None:
        """End every connection; nothing can be opened any more. Idempotent."""
        self._closed = True
        self.reset()

    # ------------------------------------------------------------------ channels on connections

    def _session(self) -> tuple[paramiko.Channel, Link]:
        """A channel on the first connection that has room, or on a further one."""
        if (found := self._on_a_link()) is not None:
            return found
        with self._dialling:
            if (found := self._on_a_link()) is not None:
                return found
            return self._connect()

    def _on_a_link(self) -> tuple[paramiko.Channel, Link] | None:
        with self._lock:
            dead = [link for link in self._links if not link.alive]
            links = self._links = [link for link in self._links if link not in dead]
        for link in dead:
            link.close()  # what it went through may still be there
        for link in links:
            try:
                return link.session(), link
            except Full:
                continue
        return None

    def _connect(self) -> tuple[paramiko.Channel, Link]:
        target = self._target()
        with self._lock:
            if self._closed:
                raise Unreachable(f"{self._host}: its connection was closed")
            if len(self._links) >= MAX_LINKS:
                why = f"{MAX_LINKS} connections are full"
                raise Unreachable(f"{self._host}: no further SSH channel", why, "raise MaxSessions in its sshd_config")
            dial = self._dial = Dial(target)
        try:
            link = Link(self._host, dial)
            try:
                channel = link.session()
            except BaseException:
                link.close()
                raise
        except Full:
            what = f"{self._host}: the SSH server allows no channel"
            raise Unreachable(what, "", "check MaxSessions in its sshd_config") from None
        finally:
            self._dial = None
        with self._lock:
            self._links.append(link)
            if self._closed:
                link.close()
        return channel, link

    def _open_if_connected(self, argv: Sequence[str]) -> SshChannel:
        """For questions that are not worth a connection of their own."""
        with self._lock:
            if not any(link.alive for link in self._links):
                raise Unreachable(f"{self._host}: not connected")
        return self.open(argv)


def _started(channel: paramiko.Channel, host: str, line: str, nonce: str) -> tuple[int, bytes]:
    """Send the command line and read until its word: the process id, and what already came after it."""
    data, deadline = b"", time.monotonic() + _START_TIMEOUT
    try:
        channel.exec_command(line)
        while (found := remote.split(data, nonce)) is None:
            if time.monotonic() > deadline:
                raise TimeoutError
            chunk = channel.recv(_CHUNK)
            data += chunk
            if not chunk or len(data) > _NOISE:
                what = f"{host}: the login shell did not run our command"
                said = clean(data.decode("utf-8", "replace"), 200).strip()
                raise Unreachable(what, f"it printed: {said}" if said else "it printed nothing and ended")
    except TimeoutError as error:
        raise Unreachable(f"{host}: a program did not start within {_START_TIMEOUT:g} s") from error
    except (EOFError, paramiko.SSHException, OSError) as error:
        raise Unreachable(f"{host}: the SSH connection was lost", clean(str(error))) from error
    return found


def _completed(channel: paramiko.Channel, host: str, argv: Sequence[str], timeout: float) -> Completed:
    deadline, nonce = time.monotonic() + timeout, remote.nonce()

    def left() -> float:
        return max(deadline - time.monotonic(), 0.001)

    def rest(receive: Callable[[int], bytes]) -> bytes:
        chunks: list[bytes] = []
        while not chunks or chunks[-1]:
            channel.settimeout(left())
            chunks.append(receive(_CHUNK))
        return b"".join(chunks)

    channel.settimeout(timeout)
    _, began = _started(channel, host, remote.running(argv, nonce), nonce)
    try:
        channel.shutdown_write()
        out, err = began + rest(channel.recv), rest(channel.recv_stderr)
        if not channel.status_event.wait(left()):
            raise TimeoutError
    except TimeoutError:
        raise TimeoutError(f"{argv[0]} did not end within {timeout:g} s") from None
    except (EOFError, paramiko.SSHException, OSError) as error:
        raise Unreachable(f"{host}: the SSH connection was lost", clean(str(error))) from error
    status = channel.recv_exit_status()
    if status < 0 and not channel.get_transport().is_active():
        raise Unreachable(f"{host}: the SSH connection was lost", f"before {argv[0]} had ended")
    noise = remote.split(err, nonce)
    return Completed(status=status, stdout=out, stderr=noise[1] if noise else err)
