"""Questions to outside services, and their answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, runtime_checkable


class CheckStatus(str, Enum):
    """What the outside world says. UNKNOWN is never success."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One answer of a Checker. `next_in` is how many seconds to wait before asking again."""

    status: CheckStatus
    detail: str = ""
    url: str = ""
    log_tail: str = ""
    progress: float | None = None
    next_in: float = 5.0


@runtime_checkable
class Checker(Protocol):
    """Asks one external service. May block; the core bounds each call."""

    def check(self, config: Mapping[str, Any], started_at: float) -> CheckResult:
        """Ask once. `config` is the validated action; `started_at` (epoch seconds) is when its stage began."""
