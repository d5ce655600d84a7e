"""How far the external check of a Run is, for people and as a Signal."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tmux_sentry.contracts import CheckStatus, Signal, SignalKind, Trust
from tmux_sentry.engine.external import is_open
from tmux_sentry.engine.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """An open check. `percent` is from 0 to 100, where the service says so."""

    status: CheckStatus
    percent: float | None
    detail: str

    def __str__(self) -> str:
        """A few words: `43% build: step 3 of 7`."""
        percent = "" if self.percent is None else f"{self.percent:.0f}%"
        status = "" if self.status is CheckStatus.PENDING else self.status.value.replace("_", " ")
        head = ", ".join(part for part in (status, percent) if part)
        return " ".join(part for part in (head, self.detail) if part) or "pending"


def progress(run: Run) -> Progress | None:
    """Of the open check of a Run; None when it waits for none."""
    attempt = run.attempt
    if attempt is None or attempt.phase.decided or not run.open:
        return None
    still = [status for status in attempt.checks.values() if is_open(status)]
    if not still:
        return None
    return Progress(status=CheckStatus(still[-1]), percent=attempt.check_percent, detail=attempt.check_detail)


def signal_of(run: Run, at: float) -> Signal | None:
    """The progress as a PROGRESS event of the pane. No program in the pane can say it: it is as good as handed over."""
    found = progress(run)
    if found is None or run.attempt is None:
        return None
    content = f"{run.id}/{run.attempt.stage}/{run.attempt.number} {found}"
    return Signal(
        kind=SignalKind.PROGRESS,
        parser="check",
        trust=Trust.EMITTED,
        confidence=1.0,
        digest=hashlib.sha256(content.encode("utf-8", "replace")).hexdigest(),
        at=at,
        stage=run.attempt.stage,
        message=found.detail,
        percent=found.percent,
        event_type="PROGRESS",
        evidence=str(found),
    )
