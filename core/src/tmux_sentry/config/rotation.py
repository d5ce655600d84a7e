"""A new key for encrypted values, in steps of which each leaves every value readable.

First the key file gets the new key above the old ones, then one file after the other gets its values encrypted with
it. Stopped anywhere, the next rotation goes on with the key that is there. The old keys are removed by `finish` only,
and only when nothing needs them. Of each file that changes, a copy stays beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tmux_sentry.config.crypto import Key, new_key, seal
from tmux_sentry.config.key_file import with_newest, with_only
from tmux_sentry.config.keys import KEY_VARIABLE, KeyRing, read_key_file
from tmux_sentry.config.replacing import back_up, replace_file
from tmux_sentry.config.secret_files import Document, Value
from tmux_sentry.config.vault import CannotOpen, Vault
from tmux_sentry.errors import Diagnostic, InvalidConfig, UsageError

_MAKE = "openssl rand -base64 32 | tr '+/' '-_' | tr -d '='"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What a rotation did: the key that counts now, whether it is a new one, the changed files and their copies."""

    key: Key
    made: bool
    values: int
    files: tuple[Path, ...]
    backups: tuple[Path, ...]


def rotate(documents: Sequence[Document], vault: Vault) -> Rotated:
    """Encrypt every value with the newest key, or, if all are, with a new one.

    Raises InvalidConfig, before anything changes, when a value cannot be opened; UsageError when the newest key is
    not in a key file and all values use it.
    """
    clear = _open_all(documents, vault)
    ring = vault.ring
    key = ring.newest()
    stale = any(one.key_id != key.id for one in clear)
    backups: list[Path] = []
    made = not stale
    if made:
        key = _add_key(ring, backups)
    files: list[Path] = []
    count = 0
    for document in documents:
        new = {
            value: seal(clear[value], value.name, key)
            for value in document.values
            if value in clear and value.key_id != key.id
        }
        if new:
            text = document.replaced(new)
            backups.append(back_up(document.path, "rotation", document.data))
            replace_file(document.path, document.data, text.encode("utf-8"))
            files.append(document.path)
            count += len(new)
    return Rotated(key=key, made=made, values=count, files=tuple(files), backups=tuple(backups))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What finishing did: the keys that are gone, those that only their owner can remove, the old key file's copy."""

    removed: tuple[Key, ...] = ()
    by_hand: tuple[Key, ...] = ()
    backup: Path | None = None


def needed_yet(values: Iterable[Value], vault: Vault) -> list[Value]:
    """The encrypted values that the newest key does not open."""
    newest = Vault(lambda: KeyRing(keys=vault.ring.keys[:1]))
    return [value for value in values if value.encrypted and _why_not(value, newest) is not None]


def finish(vault: Vault) -> Finished:
    """Remove all keys but the newest from the key file. Ask `needed_yet` first."""
    ring = vault.ring
    newest, old = ring.newest(), ring.keys[1:]
    inside = tuple(key for key in old if key.origin == str(ring.file))
    if not inside or ring.file is None or newest.origin != str(ring.file):
        return Finished(by_hand=old)
    text = read_key_file(ring.file)
    backup = back_up(ring.file, "finish", text.encode("ascii"))
    replace_file(ring.file, text.encode("ascii"), with_only(text, newest).encode("ascii"))
    return Finished(removed=inside, by_hand=tuple(key for key in old if key not in inside), backup=backup)


def _open_all(documents: Iterable[Document], vault: Vault) -> dict[Value, str]:
    clear: dict[Value, str] = {}
    found: list[Diagnostic] = []
    for document in documents:
        for value in document.values:
            if value.encrypted:
                try:
                    clear[value] = vault.open(value.text, value.name, (), document.path)
                except CannotOpen as error:
                    found.append(cannot(value, error))
    if found:
        raise InvalidConfig(found)
    return clear


def cannot(value: Value, error: CannotOpen) -> Diagnostic:
    """The finding that a value cannot be opened."""
    return Diagnostic(
        file=value.file,
        line=value.line,
        column=value.column,
        where=value.name,
        what=f"cannot be decrypted: {error.why}",
        help=error.fix,
    )


def _why_not(value: Value, vault: Vault) -> CannotOpen | None:
    try:
        vault.open(value.text, value.name)
    except CannotOpen as error:
        return error
    return None


def _add_key(ring: KeyRing, backups: list[Path]) -> Key:
    newest = ring.newest()
    if ring.file is None or newest.origin != str(ring.file):
        where = f"first in {KEY_VARIABLE}" if newest.origin == KEY_VARIABLE else f"as the first line of {newest.origin}"
        fix = f"make a key with: {_MAKE}; put it {where}, keep the others, and rotate again"
        raise UsageError("a new key cannot be made here", f"the newest key comes from {newest.origin}", fix)
    key = new_key()
    text = read_key_file(ring.file)
    backups.append(back_up(ring.file, "rotation", text.encode("ascii")))
    replace_file(ring.file, text.encode("ascii"), with_newest(text, key).encode("ascii"))
    return key
