"""The lines of a replay: which Signals are news, and what a step of the engine is in plain JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tmux_sentry.contracts import Observation, Screen, Signal, SignalKind
from tmux_sentry.engine.conductor import Step
from tmux_sentry.engine.events import Ask, AskCheck, CloseAsk, Notify, Record, Send, StartCheck, StopCheck, StopSend
from tmux_sentry.engine.explaining import dialog_json, signal_json

#: Texts of a line are cut at so many characters.
LONGEST = 2000


class News:
    """A capture shows again what earlier ones did; said is what it shows for the first time."""

    def __init__(self) -> None:
        self._shown: frozenset[tuple[Any, ...]] = frozenset()

    def of(self, observation: Observation, signals: Iterable[Signal]) -> list[Signal]:
        """Those of an observation's Signals that are new."""
        if not isinstance(observation, Screen):
            return list(signals)
        found = {_name(signal): signal for signal in signals}
        new = [signal for name, signal in found.items() if name not in self._shown]
        self._shown = frozenset(found)
        return new


def _name(signal: Signal) -> tuple[Any, ...]:
    if signal.kind is SignalKind.STATE:  # its digest may count seconds
        return signal.kind, signal.parser, signal.rule, signal.state, signal.confidence
    return signal.kind, signal.parser, signal.digest


def signal_line(signal: Signal) -> dict[str, Any]:
    """A Signal; which kind of one is `signal`."""
    shown = signal_json(signal)
    line = {"signal": shown.pop("kind"), **shown}
    if signal.dialog is not None:
        line["dialog"] = dialog_json(signal.dialog)
    return {key: value[:LONGEST] if isinstance(value, str) else value for key, value in line.items()}


def step_lines(step: Step) -> Iterator[tuple[str, dict[str, Any]]]:
    """A committed step as (kind, line): transitions of the Run and its stages, and effects."""
    run = step.run
    names = {"run": run.id, "pipeline": run.pipeline.name}
    if step.before is None:
        yield "transition", {**names, "status": "started"}
    for effect in step.effects:
        if isinstance(effect, Record):
            about = {"stage": effect.stage, "attempt": effect.attempt, "status": effect.status}
            yield "transition", {**names, **about, **({"reason": effect.reason[:LONGEST]} if effect.reason else {})}
        else:
            yield "effect", {**names, **_effect(effect)}
    if (step.before is None or step.before.open) and not run.open:
        yield "transition", {**names, "status": run.status}


def _effect(effect: Send | StopSend | Ask | CloseAsk | StartCheck | AskCheck | StopCheck | Notify) -> dict[str, Any]:
    match effect:
        case Send():
            line = {"effect": "send", "stage": effect.stage, "keys": effect.keys.shown()[:LONGEST]}
            return line if effect.answers is None else {**line, "dialog": dialog_json(effect.answers.dialog)}
        case StopSend():
            return {"effect": "stop_send", "id": effect.action_id}
        case Ask():
            keys = [one.shown()[:LONGEST] for one in effect.sends]
            about = {"stage": effect.stage, "keys": keys, "risk": effect.risk, "digest": effect.digest}
            return {"effect": "ask", "id": effect.approval_id, **about}
        case CloseAsk():
            return {"effect": "close_ask", "id": effect.approval_id, "outcome": effect.outcome}
        case StartCheck():
            return {"effect": "check", "id": effect.action_id, "type": effect.type, "config": dict(effect.config)}
        case AskCheck():
            return {"effect": "ask_check", "id": effect.action_id}
        case StopCheck():
            return {"effect": "stop_check", "id": effect.action_id}
        case Notify():
            return {"effect": "notify", "event": effect.event, "title": effect.title[:LONGEST]}
