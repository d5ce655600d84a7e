"""Whether a plugin may be imported at all: has a person agreed to it, and can nobody else have changed it."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tmux_sentry.config.permissions import user_name, who_may_write
from tmux_sentry.plugins.allow import HASH, AllowFile
from tmux_sentry.plugins.discovery import Found
from tmux_sentry.plugins.provenance import Altered, code, fingerprint, is_part, metadata_folder, tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`why_not` is empty when the plugin may be imported; `fix` is the command that changes the answer.

    `allowed_by` is file:line of what allows it, "" where nothing has to.
    """

    allowed_by: str = ""
    why_not: str = ""
    fix: str = ""

    @property
    def reason(self) -> str:
        """Why it may not be imported, and what to do, as one line."""
        return f"{self.why_not}: {self.fix}" if self.fix else self.why_not


def consent(found: Found, allowed: AllowFile | None) -> Answer:
    """Whether a person has agreed to this plugin; without an allow file they have to all that are installed."""
    if allowed is None:
        return Answer()
    fix = f"tmux-sentry plugins trust {shlex.quote(found.name)}"
    entries = [entry for entry in allowed.entries if entry.means(found.name, found.distribution)]
    if not entries:
        return Answer(why_not=f"not listed in {allowed.path}", fix=fix)
    path = code(found)
    if path is not None and not is_part(found, path):
        why = f"{entries[0].place} allows {found.distribution}, and {path} would be imported, which is no part of it"
        return Answer(why_not=why)
    for entry in entries:
        if entry.pin == found.version:
            return Answer(allowed_by=entry.place)
    pinned = [entry for entry in entries if entry.pin.startswith(HASH)]
    if not pinned:
        return Answer(why_not=f"{entries[0].place} allows {entries[0].pin}, and {found.version} is installed", fix=fix)
    if path is None:
        return Answer(why_not=f"{pinned[0].place} allows a hash, and its code was not found")
    try:
        actual = fingerprint(found, path)
    except (Altered, OSError) as error:
        return Answer(why_not=f"its files are not what was installed: {error}", fix="reinstall it")
    for entry in pinned:
        if entry.pin == actual:
            return Answer(allowed_by=entry.place)
    return Answer(why_not=f"{pinned[0].place} allows another hash than {actual}", fix=fix)


def exposed(found: Found) -> Answer:
    """Whether anybody but us and root could put something else in the plugin's place; `why_not` is empty if not."""
    path, metadata = code(found), metadata_folder(found)
    for place, sticky_helps in _places(path, metadata):
        try:
            status = os.stat(place)
        except FileNotFoundError:
            continue  # a link that leads nowhere, or a file that has just gone
        except OSError as error:
            return Answer(why_not=f"{place} cannot be looked at: {error.strerror}")
        if status.st_uid not in (0, os.geteuid()):
            why = f"{place} belongs to {user_name(status.st_uid)}, who could change it"
            return Answer(why_not=why, fix=f"chown {os.geteuid()} {shlex.quote(str(place))}")
        who = who_may_write(status)
        if who and not (sticky_helps and status.st_mode & stat.S_ISVTX):
            return Answer(why_not=f"{who} may write to {place}", fix=f"chmod go-w {shlex.quote(str(place))}")
    return Answer()


def _places(path: Path | None, metadata: Path | None) -> Iterator[tuple[Path, bool]]:
    """Everything that decides what is imported, and whether a sticky bit is enough there.

    In a sticky directory others cannot replace what is ours. They can add, though: `x/` is imported before `x.py`, so
    inside a package, and around a module that is a file, that does not help.
    """
    if path is not None:
        yield from ((place, False) for place in tree(path))
        # Up to the directory on sys.path, which holds the package: a package's directory is not shadowed by its
        # neighbours.
        yield path.parent, path.is_dir()
    if metadata is not None:
        yield from ((place, False) for place in tree(metadata))
        yield metadata.parent, True
