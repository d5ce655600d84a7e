"""A small world for the machine: Runs from policy snippets, events at times, and what came of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import pytest

from tmux_sentry.contracts import PaneIdentity, Signal, SignalKind, Trust
from tmux_sentry.engine.events import (
    AboutToSend,
    Ask,
    Decided,
    Due,
    Effect,
    Event,
    Notify,
    Order,
    OutputSeen,
    Record,
    Send,
    SendDone,
    Started,
)
from tmux_sentry.engine.machine import next_due, step
from tmux_sentry.engine.run import Run
from tmux_sentry.policy.build import build_pipeline

PANE = PaneIdentity(host="here", server_pid=100, server_start=1_795_000_000, pane_id="%3", pane_pid=4242)

E = TypeVar("E")


@dataclass
class World:
    """One Run at a time `now`, and every effect so far."""

    run: Run
    now: float = 0.0
    effects: list[Effect] = field(default_factory=list)
    new: tuple[Effect, ...] = ()  # of the last step

    def give(self, event: Event, at: float | None = None) -> World:
        """One step; time does not go back."""
        self.now = self.now if at is None else at
        self.run, self.new = step(self.run, event, self.now)
        self.effects += self.new
        return self

    def drive(self, timeline: Iterable[tuple[float, Event]]) -> World:
        """Events at their times."""
        for at, event in timeline:
            self.give(event, at)
        return self

    def all(self, kind: type[E]) -> list[E]:
        """Every effect of a kind."""
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def last(self, kind: type[E]) -> E:
        """The newest effect of a kind."""
        return self.all(kind)[-1]

    # -------------------------------------------------------- what the outside does

    def type(self, *visible: str, digests: tuple[str, ...] = (), at: float | None = None) -> World:
        """The send in hand is carried out; `visible` is on the screen just before."""
        action = self.last(Send).action_id
        self.give(AboutToSend(action_id=action, lines=visible, digests=digests), at)
        return self.give(SendDone(action_id=action))

    def prints(self, *lines: str, at: float | None = None) -> World:
        """The stream brings lines."""
        return self.give(OutputSeen(lines=lines), at)

    def says(self, *signals: Signal, at: float | None = None) -> World:
        """The stream brings events."""
        return self.give(OutputSeen(signals=signals), at)

    def due(self, at: float) -> World:
        """Time passes, as the loop lets it: `Due` whenever the machine asked for it, then once more."""
        for _ in range(100):
            then = next_due(self.run, self.now)
            if then is None or then > at:
                return self.give(Due(), at)
            self.give(Due(), max(then, self.now))
        raise AssertionError(f"the machine asks for {then} again and again")

    def answer(self, approved: bool = True, **changes: Any) -> World:
        """A person answers the newest question."""
        ask = self.last(Ask)
        answer = Decided(approval_id=ask.approval_id, approved=approved, by="ann", digest=ask.digest)
        return self.give(replace(answer, **changes))

    def order(self, verb: str, stage: str | None = None, reason: str = "") -> World:
        """A person orders."""
        return self.give(Order(verb=verb, stage=stage, by="ann", reason=reason))  # type: ignore[arg-type]

    # ------------------------------------------------------------------ what was seen

    @property
    def statuses(self) -> dict[str, str]:
        """Stage -> status."""
        return {
            stage.name: self.run.stages[stage.name].status
            for stage in self.run.pipeline.stages
            if self.touched(stage.name)
        }

    def touched(self, name: str) -> bool:
        """Whether anything is known of a stage."""
        return name in self.run.stages

    @property
    def typed(self) -> list[str]:
        """Every send that was handed out, as people read it."""
        return [send.keys.shown() for send in self.all(Send)]

    @property
    def told(self) -> list[str]:
        """Every notification's event, or the message of a policy's own."""
        return [n.text if n.event == "policy.notify" else n.event for n in self.all(Notify)]

    @property
    def history(self) -> list[str]:
        """`stage/attempt status` of every record, in order."""
        return [f"{r.stage}/{r.attempt} {r.status}" for r in self.all(Record)]


@pytest.fixture
def new_run() -> Callable[..., Run]:
    """A Run of stages written as a policy has them, not started."""

    def make(*stages: dict[str, Any], run: dict[str, Any] | None = None, **pipeline: Any) -> Run:
        source = {"name": "ci", "match": {"window_name": "w"}, "stages": list(stages), **pipeline}
        built = build_pipeline(source)
        values: dict[str, Any] = {"id": "r1", "pane": PANE, "pane_name": "work:w.0", "policy_digest": built.digest}
        return Run(**{**values, "pipeline": built, **(run or {})})

    return make


@pytest.fixture
def world(new_run: Callable[..., Run]) -> Callable[..., World]:
    """A started Run at time 0."""

    def make(*stages: dict[str, Any], **more: Any) -> World:
        return World(new_run(*stages, **more)).give(Started())

    return make


@pytest.fixture
def event() -> Callable[..., Signal]:
    """A SENTRY event as the parser gives it; its digest is made of its fields."""

    def make(type: str = "STATUS", **fields: Any) -> Signal:
        kind = {"DONE": "STATUS"}.get(type, type).lower()
        content = {name: fields.get(name) for name in ("stage", "ok", "message", "event_id")}
        values: dict[str, Any] = {
            "kind": SignalKind(kind),
            "parser": "sentry",
            "trust": Trust.PRINTED,
            "confidence": 1.0,
            "digest": f"{type} {content}",
            "at": 0.0,
            "event_type": type,
        }
        return Signal(**{**values, **fields})

    return make
