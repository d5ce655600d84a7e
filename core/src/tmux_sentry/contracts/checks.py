"""Questions to outside services, and their answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol, runtime_checkable

from tmux_sentry.contracts.hosts import HostAccess


class CheckStatus(str, Enum):
    """What the outside world says. UNKNOWN is never success."""

    PENDING = "pending"  # it runs
    SUCCESS = "success"
    FAILURE = "failure"
    ATTENTION = "needs_attention"  # it goes on only when a person does something outside
    UNKNOWN = "unknown"  # nobody can tell: no answer, no access, nothing that fits

    @property
    def final(self) -> bool:
        """Whether the question is answered."""
        return self in (CheckStatus.SUCCESS, CheckStatus.FAILURE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One answer of a Checker.

    `percent` (0 to 100) is how far it is, where that is known. `next_in` is after how many seconds to ask again at the
    earliest, where the service says so; without it tmux-sentry asks rarely while nothing changes, and soon after a
    change.
    """

    status: CheckStatus
    detail: str = ""
    url: str = ""
    log_tail: str = ""
    percent: float | None = None
    next_in: float | None = None


def _forgets(memory: Mapping[str, Any]) -> None:
    """Nothing is kept: for a question by hand, and for tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRequest:
    """One question to a Checker.

    `config` is the action as the checker's schema took it, without `type`, `max_wait` and `accept_rerun`. `id` is the
    same each time that one check is asked, after a restart too, and no other check has it. Times are epoch seconds:
    `started_at` is when the stage's first action ran, `now` is now.

    `typed` is what the stage has typed into the pane so far, in order. `memory` is what `remember` was given last for
    this check, in this process or an earlier one: plain JSON, at most 64 KB. `remember` returns when it is on disk, so
    call it before an effect that must not happen twice.

    `earlier` has what the checks of this type in the same Run have remembered last, in stages and attempts before this
    one, oldest first: what they followed is not this one's.
    """

    config: Mapping[str, Any]
    id: str = "by-hand"
    started_at: float = 0.0
    now: float = 0.0
    typed: tuple[str, ...] = ()
    memory: Mapping[str, Any] = field(default_factory=dict)
    remember: Callable[[Mapping[str, Any]], None] = _forgets
    earlier: tuple[Mapping[str, Any], ...] = ()
    host: HostAccess | None = None  # None: there is no pane, or its host is not watched


@runtime_checkable
class Checker(Protocol):
    """Asks one external service. May block; the core bounds each call, and calls it on one thread for each check.

    Two more methods are called if a checker has them: `open(wake)` when `run` starts, where `wake()` has every waiting
    check of this type asked at once (for one that is told by the service), and `close()` at the end.
    """

    def check(self, request: CheckRequest) -> CheckResult:
        """Ask once."""
