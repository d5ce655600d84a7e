"""One `tmux -C` client: a channel, a reader thread, and a clean way to leave."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from tmux_sentry.errors import Unreachable
from tmux_sentry.tmux import quoting
from tmux_sentry.tmux.control import Broken, ControlParser, Event, Exit, Reply
from tmux_sentry.transport.base import Channel, Transport

_log = logging.getLogger(__name__)

# Whoever is killed, and a link that is cut, closes both pipes of a client at once; then it may stay attached for ever,
# and in the middle of output it ends the user's tmux server ("not enough data", a failed write; measured, tmux 3.3a: 10
# of 82 kills in three floods). So the client hears of its end as a command, its stdin stays open for $0 seconds
# meanwhile, and its output is read to its end whoever has gone. Nobody waits for the first part: it would hide from us
# that the client has ended. The pause is for another client of ours that is just attaching: one that leaves meanwhile
# ends the server, which then writes to a client without a state (measured, tmux 3.3a: 22 of 1026 kills, with the pause
# none of 419).
_TILL_THE_END = (
    '{ { cat <&3; sleep 0.1; echo detach-client; sleep "$0"; } & } 3<&0 | "$@" 3<&- | { cat; exec cat >/dev/null; }'
)

# The process is signalled only while it still is a tmux client. Not every host has ps. In one line, for csh's sake.
# After a TERM it says goodbye, and hangs when its output is a full pipe that nobody reads (measured, tmux 3.3a).
_END = (
    'name() { ps -o comm= -p "$1" 2>/dev/null || cat "/proc/$1/comm" 2>/dev/null; }; '
    'tmux() { case $(name "$1") in *tmux*) ;; *) false;; esac; }; '
    'tmux "$1" && kill -TERM "$1" || exit 0; '
    'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.05; tmux "$1" || exit 0; done; kill -KILL "$1"'
)


class Connection:
    """A control client's byte channel; events arrive on its own thread."""

    def __init__(
        self,
        transport: Transport,
        argv: Sequence[str],
        on_event: Callable[[Event], None],
        on_end: Callable[[str], None],
        *,
        hold: float = 2.0,
    ) -> None:
        """`on_end(reason)` is the last call, exactly once. `hold`: seconds in which a client that we left behind may
        carry out its last command; for one that takes no commands, 0."""
        self._transport, self._argv, self._hold = transport, argv, hold
        self._on_event, self._on_end = on_event, on_end
        self._reason = ""
        self._answered = self._leaving = False
        self._pid: int | None = None
        self._pid_known = threading.Event()  # or it never will be
        self._ended = threading.Event()
        self._channel: Channel | None = None
        self._thread = threading.Thread(target=self._read, name=f"tmux@{transport.host}", daemon=True)

    def start(self) -> None:
        """Start the client and the reader. Raises FileNotFoundError, Unreachable."""
        self._channel = self._transport.open(["sh", "-c", _TILL_THE_END, f"{self._hold:g}", *self._argv])
        self._thread.start()

    def wait_pid(self, timeout: float) -> bool:
        """Wait until the client is attached and `pid` is known; False when that does not come."""
        return self._pid_known.wait(timeout) and self._pid is not None

    @property
    def pid(self) -> int | None:
        """The client's process id on its host, once it has said so."""
        return self._pid

    @property
    def on_reader_thread(self) -> bool:
        """Whether the caller runs on the thread that brings the events, and so must not wait for one."""
        return threading.current_thread() is self._thread

    def send(self, line: str) -> None:
        """Send one command line. Raises OSError when the client is gone, ValueError when it is not one line."""
        self._write(quoting.line(line).encode("utf-8") + b"\n")

    def detach(self) -> None:
        """Ask tmux to let the client go; the end comes as an event.

        An empty line would do as well, says tmux(1), but it takes effect in the middle of tmux's event loop: with
        output under way the server may then end itself ("not enough data"; measured, tmux 3.3a, while `yes` runs: in 10
        of 215 leaves, with the command in none of 1080). Until the attach is answered a command has to wait.
        """
        self._leaving = True
        with suppress(OSError):  # gone already
            self._write(b"detach-client\n" if self._answered else b"\n")

    def _write(self, data: bytes) -> None:
        if self._channel is None:
            raise BrokenPipeError("the client was never started")
        self._channel.write(data)

    def abort(self, reason: str) -> None:
        """Close the channel without ceremony, because the client can not be trusted any more, or its link hangs.

        On another machine the client may stay behind: its `pid` is for whoever connects next (`end_client`).
        """
        self._reason = self._reason or reason
        if self._channel is not None:
            self._channel.close()

    def leave(self, timeout: float = 2.0) -> None:
        """Detach and wait for the end.

        A client whose channel is closed while output is under way may stay on the host for ever and keep
        `kill-server` from finishing (measured, tmux 3.3a).
        """
        self.detach()
        self.join(timeout)

    def join(self, timeout: float = 2.0) -> None:
        """Wait for the end of a client that was asked to leave; not on its own thread."""
        if self._channel is None or self.on_reader_thread:
            return
        if not self._ended.wait(timeout):
            self.abort("it did not leave in time")
        self._thread.join(timeout)

    def _read(self) -> None:
        try:
            self._pump()
        except Exception as error:
            _log.exception("a control client ends because an event could not be handled")
            self.abort(f"internal error: {error}")
        self._ended.set()
        self._pid_known.set()
        if self._channel is not None:
            self._channel.close()
        self._on_end(self._reason or "the connection to tmux was lost")

    def _pump(self) -> None:
        parser = ControlParser()
        while self._channel is not None and (data := self._channel.read()):
            events = parser.feed(data)
            if events and isinstance(events[-1], Broken):
                # Not even what came just before it can be trusted: it may be a forged reply.
                self.abort(f"tmux's answer made no sense: {events[-1].reason}")
                return
            for event in events:
                if isinstance(event, Exit):
                    self._reason = event.reason if event.reason and not self._leaving else "detached"
                if isinstance(event, Reply) and not self._pid_known.is_set() and self._introduce(event):
                    continue
                self._on_event(event)

    def _introduce(self, reply: Reply) -> bool:
        """Ask the client for its pid after the attach's own block; whether `reply` is the answer to that."""
        if self._answered:
            if reply.ours:
                told = reply.lines[0] if reply.ok and reply.lines else b""
                self._pid = int(told) if told.isdigit() else None
                self._pid_known.set()
            return reply.ours
        self._answered = True
        if reply.ok:
            with suppress(OSError):
                self.send("display-message -p '#{client_pid}'")
        return False


def end_client(transport: Transport, pid: int | None) -> None:
    """End a control client that was left behind, if `pid` still is a tmux client; failing to is no error."""
    if pid is None:
        return
    try:
        transport.run(["sh", "-c", _END, "sh", quoting.number(pid)], timeout=5.0)
    except (OSError, Unreachable):
        _log.warning("could not make sure that tmux client %d on %s is gone", pid, transport.host)
