"""Whether a delivery is genuine: Standard Webhooks, and GitHub's X-Hub-Signature-256. Over the bytes as they came.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md and
https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries (2026-11)
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

from tmux_sentry_check_http.listen_settings import ListenSettings

#: Seconds that a delivery's clock may be off, in either direction.
TOLERANCE = 300
#: Signatures that are looked at: one for each secret of a sender that changes it.
MOST_SIGNATURES = 10
STANDARD = ("webhook-id", "webhook-timestamp", "webhook-signature")
GITHUB, GITHUB_ID, GITHUB_EVENT = "x-hub-signature-256", "x-github-delivery", "x-github-event"
GITHUB_OLD = "x-hub-signature"
#: Headers that must not come twice: which of the two would count?
SINGLE = (*STANDARD, GITHUB, GITHUB_ID, GITHUB_EVENT, GITHUB_OLD)

# No full stop in an id: the signed parts are put together with them.
_ID = re.compile(r"[!-\-/-~]{1,200}")


class NotGenuine(Exception):
    """Nobody vouches for the delivery; the message tells a sender what is wrong, and no secret."""


def precheck(headers: Mapping[str, str], settings: ListenSettings) -> None:
    """Refuse what cannot be genuine whatever its body: before that is read. Raises NotGenuine."""
    if not any(name in headers for name in (*STANDARD, GITHUB)):
        if GITHUB_OLD in headers:
            raise NotGenuine("only a SHA-1 signature; X-Hub-Signature-256 is needed")
        raise NotGenuine("no signature")
    if _is_standard(headers):
        if missing := [name for name in STANDARD if name not in headers]:
            raise NotGenuine(f"{missing[0]} is missing")
        if not settings.standard:
            raise NotGenuine("WEBHOOK_LISTEN_SECRET has no whsec_ key")
        if not _ID.fullmatch(headers["webhook-id"]):
            raise NotGenuine("webhook-id is none")
    if GITHUB in headers:
        if not settings.github:
            raise NotGenuine("WEBHOOK_LISTEN_SECRET has no secret for X-Hub-Signature-256")
        if not _ID.fullmatch(headers.get(GITHUB_ID, "")):
            raise NotGenuine("X-GitHub-Delivery is missing")


def verify(headers: Mapping[str, str], body: bytes, settings: ListenSettings, now: float) -> tuple[str, ...]:
    """What the delivery is known by, to tell when it comes again. Raises NotGenuine.

    Every signature that is there must be right: one kind does not make up for the other.
    """
    precheck(headers, settings)
    known: list[str] = []
    if _is_standard(headers):
        _verify_standard(headers, body, settings.standard, now)
        known.append(f"standard {headers['webhook-id']}")
    if GITHUB in headers:
        _verify_github(headers[GITHUB], body, settings.github)
        # Neither its id nor a time is signed: with another id the same bytes would pass for a new delivery.
        known += [f"github {headers[GITHUB_ID]}", f"body {hashlib.sha256(body).hexdigest()}"]
    return tuple(known)


def is_github(headers: Mapping[str, str]) -> bool:
    """Whether the delivery has GitHub's signature."""
    return GITHUB in headers


def _is_standard(headers: Mapping[str, str]) -> bool:
    return any(name in headers for name in STANDARD)


def _verify_standard(headers: Mapping[str, str], body: bytes, keys: Sequence[bytes], now: float) -> None:
    id_, timestamp, signatures = (headers[name] for name in STANDARD)
    if not re.fullmatch(r"[0-9]{1,12}", timestamp) or abs(now - int(timestamp)) > TOLERANCE:
        raise NotGenuine(f"webhook-timestamp is not within {TOLERANCE} s of now")
    signed = f"{id_}.{timestamp}.".encode() + body
    macs = [hmac.digest(key, signed, "sha256") for key in keys]
    matches = False
    for one in signatures.split(" ")[:MOST_SIGNATURES]:
        version, _, text = one.partition(",")
        if version == "v1":
            given = _decoded(text)
            matches |= sum(hmac.compare_digest(given, mac) for mac in macs) > 0  # each: time must tell nothing
    if not matches:
        raise NotGenuine("webhook-signature does not fit")


def _verify_github(signature: str, body: bytes, keys: Sequence[bytes]) -> None:
    given = signature.encode("latin-1", "replace")
    macs = [b"sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest().encode() for key in keys]
    if sum(hmac.compare_digest(given, mac) for mac in macs) == 0:
        raise NotGenuine("X-Hub-Signature-256 does not fit")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
