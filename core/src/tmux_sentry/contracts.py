"""What the core and its plugins say to each other: frozen records and Protocols.

Everything here is public API (`from tmux_sentry import Signal, Parser, ...`).
The module imports the standard library only, so a plugin can be imported,
tested and type-checked without starting anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

# --------------------------------------------------------------------------- words


class Trust(IntEnum):
    """How hard a Signal is to forge by printing text in a pane; higher is harder."""

    GUESSED = 0  # a heuristic read it off a screen
    PRINTED = 1  # SENTRY text in the pane: anything that prints can say it
    SIGNED = 2  # SENTRY text whose MAC was verified with the pane's key
    EMITTED = 3  # handed over out of band by a process in the pane


class SignalKind(str, Enum):
    """What a Signal is about."""

    STATUS = "status"
    PROGRESS = "progress"
    STATE = "state"
    PROMPT = "prompt"
    ERROR = "error"
    LIMIT = "limit"
    EXIT = "exit"


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


# ---------------------------------------------------------------------------- panes


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


# --------------------------------------------------------------------- observations


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

    `resync` is true for the capture with history that follows a gap in the stream.
    """

    pane: PaneIdentity
    at: float
    lines: tuple[str, ...]
    cursor: tuple[int, int]  # column, row; 0-based, of the visible screen
    resync: bool = False


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

# -------------------------------------------------------------------------- signals


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What a Parser concluded from an Observation.

    `digest` identifies the event by its content (sha256 hex of the canonical JSON, or of whatever
    the parser concluded from); `event_id` is the identity the event brought itself, if any.
    `live` is true when it came from the stream, and so is new by construction; a Signal read
    from a capture may be a picture of an old event.
    """

    kind: SignalKind
    parser: str
    trust: Trust
    confidence: float  # 0..1
    digest: str
    at: float
    stage: str | None = None
    ok: bool | None = None
    state: AgentState | None = None
    message: str = ""
    percent: float | None = None
    choices: tuple[str, ...] = ()
    code: int | None = None  # exit status, for EXIT
    event_type: str = ""  # "STATUS", "DONE", ...: the word the event itself used
    event_id: str | None = None
    run: str | None = None
    evidence: str = ""  # the text it was concluded from; hostile, sanitised at every exit
    live: bool = True
    data: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Parser(Protocol):
    """Turns Observations of any pane into Signals. Stateless or thread-safe; must not block."""

    def parse(self, observation: Observation, pane: PaneFacts) -> Iterable[Signal]:
        """Signals concluded from one Observation, in order; never raises for hostile text."""


# -------------------------------------------------------------------- notifications


class Level(IntEnum):
    """How urgent a Message is."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One notification, already sanitised and redacted. `event` is a dotted word ("stage.succeeded")."""

    id: str
    at: float
    level: Level
    event: str
    title: str
    text: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


class Delivery(str, Enum):
    """What a Notifier knows about one attempt; UNKNOWN means sent, answer lost."""

    DELIVERED = "delivered"
    RETRY = "retry"
    PERMANENT = "permanent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryResult:
    """The outcome of one attempt, with the provider's own words and when to try again (seconds)."""

    outcome: Delivery
    detail: str = ""
    retry_after: float | None = None


@runtime_checkable
class Notifier(Protocol):
    """Delivers Messages over one channel. May block; the core bounds each call."""

    def send(self, message: Message) -> DeliveryResult:
        """Deliver one message and say truthfully what became of it."""


# --------------------------------------------------------------------------- checks


class CheckStatus(str, Enum):
    """What the outside world says. UNKNOWN is never success."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One answer of a Checker. `next_in` is how many seconds to wait before asking again."""

    status: CheckStatus
    detail: str = ""
    url: str = ""
    log_tail: str = ""
    progress: float | None = None
    next_in: float = 5.0


@runtime_checkable
class Checker(Protocol):
    """Asks one external service. May block; the core bounds each call."""

    def check(self, config: Mapping[str, Any], started_at: float) -> CheckResult:
        """Ask once. `config` is the validated action; `started_at` (epoch seconds) is when its stage began."""


# ------------------------------------------------------------------------ approvals


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequest:
    """A question to people, bound by `digest` to exactly what will be done."""

    id: str
    run_id: str
    pipeline: str
    stage: str
    attempt: int
    pane: PaneIdentity
    pane_name: str  # for people: session:window.pane
    keys: tuple[str, ...]  # every send, exactly as it will be typed, one entry a send
    digest: str
    created_at: float
    expires_at: float
    risk: str = "normal"
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One answer. `by` says who, as far as the channel can know."""

    request_id: str
    approved: bool
    by: str
    channel: str
    at: float
    comment: str = ""


@runtime_checkable
class ApprovalBackend(Protocol):
    """Shows requests to people and brings their answers back."""

    def open(self, request: ApprovalRequest) -> str:
        """Show a request; returns where (a path, a URL), for `approvals --json`. Idempotent."""

    def poll(self) -> Sequence[Decision | Complaint]:
        """Answers since the last call, and what was wrong with answers that do not count. Must not block."""

    def close(self, request: ApprovalRequest, outcome: str) -> None:
        """The request was decided or withdrawn; `outcome` says how. Idempotent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """Something a person put where answers go that does not count, and why; shown once."""

    where: str
    why: str
    request_id: str | None = None


# --------------------------------------------------------------------------- plugins

ConfigSchema = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A variable (environment or env file) that a plugin reads. A secret one is redacted everywhere."""

    name: str
    description: str
    secret: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginContext:
    """What the core hands a factory: its validated configuration, its variables, and where state lives."""

    config: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    home: str = ""  # ~/.tmux_sentry


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plugin:
    name: str
    description: str = ""
    config_schema: ConfigSchema | None = None
    settings: tuple[Setting, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ParserPlugin(_Plugin):
    """Registers a Parser. Parsers run in order of `name`."""

    factory: Callable[[PluginContext], Parser]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierPlugin(_Plugin):
    """Registers a notification channel; `name` is the word in NOTIFICATION_CHANNELS."""

    factory: Callable[[PluginContext], Notifier]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckerPlugin(_Plugin):
    """Registers an `external_check` type; `config_schema` describes the action's other keys."""

    factory: Callable[[PluginContext], Checker]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalPlugin(_Plugin):
    """Registers a way to ask people."""

    factory: Callable[[PluginContext], ApprovalBackend]


AnyPlugin = ParserPlugin | NotifierPlugin | CheckerPlugin | ApprovalPlugin
