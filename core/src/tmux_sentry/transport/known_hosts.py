"""known_hosts: which key belongs to which machine, and what the user does not trust any more.

The format is OpenSSH's (https://man.openbsd.org/sshd.8#SSH_KNOWN_HOSTS_FILE_FORMAT, read 2026-11): plain names,
comma lists, `*`, `?` and `!` patterns, hashed names, `[host]:port`, `@revoked`. Lines with `@cert-authority` are left
aside, because host certificates are not supported. paramiko's own reader gives up the whole file at the first
line with a marker, and matches no pattern (measured with 5.1).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os
import re
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tmux_sentry.errors import Refused, SentryError, UsageError

_log = logging.getLogger(__name__)

#: What an administrator keeps for everybody; it is read, and never written.
SYSTEM_KNOWN_HOSTS = Path("/etc/ssh/ssh_known_hosts")
_DEFAULT_PORT = 22
# A name with any other character would be a pattern, a list or a broken line.
_NAME = re.compile(r"[\w.:%-]+")


class Verdict(Enum):
    """What known_hosts says about a key that a machine offers."""

    KNOWN = "known"
    UNKNOWN = "unknown"  # no key of that machine is known
    CHANGED = "changed"  # other keys are known, not this one
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKey:
    """One usable line; `place` is file:line, `names` the comma list or the one hashed name."""

    names: str
    key_type: str
    blob: bytes
    revoked: bool
    place: str


@dataclass(frozen=True, slots=True)
class KnownHosts:
    """The usable lines of known_hosts files, in their order."""

    keys: tuple[KnownKey, ...] = ()

    @classmethod
    def read(cls, paths: Iterable[Path]) -> KnownHosts:
        """Read the files that are there. One that cannot be read, or a line that means nothing, is logged and
        left out: the keys in it are then unknown, which refuses."""
        keys: list[KnownKey] = []
        for path in paths:
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                _log.warning("%s cannot be read: %s", path, error.strerror or error)
                continue
            for number, line in enumerate(data.splitlines(), 1):
                try:
                    key = _parse(line, f"{path}:{number}")
                except ValueError as error:
                    _log.debug("%s:%d is left out: %s", path, number, error)
                    continue
                if key is not None:
                    keys.append(key)
        return cls(tuple(keys))

    def of(self, hostname: str, port: int) -> tuple[KnownKey, ...]:
        """The keys that may be trusted for a machine."""
        return tuple(key for key in self._matching(hostname, port) if not key.revoked)

    def key_types(self, hostname: str, port: int) -> tuple[str, ...]:
        """The types of the keys that may be trusted for a machine, such as "ssh-ed25519"."""
        return tuple(dict.fromkeys(key.key_type for key in self.of(hostname, port)))

    def judge(self, hostname: str, port: int, key_type: str, blob: bytes) -> Verdict:
        """What to make of the key that a machine offers."""
        keys = self._matching(hostname, port)
        same = [key.revoked for key in keys if (key.key_type, key.blob) == (key_type, blob)]
        if any(same):
            return Verdict.REVOKED
        if same:
            return Verdict.KNOWN
        return Verdict.UNKNOWN if all(key.revoked for key in keys) else Verdict.CHANGED

    def _matching(self, hostname: str, port: int) -> list[KnownKey]:
        name = host_name(hostname, port)
        return [key for key in self.keys if _matches(key.names, name)]


def host_name(hostname: str, port: int) -> str:
    """How known_hosts calls a machine: `host`, or `[host]:port` for another port than 22; in lower case."""
    return hostname.lower() if port == _DEFAULT_PORT else f"[{hostname.lower()}]:{port}"


def fingerprint(blob: bytes) -> str:
    """A public key as `ssh-keygen -l` shows it: SHA256:..."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def trust(path: Path, hostname: str, port: int, key_type: str, blob: bytes) -> None:
    """Write the key of a machine into a file, which is made when there is none.

    Where the file has other keys for that very name they go, and FILE.old keeps the file as it was: a comma list
    loses the name, a line of that name alone or of its hash goes whole. Lines that match by a pattern, lines with a
    marker and all others stay byte for byte. Raises UsageError for a name that known_hosts cannot hold, Refused when
    the path is no file, SentryError when it cannot be written.
    """
    if not _NAME.fullmatch(hostname):
        raise UsageError(f"known_hosts cannot hold the name {hostname!r}")
    name = host_name(hostname, port)
    path = Path(os.path.realpath(path))  # a link stays a link
    if path.exists() and not path.is_file():
        # `UserKnownHostsFile /dev/null` stands in many a config, and a rename would put a file in the device's place.
        raise Refused(f"{path} is not a file", "a key cannot be kept there", "name another known_hosts file")
    try:
        before = path.read_bytes() if path.exists() else b""
        lines = before.splitlines(keepends=True)
        own = [key for line in lines if (key := _own(line, name))]
        if any((key.key_type, key.blob) == (key_type, blob) for key in own):
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        after = b"".join(_without(line, name) for line in lines)
        if after != before:
            _replace(path.with_name(f"{path.name}.old"), before, like=path)
        end = b"" if after.endswith(b"\n") or not after else b"\n"
        added = f"{name} {key_type} {base64.b64encode(blob).decode()}\n"
        _replace(path, after + end + added.encode(), like=path)
    except OSError as error:
        raise SentryError(f"cannot write {path}", error.strerror or str(error)) from error


def _parse(line: bytes, place: str = "") -> KnownKey | None:
    """None for a blank line and a comment; ValueError for what is not understood or not supported."""
    words = line.decode("utf-8", "replace").split()
    if not words or words[0].startswith("#"):
        return None
    marker = words.pop(0) if words[0].startswith("@") else ""
    if marker not in ("", "@revoked"):
        raise ValueError(f"{marker} is not supported")
    if len(words) < 3:
        raise ValueError("a line is: names, type, key")
    names, key_type, encoded = words[:3]
    blob = base64.b64decode(encoded, validate=True)
    if not _is_of_type(blob, key_type):
        raise ValueError(f"the key is not of the type {key_type}")
    return KnownKey(names=names, key_type=key_type, blob=blob, revoked=bool(marker), place=place)


def _is_of_type(blob: bytes, key_type: str) -> bool:
    """A public key says its type itself, with its length before it (RFC 4253, section 6.6)."""
    return blob.startswith(len(key_type).to_bytes(4, "big") + key_type.encode())


def _matches(names: str, name: str) -> bool:
    """Whether a line's names mean `name`: a hash of it, or a list with a pattern that does and none that forbids it."""
    if names.startswith("|"):
        return _is_hash_of(names, name)
    patterns = [pattern.lower() for pattern in names.split(",")]
    if any(_fits(pattern[1:], name) for pattern in patterns if pattern.startswith("!")):
        return False
    return any(_fits(pattern, name) for pattern in patterns)


def _fits(pattern: str, name: str) -> bool:
    # Not fnmatch: its [...] would be a class, and the brackets of [host]:port are letters here.
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), name) is not None


def _is_hash_of(hashed: str, name: str) -> bool:
    """`|1|salt|hash`, both base64: HMAC-SHA1 of the name, as `ssh-keygen -H` writes it."""
    try:
        _, kind, salt, digest = hashed.split("|")
        expected = base64.b64decode(digest, validate=True)
        return kind == "1" and hmac.digest(base64.b64decode(salt, validate=True), name.encode(), "sha1") == expected
    except ValueError:
        return False


def _without(line: bytes, name: str) -> bytes:
    """`line` without the name: as it is where it does not name it, b"" where it names nothing else."""
    key = _own(line, name)
    if key is None:
        return line
    field = line.split(None, 1)[0]
    rest = [one for one in field.split(b",") if one.decode("utf-8", "replace").lower() != name]
    if key.names.startswith("|") or all(one.startswith(b"!") for one in rest):
        return b""
    return line.replace(field, b",".join(rest), 1)


def _own(line: bytes, name: str) -> KnownKey | None:
    """The line's key, if the line holds the name itself or its hash and not only a pattern that matches it."""
    try:
        key = _parse(line)
    except ValueError:
        return None
    if key is None or key.revoked:
        return None
    hashed = key.names.startswith("|")
    return key if (_is_hash_of(key.names, name) if hashed else name in key.names.lower().split(",")) else None


def _replace(path: Path, data: bytes, *, like: Path) -> None:
    """Write `path` as a whole or not at all, with mode and owner of `like`, 0600 when there is none."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if like.exists():
                status = like.stat()
                os.fchmod(file.fileno(), stat.S_IMODE(status.st_mode))
                with suppress(PermissionError):  # root writes a user's file
                    os.fchown(file.fileno(), status.st_uid, status.st_gid)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
