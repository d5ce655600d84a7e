"""Where the keys of encrypted values come from, and when a key file is trusted.

Looked for in this order; the first key found encrypts, all of them decrypt:

1. the environment variable ENCRYPTION_KEY, a comma list, newest first
2. the systemd credential `tmux-sentry.key` in $CREDENTIALS_DIRECTORY
   (https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#Credentials)
3. the key file: ENCRYPTION_KEY_FILE, else master.key in the home directory; one key a line, newest first
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tmux_sentry.config.crypto import Key, Malformed, parse_key
from tmux_sentry.config.permissions import chmod_line, user_name
from tmux_sentry.errors import Refused, UsageError

KEY_VARIABLE = "ENCRYPTION_KEY"
FILE_VARIABLE = "ENCRYPTION_KEY_FILE"
CREDENTIAL = "tmux-sentry.key"
FILE_NAME = "master.key"
HEADER = (
    "# The keys of encrypted values, newest first (tmux-sentry secrets). Keep a copy elsewhere: nothing opens\n"
    "# the values without it.\n"
)
_MAX_BYTES = 64_000


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """The keys that were found, newest first, and where they were looked for."""

    keys: tuple[Key, ...] = ()
    file: Path | None = None  # the key file, also when it is not there
    looked: tuple[str, ...] = ()

    def of_id(self, key_id: str) -> list[Key]:
        """The keys with this id; more than one only by chance."""
        return [key for key in self.keys if key.id == key_id]

    def newest(self) -> Key:
        """The key that encrypts. Raises UsageError when there is none."""
        if not self.keys:
            fix = "tmux-sentry init makes one; or bring yours back from a copy"
            raise UsageError("there is no key to encrypt with", f"looked for in {', '.join(self.looked)}", fix)
        return self.keys[0]


def find_keys(env: Mapping[str, str], file: Path, *, named: bool) -> KeyRing:
    """Every key there is. `file` is the key file; with `named` somebody named it, so it has to be there.

    Raises Refused for a file that others can read or write or that is not ours, UsageError for one that cannot be
    read or holds something else.
    """
    found: list[Key] = []
    looked = [KEY_VARIABLE]
    texts = [part.strip() for part in env.get(KEY_VARIABLE, "").split(",")]
    found += _parsed(((KEY_VARIABLE, text) for text in texts if text), KEY_VARIABLE)
    folder = env.get("CREDENTIALS_DIRECTORY")
    if folder:
        credential = Path(folder) / CREDENTIAL
        looked.append(str(credential))
        found += _read_keys(credential, "key credential", of_system=True) if credential.exists() else ()
    looked.append(str(file))
    if named or os.path.lexists(file):
        found += _read_keys(file, "key file")
    return KeyRing(keys=tuple(dict.fromkeys(found)), file=file, looked=tuple(looked))


def key_lines(text: str) -> list[tuple[int, str]]:
    """The lines of a key file that hold a key: number (from 1) and key."""
    lines = enumerate(text.split("\n"), start=1)
    return [(number, line.strip()) for number, line in lines if line.strip() and not line.strip().startswith("#")]


def read_key_file(path: Path, what: str = "key file", *, of_system: bool = False) -> str:
    """The text of a file that holds keys, trusted as ssh trusts a private key; a link leads to such a file.

    `of_system`: a credential, which systemd may leave with root as its owner and give us by an access list, whose
    mask shows as the mode of the group. Raises as `find_keys`.
    """
    try:
        # A pipe in its place must not hold us up.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UsageError(f"the {what} {path} is not a file")
            _refuse_loose(path, what, status, of_system=of_system)
            data = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        fix = ""
        if isinstance(error, FileNotFoundError):
            fix = f"bring it back from a copy, or set {FILE_VARIABLE}; tmux-sentry init makes a new one"
        raise UsageError(f"the {what} {path} cannot be read", error.strerror or str(error), fix) from None
    try:
        text = data.decode("ascii") if len(data) <= _MAX_BYTES else ""
    except UnicodeDecodeError:
        text = ""
    if not text.strip():
        raise UsageError(f"the {what} {path} holds no key", "it has one a line: 32 bytes, in base64url")
    return text


def _read_keys(path: Path, what: str, *, of_system: bool = False) -> list[Key]:
    lines = key_lines(read_key_file(path, what, of_system=of_system))
    if not lines:
        raise UsageError(f"the {what} {path} holds no key", "it has one a line: 32 bytes, in base64url")
    return _parsed(((f"{path}:{number}", text) for number, text in lines), str(path))


def _parsed(places: Iterable[tuple[str, str]], origin: str) -> list[Key]:
    keys = []
    for place, text in places:
        try:
            keys.append(parse_key(text, origin))
        except Malformed:
            why = "a key is 32 bytes in base64url, 43 characters"
            raise UsageError(f"{place}: this is not a key", why, "bring it back from a copy") from None
    return keys


def _refuse_loose(path: Path, what: str, status: os.stat_result, *, of_system: bool) -> None:
    refused = f"the {what} {path} is refused"
    if status.st_uid != os.geteuid() and not (of_system and status.st_uid == 0):
        fix = f"chown {os.geteuid()} {shlex.quote(str(path))}, or use a key of your own"
        raise Refused(refused, f"it belongs to {user_name(status.st_uid)}, not to you", fix)
    loose = stat.S_IWGRP | stat.S_IRWXO if of_system else stat.S_IRWXG | stat.S_IRWXO
    if status.st_mode & loose:
        why = f"others can read or change it (mode {stat.S_IMODE(status.st_mode):04o})"
        raise Refused(refused, why, chmod_line(path))
