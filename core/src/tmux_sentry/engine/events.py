"""What goes into the machine (events) and what comes out of it (effects): frozen records, nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tmux_sentry.contracts import AgentState, CheckStatus, Level, Signal
from tmux_sentry.engine.limited import LimitNotice
from tmux_sentry.engine.relay import Answers
from tmux_sentry.state.records import Rules

# -------------------------------------------------------------------------- events


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The Run begins: its first stages become ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSeen:
    """New complete lines of the stream, and the Signals parsed from them."""

    lines: tuple[str, ...] = ()
    signals: tuple[Signal, ...] = ()
    limits: tuple[LimitNotice, ...] = ()  # its LIMIT Signals, with their times read


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenSeen:
    """A rendered capture and every Signal on it, old ones too."""

    lines: tuple[str, ...] = ()
    signals: tuple[Signal, ...] = ()
    limits: tuple[LimitNotice, ...] = ()  # its LIMIT Signals, with their times read
    resync: bool = False  # follows a gap in the stream: history included
    folder: str = ""  # the pane's current directory, "" when it is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """The pane printed something (for `idle_for`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSeen:
    """The agent's state, and how sure that is (0..1)."""

    state: AgentState
    confidence: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitSeen:
    """A command's exit status was observed (OSC 133;D, wrap); `reported`: by what `report_exit` had typed."""

    code: int
    reported: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputBegins:
    """The shell's line editor has taken a line (OSC 133;C, the end of bracketed paste)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaneGone:
    """The pane is closed or dead; `status` is its exit status where tmux tells it."""

    reason: str
    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable:
    """The host cannot be watched now; clocks stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachable:
    """The pane was resynchronised; clocks go on. `away` is the length of the gap in seconds."""

    away: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutToSend:
    """The guard will be asked next: what is visible now is baseline, not news."""

    action_id: str
    lines: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()  # of the Signals visible


@dataclass(frozen=True, slots=True, kw_only=True)
class SendDone:
    """tmux printed SENT (or the marker proves it)."""

    action_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendHeld:
    """The send was not carried out, or it cannot be known; a person decides."""

    action_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMoot:
    """Nothing was typed, as the dialog that was to be answered is not there any more."""

    action_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReported:
    """An external check answered."""

    action_id: str
    status: CheckStatus
    detail: str = ""
    url: str = ""
    log_tail: str = ""
    percent: float | None = None  # 0 to 100


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRemembered:
    """What a checker wants back after a restart: plain JSON."""

    action_id: str
    memory: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A person answered. `digest` is what they were shown."""

    approval_id: str
    approved: bool
    by: str
    digest: str
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsRead:
    """The zone of the pane's host has become known: what the pane says of limits now, read in it."""

    limits: tuple[LimitNotice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Time has passed; look at the deadlines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A person's order from the command line.

    `start` a stage, `retry` a stage, `cancel` the Run, `send` / `skip` / `abort` what is held,
    `hold` the active stage (with `reason`).
    """

    verb: Literal["start", "retry", "cancel", "send", "skip", "abort", "hold"]
    stage: str | None = None
    by: str = ""
    reason: str = ""


Event = (
    Started | OutputSeen | ScreenSeen | Activity | StateSeen | ExitSeen | OutputBegins | PaneGone | Unreachable
    | Reachable | AboutToSend | SendDone | SendHeld | SendMoot | CheckReported | CheckRemembered | Decided
    | LimitsRead | Due | Order
)  # fmt: skip

# ------------------------------------------------------------------------- effects

_LIKE_A_KEY = re.compile(r"\\*<[A-Za-z0-9-]+>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """One send, resolved: exactly what will be typed. Either `text` (then Enter if `enter`) or named `keys`."""

    text: str = ""
    keys: tuple[str, ...] = ()
    enter: bool = True

    def shown(self) -> str:
        """For people: the text, or the key names, with the Enter that follows. What is text and looks like a key has a
        backslash before it, so that no two sends look alike."""
        text = _LIKE_A_KEY.sub(r"\\\g<0>", self.text)
        body = " ".join(f"<{key}>" for key in self.keys) if self.keys else text
        return f"{body}<Enter>" if self.enter and not self.keys else body


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Type `keys` into the Run's pane, through the guard."""

    action_id: str
    stage: str
    attempt: int
    keys: Keys
    wait_idle: float
    answers: Answers | None = None  # the dialog that must be there; such keys do not wait for idle
    resumes: bool = False  # only for an agent at its usage limit
    needs_exit: bool = False  # the attempt is judged by the exit status that the keys report


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSend:
    """Give up waiting with a send that is not carried out yet."""

    action_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Ask people to approve `sends`; `digest` binds the answer to them."""

    approval_id: str
    stage: str
    attempt: int
    sends: tuple[Keys, ...]
    digest: str
    expires_at: float
    risk: str = "normal"
    reason: str = ""
    about: tuple[str, ...] = ()  # the dialog that would be answered, for people
    rules: Rules = field(default_factory=Rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseAsk:
    """The request is settled: approved, rejected, expired, cancelled or superseded."""

    approval_id: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartCheck:
    """Start an external check; its answers come back as CheckReported."""

    action_id: str
    type: str
    config: Mapping[str, Any]
    started_at: float
    typed: tuple[str, ...] = ()  # what the stage has typed so far
    memory: Mapping[str, Any] = field(default_factory=dict)
    earlier: tuple[Mapping[str, Any], ...] = ()  # what the Run's checks of this type before it have remembered
    follow: bool = False  # also after a failure: it may be run again


@dataclass(frozen=True, slots=True, kw_only=True)
class AskCheck:
    """Ask a check that has been started now, whenever its next question would be."""

    action_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopCheck:
    """The stage no longer needs the check."""

    action_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Tell people."""

    event: str  # "stage.succeeded"
    level: Level
    title: str
    text: str = ""
    keys: tuple[str, ...] = ()  # what a question is about, told exactly, after `text`: each send, or a dialog's lines
    channels: tuple[str, ...] = ()
    dedupe_key: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    include_output: bool = False  # also the last lines of the pane


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A stage's attempt changed: the row of `stage_history` with this (stage, attempt) now reads so."""

    stage: str
    attempt: int
    status: str
    reason: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    approved_by: str = ""


Effect = Send | StopSend | Ask | CloseAsk | StartCheck | AskCheck | StopCheck | Notify | Record
