"""Finds the rules that lines match: one automaton over all rules first, then what the few that are left ask for.

RE2, as for the patterns of policies: linear in time whatever a pane prints, and all rules in one pass (its `Set`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import re2

from tmux_sentry_parser_heuristic.rule import WINDOW, Rule, problems

LONGEST = 8192  # characters of a line that is read at all; no summary is longer


@dataclass(frozen=True, slots=True)
class Found:
    """A rule that a line matched, and what came of it."""

    rule: Rule
    index: int  # of the line
    evidence: str
    message: str
    vetoed_by: str = ""  # the pattern that spoke against it


@dataclass(frozen=True, slots=True)
class _Compiled:
    rule: Rule
    names: Any  # the pattern, where it has a group `m`
    needs: Any
    unless: Any
    vetoes: tuple[Any, ...]


class Matcher:
    """Immutable once made; any thread may use it.

    Raises ValueError for rules that are not sound, and re2.error for patterns that RE2 does not take.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        if wrong := problems(rules):
            raise ValueError("; ".join(wrong))
        self.rules = tuple(rules)
        options = _options()
        options.never_capture = True
        options.max_mem = 32 << 20  # bounds the automaton's cache, which otherwise is built anew too often
        self._all = re2.Set.FullMatchSet(options)
        for rule in rules:
            self._all.Add(rule.pattern)
        self._all.Compile()
        self._compiled = [_compiled(rule) for rule in rules]

    def read(self, lines: Sequence[str], before: Sequence[str] = ()) -> Iterator[Found]:
        """The first rule of each line that nothing speaks against, oldest line first; vetoed ones come too."""
        for index, line in enumerate(lines):
            text = _text(line)
            if text is None or not (numbers := self._all.Match(text.encode())):
                continue
            back = partial(_back, lines, before, index)
            for number in sorted(numbers):
                found = _judge(self._compiled[number], index, text, back)
                if found is not None:
                    yield found
                    if not found.vetoed_by:
                        break


def _judge(one: _Compiled, index: int, text: str, back: Callable[[int], list[str]]) -> Found | None:
    """What the rule makes of a line that its pattern matches; None where what it needs is not there."""
    evidence, message = text, _named(one.names.fullmatch(text)) if one.names is not None else ""
    if one.needs is not None:
        near = ((line, one.needs.fullmatch(line)) for line in back(one.rule.within))
        line, context = next((pair for pair in near if pair[1]), ("", None))
        if context is None:
            return None
        if not message:
            evidence, message = line or text, _named(context)
    against = one.rule.unless if one.unless is not None and one.unless.fullmatch(text) else ""
    around = back(WINDOW) if one.vetoes else []
    for veto, pattern in zip(one.vetoes, one.rule.vetoes, strict=True):
        if any(veto.fullmatch(line) for line in around):
            against = pattern
    return Found(one.rule, index, evidence, (message or evidence).strip(), against)


def _named(match: Any) -> str:
    """What the group `m` of a match holds, "" where there is none."""
    return (match["m"] or "") if match is not None and "m" in match.re.groupindex else ""


def _back(lines: Sequence[str], before: Sequence[str], index: int, count: int) -> list[str]:
    """The `count` lines before the line, the nearest first."""
    near = lines[max(0, index - count) : index]
    if index < count:
        near = (*before[-(count - index) :], *near)
    return [_text(line) or "" for line in reversed(near)]


def _text(line: str) -> str | None:
    """The line as RE2 can read it (a lone surrogate, which UTF-8 cannot say, is a `?`); None where it is too long."""
    if len(line) > LONGEST:
        return None
    line = line.rstrip()
    return line if line.isascii() else line.encode("utf-8", "replace").decode("utf-8")


def _compiled(rule: Rule) -> _Compiled:
    def ready(pattern: str) -> Any:
        return re2.compile(pattern, _options()) if pattern else None

    names = ready(rule.pattern if "(?P<m>" in rule.pattern else "")
    return _Compiled(rule, names, ready(rule.needs), ready(rule.unless), tuple(map(ready, rule.vetoes)))


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False  # else RE2 writes to stderr by itself
    return options
