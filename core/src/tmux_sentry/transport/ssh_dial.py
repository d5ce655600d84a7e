"""One SSH connection: through its jumps, each machine's key checked before anything is told to it."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Protocol, TypeVar

import paramiko

from tmux_sentry.errors import Unreachable
from tmux_sentry.security.sanitize import clean
from tmux_sentry.transport.proxy_command import ProxyCommand
from tmux_sentry.transport.ssh_handshake import check_host_key, connect, connect_through, shake_hands
from tmux_sentry.transport.ssh_login import log_in
from tmux_sentry.transport.target import SshTarget

_log = logging.getLogger(__name__)

#: Seconds for each step to each machine: the TCP connection or the jump's way on, the server's first line, the key
#: exchange, each answer to a login, later each channel.
TIMEOUT = 10.0

T = TypeVar("T")


class _Closable(Protocol):
    def close(self) -> None: ...


_P = TypeVar("_P", bound=_Closable)


class Dial:
    """A connection to one machine, made once and closed as a whole, jumps included.

    The work is done on a daemon thread, because some of it cannot be interrupted (the look-up of a name): `close`
    gives it up at any moment.
    """

    def __init__(self, target: SshTarget, timeout: float = TIMEOUT) -> None:
        """Nothing is dialled yet; `timeout` is the seconds that each step may take."""
        self._target, self._timeout = target, timeout
        self._parts: list[_Closable] = []  # in the order in which they were opened
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._closed = False
        _quieten_paramiko()

    def connect(self) -> paramiko.Transport:
        """The connection, logged in. To be called once. Raises Unreachable, also once it is closed."""

        def work() -> paramiko.Transport:
            transport = self._reach()
            self._enter(self._target, transport)
            return transport

        return self._abortable(work)

    def close(self) -> None:
        """End the connection at once, or the attempt to make it. From any thread, at any time. Idempotent."""
        with self._lock:
            self._closed = True
            parts, self._parts = self._parts, []
        self._over.set()
        # The first one first: what runs through it then has nothing more to send, and so cannot block.
        for part in parts:
            with suppress(OSError, EOFError, paramiko.SSHException):
                part.close()

    def _abortable(self, work: Callable[[], T]) -> T:
        """The result of `work()` or what it raises; Unreachable as soon as this is closed."""
        results: list[T] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                results.append(work())
            except BaseException as error:
                errors.append(error)
            finally:
                self._over.set()

        try:
            threading.Thread(target=run, name=f"ssh-dial@{self._target.called}", daemon=True).start()
            self._over.wait()
            if self._closed:
                raise self._ended()
            if errors:
                raise errors[0]
        except BaseException:
            self.close()
            raise
        return results[0]

    def _reach(self) -> paramiko.Transport:
        """A connection to the last machine, whose key is not checked yet."""
        through: paramiko.Transport | None = None
        for jump in self._target.jumps:
            through = self._dial(jump, through)
            self._enter(jump, through)
        return self._dial(self._target, through)

    def _dial(self, machine: SshTarget, through: paramiko.Transport | None) -> paramiko.Transport:
        called = self._called(machine)
        transport = self._keep(paramiko.Transport(self._socket(machine, through, called)))
        shake_hands(transport, machine, called, self._timeout)
        return transport

    def _socket(
        self, machine: SshTarget, through: paramiko.Transport | None, called: str
    ) -> socket.socket | paramiko.Channel:
        if through is not None:
            return self._keep(connect_through(through, machine, called, self._timeout))
        if machine.proxy_command is None:
            return self._keep(connect(machine, called, self._timeout))
        try:
            return self._keep(ProxyCommand(machine.proxy_command)).sock
        except OSError as error:
            raise Unreachable(f"{called}: its ProxyCommand cannot be started", str(error)) from error

    def _enter(self, machine: SshTarget, transport: paramiko.Transport) -> None:
        called = self._called(machine)
        check_host_key(transport, machine, called)
        log_in(transport, machine, called, self._timeout)

    def _keep(self, part: _P) -> _P:
        """Have `close` close it; what comes too late is closed here."""
        with self._lock:
            if not self._closed:
                self._parts.append(part)
                return part
        part.close()
        raise self._ended()

    def _called(self, machine: SshTarget) -> str:
        """How messages name it: they start with the host of hosts.yaml."""
        own = clean(self._target.called)
        return own if machine is self._target else f"{own}: jump {clean(machine.called)}"

    def _ended(self) -> Unreachable:
        return Unreachable(f"{clean(self._target.called)}: the connection was closed")


def offered_key(target: SshTarget, timeout: float = TIMEOUT) -> tuple[str, bytes]:
    """Type and blob of the host key that `target` offers, of which nothing is checked and to which nothing is told.

    Its jumps are checked and logged in to as ever. A key that is known is preferred, as it is in a connection. Raises
    Unreachable.
    """
    with closing(Dial(target, timeout)) as dial:
        key = dial._abortable(dial._reach).get_remote_server_key()
        return key.get_name(), key.asbytes()


class _AtDebug(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _log.debug("%s", record.getMessage())


def _quieten_paramiko() -> None:
    """Show paramiko's log at our DEBUG only: it logs each connection that fails as an error, with a traceback."""
    logger = logging.getLogger("paramiko")
    if not any(isinstance(handler, _AtDebug) for handler in logger.handlers):
        logger.addHandler(_AtDebug())
        logger.propagate = False
