"""Whether files and directories of ours can be trusted: owner, mode, file system."""

from __future__ import annotations

import ctypes
import os
import stat
import sys
from pathlib import Path

from tmux_sentry.errors import Refused, SentryError

# statfs(2) f_type. WAL needs memory shared by all readers and locks that work, and these give neither.
_NETWORK = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFF534D42: "CIFS",
    0xFE534D42: "SMB2",
    0x65735546: "FUSE",
    0x01021997: "9p",
    0x5346414F: "AFS",
    0x00C36400: "Ceph",
}


def private_directory(path: Path) -> None:
    """Make `path` (0700, parents too) or check that only we can write to it. Raises Refused."""
    missing = [part for part in (path, *path.parents) if not part.exists()]
    try:
        for part in reversed(missing):
            # mkdir's mode is narrowed by the umask, never widened. Someone else making it first is fine: it is checked.
            part.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise SentryError(
            f"cannot make the directory {path}", str(error), "make it by hand, or set TMUX_SENTRY_HOME"
        ) from error
    check_ours(path)


def check_ours(path: Path) -> None:
    """Refuse a file or directory that another user owns or may write to. Raises Refused."""
    info = path.stat()
    if info.st_uid != os.geteuid():
        raise Refused(
            f"{path} belongs to another user (uid {info.st_uid})",
            "whoever owns it can change what this program believes and does",
            "use a directory of your own: set TMUX_SENTRY_HOME or DATABASE_PATH",
        )
    if info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Refused(
            f"{path} can be written by other users (mode {stat.S_IMODE(info.st_mode):04o})",
            "whoever writes to it can change what this program believes and does",
            f"chmod go-w {path}",
        )


def filesystem_magic(path: Path) -> int | None:
    """Linux's number for the kind of file system `path` is on; None elsewhere."""
    if not sys.platform.startswith("linux"):
        return None
    # struct statfs starts with f_type, one machine word; it is about 120 bytes long.
    buffer = ctypes.create_string_buffer(512)
    if ctypes.CDLL(None, use_errno=True).statfs(os.fsencode(path), buffer) != 0:
        return None
    word = buffer.raw[: ctypes.sizeof(ctypes.c_long)]
    return int.from_bytes(word, sys.byteorder) & 0xFFFFFFFF


def network_filesystem(magic: int | None) -> str | None:
    """The name of a file system that SQLite's WAL cannot be trusted on, or None."""
    return None if magic is None else _NETWORK.get(magic)


def sync_directory(path: Path) -> None:
    """Make a rename or a new file in `path` survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
