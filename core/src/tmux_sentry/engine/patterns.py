"""Searches the patterns of a policy in lines of output, and leaves alone one that takes too long.

RE2 answers in linear time. A pattern with `engine: regex` may not: each search has a limit, and after the third time
that it was reached the pattern is searched no more. Its condition is unknown then, which is never success.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

from tmux_sentry.clock import Clock
from tmux_sentry.config.backtracking import SEARCH_TIMEOUT, TooSlow, search_bounded
from tmux_sentry.config.regex import BadRegex
from tmux_sentry.engine.conditions import LINE_LIMIT, matches_line
from tmux_sentry.policy.model import LogRegex
from tmux_sentry.security.sanitize import clean

log = logging.getLogger(__name__)

LIMIT = 3
#: Seconds of searching that a pattern may need in each second; a flood of lines, each just fast enough, is slow too.
SHARE = 4 * SEARCH_TIMEOUT


class Patterns:
    """What the machine is given to search with; the loop's thread owns it. Lasts as long as the process."""

    def __init__(self, clock: Clock, left_alone: Callable[[str, str], None]) -> None:
        """`left_alone(pattern, why)` is called once for each pattern that is searched no more."""
        self._clock, self._left_alone = clock, left_alone
        self._late: Counter[str] = Counter()
        self._gone: set[str] = set()
        self._spent: dict[str, tuple[float, float]] = {}  # since when (monotonic), and how much of it

    def search(self, leaf: LogRegex, line: str) -> bool | None:
        """Whether the line matches; None when nobody can tell."""
        if leaf.engine == "re2":
            return matches_line(leaf, line)
        if leaf.pattern in self._gone:
            return None
        began = self._clock.monotonic()
        try:
            # A lone surrogate is `?`, as RE2 gets it.
            found = search_bounded(leaf.pattern, line[:LINE_LIMIT].encode("utf-8", "replace").decode("utf-8"))
        except TooSlow:
            self._is_late(leaf.pattern)
            return None
        except BadRegex as error:  # a Run of before, and the module has gone since
            self._give_up(leaf.pattern, f"{error} {error.help}".strip())
            return None
        if self._share(leaf.pattern, began) > SHARE:
            self._is_late(leaf.pattern)
        return found

    def _share(self, pattern: str, began: float) -> float:
        """How long the pattern was searched for in the second that runs."""
        now = self._clock.monotonic()
        since, spent = self._spent.get(pattern, (began, 0.0))
        if now - since > 1.0:
            since, spent = began, 0.0
        self._spent[pattern] = since, spent + now - began
        return spent + now - began

    def _is_late(self, pattern: str) -> None:
        self._late[pattern] += 1
        self._spent.pop(pattern, None)
        if self._late[pattern] >= LIMIT:
            self._give_up(pattern, f"it took too long {LIMIT} times (more than {SEARCH_TIMEOUT * 1000:g} ms a line)")

    def _give_up(self, pattern: str, why: str) -> None:
        self._gone.add(pattern)
        log.error("the pattern %s is searched no more until the next start: %s", clean(pattern, 200), clean(why, 200))
        self._left_alone(pattern, why)
