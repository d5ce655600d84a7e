"""The command client: one persistent `tmux -C attach -f no-output,ignore-size` for commands and their replies.

It is also what keeps an agent from blocking: when every attached client is a control client that does not read,
tmux stops reading the pane; a client with `no-output` keeps it flowing (measured, tmux 3.3a).
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from tmux_sentry.errors import Unreachable
from tmux_sentry.failpoints import reach
from tmux_sentry.security.sanitize import clean
from tmux_sentry.tmux import control, quoting
from tmux_sentry.tmux.client import Reply
from tmux_sentry.tmux.connection import Connection
from tmux_sentry.tmux.model import TmuxAddress
from tmux_sentry.tmux.quiet import lived_in, quiet_argv
from tmux_sentry.tmux.version import Ability
from tmux_sentry.transport.base import Transport


class ControlClient:
    """Sends commands to one tmux server, one at a time, from any thread.

    It attaches to the session that people use, and ends with it or at the first lost reply; its owner then makes a
    new one.
    """

    def __init__(
        self,
        transport: Transport,
        address: TmuxAddress,
        *,
        on_notification: Callable[[str, str], None] | None = None,
        on_exit: Callable[[str], None] | None = None,
    ) -> None:
        """`on_notification(name, rest)` is called for each `%name rest`, `on_exit(reason)` once at the end.

        Both are called on the reader's thread and must not send commands.
        """
        self._transport, self._address = transport, address
        self._on_notification, self._on_exit = on_notification, on_exit
        self._connection: Connection | None = None
        self._lock = threading.Lock()
        # What the reader hands to whoever waits; None is the end.
        self._replies: queue.SimpleQueue[control.Reply | None] = queue.SimpleQueue()
        self._waiting = False
        self._attached = False
        self._gone = ""

    def start(self, timeout: float = 10.0) -> None:
        """Attach and wait for the attach's own block. Raises NoServer, Unreachable."""
        if self._connection is not None:
            raise RuntimeError("a command client starts once")
        argv = quiet_argv(self._address, lived_in(self._transport, self._address, timeout))
        self._connection = Connection(self._transport, argv, self._event, self._end)
        self._connection.start()
        try:
            first = self._replies.get(timeout=timeout)
        except queue.Empty:
            self._die("tmux did not answer the attach")
            raise self._unreachable() from None
        if first is None or not first.ok or not self._attached or not self._connection.wait_pid(timeout):
            self.close()
            raise Unreachable(f"{self.host}: attaching to tmux failed", clean(self._gone))

    @property
    def host(self) -> str:
        """The host's name in hosts.yaml."""
        return self._transport.host

    @property
    def ability(self) -> Ability:
        """It has what it needs to stay attached, so it has everything."""
        return Ability.STREAM

    @property
    def pid(self) -> int | None:
        """The tmux client's process id on its host, to be remembered until it has left."""
        return self._connection.pid if self._connection else None

    @property
    def alive(self) -> bool:
        """Whether the client is attached."""
        return self._attached and not self._gone

    def command(self, line: str, timeout: float = 5.0) -> Reply:
        """Send one line with one command and return its block. Raises Unreachable when the client is gone or silent."""
        return self.converse(line, lambda reply: True, timeout)[-1]

    def converse(self, line: str, until: Callable[[Reply], bool], timeout: float = 5.0) -> list[Reply]:
        """Send one line and collect reply blocks until `until` is true of one, or one is an error.

        Each command has a block of its own, also one that `if-shell` inserts, so blocks cannot be counted; an
        error drops the rest of its line, so it is the last. Raises Unreachable when the client is gone or silent;
        a client that missed a reply is never used again, so that a late one cannot answer the next command.
        """
        if self._connection is None:
            raise RuntimeError("the command client was not started")
        if self._connection.on_reader_thread:
            raise RuntimeError("a command from the reader's own thread could never be answered")
        quoting.line(line)
        with self._lock:
            if not self.alive:
                raise self._unreachable()
            self._waiting = True
            try:
                self._connection.send(line)
                reach("command.written")
                replies = self._collect(lambda reply: not reply.ok or until(reply), timeout)
                if not replies[-1].ok:
                    self._confirm(timeout)
                return replies
            except OSError as error:
                self._die(str(error))
                raise self._unreachable() from error
            finally:
                self._waiting = False

    def _collect(self, until: Callable[[Reply], bool], timeout: float) -> list[Reply]:
        deadline = time.monotonic() + timeout
        replies: list[Reply] = []
        while True:
            try:
                raw = self._replies.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                self._die(f"no reply within {timeout:g} s")
                raise self._unreachable() from None
            if raw is None:
                raise self._unreachable()
            replies.append(Reply(ok=raw.ok, lines=tuple(part.decode("utf-8", "replace") for part in raw.lines)))
            if until(replies[-1]):
                return replies

    def _confirm(self, timeout: float) -> None:
        """See that an error was one. Text in a capture that guesses the numbers of its own block can end it with one.

        An answer is known by the word in it, an error has none. Of a forged one the true end is still to come, in front
        of what is asked here, and that is the end of this client.
        """
        assert self._connection is not None
        word = quoting.nonce()
        self._connection.send(f"display-message -p {word}")
        self._collect(lambda reply: reply.lines == (word,), timeout)

    def close(self) -> None:
        """Detach, wait for %exit, then close the channel. Idempotent."""
        self._gone = self._gone or "closed"
        if self._connection is not None:
            self._connection.leave()

    def _event(self, event: control.Event) -> None:
        if isinstance(event, control.Reply):
            if self._gone:
                return  # too late: whoever waited has been told that it was lost
            if not self._attached:
                self._attached = event.ok
                self._replies.put(event)
            elif event.ours and self._waiting:
                self._replies.put(event)
            elif event.ours:
                self._die("tmux answered a command that nobody sent")
        elif isinstance(event, control.Exit):
            self._gone = self._gone or event.reason or "detached"
        elif isinstance(event, control.Notification) and self._on_notification is not None:
            self._on_notification(event.name, event.rest)

    def _end(self, reason: str) -> None:
        self._gone = self._gone or reason
        self._replies.put(None)
        if self._on_exit is not None:
            self._on_exit(self._gone)

    def _die(self, reason: str) -> None:
        self._gone = self._gone or reason
        if self._connection is not None:
            self._connection.abort(reason)

    def _unreachable(self) -> Unreachable:
        return Unreachable(f"{self.host}: the tmux client is gone", clean(self._gone))
