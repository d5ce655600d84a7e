"""What goes into the tables and comes out of them: frozen records. Times are epoch seconds unless said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tmux_sentry.approvals.names import folded
from tmux_sentry.contracts import ApprovalRequest, Message, PaneIdentity, Trust

#: "line" is text and Enter at once, for shells; "text" is followed by "enter", for agents. "again" is a second Enter.
Step = Literal["line", "text", "enter", "keys", "again"]
IntentStatus = Literal["intent", "injected", "refused", "unknown", "void", "done"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNames:
    """What a Run's pane was called, exactly as tmux said it: for matching, never for addressing."""

    session_name: str
    window_name: str
    window_index: int
    pane_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A Run as it was committed: `state` is engine.run.to_json, `source` what its pipeline is built from."""

    id: str
    pipeline: str
    status: str
    names: RunNames
    state: Mapping[str, Any]
    source: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """Enough of a Run to know whether a pane has run its pipeline before."""

    id: str
    pipeline: str
    host: str
    server: str
    pane_key: str
    names: RunNames
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A line of `runs list`; times are UTC text."""

    id: str
    pipeline: str
    host: str
    pane_id: str
    pane_name: str
    status: str
    stage: str | None
    held: str | None
    started_at: str
    finished_at: str | None
    check: str | None = None  # the status of its open external check
    percent: float | None = None  # how far that is, 0 to 100
    check_detail: str = ""
    limited: bool = False  # its agent is at its usage limit
    limited_until: str | None = None  # when that ends, where it is known


@dataclass(frozen=True, slots=True, kw_only=True)
class PaneState:
    """What is known of a pane now. `stage` and `pipeline` are None without a Run."""

    identity: PaneIdentity
    session_name: str
    window_name: str
    window_index: int
    pane_index: int
    agent: str
    state: str
    updated_at: float
    stage: str | None = None
    pipeline: str | None = None
    confidence: float | None = None
    trust: Trust | None = None
    last_signal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Who may decide a request and how many it takes. `second` may from `second_at` on. Times are epoch seconds."""

    approvers: tuple[str, ...] = ()  # none: anybody
    required: int = 1
    any_reject: bool = True
    second: tuple[str, ...] = ()
    second_at: float | None = None
    until: float | None = None  # no answer counts from then on; None: it stays open

    def who(self, now: float) -> tuple[str, ...]:
        """Everybody whose answer counts now; empty: anybody's."""
        later = self.second if self.second_at is not None and now >= self.second_at else ()
        return tuple(dict.fromkeys((*self.approvers, *later))) if self.approvers else ()

    def may(self, person: str, now: float) -> bool:
        """Whether this person's answer counts now."""
        return not self.approvers or folded(person) in map(folded, self.who(now))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredApproval:
    """A request, where it was shown (backend -> place), and what became of it."""

    request: ApprovalRequest
    rules: Rules
    shown: Mapping[str, str]
    status: str
    decided_at: float | None = None
    decided_by: str | None = None
    channel: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link to a request, a login link or a session. `hash` is of its token; `recipient` is whom it was sent to, or
    who is logged in. Times are epoch seconds."""

    hash: str
    kind: str  # link, login or session
    approval_id: str
    channel: str
    recipient: str
    created_at: float
    expires_at: float
    used_at: float | None = None
    revoked_at: float | None = None
    wrong_codes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One committed try of one step of a send."""

    action_id: str
    step: Step
    number: int  # 1 is the first try
    pane: PaneIdentity
    epoch: int
    previous: int
    marker: int
    payload_sha256: str
    command: str
    cursor: tuple[int, int]
    expires_at: float
    status: IntentStatus
    reason: str
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """The highest epoch and marker of a pane that the journal knows."""

    epoch: int
    marker: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message for one channel. `tries` are the attempts so far."""

    id: int
    channel: str
    message: Message
    dedupe_key: str
    status: Literal["pending", "delivered", "dead", "dropped", "told", "silenced"]
    tries: int
    detail: str
    created_at: float
    next_at: float
    ends: str = ""  # the matter that it ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One channel for a message, and when. `repeat` is in seconds; `silenced` says why it is not told at all."""

    channel: str
    at: float
    repeat: float | None = None
    silenced: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelHealth:
    """How a channel does. `failing`: tried and tried again; `resting`: until `until`; `off`: until it is tested.

    `settings` is a fingerprint of those it was turned off with: other ones deserve another try.
    """

    name: str
    state: Literal["on", "failing", "resting", "off"] = "on"
    why: str = ""
    since: float = 0.0
    until: float | None = None
    settings: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Messages that nobody wants to hear for a while. Patterns are of the shell; "" is any."""

    id: str
    until: float
    reason: str
    by: str
    created_at: float
    pipeline: str = ""
    host: str = ""
    event: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observing:
    """Nothing is started and nothing is typed: why, and since when."""

    reason: str
    since: float
