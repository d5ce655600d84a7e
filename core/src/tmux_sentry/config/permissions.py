"""Who else may read or write a file that we are about to trust."""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import stat
from pathlib import Path

from tmux_sentry.errors import Refused, UsageError

MAX_BYTES = 1_000_000
# Below are the groups of the system, from here on those of people (SYS_GID_MAX and GID_MIN of most Linux systems).
_FIRST_USER_GROUP = 1000


def read_trusted(path: Path, what: str) -> tuple[str, bool]:
    """The text of a file, and whether others may read it; `what` names the file in messages ("env file").

    Raises UsageError when it cannot be read; Refused when somebody else owns it or may write to it, because
    then somebody else says what we type and whom we ask. The open file is asked, not its name.
    """
    try:
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UsageError(f"the {what} {path} is not a file")
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        fix = f"chmod u+r {shlex.quote(str(path))}" if isinstance(error, PermissionError) else ""
        raise UsageError(f"the {what} {path} cannot be read", error.strerror or str(error), fix) from None
    _refuse_foreign(path, what, status)
    if len(data) > MAX_BYTES:
        raise UsageError(f"the {what} {path} is larger than 1 MB")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(
            f"the {what} {path} is not UTF-8", f"line {line} has the byte 0x{data[error.start]:02x}"
        ) from None
    return text, bool(status.st_mode & (stat.S_IRGRP | stat.S_IROTH))


def chmod_line(path: Path) -> str:
    """The command that takes a file away from everybody else."""
    return f"chmod 600 {shlex.quote(str(path))}"


def who_may_write(status: os.stat_result) -> str:
    """Who besides the owner may write to a file or directory that was installed: "everybody", "its group x", or "".

    A private group is its owner's alone; nor does a system group without members count (Debian's `staff` owns what pip
    installs for all users; macOS's is everybody's own group, and counts).
    """
    if status.st_mode & stat.S_IWOTH:
        return "everybody"
    if not status.st_mode & stat.S_IWGRP or _is_private_group(status):
        return ""
    try:
        group, me = grp.getgrgid(status.st_gid), pwd.getpwuid(os.geteuid())
    except KeyError:
        return f"group {status.st_gid}"
    harmless = (
        group.gr_gid < _FIRST_USER_GROUP and group.gr_gid != me.pw_gid and set(group.gr_mem) <= {"root", me.pw_name}
    )
    return "" if harmless else f"the group {group.gr_name}"


def _refuse_foreign(path: Path, what: str, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        fix = f"chown {os.geteuid()} {shlex.quote(str(path))}, or copy it to a file of your own"
        raise Refused(f"the {what} {path} is refused", f"it belongs to {user_name(status.st_uid)}, not to you", fix)
    if status.st_mode & stat.S_IWOTH:
        raise Refused(f"the {what} {path} is refused", "everybody may write to it", chmod_line(path))
    if status.st_mode & stat.S_IWGRP and not _is_private_group(status):
        raise Refused(f"the {what} {path} is refused", "its group may write to it", chmod_line(path))


def _is_private_group(status: os.stat_result) -> bool:
    """Whether the file's group is its owner alone.

    Many Linux systems give each user such a group and a umask of 002, so `cat > .env` makes a 0664 file.
    """
    try:
        user, group = pwd.getpwuid(status.st_uid), grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    return user.pw_gid == status.st_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def user_name(uid: int) -> str:
    """A user's name, or "user 123" for one without."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
