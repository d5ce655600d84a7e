"""A send that a person orders, outside of any Run: the same guard, the same journal, no baseline."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from tmux_sentry.engine.events import Keys, SendDone
from tmux_sentry.engine.sending import Job, Ports, carry_out
from tmux_sentry.security.sanitize import clean
from tmux_sentry.tmux.model import PaneInfo

#: Seconds to look again before a person is told why it was not sent.
MOMENT = 2.0


def job(pane: PaneInfo, keys: Keys, wait_idle: float, token: str) -> Job:
    """The job of a send by hand; `wait_idle` 0 does not wait for idle."""
    return Job(
        action_id=f"send/{token}",
        pane=pane.identity,
        keys=keys,
        wait_idle=wait_idle,
        stopped=threading.Event(),
    )


def send(pane: PaneInfo, wanted: Job, ports: Ports) -> dict[str, Any]:
    """Carry it out; says whether it was sent, and why not."""
    answer = carry_out(wanted, replace(ports, patience=max(wanted.wait_idle, MOMENT)))
    sent = isinstance(answer, SendDone)
    reason = "" if sent else clean(getattr(answer, "reason", "called off"))
    return {"sent": sent, "reason": reason, "pane": clean(f"{pane.identity.host} {pane.name} {pane.identity.pane_id}")}
