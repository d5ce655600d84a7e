"""Tries an agent's rules on one screen: what holds, what speaks against it, and what it comes to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tmux_sentry import AgentState, Dialog, Limit, PaneFacts, RuleTrace
from tmux_sentry_parser_agents import dialogs
from tmux_sentry_parser_agents.layout import Layout
from tmux_sentry_parser_agents.rules import AgentRules, DialogRule, Rule


@dataclass(slots=True, kw_only=True)
class Match:
    """A rule that holds."""

    id: str
    state: AgentState
    confidence: float
    priority: int
    evidence: str
    part: str
    unless: tuple[str, ...] = ()
    dialog: Dialog | None = None
    limit: Limit | None = None
    vetoed_by: str = ""


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What the rules come to, by the title and by the screen: None where nothing holds, and the state is unknown."""

    title: Match | None
    screen: Match | None
    matches: list[Match] = field(default_factory=list)

    def traces(self, rules: AgentRules) -> list[RuleTrace]:
        """Every rule that was tried, the dialogs first."""
        held = {match.id: match for match in self.matches}
        traces = []
        tried: list[Rule | DialogRule] = [*rules.dialogs, *rules.rules]
        for rule in tried:
            match = held.get(rule.id)
            state = rule.state if isinstance(rule, Rule) else AgentState.WAITING
            traces.append(
                RuleTrace(
                    rule=rule.id,
                    matched=match is not None,
                    concludes=state.value,
                    confidence=rule.confidence,
                    vetoed_by=match.vetoed_by if match else "",
                    evidence=match.evidence if match else "",
                )
            )
        return traces


def judge(rules: AgentRules, layout: Layout, pane: PaneFacts, parts: Sequence[str] | None = None) -> Verdict:
    """Try the rules; `parts` names those that may be looked at."""
    matches: list[Match] = []
    if parts is None:
        for dialog in rules.dialogs:
            found = dialogs.find(dialog, layout)
            if found is not None:
                matches.append(
                    Match(
                        id=dialog.id,
                        state=AgentState.WAITING,
                        confidence=dialog.confidence,
                        priority=dialog.priority,
                        evidence=found.evidence,
                        part="dialog",
                        unless=dialog.unless,
                        dialog=found.dialog,
                    )
                )
    for rule in rules.rules:
        if parts is not None and rule.part not in parts:
            continue
        match = _try(rule, layout, pane)
        if match is not None:
            matches.append(match)
    held = {match.id for match in matches}
    for match in matches:
        match.vetoed_by = next((id for id in match.unless if id in held), "")
    # What has no priority only speaks against others.
    left = [match for match in matches if not match.vetoed_by and match.priority]
    return Verdict(
        title=_best(match for match in left if match.part == "title"),
        screen=_best(match for match in left if match.part != "title"),
        matches=matches,
    )


def _best(matches: Iterable[Match]) -> Match | None:
    return max(matches, key=lambda match: (match.priority, match.confidence), default=None)


def _try(rule: Rule, layout: Layout, pane: PaneFacts) -> Match | None:
    if rule.box is not None and rule.box is not (layout.box is not None):
        return None
    if rule.typing and not layout.typing:
        return None
    if rule.title is not None and rule.title.search(layout.title) is None:
        return None
    if rule.command is not None and pane.command and rule.command.search(pane.command) is None:
        return None
    text = layout.part(rule.part, rule.rows)
    evidence = ""
    if rule.match is not None:
        found = rule.match.search(text)
        if found is None:
            return None
        if rule.same_as_title and (not layout.title or found.group(1) != layout.title):
            return None
        evidence = _row_of(text, found.start())
    if rule.without is not None and rule.without.search(text) is not None:
        return None
    limit = None
    if rule.limit is not None:
        reset = rule.limit.reset.search(text) if rule.limit.reset is not None else None
        limit = Limit(text=evidence, reset=reset.group(1).strip() if reset is not None else "")
    return Match(
        id=rule.id,
        state=rule.state,
        confidence=rule.confidence,
        priority=rule.priority,
        evidence=evidence,
        part=rule.part,
        unless=rule.unless,
        limit=limit,
    )


def _row_of(text: str, at: int) -> str:
    """The row that a match begins in."""
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", start)
    return text[start : end if end >= 0 else len(text)].strip()[:200]
