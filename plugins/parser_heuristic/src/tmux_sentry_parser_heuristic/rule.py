"""What a rule is, and what is checked of it when rules are loaded.

Rules are tables in Python and not YAML files: mypy checks them, and a start reads and validates no further files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from tmux_sentry import SignalKind

WINDOW = 4  # lines before, the most that a batch of lines brings of what came before it
COUNT = r"[1-9][0-9]*"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\.[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that a line of output can say. Patterns are RE2 and match whole lines, without blanks at the end.

    The message is what the group `m` of `pattern` matched, or else the line. `needs` must match one of the `within`
    lines before; where `pattern` has no `m`, that line is the evidence and its `m` the message. `unless` speaks
    against the rule when it matches the line itself, `vetoes` when one of them matches one of the four lines before.
    Examples and counter-examples are texts of one or more lines: the last line of an example matches, no line of a
    counter-example does.
    """

    name: str  # "tool.what"
    pattern: str
    kind: SignalKind
    ok: bool | None
    confidence: float  # 0..1
    examples: tuple[str, ...]
    counters: tuple[str, ...]
    needs: str = ""
    within: int = WINDOW
    unless: str = ""
    vetoes: tuple[str, ...] = ()

    @property
    def concludes(self) -> str:
        """What it says, in a word or two."""
        if self.kind is SignalKind.STATUS:
            return "status ok" if self.ok else "status failed"
        return str(self.kind.value)


def _rule(
    kind: SignalKind,
    ok: bool | None,
    name: str,
    confidence: float,
    pattern: str,
    *,
    yes: tuple[str, ...],
    no: tuple[str, ...],
    needs: str = "",
    within: int = WINDOW,
    unless: str = "",
    vetoes: tuple[str, ...] = (),
) -> Rule:
    """A rule as the tables have it."""
    return Rule(
        name=name, pattern=pattern, kind=kind, ok=ok, confidence=confidence, examples=yes, counters=no,
        needs=needs, within=within, unless=unless, vetoes=vetoes,
    )  # fmt: skip


#: A rule for the line in which a tool says that all is well.
passed = partial(_rule, SignalKind.STATUS, True)
#: A rule for the line in which a tool says that its work failed.
failed = partial(_rule, SignalKind.STATUS, False)
#: A rule for an error that need not be the end of the work.
error = partial(_rule, SignalKind.ERROR, None)


def problems(rules: Iterable[Rule]) -> list[str]:
    """What is wrong with rules, apart from patterns that RE2 does not take: those raise when they are compiled."""
    found, seen = [], set()
    for rule in rules:
        if not _NAME.fullmatch(rule.name):
            found.append(f"{rule.name!r} is not of the form tool.what")
        if rule.name in seen:
            found.append(f"{rule.name} is there twice")
        seen.add(rule.name)
        if rule.kind not in (SignalKind.STATUS, SignalKind.ERROR):
            found.append(f"{rule.name} concludes {rule.kind.value}")
        if (rule.ok is None) is (rule.kind is SignalKind.STATUS):
            found.append(f"{rule.name}: a status has an ok, and nothing else has")
        if not 0.0 < rule.confidence <= 0.95:
            found.append(f"{rule.name}: text alone is never surer than 0.95")
        if not 1 <= rule.within <= WINDOW:
            found.append(f"{rule.name} looks {rule.within} lines back, of 1 to {WINDOW}")
        if "" in rule.vetoes:
            found.append(f"{rule.name} has an empty veto")
        if not rule.examples or not rule.counters:
            found.append(f"{rule.name} lacks an example or a counter-example")
    return found
