"""`engine: regex`: patterns that RE2 does not take, on the PyPI module `regex`, each search with a time limit.

It backtracks, so there are texts on which a search would take for ever. The module is the extra `regex` of
tmux-sentry-core and is imported only where a policy asks for it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from tmux_sentry.config.regex import MAX_PATTERN, BadRegex

#: Seconds of the processor that one search may take; `regex` counts those of the whole process (clock(3); measured).
SEARCH_TIMEOUT = 0.05
INSTALL = "pip install 'tmux-sentry-core[regex]'"


class TooSlow(Exception):
    """The search was given up: nobody knows whether the pattern is in the text."""


@lru_cache(maxsize=256)
def compile_backtracking(pattern: str) -> Any:
    """The compiled pattern. Raises BadRegex, also where the module is missing."""
    try:
        import regex
    except ImportError:
        raise BadRegex("needs the module regex, which is not installed", INSTALL) from None
    if not pattern:
        raise BadRegex("is an empty pattern, which matches everything")
    if len(pattern) > MAX_PATTERN:
        raise BadRegex(f"is a pattern of more than {MAX_PATTERN} characters")
    try:
        return regex.compile(pattern, cache_pattern=False)
    except (regex.error, RecursionError, OverflowError) as error:
        raise BadRegex(f"is not a regular expression: {error}") from None


def search_bounded(pattern: str, text: str) -> bool:
    """Whether `pattern` is in `text`. Raises TooSlow, BadRegex.

    `concurrent`: without it no other thread of the process runs meanwhile, and a watcher would miss its turn.
    """
    try:
        return compile_backtracking(pattern).search(text, timeout=SEARCH_TIMEOUT, concurrent=True) is not None
    except TimeoutError:
        raise TooSlow(pattern) from None
