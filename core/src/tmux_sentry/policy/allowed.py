"""Commands that a policy allows an agent to run, compared word by word. Pure; what is not understood is not allowed.

A command is what an agent wants to hand to a shell, as a screen shows it. It is let through only where any shell makes
the same words of it: so its characters are named here, and everything else (operators, substitutions, globs,
backslashes, control characters, letters that only look like ours) refuses it, quoted or not.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

#: The longest command that is looked at.
LIMIT = 1000
#: As the last word of an entry: any further arguments.
MORE = "..."

_ODD = re.compile(r"[^A-Za-z0-9 _./:=,@%+'\"-]")
# What may stand before a path in an argument: --file=PATH, HOST:PATH, a,b, name@PATH, "cat PATH".
_SEAMS = re.compile(r"[=:,@+%'\" ]")
_PATH = re.compile(r"[A-Za-z0-9_./]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """One entry: exactly these words, or with `more` also further arguments."""

    words: tuple[str, ...]
    more: bool = False


def parse_allowed(entry: str) -> Allowed:
    """What an entry of a policy allows. Raises ValueError, which says why it could never match a command."""
    words = words_of(entry)
    more = words[-1] == MORE
    words = words[:-1] if more else words
    if not words:
        raise ValueError(f"'{MORE}' alone would allow anything: name the program")
    return Allowed(words=words, more=more)


def words_of(command: str) -> tuple[str, ...]:
    """The words that every shell makes of `command`, at least one. Raises ValueError: it is not that plain."""
    if len(command) > LIMIT:
        raise ValueError(f"it is longer than {LIMIT} characters")
    if (odd := _ODD.search(command)) is not None:
        raise ValueError(f"it holds {odd.group()!a}, which a shell or an eye may take for something else")
    try:
        words = tuple(shlex.split(command, posix=True))
    except ValueError:
        raise ValueError("a quote is not closed") from None
    if not words or not words[0]:
        raise ValueError("it names no program")
    if "=" in words[0]:
        raise ValueError("it sets a variable for the program")
    if any(word.startswith("=") for word in words):
        raise ValueError("a word begins with =, which zsh replaces")
    return words


def why_not(command: str, allow: Iterable[Allowed], folder: str) -> str | None:
    """Why `command` is not allowed; None when it is.

    `folder` is where it would run: of the arguments that an entry does not name itself, none may lead out of it. ""
    is not known; then only what is relative stays inside. Links are not followed: they cannot be seen from here.
    """
    try:
        words = words_of(command)
    except ValueError as error:
        return str(error)
    outside = ""
    for entry in allow:
        count = len(entry.words)
        if words[:count] != entry.words or (len(words) > count and not entry.more):
            continue
        outside = next((word for word in words[count:] if not _stays(word, folder)), "")
        if not outside:
            return None
    return f"{outside} may lead out of the work folder" if outside else "it is not on the list"


def _stays(word: str, folder: str) -> bool:
    """Whether no path that may be meant by an argument leads out of `folder`."""
    return all(_inside(part, folder) for part in _SEAMS.split(word) if part)


def _inside(part: str, folder: str) -> bool:
    if "/" not in part and ".." not in part:
        return True
    if not _PATH.match(part):
        return False  # -o/etc/x: where the path begins is the program's own rule
    root = posixpath.normpath(folder) if folder.startswith("/") else "/ "  # which no command can name
    path = posixpath.normpath(posixpath.join(root, part))
    return path == root or path.startswith(root.rstrip("/") + "/")
