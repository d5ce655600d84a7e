"""uvicorn on a thread of its own, on a socket that was bound before, with bounds on time and connections."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import stat
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tmux_sentry import clean
from tmux_sentry_approval_web.settings import Settings

log = logging.getLogger("tmux_sentry.approval_web")

#: Connections at once; more are told 503.
CONNECTIONS = 200
#: Seconds until a request's headers are there, and for the connection as a whole (the core may take 30 for an answer).
HEADERS, WHOLE = 10.0, 60.0
_HEAD = 16 * 1024


def bind(settings: Settings) -> socket.socket:
    """A listening socket. Raises OSError that says what to do."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        where = f"{settings.host} port {settings.port}"
        raise OSError(f"cannot listen on {where}: {error.strerror}; set APPROVAL_LISTEN to another one") from None


def certificate(settings: Settings) -> ssl.SSLContext | None:
    """What the files of the settings hold; None without them. Raises OSError or ValueError that says what to do."""
    if not settings.cert:
        return None
    for name, path in (("APPROVAL_TLS_CERT", settings.cert), ("APPROVAL_TLS_KEY", settings.key)):
        try:
            with open(path, "rb") as file:
                mode = os.fstat(file.fileno()).st_mode
        except OSError as error:
            raise OSError(f"{name}: {clean(path, 200)} cannot be read: {error.strerror}") from None
        if name == "APPROVAL_TLS_KEY" and stat.S_IMODE(mode) & 0o077:
            raise ValueError(f"{name}: others can read {clean(path, 200)}; chmod 600 it")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # An empty password, because OpenSSL would ask for one on the terminal and wait.
        context.load_cert_chain(settings.cert, settings.key, password=lambda: b"")
    except (ssl.SSLError, ValueError):
        what = "the two files are no certificate and its key in PEM, or the key has a password"
        raise ValueError(f"APPROVAL_TLS_CERT, APPROVAL_TLS_KEY: {what}") from None
    return context


class _Bounded(H11Protocol):
    """A connection that cannot be held open by sending or reading slowly."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._ends = [self.loop.call_later(HEADERS, self._late), self.loop.call_later(WHOLE, transport.abort)]

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for end in self._ends:
            end.cancel()

    def send_400_response(self, msg: str) -> None:
        """For what is no HTTP; uvicorn's own has none of our headers."""
        headers = [*self.server_state.default_headers, (b"content-type", b"text/plain; charset=utf-8")]
        with suppress(h11.LocalProtocolError):  # an answer has begun already
            for event in (
                h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                h11.Data(data=b"This is no HTTP request.\n"),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _late(self) -> None:
        if self.cycle is None:
            self.transport.abort()


class Serving:
    """Serves from the moment that it is made. `sock` becomes its own."""

    def __init__(
        self, app: Any, headers: Sequence[tuple[str, str]], sock: socket.socket, context: ssl.SSLContext | None
    ) -> None:
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http=_Bounded,
            ws="none",
            lifespan="off",
            interface="asgi3",
            # Addresses are secrets: neither uvicorn's access log nor its tracebacks are written. log_config=None, as
            # this process has a logging of its own.
            access_log=False,
            log_config=None,
            log_level="critical",
            proxy_headers=False,  # peers.py reads them
            server_header=False,
            date_header=False,
            headers=list(headers),
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=_HEAD,
        )
        config.load()
        config.ssl = context
        self._server = uvicorn.Server(config)
        self._server.server_state.default_headers = config.encoded_headers  # uvicorn sets them after its first tick
        self._sock = sock
        self._loop: asyncio.AbstractEventLoop | None = None
        self.failed = ""
        self._thread = threading.Thread(target=self._work, name="approval pages", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End within about a second: answers in hand get half of one."""
        self._server.should_exit = True
        self._thread.join(0.5)
        if self._thread.is_alive() and (loop := self._loop) is not None:
            self._server.force_exit = True
            with suppress(RuntimeError):  # it has just ended
                loop.call_soon_threadsafe(self._abort)
            self._thread.join(0.5)

    @property
    def alive(self) -> bool:
        """Whether it still serves. While it ends, its port is free for others already."""
        return self._thread.is_alive() and not self._server.should_exit

    def _work(self) -> None:
        try:
            # Signals stay with the main thread: uvicorn takes them only when it runs there.
            asyncio.run(self._serve())
        except BaseException as error:  # uvicorn's SystemExit too
            self.failed = type(error).__name__
        finally:
            self._sock.close()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        # asyncio's own handler logs what a peer did in a TLS handshake, with a traceback.
        self._loop.set_exception_handler(lambda loop, context: log.debug("approval pages: %s", _what(context)))
        await self._server.serve(sockets=[self._sock])

    def _abort(self) -> None:
        for connection in list(self._server.server_state.connections):
            if isinstance(connection, _Bounded):
                connection.transport.abort()


def _what(context: dict[str, Any]) -> str:
    return type(context.get("exception")).__name__
