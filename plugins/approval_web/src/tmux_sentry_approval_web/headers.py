"""The headers of every answer, whatever it says."""

from __future__ import annotations

import base64
import hashlib

_UNUSED = ("accelerometer", "camera", "display-capture", "fullscreen", "geolocation", "gyroscope", "microphone", "midi",
           "payment", "publickey-credentials-get", "usb")  # fmt: skip


def every_answer(style: str, *, https: bool) -> list[tuple[str, str]]:
    """Headers for pages that have no script, and no style but this one inside them."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    found = [
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),  # the address is a secret
        ("Cache-Control", "no-store"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Permissions-Policy", ", ".join(f"{name}=()" for name in _UNUSED)),
        ("X-Robots-Tag", "noindex, nofollow, noarchive"),
        # One request a connection: a page is one request, and so the time for a connection bounds all of it.
        ("Connection", "close"),
    ]
    return [*found, ("Strict-Transport-Security", "max-age=31536000")] if https else found
