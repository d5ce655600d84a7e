"""The one redactor: no configured secret leaves through a log, a notification, a table or `--json`."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MARK = "[redacted]"
# Shorter values ("on", "8080") would black out ordinary words; no real credential is this short.
_SHORTEST = 6
_URL_SAFE = str.maketrans("+/", "-_")


class Redactor:
    """Replaces every configured secret with `[redacted]`, also URL-quoted, in JSON, and in base64 with others.

    A secret of several lines goes line by line: what shows it may have joined or indented its lines.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Replace these too from now on, wherever this redactor is in use already."""
        for secret in secrets:
            for part in {secret, secret.strip(), *(line.strip() for line in secret.splitlines())}:
                if len(part) >= _SHORTEST:
                    self._forms |= _forms(part)
        # Longest first: a secret that contains another one is replaced whole.
        ordered = sorted(self._forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        """`text` without any configured secret."""
        return self._pattern.sub(MARK, text) if self._pattern else text


def _forms(secret: str) -> set[str]:
    """How `secret` looks in logs, URLs, JSON and HTTP headers."""
    raw = secret.encode("utf-8", "surrogatepass")
    forms = {secret, quote(raw, safe=""), quote(raw), quote_plus(raw)}
    forms |= {re.sub("%[0-9A-F]{2}", lambda code: code.group().lower(), form) for form in set(forms)}
    forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    # In `base64(user:secret)` the secret may start at any of three places; only its whole sextets are its own.
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        own = encoded[(0, 2, 3)[before] : (before + len(raw)) * 8 // 6]
        forms |= {own, own.translate(_URL_SAFE)}
    alone = base64.b64encode(raw).decode().rstrip("=")
    return forms | {alone, alone.translate(_URL_SAFE)}
