"""Byte streams to a Docker Engine: a socket, a socket with TLS, or a program that passes the bytes on."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from tmux_sentry import HostAccess, Pipe, clean
from tmux_sentry_check_docker.programs import NOT_FOUND, Program

_CHUNK = 64 * 1024
#: Seconds that a host's `docker version` may take to say why its Docker does not answer.
ASKING_WHY = 5.0


class NoWay(Exception):
    """There is no connection to the engine; the message says why, and what to do."""


class Stream(Protocol):
    """Bytes to and from an engine."""

    def read(self) -> bytes:
        """Whatever has arrived, waiting for at least one byte; b"" at the end. Raises OSError."""

    def write(self, data: bytes) -> None:
        """Write all of `data`. Raises OSError."""

    def abort(self) -> None:
        """Break it, from any thread: a `read` or `write` that waits ends."""

    def close(self) -> None:
        """Free it. Idempotent; by the one who reads."""

    def words(self) -> str:
        """What the way itself says about an end that came too early, "" for nothing."""


#: Makes a new stream, within so many seconds. Raises NoWay.
Dial = Callable[[float], Stream]


class SocketStream:
    """A connected socket. With TLS, the first write makes the handshake with its checks, where `abort` can end it."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def read(self) -> bytes:
        return self._socket.recv(_CHUNK)

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def abort(self) -> None:
        # Not SSLSocket.shutdown: that one drops the TLS state while another thread reads.
        with suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()

    def words(self) -> str:
        return ""


class PipeStream:
    """`docker system dial-stdio` on a watched host."""

    def __init__(self, pipe: Pipe, host: HostAccess) -> None:
        self._pipe, self._host = pipe, host

    def read(self) -> bytes:
        return self._pipe.read()

    def write(self, data: bytes) -> None:
        self._pipe.write(data)

    def abort(self) -> None:
        self._pipe.close()

    def close(self) -> None:
        self._pipe.close()

    def words(self) -> str:
        """A pipe has no place for errors: ask `docker` there once more, in the way that shows them."""
        name = clean(self._host.name, 60)
        try:
            done = self._host.run(["docker", "version", "--format", "{{.Server.Version}}"], timeout=ASKING_WHY)
        except OSError as error:
            return f"{name} does not answer ({type(error).__name__})"
        if done.status == NOT_FOUND:
            return no_docker(name)
        lines = done.stderr[:4000].decode("utf-8", "replace").strip().splitlines()
        said = f": {clean(lines[0], 200)}" if lines else ""
        return f"`docker version` on {name} ends with {done.status}{said}" if done.status else ""


def no_docker(host: str) -> str:
    """What to do where there is no program `docker`."""
    return f"there is no program `docker` on {host}, or not in the PATH of a login there: install the Docker CLI"


def over_unix(path: str) -> Dial:
    """To a unix socket of this machine."""

    def dial(seconds: float) -> Stream:
        connecting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connecting.settimeout(seconds)
            connecting.connect(path)
        except PermissionError:
            connecting.close()
            raise NoWay(f"{clean(path, 200)}: permission denied; add yourself to the group that owns it") from None
        except (OSError, ValueError) as error:
            connecting.close()
            why = getattr(error, "strerror", None) or str(error)
            raise NoWay(f"{clean(path, 200)}: {clean(why, 100)}; does Docker run, is DOCKER_HOST right?") from None
        connecting.settimeout(None)  # from here on the caller's deadline, by `abort`
        return SocketStream(connecting)

    return dial


def over_tcp(host: str, port: int, tls: Callable[[], ssl.SSLContext] | None) -> Dial:
    """To a port; `tls` makes the context, and raises NoWay."""

    def dial(seconds: float) -> Stream:
        context = tls() if tls is not None else None
        try:
            connected = socket.create_connection((host, port), timeout=seconds)
        except (OSError, ValueError) as error:  # UnicodeError for a name that cannot be one
            why = getattr(error, "strerror", None) or type(error).__name__
            raise NoWay(f"{clean(host, 100)}:{port}: {clean(why, 100)}; is DOCKER_HOST right?") from None
        connected.settimeout(None)
        if context is not None:
            try:
                connected = context.wrap_socket(connected, server_hostname=host, do_handshake_on_connect=False)
            except (OSError, ValueError) as error:
                connected.close()
                raise NoWay(f"no TLS to {clean(host, 100)} ({type(error).__name__})") from None
        return SocketStream(connected)

    return dial


def over_ssh(argv: list[str]) -> Dial:
    """To the engine behind a program of this machine that passes bytes on: the system's ssh client."""

    def dial(seconds: float) -> Stream:
        try:
            return Program(argv, {})
        except OSError as error:
            raise NoWay(f"{argv[0]} cannot be started: {clean(error.strerror or '', 100)}") from None

    return dial


def over_host(host: HostAccess) -> Dial:
    """To the engine of a watched host, by the connection that is there already."""

    def dial(seconds: float) -> Stream:
        name = clean(host.name, 60)
        try:
            return PipeStream(host.open(["docker", "system", "dial-stdio"]), host)
        except FileNotFoundError:
            raise NoWay(no_docker(name)) from None
        except OSError as error:
            raise NoWay(f"{name}: {clean(str(error), 200)}") from None

    return dial
