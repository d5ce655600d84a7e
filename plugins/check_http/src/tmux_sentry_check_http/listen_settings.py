"""The two settings of the listener."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

DEFAULT = "127.0.0.1:8787"
#: Bytes of a key by Standard Webhooks: "at least 24 bytes (192 bits, 512 maximum)".
SHORTEST, LONGEST = 24, 64
#: Characters of a secret as GitHub has them.
PLAIN = 16
#: Secrets of one kind at a time: the new one and, while it is being changed, the old one.
MOST = 2
_PREFIX = "whsec_"


class BadSetting(ValueError):
    """A setting cannot be used: what is wrong and what to do, without a part of a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenSettings:
    """Where to listen, and the keys: `standard` for Standard Webhooks, `github` for X-Hub-Signature-256."""

    host: str
    port: int  # 0: any that is free
    standard: tuple[bytes, ...]
    github: tuple[bytes, ...]

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> ListenSettings:
        """Raises BadSetting."""
        host, port = _address(settings.get("WEBHOOK_LISTEN", "").strip() or DEFAULT)
        words = [word.strip() for word in settings.get("WEBHOOK_LISTEN_SECRET", "").split(",") if word.strip()]
        if not words:
            raise BadSetting(
                "WEBHOOK_LISTEN_SECRET is missing: set it to what the sender signs with; nothing unsigned is taken"
            )
        standard = tuple(_standard(word) for word in words if word.startswith(_PREFIX))
        github = tuple(_plain(word) for word in words if not word.startswith(_PREFIX))
        if max(len(standard), len(github)) > MOST:
            raise BadSetting(f"WEBHOOK_LISTEN_SECRET has more than {MOST} secrets of one kind: keep the newest two")
        return cls(host=host, port=port, standard=standard, github=github)


def _address(text: str) -> tuple[str, int]:
    """Only addresses, no names: what a name means may change, and then who can reach the listener does."""
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.]{2,45})\]|([0-9.]{7,15}|localhost)):([0-9]{1,5})", text)
    try:
        if match is None or int(match[3]) > 65535:
            raise ValueError
        host = match[1] or match[2].replace("localhost", "127.0.0.1")
        return str(ipaddress.ip_address(host)), int(match[3])
    except ValueError:
        raise BadSetting("WEBHOOK_LISTEN is no address and port: write it as 127.0.0.1:8787 or [::1]:8787") from None


def _standard(word: str) -> bytes:
    try:
        key = base64.b64decode(word.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise BadSetting("WEBHOOK_LISTEN_SECRET: what follows whsec_ is not base64: was it cut?") from None
    if not SHORTEST <= len(key) <= LONGEST:
        raise BadSetting(f"WEBHOOK_LISTEN_SECRET: a whsec_ key must have {SHORTEST} to {LONGEST} bytes")
    return key


def _plain(word: str) -> bytes:
    if word.startswith(("whsk_", "whpk_")):
        raise BadSetting("WEBHOOK_LISTEN_SECRET holds an ed25519 key: only shared secrets, whsec_..., are supported")
    if len(word) < PLAIN:
        raise BadSetting(f"WEBHOOK_LISTEN_SECRET: a secret needs at least {PLAIN} characters: openssl rand -hex 32")
    return word.encode("utf-8", "surrogateescape")
