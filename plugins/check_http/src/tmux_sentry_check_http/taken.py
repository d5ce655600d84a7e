"""What a `webhook` remembers: the delivery that has decided it, so that no later check of its Run takes the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tmux_sentry import CheckResult, CheckStatus


@dataclass(frozen=True, slots=True)
class Taken:
    """The number of the delivery, and what it said."""

    seq: int
    result: CheckResult

    def memory(self, path: str) -> Mapping[str, Any]:
        """As a check that reads `path` remembers it."""
        return {"path": path, "seq": self.seq, "status": self.result.status.value, "detail": self.result.detail}


def taken(memory: Mapping[str, Any], path: str) -> Taken | None:
    """What has decided a check that reads `path`; None when nothing has, or the memory is none of ours."""
    seq, detail = memory.get("seq"), memory.get("detail")
    status = next((one for one in CheckStatus if one.final and one.value == memory.get("status")), None)
    if memory.get("path") != path or isinstance(seq, bool) or not isinstance(seq, int) or status is None:
        return None
    return Taken(seq, CheckResult(status=status, detail=detail if isinstance(detail, str) else ""))


def behind(earlier: Iterable[Mapping[str, Any]], path: str) -> int:
    """The highest number that earlier checks of the Run have taken at `path`; 0 for none."""
    return max((found.seq for memory in earlier if (found := taken(memory, path)) is not None), default=0)
