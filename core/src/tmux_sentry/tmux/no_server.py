"""Why no tmux server answers, out of tmux's own words."""

from __future__ import annotations

from tmux_sentry.contracts import Completed
from tmux_sentry.errors import NoServer, Unreachable
from tmux_sentry.security.sanitize import clean


def explain(host: str, done: Completed) -> Unreachable:
    """What a tmux command that failed to reach a server means."""
    words = clean(done.stderr.decode("utf-8", "replace"))
    if "Permission denied" in words:
        return Unreachable(f"{host}: the tmux server belongs to someone else", words)
    fix = "start one with `tmux new`, or correct tmux.socket_name in the hosts file"
    return NoServer(f"{host}: no tmux server runs there", words, fix)
