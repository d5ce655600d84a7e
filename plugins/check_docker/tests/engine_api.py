"""A Docker Engine for tests: its API on a unix socket or a port, answering as told, errors included.

Answers have the shapes of https://docs.docker.com/reference/api/engine/version/v1.44/.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

VERSION = "1.44"
ID, OTHER_ID = "a" * 64, "b" * 64
IMAGE, OTHER_IMAGE = "sha256:" + "1" * 64, "sha256:" + "2" * 64


class EngineApi:
    """Serves while it is entered. `containers`, `images` and `registry` are what it has, by name.

    `faults` says what happens to a request whose path (without the version) begins so: bytes are sent raw, "hang",
    "reset", "drip" (a byte now and then, without end), or a status with a JSON body. `emit` sends an event to those
    who listen, `cut` breaks their connections.
    """

    def __init__(self, path: Path | None = None, context: ssl.SSLContext | None = None) -> None:
        self.containers: dict[str, Any] = {}
        self.images: dict[str, Any] = {}
        self.registry: dict[str, Any] = {}
        self.logs: dict[str, bytes] = {}
        self.faults: dict[str, bytes | str | tuple[int, Any]] = {}
        self.version: str | None = VERSION
        self.keep_alive = True
        self.pong = b"OK"
        self.asked: list[str] = []  # paths with their queries, as they came
        self.changed = threading.Condition()
        self.listeners: list[socket.socket] = []
        self.closing = threading.Event()
        self._server = _UnixServer(self, path) if path is not None else _TcpServer(self, context)
        port = self._server.server_address[1] if path is None else 0
        self.address = f"unix://{path}" if path is not None else f"tcp://127.0.0.1:{port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> EngineApi:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.cut()
        self._server.shutdown()
        self._server.server_close()

    def listening(self, streams: int = 1, asked: int = 0) -> bool:
        """Wait until so many streams of events are open, and so many were ever asked for."""
        with self.changed:
            return self.changed.wait_for(
                lambda: len(self.listeners) >= streams and len(self.queries("/events")) >= asked, 10.0
            )

    def emit(self, event: Mapping[str, Any], part: slice = slice(None)) -> None:
        """Send an event, or a part of it."""
        line = json.dumps(event).encode() + b"\n"
        chunk = (b"%x\r\n" % len(line) + line + b"\r\n")[part]
        with self.changed:
            for one in self.listeners:
                with suppress(OSError):
                    one.sendall(chunk)

    def cut(self) -> None:
        """Break every stream of events, in the middle of whatever it sends."""
        with self.changed:
            listeners, self.listeners = self.listeners, []
        for one in listeners:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def queries(self, path: str) -> list[dict[str, str]]:
        """The queries with which a path was asked."""
        split = [urlsplit(one) for one in self.asked]
        return [{k: v[0] for k, v in parse_qs(one.query).items()} for one in split if one.path.endswith(path)]

    def wait_until_gone(self, connection: socket.socket) -> None:
        """Until the client has gone or the server is closed."""
        connection.settimeout(0.05)
        while not self.closing.is_set():
            with suppress(TimeoutError):
                if not connection.recv(1024):
                    return


def container(status: str = "running", **more: Any) -> dict[str, Any]:
    """What `/containers/{id}/json` says. `more` are keys of State, and Id, Tty and Created."""
    top = {"Id": more.pop("Id", ID), "Created": more.pop("Created", "2023-11-14T22:13:25.5Z"), "Name": "/web"}
    config = {"Tty": more.pop("Tty", False)}
    state = {
        "Status": status,
        "OOMKilled": False,
        "ExitCode": 0,
        "Error": "",
        "StartedAt": "2023-11-14T22:13:26.123456789Z",
        "FinishedAt": "0001-01-01T00:00:00Z",
    }
    return {**top, "State": {**state, **more}, "Config": config}


def image(id_: str = IMAGE, **more: Any) -> dict[str, Any]:
    """What `/images/{name}/json` says."""
    old = "2023-11-01T00:00:00Z"
    data = {"Id": id_, "RepoTags": ["app:latest"], "RepoDigests": [], "Created": old, "Metadata": {"LastTagTime": old}}
    return {**data, **more}


def frame(stream: int, text: bytes) -> bytes:
    """A frame of a log without a terminal."""
    return struct.pack(">BxxxI", stream, len(text)) + text


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        api: EngineApi = self.server.api
        with api.changed:
            api.asked.append(self.path)
            api.changed.notify_all()
        path = urlsplit(self.path).path
        bare = path[path.index("/", 1) :] if path.startswith("/v1.") else path
        for begin, fault in api.faults.items():
            if bare.startswith(begin):
                self._fail(fault)
                return
        parts = [unquote(part) for part in bare.strip("/").split("/")]
        if parts == ["_ping"]:
            self._say(200, api.pong, "text/plain", {} if api.version is None else {"Api-Version": api.version})
        elif parts == ["events"]:
            self._events()
        elif parts[0] == "containers" and parts[2:] == ["json"]:
            self._one(api.containers, parts[1], "No such container")
        elif parts[0] == "containers" and parts[2:] == ["logs"]:
            self._say(200, api.logs.get(parts[1], b""), "application/vnd.docker.multiplexed-stream")
        elif parts[0] == "images" and parts[-1] == "json":
            self._one(api.images, "/".join(parts[1:-1]), "No such image")
        elif parts[0] == "distribution" and parts[-1] == "json":
            self._one(api.registry, "/".join(parts[1:-1]), "manifest unknown")
        else:
            self._json(404, {"message": "page not found"})

    def _one(self, known: Mapping[str, Any], name: str, missing: str) -> None:
        if name in known:
            self._json(200, known[name])
        else:
            self._json(404, {"message": f"{missing}: {name}"})

    def _json(self, status: int, data: Any) -> None:
        self._say(status, json.dumps(data).encode(), "application/json")

    def _say(self, status: int, body: bytes, kind: str, headers: Mapping[str, str] | None = None) -> None:
        self.send_response_only(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        if not self.server.api.keep_alive:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def _events(self) -> None:
        self.send_response_only(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        api: EngineApi = self.server.api
        with api.changed:
            api.listeners.append(self.connection)
            api.changed.notify_all()
        self.close_connection = True
        with suppress(OSError):
            while self.connection.recv(1024):
                pass
        with api.changed:
            if self.connection in api.listeners:
                api.listeners.remove(self.connection)
            api.changed.notify_all()

    def _fail(self, fault: bytes | str | tuple[int, Any]) -> None:
        self.close_connection = isinstance(fault, (str, bytes))
        if isinstance(fault, tuple):
            self._json(*fault)
        elif isinstance(fault, bytes):
            self.wfile.write(fault)
        elif fault == "hang":
            self.server.api.wait_until_gone(self.connection)
        elif fault == "drip":
            with suppress(OSError):
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n")
                while not self.server.api.closing.wait(0.05):
                    self.wfile.write(b" ")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what came is kept in `asked`."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that breaks off is what some of the tests are about."""


class _UnixServer(_Server):
    address_family = socket.AF_UNIX

    def __init__(self, api: EngineApi, path: Path) -> None:
        self.api = api
        super().__init__(str(path), _Handler)  # type: ignore[arg-type]

    def server_bind(self) -> None:
        """Not the one of HTTPServer, which takes the address apart."""
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "docker", 0

    def get_request(self) -> tuple[socket.socket, Any]:
        request, _ = self.socket.accept()
        return request, ("docker", 0)


class _TcpServer(_Server):
    def __init__(self, api: EngineApi, context: ssl.SSLContext | None) -> None:
        self.api, self.context = api, context
        super().__init__(("127.0.0.1", 0), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """The handshake is done on the connection's own thread: one that fails must not stop the others."""
        with suppress(OSError):
            if self.context is None:
                super().finish_request(request, client_address)
                return
            with self.context.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)
