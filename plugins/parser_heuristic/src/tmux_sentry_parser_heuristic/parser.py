"""The parser: lines of output in, guessed Signals out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from tmux_sentry import (
    Lines,
    Observation,
    Osc,
    PaneFacts,
    RuleTrace,
    Screen,
    Signal,
    SignalKind,
    Trust,
    clean,
)
from tmux_sentry_parser_heuristic.matching import Found, Matcher
from tmux_sentry_parser_heuristic.rules import RULES

NAME = "heuristic"
#: After a gap the history shows earlier commands as well, and text does not say when it was printed.
RESYNC_CONFIDENCE = 0.2
#: Of one observation. The core remembers a bounded number of events, and a flood of guesses must not push out others.
MOST_ERRORS = 8  # the first, which usually are the cause
MOST_RESULTS = 16  # the last, which decide


class HeuristicParser:
    """Reads the lines and screens of panes without a known agent. Keeps nothing between observations."""

    def __init__(self) -> None:
        self._matcher = Matcher(RULES)

    def parse(self, observation: Observation, pane: PaneFacts) -> list[Signal]:
        """What the output says, oldest first; [] for panes with an agent, whose text quotes and retells."""
        if isinstance(observation, Osc):
            return _exit(observation)
        if not isinstance(observation, (Lines, Screen)) or pane.agent:
            return []
        found = [one for one in self._read(observation, pane) if not one.vetoed_by]
        return _signals(_bounded(found), observation)

    def explain(self, observation: Observation, pane: PaneFacts) -> list[RuleTrace]:
        """Each rule that a line matched, oldest line first, then those that matched none; [] where nothing is read."""
        if not isinstance(observation, (Lines, Screen)) or pane.agent:
            return []
        found = self._read(observation, pane)[-1000:]
        traces = [
            RuleTrace(
                rule=one.rule.name,
                matched=True,
                concludes=one.rule.concludes,
                confidence=_confidence(one, observation),
                vetoed_by=one.vetoed_by,
                evidence=clean(one.evidence),
            )
            for one in found
        ]
        hit = {one.rule.name for one in found}
        return traces + [RuleTrace(rule=rule.name, matched=False) for rule in RULES if rule.name not in hit]

    def _read(self, observation: Lines | Screen, pane: PaneFacts) -> list[Found]:
        before = observation.before if isinstance(observation, Lines) else ()
        found = list(self._matcher.read(observation.lines, before))
        if not found or not pane.typed:
            return found
        echoes = {line.strip() for text in pane.typed for line in text.split("\n")}
        shown = [observation.lines[one.index].strip() in echoes for one in found]
        return [
            replace(one, vetoed_by="what was typed") if echo else one for one, echo in zip(found, shown, strict=True)
        ]


def _bounded(found: Sequence[Found]) -> list[Found]:
    results = [one for one in found if one.rule.kind is SignalKind.STATUS][-MOST_RESULTS:]
    errors = [one for one in found if one.rule.kind is SignalKind.ERROR][:MOST_ERRORS]
    return sorted([*results, *errors], key=lambda one: one.index)


def _signals(found: Sequence[Found], observation: Lines | Screen) -> list[Signal]:
    live = isinstance(observation, Lines)
    times: Counter[tuple[str, str]] = Counter()
    signals = []
    for one in found:
        evidence = clean(one.evidence)
        said = (one.rule.name, " ".join(evidence.split()))
        times[said] += 1
        if isinstance(observation, Lines):  # a second equal summary is another event: when and where it came tells
            which = [repr(observation.at), str(one.index), *observation.before[-4:]]
        else:  # on a picture only that it stands there once more than before
            which = [str(times[said])]
        signals.append(
            Signal(
                kind=one.rule.kind,
                parser=NAME,
                trust=Trust.GUESSED,
                confidence=_confidence(one, observation),
                digest=_digest(*said, *which),
                at=observation.at,
                ok=one.rule.ok,
                message=clean(one.message, 200),
                evidence=evidence,
                live=live,
                rule=one.rule.name,
            )
        )
    return signals


def _confidence(one: Found, observation: Lines | Screen) -> float:
    old = isinstance(observation, Screen) and observation.resync
    return min(one.rule.confidence, RESYNC_CONFIDENCE) if old else one.rule.confidence


def _exit(observation: Osc) -> list[Signal]:
    """A shell reports the end of a command (OSC 133;D;status). For showing: the core reads the status by itself."""
    word, _, rest = observation.text[:40].partition(";")
    code = rest.partition(";")[0]
    if observation.number != 133 or word != "D" or not (code.isascii() and code.isdigit() and len(code) <= 3):
        return []
    said = f"exit status {int(code)}"
    return [
        Signal(
            kind=SignalKind.EXIT,
            parser=NAME,
            trust=Trust.GUESSED,
            confidence=0.9,
            digest=_digest("shell.exit", said, repr(observation.at)),
            at=observation.at,
            message=said,
            code=int(code),
            evidence=said,
            rule="shell.exit",
        )
    ]


def _digest(*parts: str) -> str:
    text = "\0".join((NAME, *(f"{len(part)}:{part}" for part in parts)))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
