"""What is kept of each check between two questions in this process: answers with their ETags. Nothing durable."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from tmux_sentry import CheckResult

#: Checks that are kept, and answers of each.
CHECKS, ANSWERS = 256, 16
#: The id of a question that was given none.
NO_ID = "by-hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer as it was read, to be used again when GitHub says 304."""

    etag: str
    data: Any
    following: str  # the address of the next page; "" without one


@dataclass(slots=True)
class Memo:
    """Of one check. Only whole values are put in: a thread that hangs in an earlier question may still write."""

    answers: OrderedDict[str, Kept] = field(default_factory=OrderedDict)
    told: tuple[Any, CheckResult] | None = None  # the run, and what was told of it
    rested: bool = False  # the jobs were not looked at last time
    workflow: tuple[float, str] | None = None  # when it was looked at, and what is wrong with it

    def keep(self, url: str, kept: Kept) -> None:
        """Keep an answer; the oldest goes when there are too many."""
        self.answers[url] = kept
        while len(self.answers) > ANSWERS:
            self.answers.popitem(last=False)

    def forget(self, beginning: str) -> None:
        """Drop the answers from addresses that begin so: lists are large."""
        for url in [url for url in self.answers if url.startswith(beginning)]:
            self.answers.pop(url, None)


class Memos:
    """By the checks' ids; those asked longest ago go first. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._memos: OrderedDict[str, Memo] = OrderedDict()

    def of(self, id: str) -> Memo:
        """The memo of a check."""
        if id == NO_ID:
            return Memo()
        with self._lock:
            memo = self._memos.setdefault(id, Memo())
            self._memos.move_to_end(id)
            while len(self._memos) > CHECKS:
                self._memos.popitem(last=False)
            return memo

    def __len__(self) -> int:
        return len(self._memos)
