"""Which keys `run` typed while it recorded: a replay of the same policy types them at the same moments."""

from __future__ import annotations

import json
from pathlib import Path

from tmux_sentry.recording import facts
from tmux_sentry.recording.asciicast import open_cast

#: Sends that are remembered of one recording.
_MOST = 10_000


def sent_in(path: Path) -> tuple[str, ...]:
    """The keys as they are shown to people, in the order of the recording. Raises UsageError for a bad recording."""
    found: list[str] = []
    with open_cast(path) as cast:
        if not cast.header.own:
            return ()
        for event in cast.events():
            if event.code == facts.SENT and len(found) < _MOST:
                try:
                    keys = json.loads(event.text)["keys"]
                except (ValueError, KeyError, TypeError, RecursionError):
                    cast.fail(event.line, "these are no keys")
                found.append(str(keys))
    return tuple(found)
