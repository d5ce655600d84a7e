"""One `tmux -C` client: a channel, a reader thread, and a clean way to leave."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from tmux_sentry.errors import Unreachable
from tmux_sentry.tmux import quoting
from tmux_sentry.tmux.control import Broken, ControlParser, Event, Exit
from tmux_sentry.transport.base import Channel, Transport

_log = logging.getLogger(__name__)

# The process is signalled only while it still is a tmux client. Not every host has ps.
_TERM = """
name=$(ps -o comm= -p "$1" 2>/dev/null || cat "/proc/$1/comm" 2>/dev/null)
case $name in *tmux*) kill -TERM "$1";; esac
"""


class Connection:
    """A control client's byte channel; events arrive on its own thread."""

    def __init__(
        self,
        transport: Transport,
        argv: Sequence[str],
        on_event: Callable[[Event], None],
        on_end: Callable[[str], None],
    ) -> None:
        """`on_end(reason)` is the last call, exactly once."""
        self._transport, self._argv = transport, argv
        self._on_event, self._on_end = on_event, on_end
        self._reason = ""
        self._ended = threading.Event()
        self._channel: Channel | None = None
        self._thread = threading.Thread(target=self._read, name=f"tmux@{transport.host}", daemon=True)

    def start(self) -> None:
        """Start the client and the reader. Raises FileNotFoundError, Unreachable."""
        self._channel = self._transport.open(self._argv)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The client's process id on its host, where it is known."""
        return self._channel.pid if self._channel else None

    @property
    def on_reader_thread(self) -> bool:
        """Whether the caller runs on the thread that brings the events, and so must not wait for one."""
        return threading.current_thread() is self._thread

    def send(self, line: str) -> None:
        """Send one command line. Raises OSError when the client is gone, ValueError when it is not one line."""
        self._write(quoting.line(line).encode("utf-8") + b"\n")

    def detach(self) -> None:
        """Ask tmux with an empty line to let the client go; the end comes as an event."""
        with suppress(OSError):  # gone already
            self._write(b"\n")

    def _write(self, data: bytes) -> None:
        if self._channel is None:
            raise BrokenPipeError("the client was never started")
        self._channel.write(data)

    def abort(self, reason: str) -> None:
        """End the client without ceremony, because it can not be trusted any more."""
        self._reason = self._reason or reason
        if self._channel is not None:
            end_client(self._transport, self._channel.pid)
            self._channel.close()

    def leave(self, timeout: float = 2.0) -> None:
        """Detach with an empty line and wait for the end.

        A client whose channel is closed while output is under way may stay on the host for ever and keep
        `kill-server` from finishing (measured, tmux 3.3a), so one that does not end in time is terminated.
        """
        if self._channel is None:
            return
        self.detach()
        if self.on_reader_thread:
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
                    self._reason = event.reason or "detached"
                self._on_event(event)


def end_client(transport: Transport, pid: int | None) -> None:
    """TERM a control client that was left behind, if `pid` still is a tmux client; failing to is no error."""
    if pid is None:
        return
    try:
        transport.run(["sh", "-c", _TERM, "sh", str(pid)], timeout=5.0)
    except (OSError, Unreachable):
        _log.warning("could not make sure that tmux client %d on %s is gone", pid, transport.host)
