"""A send that a person orders, outside of any Run: the same guard, the same journal, no baseline."""

from __future__ import annotations

import secrets
import threading
from dataclasses import replace
from typing import Any

from tmux_sentry.engine.events import Keys, SendDone
from tmux_sentry.engine.sending import Job, Ports, carry_out
from tmux_sentry.security.sanitize import clean
from tmux_sentry.tmux.model import PaneInfo

#: Seconds to look again before a person is told why it was not sent.
MOMENT = 2.0


def send_by_hand(pane: PaneInfo, keys: Keys, wait_idle: float, ports: Ports) -> dict[str, Any]:
    """Send, waiting up to `wait_idle` seconds (0: do not wait for idle); says whether it was sent, and why not."""
    job = Job(
        action_id=f"send/{secrets.token_hex(8)}",
        pane=pane.identity,
        keys=keys,
        wait_idle=wait_idle,
        stopped=threading.Event(),
    )
    answer = carry_out(job, replace(ports, patience=max(wait_idle, MOMENT)))
    sent = isinstance(answer, SendDone)
    reason = "" if sent else clean(getattr(answer, "reason", "stopped"))
    return {"sent": sent, "reason": reason, "pane": clean(f"{pane.name} {pane.identity.pane_id}")}
