"""The Watcher of one host: attach, inventory, streams, captures, reconnect. Watching changes nothing in tmux."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Sequence

from tmux_sentry.clock import Clock
from tmux_sentry.config.regex import compile_regex
from tmux_sentry.contracts import Emitted, PaneIdentity
from tmux_sentry.errors import NoServer, TmuxMissing, TmuxTooOld, Unreachable
from tmux_sentry.tmux import capture as tmux_capture
from tmux_sentry.tmux import quoting
from tmux_sentry.tmux.attach import attach
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.tmux.inventory import Inventory, list_panes
from tmux_sentry.tmux.model import Capture, PaneInfo, TmuxAddress
from tmux_sentry.transport.base import Transport
from tmux_sentry.watch.backoff import Backoff
from tmux_sentry.watch.captures import CaptureWorker
from tmux_sentry.watch.changes import Changes
from tmux_sentry.watch.clients import OwnClients
from tmux_sentry.watch.emissions import Emissions
from tmux_sentry.watch.events import Inventoried, Sink
from tmux_sentry.watch.feeds import Feeds
from tmux_sentry.watch.pane import PaneView, WatchedPane
from tmux_sentry.watch.prompt import is_idle_shell
from tmux_sentry.watch.reach import Reach
from tmux_sentry.watch.reading import Method, Need, Reading
from tmux_sentry.watch.registry import GRACE, Panes
from tmux_sentry.watch.row import LINE_LIMIT
from tmux_sentry.watch.tap import Tap, nobody

_log = logging.getLogger(__name__)

#: Notifications after which the inventory is stale. tmux 3.3a has none for respawns and for deaths under
#: remain-on-exit, nor for panes of other sessions: hence the interval.
_STALE = frozenset(
    {"layout-change", "session-renamed", "sessions-changed", "unlinked-window-add", "unlinked-window-close",
     "unlinked-window-renamed", "window-add", "window-close", "window-renamed"}
)  # fmt: skip
#: Seconds between two inventories, however many notifications ask for one.
_AT_MOST_EVERY = 0.1
#: A client that lived for so many seconds is replaced at once.
_LIVED = 5.0
#: Seconds in which all clients have left a machine that answers.
_LEAVE = 3.0
#: Seconds after which a machine without a tmux server is asked again, at the latest.
_SERVER_WAIT = 5.0
#: The machine answered: its connection is as it should be.
_ANSWERED = (NoServer, TmuxMissing, TmuxTooOld)


class Watcher:
    """Watches the tmux server of one host and tells `sink` what happens in its panes.

    The sink is called from several threads: the control loop, one reader for each session, the capture worker and
    whoever calls `refresh`. The records of one pane come one at a time and in the order of the pane. The sink must
    not block for long and must not call back into the Watcher, except to take a snapshot (`pane`, `panes`, `view`).
    """

    def __init__(
        self,
        host: str,
        transport: Transport,
        address: TmuxAddress,
        sink: Sink,
        clock: Clock,
        *,
        method: Method = "auto",
        sessions: Sequence[str] = (),
        max_panes: int = 300,
        interval: float = 2.0,
        left: Collection[int] = (),
        channel: str | None = None,
        tap: Tap = nobody,
    ) -> None:
        """`sessions` are RE2 patterns searched in session names, none for all; `interval` is in seconds.

        Of at most `max_panes` panes the text is read. `left` are process ids that an earlier process said with
        `Attached`: those still attached are ended. `channel` is the name of this instance's wait channel for emitted
        events; without one they are read at each inventory, and left where they are. `tap` gets what comes from the
        panes, for a recording.
        """
        self._host, self._transport, self._address = host, transport, address
        self._sink, self._clock, self._interval = sink, clock, interval
        self._sessions = [compile_regex(pattern) for pattern in sessions]
        self._wanted: Callable[[PaneInfo], bool] = lambda info: True
        self._need: Need = lambda info: 0
        self._client: CommandClient | None = None
        self._inventory: Inventory | None = None
        self._infos: tuple[PaneInfo, ...] = ()
        self._panes = Panes(sink, clock, tap)
        self._clients = OwnClients(transport, sink, clock, left)
        feeds = Feeds(transport, address, clock, on_output=self._output, on_gap=self._gap, on_change=self._look)
        self._reading = Reading(feeds, clock, method, max_panes, self._touched)
        self._emissions = Emissions(transport, address, self._panes, clock, channel)
        self._captures: CaptureWorker | None = None
        self._thread: threading.Thread | None = None
        self._cycle = threading.Lock()  # one inventory at a time
        self._changes = Changes()
        self._reach = Reach(host, sink, clock)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        #: When the control loop last went round (monotonic); it waits half a minute at the most.
        self.turned = clock.monotonic()

    # ------------------------------------------------------------------ for everyone

    def start(self) -> None:
        """Begin in the background; how it goes is told to the sink. Once."""
        self._captures = CaptureWorker(lambda: self.client, self._clock, self._look, self._host)
        self._thread = threading.Thread(target=self._run, name=f"watch@{self._host}", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 15.0) -> None:
        """Leave tmux cleanly: no client of ours stays attached. Idempotent; not to be called by the sink."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            if self._client is not None:
                self._thread.join(min(timeout, _LEAVE))
            if self._thread.is_alive():
                self._transport.reset()  # a connect under way, or a link that hangs, holds up nobody
            self._thread.join(timeout)
        if self._captures is not None:
            self._captures.stop()
        self._changes.tell()

    def want(self, predicate: Callable[[PaneInfo], bool]) -> None:
        """Read the text of these panes only; all panes are still listed, announced and closed."""
        self._wanted = predicate
        self._look()

    def prefer(self, need: Need) -> None:
        """Where not all panes can be read, read those first that `need` gives a larger number, then the oldest.

        It is asked by the control loop, and only then.
        """
        self._need = need
        self._look()

    @property
    def client(self) -> CommandClient:
        """The attached command client. Raises Unreachable."""
        client = self._client
        if client is None or not client.alive:
            raise Unreachable(f"{self._host}: its tmux server is not reached now", self._reach.why)
        return client

    def panes(self) -> tuple[PaneInfo, ...]:
        """The last inventory; empty while the host is down."""
        return self._infos

    def wait_inventory(self, timeout: float) -> tuple[PaneInfo, ...]:
        """The first inventory, waited for. Raises Unreachable when the host is down, or after `timeout` seconds."""
        self._changes.wait(lambda: self._inventory is not None or bool(self._reach.why), timeout)
        if self._inventory is None:
            raise Unreachable(f"{self._host}: its tmux server cannot be reached", self._reach.words)
        return self._infos

    def pane(self, identity: PaneIdentity) -> PaneInfo | None:
        """The pane as the last inventory found it, None when it is not that pane any more."""
        return next((info for info in self._infos if info.identity == identity), None)

    def view(self, identity: PaneIdentity) -> PaneView | None:
        """What is known of the pane now: agent, source, last output, last screen."""
        pane = self._panes.get(identity)
        return pane.view() if pane is not None else None

    def polled(self, identity: PaneIdentity) -> bool:
        """Whether only captures tell what the pane prints: they show no OSC marks, and so no `report_exit`."""
        pane = self._panes.get(identity)
        return pane is not None and pane.polled

    def capture(self, identity: PaneIdentity, history: int | None = 0) -> Capture:
        """The pane's screen now, with `history` rows above it (None: all). Raises PaneGone or Unreachable.

        The capture and the pane's identity are of the same instant.
        """
        taken = tmux_capture.capture(self.client, identity.pane_id, history)
        if taken.info.identity != identity:
            self._look()
            raise tmux_capture.PaneGone(f"{identity.pane_id} on {self._host} is another pane now")
        return taken

    def replaced(self, identity: PaneIdentity) -> bool:
        """Whether another process has the pane's id, asked now; a pane that is gone has none. Raises Unreachable."""
        reply = self.client.command(f"display-message -p -t {quoting.pane(identity.pane_id)} '#{{pane_pid}}'")
        now = reply.lines[0] if reply.ok and reply.lines else ""
        if now in ("", str(identity.pane_pid)):
            return False
        self._look()
        return True

    def idle(self, identity: PaneIdentity) -> bool:
        """Whether the pane's own shell waits for a command, asked now. Raises PaneGone or Unreachable."""
        info = self.capture(identity).info
        return info.is_shell and is_idle_shell(info, self._transport.in_foreground(identity.pane_pid))

    def in_foreground(self, pid: int) -> bool | None:
        """Whether the process group of `pid` has its terminal; None where it cannot be told."""
        return self._transport.in_foreground(pid)

    def wait_change(self, identity: PaneIdentity, timeout: float, since: int | None = None) -> bool:
        """Wait until the pane printed something or its info changed; False after `timeout` seconds.

        `since` is the `version` of an earlier view, None for now. A pane that is gone has changed.
        """
        if since is None:
            view = self.view(identity)
            since = view.version if view is not None else -1

        def moved() -> bool:
            view = self.view(identity)
            return view is None or view.version != since or self._stopping.is_set()

        return self._changes.wait(moved, timeout)

    def acknowledge(self, emitted: Emitted) -> None:
        """What came of it is committed: it need not come again after a restart."""
        self._emissions.acknowledge(emitted)

    def refresh(self) -> tuple[PaneInfo, ...]:
        """Take an inventory now and return it. Raises Unreachable."""
        self._take_inventory(self.client)
        self._look()
        return self._infos

    # --------------------------------------------------------------- the control loop

    def _run(self) -> None:
        backoff = Backoff()
        while not self._stopping.is_set():
            self.turned = self._clock.monotonic()
            try:
                self._client = self._connect()
                since = self._clock.monotonic()
                self._follow(self._client)
                if self._clock.monotonic() - since > _LIVED:
                    backoff.reset()
                else:
                    self._pause(backoff.next())
            except (Unreachable, OSError) as error:
                self._down(error if isinstance(error, Unreachable) else Unreachable(f"{self._host}: {error}"))
                self._pause(min(backoff.next(), _SERVER_WAIT) if isinstance(error, NoServer) else backoff.next())
            except Exception as error:
                _log.exception("watching %s failed", self._host)
                self._down(Unreachable(f"{self._host}: internal error", repr(error)))
                self._pause(backoff.next())
        self._reading.close()
        self._leave()
        self._clients.say(())

    def _connect(self) -> CommandClient:
        """Attach the command client: it comes before any stream, so that a slow reader of ours blocks no agent."""
        client = attach(
            self._transport, self._address, on_notification=self._notified, on_exit=lambda reason: self._look()
        )
        self._reading.begin(client.ability)
        self._emissions.begin(client)
        return client

    def _follow(self, client: CommandClient) -> None:
        """Until the client ends: an inventory, then as many streams as it asks for."""
        self._say_attached()
        while not self._stopping.is_set() and client.alive:
            self._wake.clear()
            self.turned = self._clock.monotonic()
            self._clients.gone(self._reading.take_ended())
            self._clients.end_left(client)
            self._emissions.read()  # first: a pane that is closing has handed its last ones over already
            self._take_inventory(client)
            self._feed()
            self._emissions.follow()
            self._say_attached()
            waits = [self._interval, self._reading.again_in(), GRACE if self._panes.closing else None]
            self._wake.wait(min(wait for wait in waits if wait is not None))
            self._stopping.wait(_AT_MOST_EVERY)
        self._reach.lost()
        self._leave()

    def _take_inventory(self, client: CommandClient) -> None:
        with self._cycle:
            began = self._clock.monotonic()
            inventory = list_panes(client)
            if self._inventory is not None and _server(self._inventory) != _server(inventory):
                self._reading.close()
                self._panes.close_all()
            self._reach.up()
            infos = tuple(info for info in inventory.panes if self._in_sessions(info))
            self._inventory, self._infos = inventory, infos
            self._panes.update(infos, began)
            self._sink(
                Inventoried(
                    host=self._host,
                    at=self._clock.now(),
                    server_pid=inventory.server_pid,
                    server_start=inventory.server_start,
                    panes=infos,
                )
            )
        for pane in self._panes.all():
            self._want_capture(pane)
        self._changes.tell()

    def _feed(self) -> None:
        """Let what is read follow the last inventory."""
        with self._cycle:
            inventory, infos = self._inventory, self._infos
        if inventory is None:
            return
        self._reading.choose(self._panes, [info for info in infos if self._wanted(info)], infos, self._need)
        # Also panes that vanished just now: their last lines may be under way.
        read = [pane for pane in self._panes.all() if pane.reading and not pane.closed]
        self._reading.follow(read, infos, [info.identity.pane_id for info in inventory.panes])

    def _say_attached(self) -> None:
        own = self._client.pid if self._client is not None else None
        self._clients.say({own, *self._reading.pids(), *self._emissions.pids()})

    def _down(self, error: Unreachable) -> None:
        """The host is not reached; what was under way is given up."""
        if not isinstance(error, _ANSWERED):
            self._transport.reset()  # first, or leaving would wait for a link that hangs
        self._reading.close()
        self._leave()
        self._infos = ()
        if isinstance(error, NoServer):
            self._panes.close_all()
            self._inventory = None
        self._reach.down(error)
        self._changes.tell()

    def _leave(self) -> None:
        self._emissions.close()
        client, self._client = self._client, None
        if client is not None:
            client.close()
            self._clients.gone([client.pid] if client.pid is not None else [])

    def _pause(self, seconds: float) -> None:
        self._stopping.wait(seconds)

    def _in_sessions(self, info: PaneInfo) -> bool:
        name = info.session_name[:LINE_LIMIT]
        return not self._sessions or any(pattern.search(name) for pattern in self._sessions)

    # ---------------------------------------------------------- called by the parts

    def _notified(self, name: str, rest: str) -> None:
        if name in _STALE:
            self._look()

    def _look(self) -> None:
        self._wake.set()

    def _touched(self, pane: WatchedPane, history: int) -> None:
        pane.touched(history)
        self._changes.tell()
        self._want_capture(pane)

    def _output(self, pane: WatchedPane, data: bytes) -> None:
        if pane.feed(data):
            self._changes.tell()
        self._want_capture(pane)

    def _gap(self, pane: WatchedPane) -> None:
        pane.gap()
        self._want_capture(pane)

    def _want_capture(self, pane: WatchedPane) -> None:
        if self._captures is not None and pane.wants_capture:
            self._captures.want(pane)


def _server(inventory: Inventory) -> tuple[int, int]:
    return inventory.server_pid, inventory.server_start
