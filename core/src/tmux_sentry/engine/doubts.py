"""Whose output it was, asked before it decides anything.

A stream names a pane by its id alone, and nothing in it tells that `respawn-pane` has put another program there (tmux
has no notification for that either): until the next inventory, two seconds at most, that program's lines would count
for the Run of the one before. So what a step of the machine would do about such a line waits until tmux has said that
the pane still is the one it is taken for.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from tmux_sentry.contracts import Emitted, Lines, Observation, Osc, PaneIdentity, Signal
from tmux_sentry.errors import Unreachable
from tmux_sentry.security.sanitize import clean

log = logging.getLogger(__name__)

Seen = tuple[Observation, tuple[Signal, ...]]


class Doubts:
    """The loop's thread owns it."""

    def __init__(self, replaced: Callable[[PaneIdentity], bool], post: Callable[[Callable[[], None]], None]) -> None:
        """`replaced` asks tmux and may raise Unreachable; `post` hands a closure to the loop."""
        self._replaced, self._post = replaced, post
        self._waiting: dict[PaneIdentity, deque[Seen]] = {}

    def about(self, observation: Observation) -> bool:
        """Whether it came under the pane's id alone."""
        return isinstance(observation, (Lines, Osc, Emitted))

    def hold(self, observation: Observation, signals: tuple[Signal, ...]) -> bool:
        """Keep it for later if its pane is being asked about, so that the order stays."""
        waiting = self._waiting.get(observation.pane)
        if waiting is None:
            return False
        waiting.append((observation, signals))
        return True

    def ask(self, pane: PaneIdentity, answer: Callable[[bool, list[Seen]], None]) -> None:
        """Ask on a thread of its own; then, in the loop, `answer(replaced, what was held meanwhile)`."""
        self._waiting[pane] = deque()

        def settle(replaced: bool) -> None:
            held = list(self._waiting.pop(pane))
            if replaced:
                log.warning(
                    "%s on %s was respawned: what it prints now counts for no run", pane.pane_id, clean(pane.host)
                )
                held = [seen for seen in held if not self.about(seen[0])]
            answer(replaced, held)

        def work() -> None:
            try:
                replaced = self._replaced(pane)
            except Unreachable:
                replaced = False  # the host has gone meanwhile; what it said before that counts
            self._post(lambda: settle(replaced))

        threading.Thread(target=work, name="whose", daemon=True).start()
