"""The demo's stand-ins: an external check that needs no network, and a person at the terminal."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import click

from tmux_sentry.contracts import (
    ApprovalRequest,
    CheckRequest,
    CheckResult,
    CheckStatus,
    Complaint,
    Decision,
    PluginContext,
)
from tmux_sentry.security.sanitize import clean, visible


class StandInCheck:
    """Says "pending" twice, then "success", as a workflow run would."""

    SCHEMA: ClassVar[Mapping[str, Any]] = {
        "$id": "https://tmux-sentry.invalid/demo/github_action",
        "type": "object",
        "properties": {"repository": {"type": "string"}},
        "additionalProperties": False,
    }

    def __init__(self, context: PluginContext) -> None:
        self._asked = 0

    def check(self, request: CheckRequest) -> CheckResult:
        """The next answer."""
        self._asked += 1
        status = CheckStatus.SUCCESS if self._asked > 2 else CheckStatus.PENDING
        return CheckResult(status=status, detail="a stand-in for GitHub Actions", next_in=0.4)


class TerminalApprovals:
    """Asks on the terminal, on a thread of its own, by `say`; with `yes` it answers itself."""

    def __init__(self, say: Callable[[str], None], *, yes: bool) -> None:
        self._say = say
        self._yes = yes
        self._answers: queue.SimpleQueue[Decision] = queue.SimpleQueue()

    def open(self, request: ApprovalRequest) -> str:
        """Begin to ask."""
        threading.Thread(target=self._ask, args=(request,), name="demo approval", daemon=True).start()
        return "this terminal"

    def poll(self) -> Sequence[Decision | Complaint]:
        """The answers since the last call."""
        answers: list[Decision | Complaint] = []
        while not self._answers.empty():
            answers.append(self._answers.get())
        return answers

    def close(self, request: ApprovalRequest, outcome: str) -> None:
        """Nothing to take back."""

    def _ask(self, request: ApprovalRequest) -> None:
        keys = "\n".join(f"    {visible(key)}" for key in request.keys)
        self._say(f"\n  stage {clean(request.stage)} wants to type into pane {request.pane.pane_id}:\n{keys}")
        if self._yes:
            self._say("  approved by --yes\n")
        approved = self._yes or click.confirm("  approve?", default=None)
        self._answers.put(
            Decision(
                request_id=request.id,
                approved=approved,
                by="demo --yes" if self._yes else "you",
                channel="terminal",
                at=time.time(),
            )
        )
