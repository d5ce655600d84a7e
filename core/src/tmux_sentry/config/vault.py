"""Opens encrypted values, and says of one that it cannot open what is wrong with it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from pathlib import Path

from tmux_sentry.config.crypto import Malformed, WrongPlace, parse, unseal
from tmux_sentry.config.keys import KeyRing
from tmux_sentry.errors import UsageError

#: Is told of every value that was opened, and of the keys: for the redactor.
Learn = Callable[[Iterable[str]], None]


class CannotOpen(UsageError):
    """An encrypted value that cannot be opened; never shows the value."""


class Vault:
    """Opens values with keys that are looked for when the first one is there: without one nobody needs a key."""

    def __init__(self, find: Callable[[], KeyRing] = KeyRing, learn: Learn = lambda secrets: None) -> None:
        self._find = find
        self._learn = learn
        self._ring: KeyRing | None = None

    @property
    def ring(self) -> KeyRing:
        """The keys. Raises what looking for them raises."""
        if self._ring is None:
            self._ring = self._find()
            self._learn([key.text for key in self._ring.keys])
        return self._ring

    def open(self, text: str, name: str, others: Iterable[str] = (), file: Path | None = None) -> str:
        """The value behind `text`, which stands at the place `name`.

        `others` are the names of places that it may have been moved from, `file` is what it stands in; both for
        the message. Raises CannotOpen; Refused and UsageError for keys that cannot be used.
        """
        try:
            sealed = parse(text)
        except Malformed:
            why = "it is cut off or damaged, and no enc:v1:<key id>:<base64url> any more"
            if "," in text:
                why = "only a part of it is encrypted; a list is encrypted as a whole, its commas too"
            raise CannotOpen(f"{name} cannot be decrypted", why, set_line(name, file)) from None
        keys = self.ring.of_id(sealed.key_id)
        if not keys:
            raise self._no_key(sealed.key_id, name)
        for key in keys:
            for place in (name, *others):
                try:
                    value = unseal(sealed, place, key)
                except WrongPlace:
                    continue
                self._learn([value])
                if place == name:
                    return value
                raise CannotOpen(
                    f"{name} cannot be decrypted", f"it was encrypted for {place}, and moved", set_line(name, file)
                )
        why = "it was encrypted for another name, or is damaged"
        raise CannotOpen(f"{name} cannot be decrypted", why, set_line(name, file))

    def _no_key(self, key_id: str, name: str) -> CannotOpen:
        ring = self.ring
        there = f"there is {', '.join(key.id for key in ring.keys)}" if ring.keys else "there is no key"
        why = f"it needs the key {key_id}; {there}, looked for in {', '.join(ring.looked) or 'no place'}"
        fix = f"add that key as a line to {ring.file}: a copy of it, or the backup that a rotation left there"
        return CannotOpen(f"{name} cannot be decrypted", why, fix if ring.file else "")


def set_line(name: str, file: Path | None = None) -> str:
    """The command that encrypts a value for this place."""
    option = ""
    if file is not None:
        yaml = "." in name or file.suffix in (".yaml", ".yml")
        option = f" --{'file' if yaml else 'env-file'} {shlex.quote(str(file))}"
    return f"tmux-sentry secrets set {shlex.quote(name)}{option}"
