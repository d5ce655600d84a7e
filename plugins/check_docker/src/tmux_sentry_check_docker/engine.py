"""The Engine API over a byte stream: small, read-only, with one deadline for everything that a check asks."""

from __future__ import annotations

import http.client
import io
import re
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

from tmux_sentry import CheckResult, CheckStatus, clean
from tmux_sentry_check_docker.readers import mapping, parsed, text
from tmux_sentry_check_docker.streams import Dial, NoWay, Stream

#: Seconds for all that one check asks; the core gives it a minute.
BUDGET = 20.0
#: Bytes of an answer that are read: an inspected container with many mounts and labels has some ten thousand.
MAX_BYTES = 1024 * 1024
_VERSION = re.compile(r"\d{1,3}\.\d{1,4}", re.ASCII)


class EngineError(Exception):
    """The engine gave no answer that says anything; the message says why."""

    def result(self) -> CheckResult:
        """What it means for a check."""
        return CheckResult(status=CheckStatus.UNKNOWN, detail=str(self))


@dataclass(frozen=True, slots=True)
class Reply:
    """What the engine said: at most the bytes that were asked for."""

    status: int
    body: bytes

    @property
    def object(self) -> Mapping[str, Any]:
        """The body as a JSON object, empty when it is none."""
        return mapping(parsed(self.body))

    @property
    def message(self) -> str:
        """What an error's body says: errors are {"message": ...}."""
        return clean(text(self.object.get("message"), 1000), 300)

    def error(self) -> EngineError:
        """This answer as an error."""
        said = f": {self.message}" if self.message else ""
        return EngineError(f"Docker answers HTTP {self.status}{said}")


class Connection(http.client.HTTPConnection):
    """HTTP over a Stream. Each new connection dials again."""

    def __init__(self, dial: Dial, seconds: float) -> None:
        super().__init__("docker")
        self._dial, self._seconds = dial, seconds
        self.stream: Stream | None = None
        self.over = threading.Event()

    def connect(self) -> None:
        """Raises NoWay."""
        self._free_stream()
        self.stream = self._dial(self._seconds)
        self.sock = _Socket(self.stream)
        if self.over.is_set():  # while it was being made
            self.stream.abort()

    def exchange(self, path: str, max_bytes: int) -> tuple[Reply, str]:
        """The answer to a GET, and the API's version that it names. Raises NoWay, OSError and HTTPException."""
        self.request("GET", path, headers={"User-Agent": "tmux-sentry"})
        response = self.getresponse()
        body = response.read(max_bytes + 1)
        # Asked for a part, the library takes a connection that broke for the end of the body.
        if self.over.is_set() or (len(body) <= max_bytes and response.length):
            raise ConnectionError
        if len(body) > max_bytes:
            self.close()  # what is left of it would be taken for the next answer
        return Reply(response.status, body[:max_bytes]), response.getheader("Api-Version") or ""

    def prefix(self) -> str:
        """What paths begin with: the version that the engine says it has, since paths without one are deprecated.

        Raises as `exchange`, and EngineError.
        """
        reply, version = self.exchange("/_ping", 1000)
        if reply.status != 200:
            raise reply.error()
        return f"/v{version}" if _VERSION.fullmatch(version) else ""

    def end(self) -> None:
        """Break whatever it does, now or later; from any thread."""
        self.over.set()
        if (stream := self.stream) is not None:
            stream.abort()

    def free(self) -> None:
        """Close everything. By the one who reads."""
        self.close()
        self._free_stream()

    def _free_stream(self) -> None:
        if self.stream is not None:
            with suppress(OSError):
                self.stream.close()


class Engine:
    """A context: one connection to one engine, at most `seconds` long."""

    def __init__(self, dial: Dial, seconds: float = BUDGET) -> None:
        self._connection = Connection(dial, seconds)
        self._seconds = seconds
        self._late = self._connection.over
        self._timer = threading.Timer(seconds, self._connection.end)
        self._timer.daemon = True
        self._prefix: str | None = None

    def __enter__(self) -> Engine:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._connection.free()

    def get(self, path: str, query: Mapping[str, str] | None = None, max_bytes: int = MAX_BYTES) -> Reply:
        """GET `path` of the API, in the version that the engine says it has. Raises EngineError."""
        try:
            if self._prefix is None:
                self._prefix = self._connection.prefix()
            asked = f"{self._prefix}{path}" + (f"?{urlencode(query)}" if query else "")
            return self._connection.exchange(asked, max_bytes)[0]
        except NoWay as error:
            raise EngineError(f"no connection to Docker: {error}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise EngineError(self._explained(error)) from None

    def _explained(self, error: Exception) -> str:
        if self._late.is_set():
            return f"Docker gave no answer within {self._seconds:g} s"
        words = ""
        if (stream := self._connection.stream) is not None:
            words = stream.words()
        if isinstance(error, ssl.SSLCertVerificationError):
            words = "its certificate is not accepted: see DOCKER_CERT_PATH"
        kind = type(error).__name__
        if isinstance(error, http.client.RemoteDisconnected):
            kind = "closed without an answer"
        elif isinstance(error, http.client.HTTPException):
            kind = "what answers speaks no HTTP, or broke off"
        return f"the connection to Docker broke: {words or kind}"


class _Socket:
    """As much of a socket as http.client uses."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def sendall(self, data: bytes) -> None:
        self._stream.write(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Raw(self._stream))

    def close(self) -> None:
        """The stream's owner closes it: an answer that is being read outlives the connection."""


class _Raw(io.RawIOBase):
    def __init__(self, stream: Stream) -> None:
        self._stream, self._rest = stream, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or self._stream.read()
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)
