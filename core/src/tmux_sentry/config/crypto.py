"""`enc:v1:<key id>:<base64url>`: one value, encrypted for one place with AES-256-GCM.

The place's name is the associated data, so a value that was moved does not decrypt (NIST SP 800-38D). The key id
says which key is needed. Each value has one spelling only: any changed bit makes it another, which is refused.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from dataclasses import dataclass, field

PREFIX = "enc:v1:"
KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_FORM = re.compile(f"{PREFIX}([0-9a-f]{{8}}):([A-Za-z0-9_-]+)")


class Malformed(ValueError):
    """Not an encrypted value as this program writes it: cut off, damaged, or of a later version."""


class WrongPlace(ValueError):
    """The key does not open it here: it is of another place, or damaged."""


@dataclass(frozen=True, slots=True)
class Key:
    """32 bytes; `origin` is where they were found, for people."""

    secret: bytes = field(repr=False)
    origin: str = field(default="", compare=False)

    @property
    def id(self) -> str:
        """A short fingerprint, which says nothing about the key."""
        return hashlib.sha256(b"tmux-sentry:key:v1:" + self.secret).hexdigest()[:8]

    @property
    def text(self) -> str:
        """The key as it stands in a key file."""
        return base64.urlsafe_b64encode(self.secret).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted value, taken apart."""

    key_id: str
    body: bytes  # nonce, ciphertext, tag


def new_key() -> Key:
    """A key that nobody has."""
    return Key(os.urandom(KEY_BYTES))


def parse_key(text: str, origin: str = "") -> Key:
    """A key of a key file. Raises Malformed, which does not show it."""
    secret = _decode(text.rstrip("="))
    if len(secret) != KEY_BYTES:
        raise Malformed
    return Key(secret, origin)


def is_encrypted(text: str) -> bool:
    """Whether a value, or a part of a comma list, is or was before it was damaged an encrypted one.

    Such a value is never used as it stands.
    """
    return any(_looks_encrypted(part.strip()) for part in text.split(","))


def parse(text: str) -> Sealed:
    """Take an encrypted value apart. Raises Malformed."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise Malformed
    body = _decode(match[2])
    if len(body) < _NONCE_BYTES + _TAG_BYTES:
        raise Malformed
    return Sealed(match[1], body)


def seal(value: str, name: str, key: Key) -> str:
    """Encrypt `value` for the place `name`."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE_BYTES)
    body = nonce + AESGCM(key.secret).encrypt(nonce, value.encode("utf-8"), _bound_to(name))
    return f"{PREFIX}{key.id}:{base64.urlsafe_b64encode(body).decode().rstrip('=')}"


def unseal(sealed: Sealed, name: str, key: Key) -> str:
    """The value at the place `name`. Raises WrongPlace."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce, encrypted = sealed.body[:_NONCE_BYTES], sealed.body[_NONCE_BYTES:]
    try:
        return AESGCM(key.secret).decrypt(nonce, encrypted, _bound_to(name)).decode("utf-8")
    except (InvalidTag, UnicodeDecodeError):
        raise WrongPlace from None


def _looks_encrypted(text: str) -> bool:
    head = text[: len(PREFIX)].lower()
    if head == "enc:" or head.startswith("enc:v"):
        return True
    differing = sum(one != other for one, other in zip(head, PREFIX, strict=False))
    return differing == 1 and _FORM.fullmatch(PREFIX + text[len(PREFIX) :]) is not None


def _bound_to(name: str) -> bytes:
    return f"tmux-sentry:v1:{name}".encode("utf-8", "surrogatepass")


def _decode(text: str) -> bytes:
    """Strict base64url without padding: the last character's unused bits have to be 0. Raises Malformed."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise Malformed from None
    if base64.urlsafe_b64encode(data).decode().rstrip("=") != text:
        raise Malformed
    return data
