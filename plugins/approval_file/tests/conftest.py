from __future__ import annotations

from pathlib import Path

import pytest

from tmux_sentry import ApprovalRequest, Complaint, Decision, PaneIdentity
from tmux_sentry.testing.clock import FakeClock
from tmux_sentry_approval_file.backend import FileApprovals


class Desk:
    """One open request, the person who answers it, and the program that looks."""

    def __init__(self, home: Path) -> None:
        self.directory = home / "approvals"
        self.clock = FakeClock()
        self.start()
        self.request = ApprovalRequest(
            id="01ABC",
            run_id="r1",
            pipeline="webapp-ci",
            stage="build",
            attempt=2,
            pane=PaneIdentity(host="here", server_pid=1, server_start=2, pane_id="%3", pane_pid=42),
            pane_name="work:agent/ci.0",
            keys=("npm run build\x1b[31m\n<Enter>", "<C-c>"),
            digest="d1" * 32,
            created_at=self.clock.now(),
            expires_at=self.clock.now() + 3600,
        )
        self.file = Path(self.backend.open(self.request))

    def start(self) -> None:
        """The program starts, knowing nothing of before."""
        self.backend = FileApprovals(self.directory, now=self.clock.now)

    def look(self, after: float = 0.0) -> list[Decision | Complaint]:
        self.clock.advance(after)
        return list(self.backend.poll())

    def complaint(self) -> str:
        """The one thing that is wrong now."""
        (only,) = self.look()
        assert isinstance(only, Complaint)
        return only.why


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
