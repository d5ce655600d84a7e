"""Encrypted values, damaged and moved in every small way: each is told, and none opens."""

from __future__ import annotations

from contextlib import suppress

from figure import Figure

from tmux_sentry.config.crypto import Key, is_encrypted, new_key, seal
from tmux_sentry.config.keys import KeyRing
from tmux_sentry.config.settings import core_settings
from tmux_sentry.config.vault import CannotOpen, Vault

_VALUES = ("x", "12", "123", "ghp_" + "a" * 36, "two\nlines", "密码🔐", "p" * 200)
_PATHS = ("hosts.nas.ssh.password", "hosts.box.ssh.password", "pipelines.webapp.vars.token")


def measure() -> list[Figure]:
    """Every flipped bit, every length, every other name, and every other key."""
    key = new_key()
    vault = Vault(lambda: KeyRing(keys=(key,)))
    names = [*(setting.name for setting in core_settings()), *_PATHS]
    sealed = {(name, value): seal(value, name, key) for name in ("GITHUB_TOKEN", _PATHS[0]) for value in _VALUES}
    exact = sum(_opens(vault, text, name) == value for (name, value), text in sealed.items())
    return [
        Figure(
            name="encrypted values that come back",
            shown=f"{exact} of {len(sealed)} values, of which {len(set(sealed.values()))} are different texts",
            ok=exact == len(sealed) == len(set(sealed.values())),
        ),
        _flips(vault, sealed),
        _truncations(vault, sealed),
        _moves(key, vault, names),
        _keys(sealed),
    ]


def _opens(vault: Vault, text: str, name: str) -> str | None:
    """What a file with this text at this place gives: the value, or the text itself where it passes for a plain one."""
    if not is_encrypted(text):
        return text
    with suppress(CannotOpen):
        return vault.open(text, name)
    return None


def _flips(vault: Vault, sealed: dict[tuple[str, str], str]) -> Figure:
    tried = missed = no_text = 0
    for (name, _), text in sealed.items():
        data = text.encode("ascii")
        for bit in range(len(data) * 8):
            flipped = bytearray(data)
            flipped[bit // 8] ^= 1 << bit % 8
            tried += 1
            try:
                damaged = flipped.decode("utf-8")
            except UnicodeDecodeError:
                no_text += 1  # the file is refused as no UTF-8
                continue
            missed += _opens(vault, damaged, name) is not None
    shown = f"{tried} bits of {len(sealed)} values, {no_text} of them no UTF-8 any more: {missed} not noticed"
    return Figure(name="encrypted values with one bit flipped", shown=shown, ok=missed == 0)


def _truncations(vault: Vault, sealed: dict[tuple[str, str], str]) -> Figure:
    tried = missed = 0
    for (name, _), text in sealed.items():
        # "e", "en" and "enc" are nobody's encrypted value any more.
        for length in range(len("enc:"), len(text)):
            tried += 1
            missed += _opens(vault, text[:length], name) is not None
    shown = f"{tried} lengths of {len(sealed)} values, from 4 characters: {missed} not noticed"
    return Figure(name="encrypted values cut off", shown=shown, ok=missed == 0)


def _moves(key: Key, vault: Vault, names: list[str]) -> Figure:
    tried = missed = 0
    for home in names:
        text = seal("hunter2", home, key)
        for name in names:
            if name != home:
                tried += 1
                missed += _opens(vault, text, name) is not None
    shown = f"{len(names)} names, {tried} moves: {missed} opened"
    return Figure(name="encrypted values moved to another name", shown=shown, ok=missed == 0)


def _keys(sealed: dict[tuple[str, str], str]) -> Figure:
    tried = missed = 0
    for _ in range(50):
        other = new_key()
        vault = Vault(lambda other=other: KeyRing(keys=(other,)))  # type: ignore[misc]
        for (name, _value), text in sealed.items():
            # With the other key's id, so that it is tried.
            parts = text.split(":")
            parts[2] = other.id
            tried += 1
            missed += _opens(vault, ":".join(parts), name) is not None
    return Figure(name="encrypted values with another key", shown=f"{tried} tried: {missed} opened", ok=missed == 0)
