"""What a Parser concludes from observations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Any, Protocol, runtime_checkable

from tmux_sentry.contracts.dialogs import Dialog
from tmux_sentry.contracts.limits import Limit
from tmux_sentry.contracts.panes import AgentState, Observation, PaneFacts


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


class Origin(IntEnum):
    """Where the state of an agent was read; of what a pane says in several places, the highest decides."""

    LOG = 0  # its lines of output
    SCREEN = 1  # what stands on its screen now
    TITLE = 2  # the title that it has set
    OSC = 3  # control sequences that it emits for programs like this one
    EVENT = 4  # an event of its own, printed or handed over


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a signed event brings, exactly as it stood there; the core holds the keys and checks it.

    `mac` (64 hex digits, HMAC-SHA256) covers `seq`, a space and `body`; `seq` (digits) rises with every event.
    """

    mac: str
    seq: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What a Parser concluded from an Observation.

    `digest` identifies the event by its content (sha256 hex of the canonical JSON, or of whatever
    the parser concluded from); `event_id` is the identity the event brought itself, if any.
    `live` is true when it came from the stream, and so is new by construction; a Signal read
    from a capture may be a picture of an old event.

    A PROMPT read off a capture says that a dialog stands there now, and brings what was understood of it as `dialog`;
    without one, people are told that something waits. The Signal comes with every capture that shows the dialog: that
    none of them does is how its end is known. Read it where it can be answered, at the end of the screen, and never
    out of the text above.

    A LIMIT says that the agent's provider lets it do no more for now, and brings what was read of it as `limit`. The
    agent is LIMITED then, whatever says besides that it is idle, until a STATE says something else.

    Trust above PRINTED is not a parser's to claim: EMITTED is what an Emitted observation makes of an event, and
    SIGNED what the core makes of one whose `signature` it has verified.
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
    dialog: Dialog | None = None  # for PROMPT
    limit: Limit | None = None  # for LIMIT
    code: int | None = None  # exit status, for EXIT
    event_type: str = ""  # "STATUS", "DONE", ...: the word the event itself used
    event_id: str | None = None
    run: str | None = None
    evidence: str = ""  # the text it was concluded from; hostile, sanitised at every exit
    live: bool = True
    rule: str = ""  # which of the parser's rules it comes from
    origin: Origin = Origin.EVENT  # for STATE
    agent: str = ""  # for STATE: the agent that it is about, as the parser knows it
    newer: str = ""  # for STATE: which agent is newer than what the parser knows of it, for people; "" for none
    signature: Signature | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Parser(Protocol):
    """Turns Observations of any pane into Signals. Stateless or thread-safe; must not block."""

    def parse(self, observation: Observation, pane: PaneFacts) -> Iterable[Signal]:
        """Signals concluded from one Observation, in order; never raises for hostile text."""
