"""A file into which a build writes its progress, on the machine where the build runs."""

from __future__ import annotations

from tmux_sentry import HostAccess, clean
from tmux_sentry_check_docker.programs import NOT_FOUND
from tmux_sentry_check_docker.progress import Progress

#: Bytes that are read: the beginning, and the end of a file that is longer.
BEGINNING, END = 4 * 1024 * 1024, 1024 * 1024
_PATIENCE = 10.0
# The name is an argument of a program that never changes.
_IN_HOME = 'exec "$1" -c "$2" "$HOME/$3"'


class NoFile(Exception):
    """The file cannot be read; the message says why."""


def usable(path: str) -> bool:
    """Whether it is a path that means the same wherever a program starts: absolute, or below the home directory."""
    return path.startswith(("/", "~/")) and not any(ord(one) < 32 or one == "\x7f" for one in path) and len(path) < 1000


def read(machine: HostAccess, path: str, since: float) -> Progress:
    """What the file tells about a build that began after `since`, epoch seconds. Raises NoFile."""
    data = _part(machine, "head", BEGINNING, path)
    if len(data) >= BEGINNING:
        data += b"\n" + _part(machine, "tail", END, path)
    return Progress(data, since)


def _part(machine: HostAccess, program: str, size: int, path: str) -> bytes:
    argv = [program, "-c", str(size), path]
    if path.startswith("~/"):
        argv = ["sh", "-c", _IN_HOME, "sh", program, str(size), path[2:]]
    try:
        done = machine.run(argv, timeout=_PATIENCE)
    except (OSError, ValueError) as error:  # ValueError: a name that no program can be given
        raise NoFile(f"{clean(path, 100)} cannot be read: {clean(str(error), 100)}") from None
    if done.status != 0:
        said = done.stderr[:2000].decode("utf-8", "replace").strip()
        why = f"there is no {program}" if done.status == NOT_FOUND else clean(said, 150)
        raise NoFile(f"{clean(path, 100)} cannot be read: {why}")
    return done.stdout[:size]
