"""The parser: screens, titles and control sequences in, Signals out."""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections.abc import Mapping
from dataclasses import replace

from tmux_sentry import (
    AgentState,
    Observation,
    Origin,
    Osc,
    PaneFacts,
    RuleTrace,
    Screen,
    Signal,
    SignalKind,
    Title,
    Trust,
    clean,
)
from tmux_sentry_parser_agents.layout import WIDTH, Layout, plain
from tmux_sentry_parser_agents.match import Match, judge
from tmux_sentry_parser_agents.rules import GENERIC, AgentRules, parse_version

NAME = "agents"
_log = logging.getLogger(__name__)

#: What is left of a confidence where the agent is newer than its rules, or only its screen says which one it is.
_NEWER = 0.9
_RECOGNISED = 0.95
#: Panes whose agent's version is remembered: the screen shows it once, at the start.
_REMEMBERED = 1000
#: Rows in which an agent that is not known by its process is looked for.
_LOOKED_AT = 400
_DIGITS = re.compile(r"[0-9]+")
#: Spinners and the like, which change while nothing does.
_MOVING = re.compile("[\u2800-\u28ff·✢✳✶✻✽⬝■░█*●◦•]+")


class AgentsParser:
    """Reads agents' own screens. Thread-safe; what it keeps of a pane is its agent's version."""

    def __init__(self, rules: Mapping[str, AgentRules]) -> None:
        self._rules = dict(rules)
        self._versions: dict[str, tuple[int, ...]] = {}
        self._told: set[tuple[str, tuple[int, ...]]] = set()
        self._lock = threading.Lock()

    def parse(self, observation: Observation, pane: PaneFacts) -> list[Signal]:
        """The state that an observation shows, with the dialog or the limit that it stands for."""
        if isinstance(observation, Osc):
            return self._osc(observation, pane)
        if isinstance(observation, Title):
            return self._title(observation, pane)
        if not isinstance(observation, Screen):
            return []
        rules, certainty = self._of(observation, pane)
        if rules is None:
            return []
        layout = _layout(observation, pane.title, rules)
        newer = self._newer(rules, layout, pane)
        verdict = judge(rules, layout, pane)
        certainty *= _NEWER if newer else 1.0
        signals = _signals(verdict.screen, observation, certainty, newer)
        if layout.title and any(rule.part == "title" for rule in rules.rules):
            signals.insert(0, _state(verdict.title, observation.at, certainty, origin=Origin.TITLE))
        agent = rules.agent if rules.agent != GENERIC else ""
        return [replace(signal, agent=agent, newer=newer) for signal in signals]

    def explain(self, observation: Observation, pane: PaneFacts) -> list[RuleTrace]:
        """Every rule that was tried on a screen."""
        if not isinstance(observation, Screen):
            return []
        rules, _ = self._of(observation, pane)
        if rules is None:
            return []
        return judge(rules, _layout(observation, pane.title, rules), pane).traces(rules)

    def _of(self, observation: Screen, pane: PaneFacts) -> tuple[AgentRules | None, float]:
        """The rules for a pane, and how sure it is that they are its."""
        if pane.agent:
            return self._rules.get(pane.agent, self._rules.get(GENERIC)), 1.0
        text = "\n".join(plain(row[:WIDTH] for row in _rows(observation)[-_LOOKED_AT:]))
        for rules in self._rules.values():
            if rules.recognise is not None and rules.recognise.search(text) is not None:
                return rules, _RECOGNISED
        return self._rules.get(GENERIC), 1.0

    def _newer(self, rules: AgentRules, layout: Layout, pane: PaneFacts) -> str:
        """The agent's version where it is newer than its rules, else ""."""
        key = f"{pane.identity.key} {rules.agent}"
        found = rules.version.search(layout.part("screen", 0)) if rules.version is not None else None
        if found is not None:
            with self._lock:
                self._versions[key] = parse_version(found.group(1))
                if len(self._versions) > _REMEMBERED:
                    del self._versions[next(iter(self._versions))]
        version = self._versions.get(key, ())
        if not rules.checked or version[: len(rules.checked)] <= rules.checked:
            return ""
        text = ".".join(map(str, version))
        if (rules.agent, version) not in self._told and len(self._told) < _REMEMBERED:
            self._told.add((rules.agent, version))
            checked = ".".join(map(str, rules.checked))
            _log.warning(
                "%s %s is newer than its rules (%s): what it shows is believed less", rules.agent, text, checked
            )
        return f"{rules.agent} {text} (known up to {'.'.join(map(str, rules.checked))})"

    def _title(self, observation: Title, pane: PaneFacts) -> list[Signal]:
        rules = self._rules.get(pane.agent) if pane.agent else None
        if rules is None:
            return []
        title = judge(rules, Layout((), observation.title, None, None), pane, ("title",)).title
        return [_state(title, observation.at, 1.0, origin=Origin.TITLE)]

    def _osc(self, observation: Osc, pane: PaneFacts) -> list[Signal]:
        text = plain([observation.text[:WIDTH]])[0]
        for rules in self._rules.values():
            for rule in rules.osc:
                if rule.number == observation.number and rule.match.search(text) is not None:
                    match = Match(
                        id=f"osc-{rule.number}",
                        state=rule.state,
                        confidence=0.98,
                        priority=0,
                        evidence=f"OSC {rule.number}",
                        part="osc",
                    )
                    return [_state(match, observation.at, 1.0, origin=Origin.OSC)]
        return []


def _rows(screen: Screen) -> tuple[str, ...]:
    return screen.rows or screen.lines


def _layout(screen: Screen, title: str, rules: AgentRules) -> Layout:
    # The cursor belongs to the visible rows; where they are not known, neither is it.
    return Layout(_rows(screen), title, rules.box, rules.block, screen.cursor if screen.rows else None)


def _signals(winner: Match | None, screen: Screen, certainty: float, newer: str) -> list[Signal]:
    """What stands on the screen: its state always, as that takes the place of what it was before."""
    state = _state(winner, screen.at, certainty, origin=Origin.SCREEN)
    signals = [state]
    if winner is not None and winner.dialog is not None:
        dialog = winner.dialog
        if newer:
            dialog = replace(dialog, doubt=f"its agent is newer than its rules: {newer}")
        signals.append(
            replace(
                state,
                kind=SignalKind.PROMPT,
                state=None,
                digest=_digest("prompt", dialog.fingerprint),
                message=clean(dialog.question, 500),
                choices=tuple(clean(choice.label, 200) for choice in dialog.choices),
                dialog=dialog,
            )
        )
    if winner is not None and winner.limit is not None:
        limit = winner.limit
        signals.append(
            replace(
                state, kind=SignalKind.LIMIT, state=None, digest=_digest("limit", limit.text, limit.reset), limit=limit
            )
        )
    return signals


def _state(winner: Match | None, at: float, certainty: float, *, origin: Origin) -> Signal:
    """The STATE Signal of a verdict; what no rule knows is unknown, never idle."""
    state = winner.state if winner is not None else AgentState.UNKNOWN
    evidence = winner.evidence if winner is not None else ""
    return Signal(
        kind=SignalKind.STATE,
        parser=NAME,
        trust=Trust.PRINTED,
        confidence=winner.confidence * certainty if winner is not None else 1.0,
        digest=_digest(state.value, winner.id if winner is not None else "", origin.name, _still(evidence)),
        at=at,
        state=state,
        message=clean(evidence, 500) if state in (AgentState.ERROR, AgentState.LIMITED) else "",
        evidence=clean(evidence, 200),
        live=origin is Origin.OSC,
        rule=winner.id if winner is not None else "",
        origin=origin,
    )


def _still(evidence: str) -> str:
    return _MOVING.sub("", _DIGITS.sub("0", evidence))


def _digest(*parts: str) -> str:
    text = "\0".join((NAME, *parts))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
