"""What a parser's rules made of an observation, for people who ask why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tmux_sentry.contracts.panes import Observation, PaneFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTrace:
    """One rule that was tried. A rule that matched and was vetoed leads to nothing."""

    rule: str
    matched: bool
    concludes: str = ""  # "waiting", "status ok", ...: what it says when it matches
    confidence: float = 0.0
    vetoed_by: str = ""  # the rule that spoke against it
    evidence: str = ""  # the text that it matched; hostile


@runtime_checkable
class Explaining(Protocol):
    """A Parser that can also tell what each of its rules makes of an observation."""

    def explain(self, observation: Observation, pane: PaneFacts) -> Iterable[RuleTrace]:
        """Every rule that was tried, in the order in which they were."""
