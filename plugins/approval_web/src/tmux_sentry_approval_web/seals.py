"""Shows that a form was sent from a page of ours, by the browser that we gave that page to (CSRF)."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

_NONCE = re.compile(r"[A-Za-z0-9_-]{22}")


def nonce(cookie: str) -> str:
    """The browser's own random number: the one of its cookie, or a new one."""
    return cookie if _NONCE.fullmatch(cookie) else secrets.token_urlsafe(16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seals:
    """The key is of this process: after a restart a page is opened again."""

    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def make(self, nonce: str, what: str) -> str:
        """The seal of a form that answers `what`, in the browser with this nonce."""
        return hmac.new(self.key, f"{nonce} {what}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()

    def fits(self, seal: str, cookie: str, what: str) -> bool:
        """Whether the form's seal is the one that this browser got for `what`."""
        if not _NONCE.fullmatch(cookie):
            return False
        return hmac.compare_digest(seal.encode("utf-8", "replace"), self.make(cookie, what).encode())
