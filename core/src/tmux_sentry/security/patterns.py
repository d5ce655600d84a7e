"""The shapes of well-known tokens."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PATTERNS = {
    "a GitHub token": re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36,}\b"),
    "an AWS access key": re.compile(r"\bAKIA[A-Z0-9]{16}\b"),
}


def find_tokens(text: str) -> Iterable[tuple[int, int, str]]:
    """(start, end, what it is) of each token in `text`."""
    for name, pattern in _PATTERNS.items():
        for match in pattern.finditer(text):
            yield match.start(), match.end(), name
