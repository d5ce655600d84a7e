"""Waits for the engine's events, and has the checks asked when something has happened.

An event is a hint, never an answer. The engine keeps the last 256 in memory, forgets them when it restarts, and drops
some for a slow reader; a stream that breaks looks like one that ends. So each new stream begins with a question about
how things are, and its end is never taken for the end of anything.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from urllib.parse import urlencode

from tmux_sentry_check_docker.engine import Connection, EngineError
from tmux_sentry_check_docker.places import Place
from tmux_sentry_check_docker.readers import mapping, parsed, whole
from tmux_sentry_check_docker.streams import NoWay

#: Seconds without a question after which nobody waits any more: a check is asked at least every two and a half minutes.
IDLE = 300.0
#: Seconds between two wakes: a busy engine has many events a second.
PAUSE = 1.0
#: Seconds before a broken stream is made again, at first and at most.
AGAIN, LONGEST = 1.0, 60.0
#: Engines that are followed at once.
MOST = 8
_CONNECT = 10.0
_LINE = 256 * 1024
# Not the `exec_...` of each health check, which come every few seconds.
_WORTH = {
    "container": ("create", "start", "restart", "die", "oom", "pause", "unpause", "rename", "destroy", "health_status"),
    "image": ("tag", "untag", "pull", "load", "import", "delete"),
}


class News:
    """Hears of the engines that a Checker asks. `kind` is what its events are about."""

    def __init__(self, kind: str, again: float = AGAIN, pause: float = PAUSE, idle: float = IDLE) -> None:
        self._kind, self._again, self._pause, self._idle = kind, again, pause, idle
        self._wake: Callable[[], None] | None = None
        self._happened, self._closed = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._streams: dict[str, _Stream] = {}

    def open(self, wake: Callable[[], None]) -> None:
        """From now on `wake` is called when something has happened."""
        self._wake = wake
        threading.Thread(target=self._tell, name=f"docker {self._kind} news", daemon=True).start()

    def close(self) -> None:
        """Stop everything."""
        self._closed.set()
        self._happened.set()
        with self._lock:
            streams, self._streams = list(self._streams.values()), {}
        for stream in streams:
            stream.stop()

    def follow(self, where: Place) -> None:
        """A check of this engine waits: hear of its news until nobody has asked for a while."""
        if self._wake is None or self._closed.is_set():
            return
        with self._lock:
            stream = self._streams.get(where.name)
            if stream is None or stream.ended:
                if len(self._streams) >= MOST and where.name not in self._streams:
                    return
                stream = self._streams[where.name] = _Stream(where, self._kind, self._again, self._happened)
                threading.Thread(target=stream.run, name=f"docker {self._kind} events", daemon=True).start()
            stream.asked = time.monotonic()

    def _tell(self) -> None:
        while not self._closed.is_set():
            if self._happened.wait(self._idle / 10):
                self._happened.clear()
                if self._wake is not None and not self._closed.is_set():
                    self._wake()
                self._closed.wait(self._pause)
            self._forget()

    def _forget(self) -> None:
        """End the streams that nobody has asked for."""
        with self._lock:
            idle = [name for name, one in self._streams.items() if time.monotonic() - one.asked > self._idle]
            streams = [self._streams.pop(name) for name in idle]
        for stream in streams:
            stream.stop()


class _Stream:
    """The events of one engine."""

    def __init__(self, where: Place, kind: str, again: float, happened: threading.Event) -> None:
        self._where, self._kind, self._again, self._happened = where, kind, again, happened
        self._stopped = threading.Event()
        self._connection: Connection | None = None
        self._since = ""  # the engine's time of the last event that was seen
        self.asked = time.monotonic()
        self.ended = False

    def stop(self) -> None:
        """End it. From any thread."""
        self._stopped.set()
        if (connection := self._connection) is not None:
            connection.end()

    def run(self) -> None:
        """Follow until stopped; a stream that ends, for whatever reason, is made anew."""
        wait = self._again
        try:
            while not self._stopped.is_set():
                began = time.monotonic()
                self._once()
                # One that ends at once, time after time, is a sick engine; asking it every second would not help.
                wait = self._again if time.monotonic() - began > LONGEST else min(wait * 2, LONGEST)
                self._stopped.wait(wait)
        finally:
            self.ended = True

    def _once(self) -> None:
        """One stream to its end."""
        connection = self._connection = Connection(self._where.dial, _CONNECT)
        if self._stopped.is_set():
            return
        filters = json.dumps({"type": [self._kind], "event": list(_WORTH[self._kind])})
        query = {"filters": filters, **({"since": self._since} if self._since else {})}
        try:
            path = f"{connection.prefix()}/events?{urlencode(query)}"
            connection.request("GET", path, headers={"User-Agent": "tmux-sentry"})
            response = connection.getresponse()
            if response.status != 200:
                return
            self._happened.set()  # whatever happened while nobody listened
            while line := response.readline(_LINE):
                self._happened.set()
                if (at := whole(mapping(parsed(line)).get("time"))) is not None and at > 0:
                    self._since = str(at)
        except (NoWay, EngineError, OSError, http.client.HTTPException, ValueError):
            pass  # the checks ask at their own pace, and say what is wrong
        finally:
            connection.free()
