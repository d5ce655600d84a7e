"""Who else may read or write the files of this installation."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from tmux_sentry.config.permissions import chmod_line
from tmux_sentry.doctor.finding import Finding, note, ok, problem
from tmux_sentry.errors import Diagnostic
from tmux_sentry.transport.public_keys import is_public

_WRITABLE = stat.S_IWGRP | stat.S_IWOTH


def private(path: Path, subject: str, called: str, *, readable: bool = False) -> Iterator[Finding]:
    """A file or directory that is ours alone; with `readable` others may look into it. Nothing when it is not there.

    The way to a file behind a link is not looked at: who may change the link is said of its directory.
    """
    try:
        info = path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        yield problem(subject, f"{called} {path} cannot be looked at: {error.strerror}", f"ls -ld {_quote(path)}")
        return
    mode = f"mode {stat.S_IMODE(info.st_mode):04o}"
    if info.st_uid != os.geteuid():
        what = f"{called} {path} belongs to another user (uid {info.st_uid})"
        yield problem(subject, what, f"chown {os.geteuid()} {_quote(path)}, or use one of your own")
    elif info.st_mode & (_WRITABLE if readable else stat.S_IRWXG | stat.S_IRWXO):
        can = "written" if info.st_mode & _WRITABLE else "read"
        fix = f"chmod 700 {_quote(path)}" if stat.S_ISDIR(info.st_mode) else chmod_line(path)
        yield problem(subject, f"{called} {path} can be {can} by other users ({mode})", fix)
    else:
        yield ok(subject, f"{called} {path} ({mode})")


def home(path: Path) -> Iterator[Finding]:
    """The state directory and what lies in it."""
    if not path.exists():
        yield note("files", f"{path} is not there yet", "the first `tmux-sentry run` makes it")
        return
    if not path.is_dir():
        yield problem("files", f"{path} is not a directory", "move it away, or set TMUX_SENTRY_HOME")
        return
    yield from private(path, "files", "the state directory")
    yield from private(path / "master.key", "files", "the key")
    yield from private(path / "control.sock", "files", "the control socket")
    # Several people may look at the requests; who may write there may answer.
    yield from private(path / "approvals", "files", "the approvals directory", readable=True)
    yield from private(path / "recordings", "files", "the recordings directory")


def key_file(path: Path, home: Path) -> Iterator[Finding]:
    """The key file of encrypted values, where it is another than that of the state directory."""
    if path != home / "master.key":
        yield from private(path, "files", "the key file")


def secrets_in_clear(places: Iterable[tuple[str, str, str]]) -> Iterator[Finding]:
    """The secrets of the env file that are not encrypted: place, name, and the command that encrypts it."""
    for place, name, fix in places:
        yield note("secrets", f"{place}: {name} is in clear: copies of this file give it away", fix)


def file_approvals(backends: Iterable[str]) -> Iterator[Finding]:
    """What an answer in a file is worth, where such answers are taken."""
    if "file" in backends:
        what = "an approval file is no barrier against an agent: what runs as your user can write the answer too"
        fix = "let the agents run as another user, or approve by a way that they cannot reach"
        yield note("approvals", what, fix)


def keys(files: Iterable[Path]) -> Iterator[Finding]:
    """The private keys that hosts are reached with. A public one, whose other half an agent has, is no secret."""
    for path in dict.fromkeys(files):
        if not is_public(path):
            yield from private(path, "files", "the ssh key")


def settings(warnings: Iterable[str], env_file: Path | None) -> Iterator[Finding]:
    """What reading the variables had to say."""
    exposed = chmod_line(env_file) if env_file else None
    clean = True
    for warning in warnings:
        what, divided, fix = warning.rpartition(": ")
        if exposed is not None and divided and fix == exposed:
            clean = False
            yield problem("settings", what, fix)
        else:
            yield note("settings", warning)
    if env_file and clean:
        yield ok("settings", f"the env file {env_file} is yours alone")


def hosts(warnings: Iterable[Diagnostic]) -> Iterator[Finding]:
    """What reading the hosts file had to say: a secret in it, which others can read or will see in a copy."""
    for one in warnings:
        exposed = one.help.startswith(chmod_line(Path(one.file)))
        yield problem("hosts", str(one), one.help) if exposed else note("hosts", str(one), one.help)


def _quote(path: Path) -> str:
    return shlex.quote(str(path))
