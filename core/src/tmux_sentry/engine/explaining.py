"""What the parsers make of one screen, and why: nothing is remembered and nothing is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tmux_sentry.bounded import call_bounded
from tmux_sentry.contracts import (
    AgentState,
    Dialog,
    Explaining,
    Observation,
    PaneFacts,
    Parser,
    RuleTrace,
    Signal,
    SignalKind,
)
from tmux_sentry.engine import chain
from tmux_sentry.engine.chain import Conclusion
from tmux_sentry.engine.perception import PATIENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All that was concluded. `rules` are pairs of a parser's name and what one of its rules made of it."""

    agent: str
    conclusion: Conclusion
    signals: tuple[Signal, ...]
    rules: tuple[tuple[str, RuleTrace], ...]
    broken: Mapping[str, str]  # parser -> why it could not be asked

    @property
    def dialog(self) -> Dialog | None:
        """The dialog that stands there, where the agent waits with one."""
        if self.conclusion.state is not AgentState.WAITING:
            return None
        dialogs = [one.dialog for one in self.signals if one.kind is SignalKind.PROMPT and one.dialog is not None]
        return dialogs[0] if dialogs else None

    def to_json(self) -> dict[str, Any]:
        """As `tmux-sentry explain --json` prints it."""
        return {
            "agent": self.agent,
            "state": self.conclusion.state.value,
            "confidence": self.conclusion.confidence,
            "trust": self.conclusion.trust.name.lower(),
            "winner": self.conclusion.winner,
            "why": self.conclusion.why,
            "prompt": dialog_json(self.dialog),
            "rules": [
                {
                    "parser": parser,
                    "rule": trace.rule,
                    "concludes": trace.concludes,
                    "confidence": trace.confidence,
                    "matched": trace.matched,
                    "vetoed_by": trace.vetoed_by or None,
                    "evidence": trace.evidence,
                }
                for parser, trace in self.rules
            ],
            "events": [signal_json(signal) for signal in self.signals],
        }


def explain(parsers: Mapping[str, Parser], observations: Iterable[Observation], pane: PaneFacts) -> Explanation:
    """Ask every parser about what was seen at one moment; one that fails or hangs is named and left out."""
    signals: list[Signal] = []
    rules: list[tuple[str, RuleTrace]] = []
    broken: dict[str, str] = {}
    seen = list(observations)
    for name, parser in sorted(parsers.items()):
        try:
            for observation in seen:
                signals += call_bounded(partial(_signals, parser, observation, pane), PATIENCE, name)
                traces = call_bounded(partial(_traces, parser, observation, pane), PATIENCE, name)
                rules += [(name, trace) for trace in traces]
        except Exception as error:
            broken[name] = f"{type(error).__name__}: {error}"
    agent = pane.agent or next((signal.agent for signal in signals if signal.agent), "")
    return Explanation(
        agent=agent,
        conclusion=chain.conclude(signals),
        signals=tuple(signals),
        rules=tuple(rules),
        broken=broken,
    )


def signal_json(signal: Signal) -> dict[str, Any]:
    """A Signal for programs; what it does not say is left out."""
    shown = {
        "kind": signal.kind.value,
        "parser": signal.parser,
        "rule": signal.rule,
        "type": signal.event_type,
        "state": signal.state.value if signal.state is not None else None,
        "stage": signal.stage,
        "ok": signal.ok,
        "message": signal.message,
        "percent": signal.percent,
        "code": signal.code,
        "reset": signal.limit.reset if signal.limit is not None else None,
        "id": signal.event_id,
        "evidence": signal.evidence,
    }
    kept = {key: value for key, value in shown.items() if value not in (None, "")}
    return {**kept, "confidence": signal.confidence, "trust": signal.trust.name.lower()}


def dialog_json(dialog: Dialog | None) -> dict[str, Any] | None:
    """A Dialog for programs."""
    if dialog is None:
        return None
    return {
        "question": dialog.question,
        "kind": dialog.kind,
        "command": dialog.command,
        "truncated": dialog.truncated,
        "cwd": dialog.cwd,
        "doubt": dialog.doubt,
        "choices": [
            {"label": choice.label, "key": list(choice.key), "meaning": choice.meaning} for choice in dialog.choices
        ],
        "fingerprint": dialog.fingerprint,
    }


def _signals(parser: Parser, observation: Observation, pane: PaneFacts) -> list[Signal]:
    return [signal for signal in parser.parse(observation, pane) if isinstance(signal, Signal)]


def _traces(parser: Parser, observation: Observation, pane: PaneFacts) -> list[RuleTrace]:
    if not isinstance(parser, Explaining):
        return []
    return [trace for trace in parser.explain(observation, pane) if isinstance(trace, RuleTrace)]
