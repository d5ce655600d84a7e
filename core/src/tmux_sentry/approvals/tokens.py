"""What stands in a link: a signed random number. Nothing of it but a hash is kept here.

A token says of itself what it is for and until when, so that a foreign or old one is refused before anything is looked
up; whether it still opens something is in the table of links.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["link", "login", "session"]

SALT = "tmux-sentry approvals v1"
#: By these first characters a token in a text is recognised, and taken out (security/patterns.py).
PREFIXES: dict[Kind, str] = {"link": "tsa_", "login": "tsl_", "session": "tss_"}
_KINDS = {prefix: kind for kind, prefix in PREFIXES.items()}
#: No genuine token is longer.
LONGEST = 300
_CODE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A genuine one. `expires` is in epoch seconds."""

    kind: Kind
    number: str  # 128 random bits, in hex
    expires: float

    @property
    def hash(self) -> str:
        """The name under which it is in the table."""
        return hashlib.sha256(self.number.encode()).hexdigest()


def _is_canonical(text: str) -> bool:
    """Whether the signature is written in the one way that we write it: the last character of base64 has bits that
    mean nothing, and a token has one spelling."""
    signature = text.rpartition(".")[2]
    try:
        raw = base64.b64decode(signature + "=" * (-len(signature) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return False
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == signature


class Tokens:
    """`keys` are the secrets, newest first: the newest signs, all are believed. Without any there is no token."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [key.encode("utf-8", "surrogateescape") for key in keys]

    def __bool__(self) -> bool:
        return bool(self._keys)

    def make(self, kind: Kind, expires: float) -> tuple[str, Token]:
        """A new token as text, and what it is. Raises ValueError without a key."""
        if not self._keys:
            raise ValueError("there is no secret to sign with")
        token = Token(kind=kind, number=secrets.token_hex(16), expires=float(int(expires)))
        text = self._signer(kind).dumps([token.number, int(token.expires)])
        return PREFIXES[kind] + str(text), token

    def read(self, text: str) -> Token | None:
        """The token that we have signed; None for anything else."""
        from itsdangerous import BadData

        kind = _KINDS.get(text[:4])
        if kind is None or len(text) > LONGEST or not text.isascii() or not self._keys or not _is_canonical(text):
            return None
        try:
            number, expires = self._signer(kind).loads(text[4:])
        except (BadData, ValueError, TypeError):
            return None
        if not isinstance(number, str) or not isinstance(expires, int):
            return None
        return Token(kind=kind, number=number, expires=float(expires))

    def code(self, token: Token) -> str:
        """Six digits that stand beside a link and not in it: whoever has the address only does not know them."""
        return self._codes(token)[0]

    def is_code(self, token: Token, typed: str) -> bool:
        """Whether these are the digits; blanks between them do not count."""
        said = "".join(typed.split())[:20].encode("utf-8", "replace")
        return any(hmac.compare_digest(said, code.encode()) for code in self._codes(token))

    def _codes(self, token: Token) -> list[str]:
        """With each key: a link outlives the change of the newest."""
        macs = (hmac.new(key, f"code {token.number}".encode(), hashlib.sha256).digest() for key in self._keys)
        return [f"{int.from_bytes(mac[:8], 'big') % _CODE:06d}" for mac in macs]

    def _signer(self, kind: Kind) -> Any:
        from itsdangerous import URLSafeSerializer

        # itsdangerous' own defaults are SHA-1 and a home-made key derivation. It signs with the last of its keys.
        return URLSafeSerializer(
            list(reversed(self._keys)),
            salt=f"{SALT} {kind}",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )
