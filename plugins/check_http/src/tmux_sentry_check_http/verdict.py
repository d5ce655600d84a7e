"""What an action's two conditions say together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tmux_sentry import CheckStatus
from tmux_sentry_check_http import expressions
from tmux_sentry_check_http.expressions import BadExpression, Node
from tmux_sentry_check_http.truth import Truth, judge

#: The keys of an action that are expressions.
CONDITIONS = ("success_when", "fail_when")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One answer, judged; `why` is for people."""

    status: CheckStatus
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """An action's conditions. Without `success`, what came at all is success."""

    success: Node | None
    failure: Node | None

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Conditions:
        """Raises BadExpression, naming the key."""
        success, failure = (expression(config, key) for key in CONDITIONS)
        return cls(success=success, failure=failure)

    @property
    def none(self) -> bool:
        """Whether nothing is asked of the data."""
        return self.success is None and self.failure is None

    def decide(self, data: Any) -> Verdict:
        """Failure before success; neither, where one of them cannot be told and could change the answer."""
        failed = judge(self.failure, data) if self.failure is not None else Truth(False)
        if failed.value:
            return Verdict(status=CheckStatus.FAILURE, why="fail_when is true")
        succeeded = judge(self.success, data) if self.success is not None else Truth(True)
        for key, truth in (("success_when", succeeded), ("fail_when", failed)):
            if truth.value is None:
                return Verdict(status=CheckStatus.UNKNOWN, why=f"{key}: {truth.why}")
        if succeeded.value:
            said = "success_when is true" if self.success is not None else "it came"
            return Verdict(status=CheckStatus.SUCCESS, why=said)
        return Verdict(status=CheckStatus.PENDING, why="success_when is false")


def problems(
    config: Mapping[str, Any], otherwise: str, keys: tuple[str, ...] = CONDITIONS
) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) for the expressions; there must be a success_when, or the key `otherwise`."""
    if "success_when" not in config and otherwise not in config:
        yield "", f"says nothing of success: it needs success_when or {otherwise}"
    for key in keys:
        text = config.get(key)
        if isinstance(text, str) and "${" not in text:  # only known when the stage runs
            try:
                expressions.read(text)
            except BadExpression as error:
                yield key, str(error)


def expression(config: Mapping[str, Any], key: str) -> Node | None:
    """The tree of an action's key, None without it. Raises BadExpression, naming the key."""
    text = config.get(key)
    if text is None:
        return None
    if not isinstance(text, str):
        raise BadExpression(f"{key} is no text")
    try:
        return expressions.read(text)
    except BadExpression as error:
        raise BadExpression(f"{key} {error}") from None
