"""What people are told while the program only observes: once by every channel, and at each Run that is held for it."""

from __future__ import annotations

from collections.abc import Iterable

from tmux_sentry.contracts import Level
from tmux_sentry.engine.events import Notify
from tmux_sentry.state.observe import sentence
from tmux_sentry.state.records import Observing


def notice(observing: Observing, channels: Iterable[str]) -> Notify:
    """The message; whoever reads no log must not wait for panes that get nothing. Once for a restore."""
    return Notify(
        event="database.restored",
        level=Level.CRITICAL,
        title="the database was restored: nothing is started and nothing is typed",
        text=sentence(observing),
        channels=tuple(channels),
        dedupe_key=f"database.restored/{observing.since:.3f}",
    )


def hold_reason(observing: Observing, run_id: str) -> str:
    """Why an open Run is held. It stays true when observing only has ended: each Run needs its own decision."""
    return (
        f"{observing.reason}: what this run did since is not known. "
        f"Look at the pane, then: tmux-sentry runs resume {run_id} --send|--skip|--abort"
    )
