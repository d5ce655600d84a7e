"""What a check remembers over a restart, as small JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tmux_sentry import CheckRequest
from tmux_sentry_check_github import wire

#: Of `dispatch`: a request is under way or was lost; it was accepted; it certainly started nothing.
SENT, ACCEPTED, NOT_SENT = "sent", "accepted", "not sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """`sure` says that no other run can be meant; `at` is when a dispatch was sent, epoch seconds by our clock.

    `attempt` is the highest that was seen of the run. `plain`: this server does not know `return_run_details`.
    """

    run_id: int = 0
    attempt: int = 0
    sure: bool = False
    dispatch: str = ""
    at: float = 0.0
    plain: bool = False


def read(memory: Mapping[str, Any]) -> Memory:
    """Whatever an earlier version wrote; what cannot be read of it counts as not there."""
    at = memory.get("at")
    dispatch = memory.get("dispatch")
    return Memory(
        run_id=wire.whole(memory, "run_id"),
        attempt=wire.whole(memory, "attempt"),
        sure=memory.get("sure") is True,
        # Something that we do not know was sent, for all we can say.
        dispatch=dispatch if dispatch in (ACCEPTED, NOT_SENT) else SENT if dispatch else "",
        at=float(at) if isinstance(at, (int, float)) and not isinstance(at, bool) and 0 < at < 1e12 else 0.0,
        plain=memory.get("plain") is True,
    )


def write(request: CheckRequest, memory: Memory, **changes: Any) -> Memory:
    """Put the changes on disk and return the whole. Raises what `remember` raises, and then nothing has changed."""
    changed = replace(memory, **changes)
    if changed != memory:
        names = ("run_id", "attempt", "sure", "dispatch", "at", "plain")
        said = {name: getattr(changed, name) for name in names}
        request.remember({name: value for name, value in said.items() if value})
    return changed
