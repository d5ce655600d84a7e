"""The order in which text leaves: no secret, then nothing that acts or hides, then as its destination wants it.

Redaction comes first, on the whole text: a secret that is cut at a limit or escaped is not recognised any more.
(It sees through what the sanitiser would take out.) Escaping comes last, so that no cut leaves half an escape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tmux_sentry.security.sanitize import clean, clean_block

Redact = Callable[[str], str]


def text_out(
    text: str, redact: Redact, limit: int | None = None, *, lines: bool = False, escape: Callable[[str], str] = str
) -> str:
    """`text` as it may leave: one line of at most `limit` characters (500), or with `lines` several (4000 in all)."""
    safe = redact(text)
    return escape(clean_block(safe, limit or 4000) if lines else clean(safe, limit or 500))


def data_out(data: Any, redact: Redact) -> Any:
    """`data` as it may leave as JSON, which escapes every control character: exact, but for secrets, keys too."""
    if isinstance(data, str):
        return redact(data)
    if isinstance(data, Mapping):
        return {data_out(key, redact): data_out(value, redact) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [data_out(item, redact) for item in data]
    return data
