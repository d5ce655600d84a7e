"""The files of recordings: made for us alone, and removed when they are old or too many."""

from __future__ import annotations

import logging
import os
import stat
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import IO

from tmux_sentry.security.redact import Redactor
from tmux_sentry.security.sanitize import clean, file_part
from tmux_sentry.tmux.model import PaneInfo

_log = logging.getLogger(__name__)

_ENDING = ".cast"
_TRIES = 100


def create(directory: Path, info: PaneInfo, started: float, redact: Redactor) -> tuple[IO[bytes], Path]:
    """A new file, 0600, named by time (UTC), host, window and pane. Raises OSError."""
    stamp = datetime.fromtimestamp(started, timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    host, window = redact(info.identity.host), redact(info.window_name)
    names = (stamp, file_part(host, 30), file_part(window, 40), info.identity.pane_id[1:])
    for number in range(1, _TRIES):
        again = f"-{number}" if number > 1 else ""
        path = directory / f"{'_'.join(names)}{again}{_ENDING}"
        with suppress(FileExistsError):
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            return os.fdopen(fd, "wb"), path
    raise FileExistsError(f"{_TRIES} recordings of one pane in one second")


def sweep(directory: Path, now: float, keep: float, total: int) -> None:
    """Remove recordings that were last written more than `keep` seconds ago, and the oldest beyond `total` bytes."""
    found: list[tuple[float, int, Path]] = []
    for path in directory.glob(f"*{_ENDING}"):
        with suppress(OSError):
            info = path.lstat()
            if stat.S_ISREG(info.st_mode):
                found.append((info.st_mtime, info.st_size, path))
    room = total
    for written, size, path in sorted(found, reverse=True):  # the newest first
        room -= size
        if room >= 0 and now - written <= keep:
            continue
        try:
            path.unlink()
        except OSError as error:
            _log.warning("the old recording %s cannot be removed: %s", path, clean(error.strerror or str(error)))
