"""How one secret looks in logs, URLs, JSON, HTML, shells and HTTP headers."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from urllib.parse import quote, quote_plus

from tmux_sentry.security.literals import SHORTEST
from tmux_sentry.security.sanitize import visible

_URL_SAFE = str.maketrans("+/", "-_")
_ANY = 1 << 20


def forms_of(secret: str) -> set[str]:
    """Every form of `secret` and of each of its lines: what shows it may have joined or indented them."""
    forms: set[str] = set()
    for part in {secret, secret.strip(), *(line.strip() for line in secret.splitlines())}:
        if len(part) >= SHORTEST:
            forms |= _written(part) | _encoded(part.encode("utf-8", "surrogatepass"))
    return {form for form in forms if len(form) >= SHORTEST}


def _written(secret: str) -> set[str]:
    """In programs' output: as it is, quoted for a shell, escaped for JSON (also in JSON), Python and HTML."""
    once = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    forms = {secret, repr(secret)[1:-1], visible(secret, _ANY), *once}
    forms |= {json.dumps(form)[1:-1] for form in once}
    forms |= {form.replace("/", r"\/") for form in once}  # PHP
    forms |= {re.sub("[<>&]", lambda char: f"\\u{ord(char.group()):04x}", form) for form in once}  # Go
    quoted = shlex.quote(secret)
    forms |= {quoted[1:-1] if quoted.startswith("'") else quoted, secret.replace("'", r"'\''")}
    forms |= {re.sub(r"([^\w@%+=:,./-])", r"\\\1", secret, flags=flags) for flags in (0, re.ASCII)}  # printf %q
    forms |= {html.escape(secret), html.escape(secret, quote=False), html.escape(secret).replace("&#x27;", "&#39;")}
    return forms


def _encoded(raw: bytes) -> set[str]:
    """In URLs (both cases of the hex digits), as hex digits and in base64, alone and inside another text."""
    text = raw.decode("utf-8", "surrogatepass")
    forms = {quote(raw, safe=""), quote(raw), quote_plus(raw)}
    if text.isascii():
        # What a browser leaves as it is: RFC 3986 sub-delims and gen-delims in a query.
        forms |= {quote(raw, safe="!$&'()*+,;=:@/?"), quote(raw, safe="!'()*")}
    forms |= {re.sub("%[0-9A-F]{2}", lambda code: code.group().lower(), form) for form in set(forms)}
    forms |= {quote(form, safe="") for form in set(forms)}  # a URL in a URL
    forms |= {raw.hex(), raw.hex().upper()}
    # In `base64(user:secret)` the secret may start at any of three places; only its whole sextets are its own.
    encoded = {base64.b64encode(raw).decode().rstrip("=")}
    for before in range(3):
        padded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        encoded.add(padded[(0, 2, 3)[before] : (before + len(raw)) * 8 // 6])
    for form in encoded:
        forms |= {form, form.translate(_URL_SAFE), quote(form, safe="")}
    return forms
