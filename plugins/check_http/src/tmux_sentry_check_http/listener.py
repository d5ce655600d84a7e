"""The listener: one thread, a bounded number of connections, and for each of them a bounded time."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import threading
from contextlib import suppress

from tmux_sentry_check_http.intake import Intake
from tmux_sentry_check_http.wire import MOST_BODY, MOST_HEAD, Refused, answer, read_head

log = logging.getLogger(__name__)

#: Connections at a time: each may hold a body in memory.
MOST = 64
#: Seconds for a whole exchange: GitHub gives up after 10.
DEADLINE = 10.0
#: Seconds that a connection has for itself, however many wait: then the oldest makes room.
LEAST = 2.0
#: Seconds, and bytes, in which a refused sender may finish: closed at once, it might not see the answer.
LINGER, LINGER_BYTES = 1.0, 2 * MOST_BODY


class ListenError(Exception):
    """There is no listener; the message says why and what to do."""


class Listener:
    """Listens from construction until `close`. Raises ListenError."""

    def __init__(self, host: str, port: int, intake: Intake, deadline: float = DEADLINE) -> None:
        self._intake, self._deadline = intake, deadline
        self._open: dict[asyncio.Task[None], float] = {}
        self._socket = _bound(host, port)
        name, self.port = self._socket.getsockname()[:2]
        self.address = f"[{name}]:{self.port}" if ":" in name else f"{name}:{self.port}"
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="webhook listener", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it still listens."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop listening, and break what is open. Idempotent."""
        with suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(5.0)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._socket.close()
            self._loop.close()

    async def _serve(self) -> None:
        accepting = self._loop.create_task(self._accept())
        over = self._loop.create_task(self._over.wait())
        await asyncio.wait([accepting, over], return_when=asyncio.FIRST_COMPLETED)
        if accepting.done() and not accepting.cancelled():
            log.error("webhook: the listener has ended: %r", accepting.exception())
        ending = [accepting, over, *self._open]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await asyncio.sleep(0)  # the sockets of aborted connections are closed in the next round

    async def _accept(self) -> None:
        while True:
            await self._room()
            try:
                connection, _ = await self._loop.sock_accept(self._socket)
            except OSError as error:  # no descriptors left, or a client that has gone already
                log.warning("webhook: a connection was not accepted: %s", error.strerror)
                await asyncio.sleep(0.1)
                continue
            task = self._loop.create_task(self._connection(connection))
            self._open[task] = self._loop.time()
            task.add_done_callback(lambda task: self._open.pop(task, None))

    async def _room(self) -> None:
        """Until one more connection may be there. Who dawdles must not keep out who does not."""
        while len(self._open) >= MOST:
            oldest, since = next(iter(self._open.items()))
            spare = since + LEAST - self._loop.time()
            if spare <= 0:
                oldest.cancel()
            await asyncio.wait(list(self._open), timeout=max(spare, 0.01), return_when=asyncio.FIRST_COMPLETED)

    async def _connection(self, connection: socket.socket) -> None:
        reader = asyncio.StreamReader(limit=MOST_HEAD, loop=self._loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=self._loop)
        try:
            transport, _ = await self._loop.connect_accepted_socket(lambda: protocol, connection)
        except OSError:  # gone already
            connection.close()
            return
        except BaseException:
            connection.close()
            raise
        writer = asyncio.StreamWriter(transport, protocol, reader, self._loop)
        try:
            await asyncio.wait_for(self._exchange(reader, writer), self._deadline)
            transport.close()
        except (OSError, EOFError, asyncio.TimeoutError):  # the other end is gone, or too slow
            transport.abort()
        except asyncio.CancelledError:
            transport.abort()
            raise
        except Exception:
            log.exception("webhook: a request was not answered")
            transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await read_head(reader)
            length = self._intake.expect(head)
            if head.headers.get("expect", "").lower() == "100-continue":
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            said = answer(200, self._intake.take(head, await reader.readexactly(length)))
        except Refused as refused:
            writer.write(answer(refused.status, refused.why, refused.headers))
            await writer.drain()
            await self._linger(reader, writer)
            return
        writer.write(said)
        await writer.drain()

    async def _linger(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def discard() -> None:
            left = LINGER_BYTES
            while left > 0 and (chunk := await reader.read(64 * 1024)):
                left -= len(chunk)

        writer.write_eof()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(discard(), LINGER)


def _bound(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port of a minute ago is free
        made.bind((host, port))
        made.listen(128)
        made.setblocking(False)
        return made
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise ListenError(
                f"port {port} is taken: is another run there? Else set WEBHOOK_LISTEN to another port"
            ) from None
        raise ListenError(f"cannot listen on {host} port {port} ({error.strerror}): see WEBHOOK_LISTEN") from None
