"""Questions to people, and their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tmux_sentry.contracts.panes import PaneIdentity


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
