"""Questions to people, and their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tmux_sentry.contracts.panes import PaneIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequest:
    """A question to people, bound by `digest` to exactly what will be done. Times are epoch seconds."""

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
    risk: str = "normal"  # low, normal or high
    reason: str = ""  # the policy's own words
    approvers: tuple[str, ...] = ()  # whose answer counts; none: anybody's
    required: int = 1  # how many different people must say yes
    about: tuple[str, ...] = ()  # the agent's dialog that `keys` answer, a line each; hostile, shown before the keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One answer. `by` says who, as far as the channel can know, and `known` how it knows ("owner of the file").

    `digest` is that of the request that the person was shown; "" where the channel shows no other than the open one.
    """

    request_id: str
    approved: bool
    by: str
    channel: str
    at: float
    comment: str = ""
    known: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """An answer as it was recorded. One that came late, twice, or from somebody else was not `counted`."""

    by: str
    approved: bool
    counted: bool
    channel: str
    known: str
    comment: str
    at: float


@runtime_checkable
class ApprovalBackend(Protocol):
    """Shows requests to people and brings their answers back.

    One with pages also has `serve(desk: ApprovalDesk)`, called when `run` starts if there is an APPROVAL_SECRET (and
    again while it raises), `link(token) -> str`, the address of a token's page ("" when there is none, or it is not
    served now), and `stop()`, called at the end. It may have `problem() -> str`: what is missing or wrong in its
    settings, told by `doctor` and, where any of them is set, at the start of `run`.
    """

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


# ------------------------------------------------------------------- for backends with pages


class LinkRefused(Exception):
    """A token opens nothing; the message says why, for the person who holds it.

    `renewable`: it was genuine and is too old, so `ApprovalDesk.renew` may send a fresh one.
    """

    def __init__(self, why: str, *, renewable: bool = False) -> None:
        super().__init__(why)
        self.renewable = renewable


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalView:
    """A request as one person may see it now. All text is sanitised and redacted; a page escapes it for HTML."""

    request: ApprovalRequest
    status: str  # pending, approved, rejected, expired, cancelled or superseded
    votes: tuple[Vote, ...]
    yes: int  # people who stand by a yes
    screen: tuple[str, ...]  # the last lines of the pane
    you: str  # the name that an answer is recorded under
    code_needed: bool  # risk: high, and nobody logged in: the code stands in the message that brought the link
    until: float | None  # when the request is over; None: it stays open, also after its `expires_at`
    now: float
    closed: str = ""  # why an answer does not count any more, or not from this person; "" when one does
    stranger: bool = False  # the request is open, and this person's answer does not count
    zone: str = ""  # the time zone of people, as in "Europe/Berlin"; "" is the system's


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteAnswer:
    """What became of an answer: `status` is that of the request now, `words` are for the person."""

    counted: bool
    status: str
    words: str


class ApprovalDesk(Protocol):
    """What the core does for a backend with pages. From any thread; may block for a few seconds.

    A token is what a link (`tsa_...`), a login (`tsl_...`) or a session (`tss_...`) has. Whatever opens nothing raises
    LinkRefused.
    """

    def look(self, token: str, request_id: str = "") -> ApprovalView:
        """What the link's request, or (in a session) the one of this id, is. Changes nothing."""

    def vote(
        self, token: str, *, approved: bool, digest: str, comment: str = "", code: str = "", request_id: str = ""
    ) -> VoteAnswer:
        """An answer of the person who holds the token, to what has this digest."""

    def renew(self, token: str) -> str:
        """Send a fresh link for one that is too old, by the channel that it came by; returns words for the person."""

    def login(self, token: str) -> str:
        """Use a login link up; returns the token of a session."""

    def who(self, token: str) -> str:
        """The person whose session or login link it is."""

    def pending(self, session: str, start: int = 0, count: int = 50) -> tuple[Sequence[ApprovalView], int]:
        """Requests that wait, oldest first, and how many there are in all. Their `screen` is empty."""

    def logout(self, session: str) -> None:
        """End a session."""

    def revoke(self) -> int:
        """Let every link, login link and session open nothing any more, because others may have seen them; returns how
        many. The requests stay open."""
