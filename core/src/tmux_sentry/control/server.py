"""Listens on the control socket and hands each request to the running instance."""

from __future__ import annotations

import logging
import os
import selectors
import socket
import stat
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tmux_sentry.control.person import person_of
from tmux_sentry.control.protocol import (
    MAX_REQUEST,
    Malformed,
    check_path,
    decode_request,
    encode_error,
    encode_result,
    peer_uid,
    read_line,
)
from tmux_sentry.errors import Locked, Refused, SentryError
from tmux_sentry.security.outlet import Redact, data_out, text_out
from tmux_sentry.security.sanitize import clean
from tmux_sentry.state.files import private_directory

log = logging.getLogger(__name__)

#: Verb, arguments, and who asks.
Handler = Callable[[str, Mapping[str, Any], str], Any]

#: Connections at one time; more are turned away.
MAX_CLIENTS = 32


class ControlServer:
    """One thread that accepts, and one a connection; all daemons. `handler(verb, args, by)` is called on the latter.

    `by` is the user at the other end as the kernel knows them, whatever the request says. What the handler returns
    (plain JSON types) is the answer; a SentryError that it raises travels to the client. `patience` is how many seconds
    a client may take for a line, and for taking its answer; `redact` takes the secrets out of what is answered.
    """

    def __init__(
        self, path: Path, handler: Handler, *, uid: int | None = None, patience: float = 10.0, redact: Redact = str
    ) -> None:
        self._path = path
        self._handler = handler
        self._redact = redact
        self._uid = os.geteuid() if uid is None else uid
        self._patience = patience
        self._slots = threading.BoundedSemaphore(MAX_CLIENTS)
        self._listener: socket.socket | None = None
        self._inode = 0

    def start(self) -> None:
        """Listen. Call it with the InstanceLock held: a socket that nobody answers on is then a dead instance's.

        Raises UsageError (path too long), Refused (not a socket of ours), Locked (somebody answers).
        """
        check_path(self._path)
        private_directory(self._path.parent)
        self._clear()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(self._path))
            # Before listen nobody can connect, so there is no moment at which others could.
            os.chmod(self._path, 0o600)
            listener.listen(MAX_CLIENTS)
        except BaseException:
            listener.close()
            raise
        listener.setblocking(False)
        self._listener = listener
        self._inode = os.stat(self._path).st_ino
        self._stopper, wake = socket.socketpair()
        threading.Thread(target=self._accept, args=(listener, wake), name="control", daemon=True).start()

    def close(self) -> None:
        """Stop listening and remove the socket. Idempotent; requests under way are answered."""
        if self._listener is None:
            return
        self._listener = None
        with suppress(FileNotFoundError):
            if os.stat(self._path).st_ino == self._inode:
                os.unlink(self._path)
        self._stopper.close()

    def __enter__(self) -> ControlServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _clear(self) -> None:
        """Remove the socket of an instance that is dead."""
        try:
            info = os.lstat(self._path)
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(info.st_mode) or info.st_uid != os.geteuid():
            raise Refused(f"{self._path} is not a socket of ours", "it was left as it is", f"remove {self._path}")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(str(self._path))
            except (ConnectionRefusedError, FileNotFoundError):
                pass
            except OSError as error:
                raise Locked(f"{self._path} is in use", str(error), "stop the other tmux-sentry first") from error
            else:
                raise Locked(f"another tmux-sentry answers on {self._path}", fix="stop that one first")
        with suppress(FileNotFoundError):
            os.unlink(self._path)

    def _accept(self, listener: socket.socket, wake: socket.socket) -> None:
        with listener, wake, selectors.DefaultSelector() as ready:
            ready.register(listener, selectors.EVENT_READ)
            ready.register(wake, selectors.EVENT_READ)
            while True:
                if any(key.fileobj is wake for key, _ in ready.select()):
                    return
                try:
                    connection, _ = listener.accept()
                except OSError as error:
                    # Out of descriptors, or the client is gone already: not a reason to stop answering.
                    log.warning("control socket: %s", error)
                    time.sleep(0.05)
                    continue
                self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        if not self._slots.acquire(blocking=False):
            with connection, suppress(OSError):
                connection.setblocking(False)
                connection.send(encode_error(SentryError("too many commands at once", fix="try again in a moment")))
            return
        try:
            threading.Thread(target=self._serve, args=(connection,), name="control client", daemon=True).start()
        except RuntimeError as error:  # no more threads
            log.warning("control socket: %s", error)
            connection.close()
            self._slots.release()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                self._converse(connection)
        except (OSError, TimeoutError) as error:
            log.debug("control client: %s", error)
        finally:
            self._slots.release()

    def _converse(self, connection: socket.socket) -> None:
        connection.settimeout(self._patience)
        uid = peer_uid(connection)
        if uid not in (None, self._uid):
            log.warning("control socket: turned away uid %s", uid)
            connection.sendall(encode_error(Refused("this tmux-sentry belongs to another user")))
            return
        by = person_of(self._uid if uid is None else uid)  # nobody but its owner reaches the socket
        while True:
            try:
                line = read_line(connection, MAX_REQUEST, time.monotonic() + self._patience)
                if line is None:
                    return
                verb, args = decode_request(line)
            except Malformed as error:
                connection.settimeout(self._patience)
                connection.sendall(encode_error(error))
                return  # where the next line would begin is not known
            answer = self._answer(verb, args, by)
            connection.settimeout(self._patience)
            connection.sendall(answer)

    def _answer(self, verb: str, args: Mapping[str, Any], by: str) -> bytes:
        try:
            return encode_result(data_out(self._handler(verb, args, by), self._redact))
        except SentryError as error:
            return encode_error(error, self._redact)
        except Exception as error:
            log.exception("control command %s", clean(verb))
            why = text_out(f"{type(error).__name__}: {error}", self._redact)
            return encode_error(SentryError(f"{verb} failed", why, "the log of `run` has more"))
