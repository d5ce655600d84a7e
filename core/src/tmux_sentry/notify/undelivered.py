"""UNDELIVERED: a file in the home directory with what no channel gets through, as long as that is so."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tmux_sentry.contracts import Message
from tmux_sentry.notify.layout import plain_text
from tmux_sentry.state.files import sync_directory

NAME = "UNDELIVERED"
_MOST = 100
_HEAD = """\
These messages have reached nobody who is away: every channel fails, or is off.
Look at: tmux-sentry notify log, tmux-sentry doctor.
The file goes away by itself when the messages have arrived or are given up for good.
"""


def show(home: Path, messages: Sequence[tuple[Message, str]]) -> None:
    """Write the file: each message and what its channel said; no messages, no file. Raises OSError."""
    path = home / NAME
    if not messages:
        with suppress(FileNotFoundError):
            path.unlink()
        return
    blocks = [f"{plain_text(message)}\n(why: {why or 'not known'})" for message, why in messages[-_MOST:]]
    text = "\n\n----\n\n".join([_HEAD.rstrip(), *blocks]) + "\n"
    partial = home / f".{NAME}.partial"
    with suppress(FileNotFoundError):
        partial.unlink()
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync_directory(home)
