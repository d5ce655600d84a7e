"""~/.ssh/config, as far as it is honoured: what it says about a name that a person would give to ssh.

paramiko matches its blocks, but sees only the keywords that are honoured, with its mistakes taken out of their way. All
measured with 5.1: `Match exec` runs its command during a lookup; a `Match` word in capitals or one that it does
not know always matches; a comment behind a value becomes part of it; CanonicalizeHostname asks the DNS; Include is
skipped without a word, and so is HostKeyAlias.
"""

from __future__ import annotations

import logging
import re
import shlex
from dataclasses import dataclass
from functools import cache
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

from tmux_sentry.config.permissions import read_trusted
from tmux_sentry.errors import Refused, UsageError

_log = logging.getLogger(__name__)

_LINE = re.compile(r"(\w+)(?:\s*=\s*|\s+)(.+)")
_HONOURED = ("hostname", "user", "port", "identityfile", "identitiesonly", "proxyjump")
_CRITERIA = ("host", "originalhost", "user", "localuser", "exec")
_BARE_CRITERIA = ("all", "canonical", "final")


@dataclass(frozen=True, slots=True, kw_only=True)
class SshConfigHost:
    """What the file says about one name. None: nothing; an empty tuple: "none"."""

    hostname: str
    user: str | None = None
    port: int | None = None
    identity_files: tuple[Path, ...] | None = None
    identities_only: bool = False
    proxy_jump: tuple[str, ...] | None = None
    proxy_command: str | None = None
    user_known_hosts: tuple[Path, ...] | None = None


@dataclass(frozen=True, slots=True)
class SshConfig:
    """A configuration file of ssh: the lines of it that are honoured. Without any it says nothing about anything.

    `runs_programs`: whether `Match exec` and ProxyCommand are.
    """

    path: Path | None = None
    text: str = ""
    runs_programs: bool = False

    @classmethod
    def read(cls, path: Path, user_home: Path, *, allow_exec: bool) -> SshConfig:
        """Read a file. In one that others own or may write to, nothing that runs a program counts, nor what says
        which keys are trusted. Raises UsageError when it cannot be read or a line cannot be understood."""
        try:
            text, _ = read_trusted(path, "ssh config")
            trusted = True
        except Refused as refused:
            _tell(f"{path}: {refused.why}: what runs programs or says which keys are trusted is left out")
            text, trusted = path.read_text(encoding="utf-8"), False
        runs = allow_exec and trusted
        return cls(path, "\n".join(_honoured(path, text, user_home, runs, trusted)), runs)

    def lookup(self, name: str, user: str | None = None, port: int | None = None) -> SshConfigHost:
        """What the file says about `name`. `user` and `port` are set already and win, as on ssh's command line;
        `Match user`, %r and %p mean them. Raises UsageError."""
        given = [f"{key} {value}" for key, value in (("User", user), ("Port", port)) if value is not None]
        found = self._lookup(name, "\n".join([*given, self.text]))
        files = found.get("identityfile")
        trust = found.get("userknownhostsfile")
        jump, command = self._way(name, found)
        return SshConfigHost(
            hostname=found["hostname"],
            user=found.get("user"),
            port=self._port(name, found.get("port")),
            identity_files=None if files is None else _paths(files),
            identities_only=found.get("identitiesonly", "").lower() in ("yes", "true"),
            proxy_jump=jump,
            proxy_command=command,
            user_known_hosts=None if trust is None else _paths(shlex.split(trust)),
        )

    def _lookup(self, name: str, text: str) -> dict[str, Any]:
        import paramiko

        try:
            return dict(paramiko.SSHConfig.from_text(text).lookup(name))
        except (paramiko.SSHException, ValueError, LookupError, OSError) as error:
            raise UsageError(f"the ssh config {self.path} cannot be used for {name}", str(error)) from error

    def _port(self, name: str, text: str | None) -> int | None:
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536):
            raise UsageError(f"{self.path}: Port {text} of {name} is not a port")
        return int(text)

    def _way(self, name: str, found: dict[str, Any]) -> tuple[tuple[str, ...] | None, str | None]:
        """ProxyJump and ProxyCommand: the one that comes first counts, "none" too (ssh_config(5))."""
        for key in found:  # in the order in which the file gave them
            if key == "proxyjump":
                jump = str(found[key])
                return () if jump.lower() == "none" else tuple(jump.split(",")), None
            if key == "proxycommand" and (self.runs_programs or found[key] is None):
                return (), found[key]
            if key == "proxycommand":
                _tell(f"{self.path}: ProxyCommand of {name} is left out; ssh.allow_exec: true in hosts.yaml runs it")
        return None, None


@cache
def _tell(message: str) -> None:
    """Once: a lost connection has the file read again."""
    _log.warning("%s", message)


def _paths(words: list[str]) -> tuple[Path, ...]:
    return tuple(Path(word) for word in words if word.lower() != "none")


def _honoured(path: Path, text: str, user_home: Path, runs: bool, trusted: bool) -> list[str]:
    """The lines that paramiko gets to see, written so that it reads them as OpenSSH does."""
    kept: list[str] = []
    skipping = False
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        place = f"{path}:{number}"
        match = _LINE.fullmatch(line)
        if match is None:
            raise UsageError(f"{place} is not understood", "a line is: Keyword value")
        key, value = match[1].lower(), match[2]
        if key == "match":
            criteria = _criteria(place, _words(place, value), runs)
            skipping = criteria is None
            kept += [] if criteria is None else [f"Match {shlex.join(criteria)}"]
        elif key == "host":
            skipping = False
            kept.append(f"Host {shlex.join(_words(place, value))}")
        elif key == "include":
            _tell(f"{place}: Include is not followed")
        elif skipping:
            continue
        elif key == "hostkeyalias":
            _tell(f"{place}: HostKeyAlias is not supported: the key is looked for under the machine's own name")
        elif key == "proxycommand":
            kept.append(f"ProxyCommand {value}")
        elif key in _HONOURED:
            kept.append(f"{key} {_expanded(_words(place, value)[0], user_home)}")
        elif key == "userknownhostsfile" and trusted:
            files = [_expanded(word, user_home) for word in _words(place, value)]
            kept.append(f"{key} {shlex.join(files)}")
    return kept


def _words(place: str, value: str) -> list[str]:
    """A value's words up to a comment, of which there is at least one."""
    try:
        words = list(takewhile(lambda word: not word.startswith("#"), shlex.split(value)))
    except ValueError as error:
        raise UsageError(f"{place} is not understood", str(error)) from None
    if not words:
        raise UsageError(f"{place} is not understood", "its value is missing")
    return words


def _expanded(word: str, user_home: Path) -> str:
    return str(user_home / word[2:]) if word.startswith("~/") else word


def _criteria(place: str, words: list[str], runs: bool) -> list[str] | None:
    """The words of a Match line; None when its block has to be left out."""
    criteria: list[str] = []
    rest = iter(words)
    for word in rest:
        name = word.lower().removeprefix("!")
        if name == "exec" and not runs:
            _log.info("%s: Match exec is left out; ssh.allow_exec: true in hosts.yaml runs it", place)
            return None
        if name not in _CRITERIA + _BARE_CRITERIA:
            _tell(f"{place}: Match {name} is not supported, and its block is left out")
            return None
        criteria.append(word.lower())
        criteria += islice(rest, 0 if name in _BARE_CRITERIA else 1)
    return criteria
