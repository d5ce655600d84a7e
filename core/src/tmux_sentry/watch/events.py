"""What a Watcher says besides Observations: about its host, its panes, and that something moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tmux_sentry.contracts import Observation, PaneIdentity
from tmux_sentry.errors import Unreachable
from tmux_sentry.tmux.model import PaneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class HostUp:
    """The host's tmux server is watched; `away` is how many seconds it was not, 0.0 for the first time."""

    host: str
    at: float  # epoch seconds, here and below
    away: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDown:
    """The host's tmux server cannot be watched now; it is tried again in the background.

    Said once for each new `why`. `error` is TmuxMissing, TmuxTooOld, NoServer or another Unreachable.
    """

    host: str
    at: float
    why: str
    error: Unreachable


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """The process ids of our clients on the host, each time they change: who is killed leaves them behind."""

    host: str
    at: float
    pids: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventoried:
    """All wanted panes of the server, each identity once."""

    host: str
    at: float
    server_pid: int
    server_start: int
    panes: tuple[PaneInfo, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaneSeen:
    """An identity that was not there before; it comes before any other record of that pane."""

    info: PaneInfo
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """The pane's stream brings it from its first byte on: no Screen comes first, there is nothing to catch up with."""

    pane: PaneIdentity
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSeen:
    """Which agent the pane shows, "" for none, where that is no longer what its process and title say."""

    pane: PaneIdentity
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """The pane printed something; at most five a second for a pane."""

    pane: PaneIdentity
    at: float


HostRecord = HostUp | HostDown | Attached | Inventoried | PaneSeen | AgentSeen | Activity | Whole
WatchRecord = Observation | HostRecord

#: Called from several threads; the records of one pane come one at a time and in the order of the pane.
#: It must not block for long: the reader of the pane's stream waits for it.
Sink = Callable[[WatchRecord], None]
