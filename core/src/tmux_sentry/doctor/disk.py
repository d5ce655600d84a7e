"""The disk below the database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from tmux_sentry.doctor.finding import Finding, note, ok, problem
from tmux_sentry.state.files import filesystem_magic, network_filesystem

#: Bytes below which a database soon cannot commit any more.
LEAST = 200 * 1000 * 1000


def disk(directory: Path, allowed: bool = False) -> Iterator[Finding]:
    """Its kind and the room on it; of a directory that is not there yet, of the one it will be made in.

    `allowed`: the user takes the risk of a network file system.
    """
    there = next(path for path in (directory, *directory.parents) if path.exists())
    yield from kind(directory, network_filesystem(filesystem_magic(there)), allowed)
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        yield problem("disk", f"{there} does not say how much room there is: {error.strerror}", "look at the mount")
        return
    yield space(directory, free)


def kind(directory: Path, network: str | None, allowed: bool = False) -> Iterator[Finding]:
    """`network` is the name of a file system on which SQLite cannot be trusted, or None."""
    if network:
        what = f"{directory} is on a network or FUSE file system ({network}): SQLite's locks cannot be trusted there"
        yield (note if allowed else problem)("disk", what, "set DATABASE_PATH to a file on a local disk")


def space(directory: Path, free: int) -> Finding:
    """The room for the database, in bytes."""
    shown = f"{free / 1e9:.1f} GB" if free >= 1e9 else f"{free // 10**6} MB"
    if free < LEAST:
        return problem(
            "disk", f"only {shown} are free for {directory}", f"free some space: {LEAST // 10**6} MB or more"
        )
    return ok("disk", f"{shown} are free for {directory}")
