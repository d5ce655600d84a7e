"""Panes, and what is observed in them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property


class AgentState(str, Enum):
    """What the program in a pane is doing. What no rule matches is UNKNOWN, never IDLE."""

    STARTING = "starting"
    WORKING = "working"
    WAITING = "waiting"  # needs a person
    IDLE = "idle"
    LIMITED = "limited"
    ERROR = "error"
    EXITED = "exited"
    UNKNOWN = "unknown"


class TextSource(str, Enum):
    """Where a pane's text is read from; never both for one pane (contract, "Text source")."""

    STREAM = "stream"  # raw output of a shell, line by line
    CAPTURE = "capture"  # rendered screens of a known agent or of the alternate screen


@dataclass(frozen=True, kw_only=True)
class PaneIdentity:
    """One tmux pane, for addressing. Names are for matching and for people.

    `server_pid` and `server_start` are tmux's `#{pid}` and `#{start_time}` (epoch seconds):
    pane ids restart at %0 on a new server. `pane_pid` changes on respawn-pane while
    `pane_id` stays (facts: reliability, "Lease + fence design").
    """

    host: str
    server_pid: int
    server_start: int
    pane_id: str  # "%12"
    pane_pid: int

    @property
    def server(self) -> str:
        """The tmux server, as one stable word: `host/pid-start`."""
        return f"{self.host}/{self.server_pid}-{self.server_start}"

    @cached_property
    def key(self) -> str:
        """The whole identity as one stable word, for tables and dictionaries."""
        return f"{self.server}/{self.pane_id}/{self.pane_pid}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaneFacts:
    """What a Parser may know about the pane an Observation came from.

    `typed` are the texts this program has typed into the pane for the running attempt,
    oldest first: a SENTRY line inside one of them that shows up again as its echo is not an event.
    """

    identity: PaneIdentity
    agent: str = ""  # "claude", "codex", ... or "" when unknown
    command: str = ""  # tmux's pane_current_command
    title: str = ""
    width: int = 80
    source: TextSource = TextSource.STREAM
    typed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Complete lines of a pane's output stream, control sequences removed, oldest first.

    `before` are up to four lines that came just before `lines`, for context.
    """

    pane: PaneIdentity
    at: float  # epoch seconds
    lines: tuple[str, ...]
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """A rendered capture, wrapped rows joined (`capture-pane -J`), trailing blanks removed.

    `resync` is true for the capture with history that follows a gap in the stream. `rows` is the visible screen as it
    stands there, a row for each, to which `cursor` belongs; () where that is not known.
    """

    pane: PaneIdentity
    at: float
    lines: tuple[str, ...]
    cursor: tuple[int, int]  # column, row; 0-based, of the visible screen
    resync: bool = False
    rows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """The pane's title changed."""

    pane: PaneIdentity
    at: float
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Osc:
    """An operating system command in the raw stream that tmux hides from captures (133, 777, 7501, 9)."""

    pane: PaneIdentity
    at: float
    number: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Emitted:
    """An event that a process in the pane handed over out of band; `text` is the JSON as it wrote it, hostile.

    `entry` is how the queue on the host knows it.
    """

    pane: PaneIdentity
    at: float
    text: str
    entry: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaneClosed:
    """The pane is gone, or dead under remain-on-exit; `status` is its exit status where tmux tells it."""

    pane: PaneIdentity
    at: float
    status: int | None = None


Observation = Lines | Screen | Title | Osc | Emitted | PaneClosed
