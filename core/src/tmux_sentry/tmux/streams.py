"""The output stream of one session: raw bytes of its panes, half a millisecond after they were printed.

`pause-after`: a pane whose output is not read for that long is paused and its backlog dropped, instead of tmux
keeping it in memory. Always beside a command client, see there.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from tmux_sentry.errors import Unreachable
from tmux_sentry.tmux import control, quoting
from tmux_sentry.tmux.connection import Connection
from tmux_sentry.tmux.model import TmuxAddress
from tmux_sentry.transport.base import Transport

PAUSE_AFTER = 3  # seconds


class OnOutput(Protocol):
    """Called for each piece of output."""

    def __call__(self, pane_id: str, data: bytes, age: float) -> None:
        """`data` are raw terminal bytes, which may end inside a character; tmux had kept them for `age` seconds."""


class OutputStream:
    """A control client attached to one session. Its callbacks run on its own thread and must not wait for it."""

    def __init__(
        self,
        transport: Transport,
        address: TmuxAddress,
        session_id: str,
        on_output: OnOutput,
        on_gap: Callable[[str | None], None],
        on_exit: Callable[[str], None],
    ) -> None:
        """`on_gap` is told the pane whose output was lost, or None (all of them) at the attach: capture them.

        `on_exit(reason)` comes once, last, also after `close` and when tmux moved the client to another session:
        what that one prints belongs to its own stream. `session_id` is "$3".
        """
        self._transport, self._address = transport, address
        self._session_id = quoting.session(session_id)
        self._on_output, self._on_gap, self._on_exit = on_output, on_gap, on_exit
        self._connection: Connection | None = None
        self._attached = False
        self._moved = False
        self._left_out: set[str] = set()
        self._sending = threading.Lock()
        self._going_on: deque[str] = deque()  # for each command that was sent, the pane that it continues, or ""

    @property
    def session_id(self) -> str:
        """The session that it reads."""
        return self._session_id

    @property
    def pid(self) -> int | None:
        """The tmux client's process id on its host, to be remembered until it has left."""
        return self._connection.pid if self._connection else None

    def start(self, timeout: float = 10.0) -> None:
        """Attach and wait until tmux has said so. Raises Unreachable, also when the session is gone."""
        if self._connection is not None:
            raise RuntimeError("an output stream starts once")
        flags = f"ignore-size,pause-after={PAUSE_AFTER}"
        # -E: see quiet.py.
        argv = [*self._address.argv(), "-N", "-C", "attach", "-E", "-f", flags, "-t", self._session_id]
        self._connection = Connection(self._transport, argv, self._event, self._end)
        self._connection.start()
        if not self._connection.wait_pid(timeout):
            self.close()
            raise Unreachable(f"{self._transport.host}: session {self._session_id} cannot be attached")

    def close(self) -> None:
        """Leave, wait for the end, then close the channel. Idempotent."""
        if self._connection is not None:
            self._connection.leave()

    def leave_out(self, pane_id: str) -> None:
        """Bring no more output of this pane. Idempotent.

        tmux keeps what it has not sent, without end also for a pane that has moved to a session that this client does
        not see, and sends all of it when the pane comes back (measured, 3.3a).
        """
        if pane_id not in self._left_out:
            self._left_out.add(pane_id)
            self._set(pane_id, "pause")

    def take_in(self, pane_id: str) -> None:
        """Bring its output again; what it printed meanwhile is a gap. Idempotent."""
        if pane_id in self._left_out:
            self._left_out.discard(pane_id)
            self._set(pane_id, "continue")

    def _event(self, event: control.Event) -> None:
        if self._moved:
            return
        if isinstance(event, control.Output):
            self._on_output(event.pane_id, event.data, event.age / 1000)
        elif isinstance(event, control.Pause):
            if event.pane_id not in self._left_out:
                self._set(event.pane_id, "continue")
        elif isinstance(event, control.Reply) and not self._attached:
            self._attached = event.ok
            if event.ok:
                self._on_gap(None)
        elif isinstance(event, control.Reply) and event.ours and self._going_on:
            if pane_id := self._going_on.popleft():
                self._on_gap(pane_id)  # not earlier: what is printed between a capture and this would be lost
        elif isinstance(event, control.Notification) and event.name == "session-changed":
            self._check_session(event.rest.partition(" ")[0])

    def _set(self, pane_id: str, state: str) -> None:
        assert self._connection is not None
        line = f"refresh-client -A '{quoting.pane(pane_id)}:{state}'"
        with self._sending, suppress(OSError):  # the client is gone, and says so itself
            self._going_on.append(pane_id if state == "continue" else "")
            self._connection.send(line)

    def _check_session(self, session_id: str) -> None:
        if session_id != self._session_id and self._connection is not None:
            self._moved = True
            self._connection.detach()

    def _end(self, reason: str) -> None:
        self._on_exit(f"session {self._session_id} is gone" if self._moved else reason)
