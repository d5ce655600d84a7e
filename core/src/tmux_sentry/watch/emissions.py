"""What processes in the panes of one host hand over out of band, delivered once and kept until it is taken in."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress

from tmux_sentry.clock import Clock
from tmux_sentry.contracts import Emitted
from tmux_sentry.errors import Unreachable
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.tmux.emitted import Entry, Waiter, announce, read_queue, remove
from tmux_sentry.tmux.model import TmuxAddress
from tmux_sentry.tmux.version import Ability
from tmux_sentry.transport.base import Transport
from tmux_sentry.watch.backoff import Backoff
from tmux_sentry.watch.registry import Panes

_log = logging.getLogger(__name__)

#: Seconds in which a new pane is listed for certain.
_STRANGE = 5.0


class Emissions:
    """Reads the queue, delivers what is new, removes what was acknowledged.

    What was delivered and not acknowledged stays in the queue, so that it comes again after a crash; whoever takes it
    in knows an event again by its id or its content. Thread-safe.
    """

    def __init__(
        self, transport: Transport, address: TmuxAddress, panes: Panes, clock: Clock, channel: str | None
    ) -> None:
        """`channel` is the wait channel; None: nothing of ours is set in tmux, and the queue is read now and then."""
        self._transport, self._address, self._panes, self._clock = transport, address, panes, clock
        self._channel = channel
        self._client: CommandClient | None = None
        self._waiter: Waiter | None = None
        self._retry_at, self._backoff = float("-inf"), Backoff(1.0, 30.0)
        self._lock = threading.Lock()
        self._delivered: set[str] = set()
        self._done: set[str] = set()  # acknowledged, or of no pane
        self._strange: dict[str, float] = {}  # of a pane that is not listed: since when (monotonic)

    def begin(self, client: CommandClient) -> None:
        """A command client is attached. Raises Unreachable."""
        self._client = client
        if self._channel is not None:
            announce(client, self._channel)

    def follow(self) -> None:
        """Have a waiter where one can be; a host that has no channel for it is read at each inventory."""
        client = self._client
        if client is None or self._channel is None or client.ability < Ability.STREAM:
            return
        if (self._waiter is not None and self._waiter.alive) or self._clock.monotonic() < self._retry_at:
            return
        self._retry_at = self._clock.monotonic() + self._backoff.next()
        try:
            session = client.command("display-message -p '#{session_id}'").lines[0]
            waiter = Waiter(self._transport, self._address, session, self._channel, self._woken)
            waiter.start()
        except (Unreachable, OSError, LookupError, ValueError) as error:
            _log.debug("no waiter for emitted events: %s", error)
            return
        self._waiter = waiter

    def read(self) -> None:
        """Deliver what is new. Raises Unreachable."""
        if self._client is None:
            return
        with self._lock:
            queue = read_queue(self._client)
            present = {entry.text for entry in queue.entries}
            self._delivered &= present
            self._done &= present
            for entry in queue.entries:
                if entry.text not in self._delivered | self._done:
                    self._deliver(entry)
            self._strange = {text: since for text, since in self._strange.items() if text in present}
            if self._channel is not None and (self._done or (queue.raw and not queue.entries)):
                remove(self._client, queue, self._done)

    def acknowledge(self, emitted: Emitted) -> None:
        """It was taken in and need not come again."""
        with self._lock:
            self._delivered.discard(emitted.entry)
            self._done.add(emitted.entry)

    def pids(self) -> set[int | None]:
        """The process id of the waiter's client."""
        return {self._waiter.pid} if self._waiter is not None and self._waiter.alive else set()

    def close(self) -> None:
        """Leave, and take the channel's name out of tmux if it can still be reached."""
        waiter, self._waiter = self._waiter, None
        client, self._client = self._client, None
        if client is not None and not client.alive:
            client = None
        if waiter is not None:
            waiter.close(client)
        if client is not None and self._channel is not None:
            try:
                announce(client, None)
            except Unreachable:
                _log.debug("the name of the wait channel stays in tmux")

    def _woken(self) -> None:
        with suppress(Unreachable):  # the control loop finds out, too
            self.read()

    def _deliver(self, entry: Entry) -> None:
        pane = self._panes.by_id(entry.pane_id)
        text = entry.body.decode("utf-8", "replace")
        if pane is not None and pane.emitted(entry.text, text):
            self._delivered.add(entry.text)
            return
        # A pane so new that no inventory has shown it yet; or one that is gone.
        now = self._clock.monotonic()
        if now - self._strange.setdefault(entry.text, now) > _STRANGE:
            _log.info("%s: an event of pane %s, which is not there, is dropped", self._transport.host, entry.pane_id)
            self._done.add(entry.text)
