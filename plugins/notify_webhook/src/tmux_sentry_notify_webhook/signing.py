"""The signature of Standard Webhooks: https://github.com/standard-webhooks/standard-webhooks (spec 1.0.0, 2026-11)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence

#: Bytes of a key: "at least 24 bytes (192 bits, 512 maximum)".
SHORTEST, LONGEST = 24, 64
#: The word that is set instead of a key by who wants to send unsigned.
UNSIGNED = "none"
_PREFIX = "whsec_"


class BadSecret(Exception):
    """WEBHOOK_SECRET cannot be used: what is wrong with it and what to do, without a part of it."""


def keys(setting: str) -> tuple[bytes, ...]:
    """The keys in a list of `whsec_...` with commas or spaces; none when it says `none`. Raises BadSecret."""
    words = [word for word in re.split(r"[,\s]+", setting) if word]
    if not words:
        raise BadSecret(
            "WEBHOOK_SECRET is missing: set it to whsec_ and 32 random bytes in base64, as the receiver has it, "
            f"or to `{UNSIGNED}` to send unsigned"
        )
    if words == [UNSIGNED]:
        return ()
    return tuple(_key(word, number, len(words)) for number, word in enumerate(words, start=1))


def signature(keys: Sequence[bytes], id_: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature a key. `body` is the bytes on the wire."""
    signed = f"{id_}.{timestamp}.".encode() + body
    macs = (hmac.new(key, signed, hashlib.sha256).digest() for key in keys)
    return " ".join("v1," + base64.b64encode(mac).decode() for mac in macs)


def header_safe(id_: str) -> str:
    """`id_` as a `webhook-id`: letters, digits, `-` and `_`; of any other the digest, so it is the same every time.

    No full stop: the signed parts are put together with them.
    """
    if re.fullmatch("[A-Za-z0-9_-]{1,64}", id_):
        return id_
    return "msg_" + hashlib.sha256(id_.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _key(word: str, number: int, of: int) -> bytes:
    which = "WEBHOOK_SECRET" if of == 1 else f"WEBHOOK_SECRET (number {number} of {of})"
    if word.startswith(("whsk_", "whpk_")):
        raise BadSecret(f"{which} is an ed25519 key: only shared secrets, whsec_..., are supported")
    if not word.startswith(_PREFIX):
        raise BadSecret(f"{which} does not begin with {_PREFIX}: put {_PREFIX} before the base64 of the key")
    try:
        key = base64.b64decode(word.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise BadSecret(f"{which} is not base64 after {_PREFIX}: was it cut, or is it base64url?") from None
    if not SHORTEST <= len(key) <= LONGEST:
        raise BadSecret(f"{which} is a key of {len(key)} bytes: it must have {SHORTEST} to {LONGEST}")
    return key
