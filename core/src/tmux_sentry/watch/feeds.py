"""The output streams of one host: one for each session that holds wanted panes, and which pane each may speak for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tmux_sentry.clock import Clock
from tmux_sentry.errors import Unreachable
from tmux_sentry.tmux.model import TmuxAddress
from tmux_sentry.tmux.streams import OutputStream
from tmux_sentry.transport.base import Transport
from tmux_sentry.watch.backoff import Backoff
from tmux_sentry.watch.pane import WatchedPane

_log = logging.getLogger(__name__)

#: Bytes kept of a pane that the inventory has not seen yet.
HELD = 1 << 18
#: Streams that are opened or closed at the same time.
_AT_ONCE = 4
#: A stream that lived for so many seconds was no failed attempt.
_LIVED = 5.0
#: A session whose stream failed so many times in a row is not relied on.
_FAILURES = 2

T = TypeVar("T")


class _Retry:
    """When a session may be tried again."""

    def __init__(self) -> None:
        self.opened = self.at = float("-inf")
        self.failures = 0
        self._backoff = Backoff(0.1, 10.0)

    def ended(self, now: float) -> None:
        self.lived(now)
        self.failures += 1
        self.at = now + self._backoff.next()

    def lived(self, now: float) -> None:
        """It is up, or was until now."""
        if now - self.opened > _LIVED:
            self.failures = 0
            self._backoff.reset()


class Feeds:
    """Opens, follows and closes the streams. Linked windows and session groups show one pane in several sessions:
    a pane's output is taken from its owner only, the session that the inventory names for it."""

    def __init__(
        self,
        transport: Transport,
        address: TmuxAddress,
        clock: Clock,
        *,
        on_output: Callable[[WatchedPane, bytes], None],
        on_gap: Callable[[WatchedPane], None],
        on_change: Callable[[], None],
    ) -> None:
        """`on_change` is called when a stream ended or a pane prints that no inventory has shown: take one."""
        self._transport, self._address, self._clock = transport, address, clock
        self._on_output, self._on_gap, self._on_change = on_output, on_gap, on_change
        self._lock = threading.Lock()
        self._streams: dict[str, OutputStream] = {}
        self._known: dict[str, set[str]] = {}  # session -> all pane ids of an inventory after its stream's attach
        self._retry: dict[str, _Retry] = {}
        self._panes: dict[str, tuple[str, WatchedPane]] = {}  # pane id -> session of record
        self._held: dict[tuple[str, str], bytearray] = {}
        self._ended: set[int] = set()

    def take_ended(self) -> set[int]:
        """Process ids of clients that ended since the last call, as far as one can know from here."""
        with self._lock:
            ended, self._ended = self._ended, set()
            return ended

    def pids(self) -> set[int | None]:
        """Process ids of the clients that are attached now."""
        with self._lock:
            return {stream.pid for stream in self._streams.values()}

    def follow(self, panes: Collection[WatchedPane], every: Collection[str]) -> None:
        """Read exactly these panes, each from its session; `every` names all pane ids of the server.

        A pane that was not read before gets a gap, unless its stream has brought it from its first byte on.
        """
        with self._lock:
            before, self._panes = self._panes, {pane.identity.pane_id: (pane.session_id, pane) for pane in panes}
            fresh = [entry for pane_id, entry in self._panes.items() if before.get(pane_id) != entry]
            moved = [(was, pane_id) for pane_id, (was, _) in before.items() if self._owner(pane_id) not in ("", was)]
            for session, pane in fresh:
                self._adopt(session, pane, born=pane.identity.pane_id not in before)
            self._known = {session: set(every) for session in self._streams}
            self._held = {key: held for key, held in self._held.items() if key[1] not in every}
            sessions = {session for session, _ in self._panes.values()}
            alive = {session for pane_id, (session, _) in self._panes.items() if pane_id in every}
            self._retry = {session: retry for session, retry in self._retry.items() if session in sessions}
            closing = [self._streams.pop(session) for session in set(self._streams) - sessions]
            streams = dict(self._streams)
            opening = [session for session in alive if session not in streams and self._may_open(session)]
        for session, pane_id in moved:
            if session in streams:
                streams[session].leave_out(pane_id)
        for session, pane in fresh:
            if session in streams:
                streams[session].take_in(pane.identity.pane_id)
        _together(OutputStream.close, closing)
        _together(self._open, sorted(opening))

    def failing(self) -> set[str]:
        """The sessions whose stream ended or did not begin, again and again."""
        now = self._clock.monotonic()
        with self._lock:
            for session in self._streams:
                self._retry[session].lived(now)
            return {session for session, retry in self._retry.items() if retry.failures >= _FAILURES}

    def retry_in(self) -> float | None:
        """Seconds until a session should be tried again, None when none waits for that."""
        with self._lock:
            waiting = [retry.at for session, retry in self._retry.items() if session not in self._streams]
        return max(min(waiting) - self._clock.monotonic(), 0.0) if waiting else None

    def close(self) -> None:
        """Leave every session."""
        with self._lock:
            streams, self._streams = list(self._streams.values()), {}
            self._known.clear()
            self._held.clear()
            self._retry.clear()
            self._panes = {}
        _together(OutputStream.close, streams)

    def _adopt(self, session: str, pane: WatchedPane, *, born: bool) -> None:
        """A pane that is new here. Its held output is the beginning of it if the stream is older than the pane."""
        pane_id = pane.identity.pane_id
        held = self._held.pop((session, pane_id), None)
        if born and pane_id not in self._known.get(session, {pane_id}) and (held is None or len(held) < HELD):
            pane.whole()
            if held:
                self._on_output(pane, bytes(held))
        elif session in self._streams:
            self._on_gap(pane)  # a stream that is still to come begins with a gap of its own

    def _owner(self, pane_id: str) -> str:
        return self._panes.get(pane_id, ("", None))[0]

    def _may_open(self, session: str) -> bool:
        retry = self._retry.get(session)
        return retry is None or self._clock.monotonic() >= retry.at

    def _open(self, session: str) -> None:
        stream: OutputStream = OutputStream(
            self._transport,
            self._address,
            session,
            on_output=lambda pane_id, data, age: self._output(session, stream, pane_id, data),
            on_gap=lambda pane_id: self._gap(session, stream, pane_id),
            on_exit=lambda reason: self._exit(session, stream, reason),
        )
        with self._lock:
            self._streams[session] = stream
            self._retry.setdefault(session, _Retry()).opened = self._clock.monotonic()
        try:
            stream.start()
        except (Unreachable, OSError) as error:
            self._exit(session, stream, str(error))

    # ------------------------------------------------------- on the streams' own threads

    def _output(self, session: str, stream: OutputStream, pane_id: str, data: bytes) -> None:
        with self._lock:
            if self._streams.get(session) is not stream:
                return
            owner, pane = self._panes.get(pane_id, ("", None))
            unwanted = pane is None and pane_id in self._known.get(session, ())
            if pane is None and not unwanted:
                held = self._held.setdefault((session, pane_id), bytearray())
                held += data[: HELD - len(held)]
        if unwanted:
            stream.leave_out(pane_id)
        elif pane is None:
            self._on_change()
        elif owner == session:
            self._on_output(pane, data)

    def _gap(self, session: str, stream: OutputStream, pane_id: str | None) -> None:
        with self._lock:
            if self._streams.get(session) is not stream:
                return
            panes = [pane for owner, pane in self._panes.values() if owner == session]
        for pane in panes:
            if pane_id in (None, pane.identity.pane_id):
                self._on_gap(pane)

    def _exit(self, session: str, stream: OutputStream, reason: str) -> None:
        with self._lock:
            if stream.pid is not None:
                self._ended.add(stream.pid)
            if self._streams.get(session) is not stream:
                return
            del self._streams[session]
            self._known.pop(session, None)
            self._held = {key: held for key, held in self._held.items() if key[0] != session}
            self._retry[session].ended(self._clock.monotonic())
        _log.debug("the stream of %s ended: %s", session, reason)
        self._on_change()


def _together(work: Callable[[T], None], items: Sequence[T]) -> None:
    """A few at a time: over SSH each start waits 0.2 s for the host's login shell (measured)."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(work, items):
            pass
