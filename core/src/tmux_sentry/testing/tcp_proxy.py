"""A TCP proxy on loopback that loses, delays and resets, for tests of what a bad network does."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

_CHUNK = 1 << 16
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close() sends RST


class TcpProxy:
    """Passes everything on between `port` and the target, until told otherwise. One thread serves all connections."""

    host = "127.0.0.1"

    def __init__(self, target_port: int, target_host: str = "127.0.0.1") -> None:
        self._target = (target_host, target_port)
        self._listener = socket.create_server((self.host, 0))
        self.port: int = self._listener.getsockname()[1]
        self._peers: dict[socket.socket, socket.socket] = {}
        self._late: deque[tuple[float, socket.socket, bytes]] = deque()
        self._delay = 0.0
        self._passing = True
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self.accepted = 0
        self._thread = threading.Thread(target=self._serve, name="tcp-proxy", daemon=True)
        self._thread.start()

    def drop(self) -> None:
        """From now on nothing arrives, in either direction; connections stay open, new ones are accepted."""
        self._passing = False

    def passing(self) -> None:
        """Pass on again, what is sent from now on and what the kernel still holds."""
        self._passing = True

    def delay(self, seconds: float) -> None:
        """Pass everything on so many seconds later, for each direction."""
        self._delay = seconds

    def reset(self) -> int:
        """Reset every connection (RST to both ends); returns how many there were."""
        with self._lock:
            count = len(self._peers) // 2
            while self._peers:
                self._end(next(iter(self._peers)), reset=True)
        return count

    def close(self) -> None:
        """End everything."""
        self._closed.set()
        self._thread.join(5.0)
        with self._lock:
            while self._peers:
                self._end(next(iter(self._peers)))
        self._listener.close()
        self._selector.close()

    def _serve(self) -> None:
        while not self._closed.is_set():
            ready = self._selector.select(0.01)
            if not self._passing:
                self._closed.wait(0.01)
            with self._lock:
                for key, _ in ready:
                    if key.fileobj is self._listener:
                        self._accept()
                    elif self._passing and key.fileobj in self._peers:
                        self._receive(key.fileobj)
                if self._passing:
                    self._send_due()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        self.accepted += 1
        try:
            server = socket.create_connection(self._target)
        except OSError:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            client.close()
            return
        for end, peer in ((client, server), (server, client)):
            self._peers[end] = peer
            self._selector.register(end, selectors.EVENT_READ)

    def _receive(self, end: socket.socket) -> None:
        try:
            data = end.recv(_CHUNK)
        except OSError:
            data = b""
        if data:
            self._late.append((time.monotonic() + self._delay, self._peers[end], data))
        else:
            self._end(end)

    def _send_due(self) -> None:
        while self._late and self._late[0][0] <= time.monotonic():
            _, end, data = self._late.popleft()
            if end in self._peers:
                try:
                    end.sendall(data)
                except OSError:
                    self._end(end)

    def _end(self, end: socket.socket, *, reset: bool = False) -> None:
        pair = [one for one in (end, self._peers.pop(end, None)) if one is not None]
        for one in pair:
            self._peers.pop(one, None)
            self._selector.unregister(one)
            if reset:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            one.close()


@contextmanager
def running_proxy(target_port: int) -> Iterator[TcpProxy]:
    """A TcpProxy to a loopback port, ended with the block."""
    proxy = TcpProxy(target_port)
    try:
        yield proxy
    finally:
        proxy.close()
