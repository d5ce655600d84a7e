"""Replaces a file at once: whoever reads it, and whatever is killed when, finds the old text or the new one, whole."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tmux_sentry.config.permissions import user_name
from tmux_sentry.errors import Refused, SentryError
from tmux_sentry.state.files import sync_directory


def replace_file(path: Path, before: bytes | None, after: bytes) -> None:
    """Write `after` in the place of `before` (None: there is no file), keeping mode, owner and a link to it.

    A new file gets 0600. Raises Refused when the file is not ours or is no longer what was read, SentryError when it
    cannot be written.
    """
    target = Path(os.path.realpath(path))
    try:
        status = _unchanged(path, target, before)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(after)
                file.flush()
                if status is not None:
                    with contextlib.suppress(PermissionError):
                        os.fchown(file.fileno(), -1, status.st_gid)
                    os.fchmod(file.fileno(), stat.S_IMODE(status.st_mode))
                os.fsync(file.fileno())
            os.replace(name, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
        sync_directory(target.parent)
    except OSError as error:
        raise SentryError(f"cannot write {path}", error.strerror or str(error), "it is as it was") from error


def delete_file(path: Path, before: bytes) -> None:
    """Take away the file that holds `before`, and a link to it. Raises as `replace_file` does."""
    target = Path(os.path.realpath(path))
    try:
        _unchanged(path, target, before)
        target.unlink()
        if path.is_symlink():
            path.unlink()
        sync_directory(target.parent)
    except OSError as error:
        raise SentryError(f"cannot remove {path}", error.strerror or str(error), "it is as it was") from error


def back_up(path: Path, why: str, data: bytes) -> Path:
    """Keep `data`, what `path` holds, beside it, under a name that says why and when; readable by us alone."""
    target = Path(os.path.realpath(path))
    stem = f"{target.name}.before-{why}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    try:
        for number in range(1, 1000):
            copy = target.with_name(stem if number == 1 else f"{stem}-{number}")
            try:
                handle = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            except FileExistsError:
                continue
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            sync_directory(target.parent)
            return copy
    except OSError as error:
        raise SentryError(f"cannot keep a copy of {path}", error.strerror or str(error), "nothing changed") from error
    raise SentryError(f"cannot keep a copy of {path}", f"there are too many {stem}-*", "move them away")


@contextlib.contextmanager
def alone(directory: Path, what: str = "secrets") -> Iterator[None]:
    """Let nobody else who asks here change files that belong together; `what` they hold. Raises SentryError."""
    try:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SentryError(
            f"cannot open {directory}", error.strerror or str(error), "tmux-sentry init makes it"
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise Refused(f"another command is changing {what}", f"it holds {directory}", "try again in a moment") from None
    except OSError:
        pass  # a file system without locks
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.close(handle)


def _unchanged(path: Path, target: Path, before: bytes | None) -> os.stat_result | None:
    """The file's owner and mode; None when there is none."""
    try:
        with target.open("rb") as file:
            status, now = os.fstat(file.fileno()), file.read()
    except FileNotFoundError:
        if before is not None:
            raise
        return None
    if before is None or now != before:
        raise Refused(f"{path} has changed meanwhile", "somebody else writes to it too", "nothing changed; try again")
    if status.st_uid != os.geteuid():
        fix = f"chown {os.geteuid()} {shlex.quote(str(target))}, or copy it to a file of your own"
        raise Refused(f"{path} is not replaced", f"it belongs to {user_name(status.st_uid)}, not to you", fix)
    return status
