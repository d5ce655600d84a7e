"""Our own clients on a host: which are attached, and which a lost link or a killed process left behind."""

from __future__ import annotations

from collections.abc import Collection

from tmux_sentry.clock import Clock
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.tmux.connection import end_client
from tmux_sentry.transport.base import Transport
from tmux_sentry.watch.events import Attached, Sink


class OwnClients:
    """The Watcher's control loop owns it."""

    def __init__(self, transport: Transport, sink: Sink, clock: Clock, left: Collection[int]) -> None:
        """`left` are process ids that an earlier process said with `Attached`."""
        self._transport, self._sink, self._clock = transport, sink, clock
        self._left = set(left)
        self._said: frozenset[int] = frozenset()

    def gone(self, pids: Collection[int]) -> None:
        """These have ended as far as one can know from here; on the host they may still be attached."""
        self._left.update(pids)

    def say(self, pids: Collection[int | None]) -> None:
        """Tell the sink, if these are others than before: who is killed now leaves them behind."""
        attached = frozenset(pid for pid in pids if pid is not None)
        if attached != self._said:
            self._said = attached
            self._sink(Attached(host=self._transport.host, at=self._clock.now(), pids=attached))

    def end_left(self, client: CommandClient) -> None:
        """End those that tmux still lists as clients like ours. Raises Unreachable."""
        if not self._left:
            return
        rows = client.command("list-clients -F '#{client_pid} #{client_control_mode} #{client_flags}'").lines
        listed = {pid for pid, control, flags in map(str.split, rows) if control == "1" and "ignore-size" in flags}
        for pid in self._left:
            if str(pid) in listed:
                end_client(self._transport, pid)
        self._left.clear()
