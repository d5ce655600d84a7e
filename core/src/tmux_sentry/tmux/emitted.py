"""The out-of-band queue: a server option to which processes in panes append, and a wait channel that says so.

A process hands an event over with `set-option -as @sentry_q " $TMUX_PANE:SEQ:BASE64URL"`. It is a server option, for
those of a pane vanish with it; a value is printed unescaped, hence base64url. `wait-for -S CHANNEL` is a hint and never
the truth: one between two waits was missed, and a killed waiter swallowed the next (measured, tmux 3.3a). So the queue
is read after each arming, each wake-up and each inventory, and what is removed is exactly what was taken in.
"""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

from tmux_sentry.errors import Unreachable
from tmux_sentry.tmux import control, quoting
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.tmux.connection import Connection
from tmux_sentry.tmux.model import TmuxAddress
from tmux_sentry.tmux.quiet import quiet_argv
from tmux_sentry.transport.base import Transport

#: Where the queue is, and where emitters find the name of the wait channel.
QUEUE, CHANNEL = "@sentry_q", "@sentry_wait"

#: Longer ones are dropped: no event needs so much, and a queue may not grow without end.
LONGEST = 8192
_ENTRY = re.compile(r"(%[0-9]{1,10}):([0-9]{1,20}):([A-Za-z0-9_-]+)={0,2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event as it stands in the queue; `body` is hostile text."""

    text: str
    pane_id: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What the queue was at one instant: `raw` as tmux printed it, and what in it makes sense, the oldest first."""

    raw: str
    entries: tuple[Entry, ...]


def read_queue(client: CommandClient) -> Queue:
    """Raises Unreachable."""
    raw = "\n".join(client.command(f"show-options -sqv {QUEUE}").lines)
    return Queue(raw=raw, entries=tuple(entry for word in raw.split() if (entry := _entry(word)) is not None))


def remove(client: CommandClient, queue: Queue, gone: Collection[str]) -> bool:
    """Take the entries with these texts, and what makes no sense, out of the queue if it is still as it was read.

    Raises Unreachable.
    """
    rest = "".join(f" {entry.text}" for entry in queue.entries if entry.text not in gone)
    change = f"set-option -s {QUEUE} {quoting.text(rest)}" if rest else f"set-option -su {QUEUE}"
    if not quoting.is_queue(queue.raw):
        # Somebody wrote into it what may not stand in a command, so it cannot be compared.
        return client.command(change).ok
    nonce = quoting.nonce()
    same = f"#{{==:#{{{QUEUE}}},{quoting.queue(queue.raw)}}}"
    line = f"if-shell -F '{same}' '{change} ; display-message -p {nonce}' 'display-message -p no'"
    replies = client.converse(line, lambda reply: reply.lines in ((nonce,), ("no",)))
    return nonce in replies[-1].lines


def _entry(word: str) -> Entry | None:
    match = _ENTRY.fullmatch(word)
    if match is None or len(word) > LONGEST:
        return None
    with suppress(ValueError):
        body = base64.urlsafe_b64decode(match[3] + "=" * (-len(match[3]) % 4))
        return Entry(text=word, pane_id=match[1], body=body)
    return None


class Waiter:
    """A control client that sits in `wait-for`; its callbacks run on its own thread."""

    def __init__(
        self, transport: Transport, address: TmuxAddress, session_id: str, channel: str, on_wake: Callable[[], None]
    ) -> None:
        """`on_wake` is called each time that the queue should be read: armed, woken, ended."""
        self._address, self._channel, self._on_wake = address, quoting.owner(channel), on_wake
        argv = quiet_argv(address, session_id)
        self._connection = Connection(transport, argv, self._event, self._end, hold=0)
        self._attached = threading.Event()
        self._ended = False

    @property
    def pid(self) -> int | None:
        """The tmux client's process id on its host."""
        return self._connection.pid

    @property
    def alive(self) -> bool:
        """Whether it waits."""
        return not self._ended

    def start(self) -> None:
        """Attach. Raises FileNotFoundError, Unreachable."""
        self._connection.start()

    def close(self, client: CommandClient | None) -> None:
        """Let `client` detach it, for it carries out nothing itself while it waits; then close the channel."""
        try:
            if client is None or self.pid is None:
                raise Unreachable("nobody can detach it")
            if not client.command(f"detach-client -t client-{quoting.number(self.pid)}").ok:
                raise Unreachable("nobody can detach it")
        except Unreachable as error:
            self._connection.abort(str(error))
        self._connection.join()

    def _event(self, event: control.Event) -> None:
        if isinstance(event, control.Reply) and (event.ours or not self._attached.is_set()):
            self._attached.set()
            with suppress(OSError):  # gone: the end is told next
                self._connection.send(f"wait-for {self._channel}")
            self._on_wake()

    def _end(self, reason: str) -> None:
        self._ended = True
        self._on_wake()


def announce(client: CommandClient, channel: str | None) -> None:
    """Tell emitters which channel is listened to, or with None that none is. Raises Unreachable."""
    value = f"set-option -s {CHANNEL} {quoting.owner(channel)}" if channel else f"set-option -su {CHANNEL}"
    client.command(value)
