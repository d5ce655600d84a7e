"""The public halves that stand beside or in a key file, also in one that cannot be opened."""

from __future__ import annotations

import binascii
from base64 import b64decode
from pathlib import Path

_BEGIN, _END = b"-----BEGIN OPENSSH PRIVATE KEY-----", b"-----END OPENSSH PRIVATE KEY-----"
_MAGIC = b"openssh-key-v1\0"


def public_blobs(path: Path) -> frozenset[bytes]:
    """Every public key and certificate that a key file stands for; empty when none can be read.

    It may be a public key itself, have `.pub` or `-cert.pub` beside it, or be a private key in OpenSSH's own format,
    in which the public half is never encrypted.
    """
    beside = [path.with_name(f"{path.name}{end}") for end in (".pub", "-cert.pub")]
    found = {_inside(_content(path)), *(_line(_content(file)) for file in (path, *beside))}
    return frozenset(blob for blob in found if blob)


def is_public(path: Path) -> bool:
    """Whether the file is a public key, not a private one."""
    return _line(_content(path)) is not None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _line(content: bytes) -> bytes | None:
    """The key of a line `type base64 comment`; the key itself begins with its type."""
    words = content.split(None, 2)
    blob = _decoded(words[1]) if len(words) > 1 else None
    return blob if blob and _string(blob)[0] == words[0] else None


def _inside(content: bytes) -> bytes | None:
    """The public half in a private key file (PROTOCOL.key of OpenSSH): it comes behind the cipher, the key derivation,
    its options and the number of keys, which is 1."""
    before, begin, rest = content.partition(_BEGIN)
    data = None if before.strip() or not begin else _decoded(b"".join(rest.partition(_END)[0].split()))
    if not data or not data.startswith(_MAGIC):
        return None
    rest = data[len(_MAGIC) :]
    for _ in ("cipher", "key derivation", "options"):
        _, rest = _string(rest)
    return _string(rest[4:])[0]


def _string(data: bytes) -> tuple[bytes, bytes]:
    """The string at the start, its length in four bytes before it, and what comes behind it."""
    end = 4 + int.from_bytes(data[:4], "big")
    return data[4:end], data[end:]


def _decoded(text: bytes) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except binascii.Error:
        return None
