"""A Run being changed by one step: the new Run, the effects so far, and the words that every part uses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tmux_sentry.contracts import Level
from tmux_sentry.engine.conditions import Search, matches_line
from tmux_sentry.engine.events import Effect, Notify, Record
from tmux_sentry.engine.run import HELD, Attempt, Run, StageState
from tmux_sentry.policy.model import Stage


class Builder:
    """Local to one `step`; nothing of it survives the call."""

    def __init__(self, run: Run, now: float, search: Search = matches_line) -> None:
        self.run = run
        self.now = now
        self.search = search
        self.effects: list[Effect] = []

    @property
    def attempt(self) -> Attempt | None:
        """The attempt in hand."""
        return self.run.attempt

    @property
    def stage(self) -> Stage:
        """The stage of the attempt in hand."""
        assert self.run.attempt is not None
        stage = self.run.pipeline.stage(self.run.attempt.stage)
        assert stage is not None, "the policy of a Run cannot lose a stage"
        return stage

    def update(self, **changes: Any) -> Attempt:
        """Change the attempt in hand and return it."""
        assert self.run.attempt is not None
        attempt = replace(self.run.attempt, **changes)
        self.run = replace(self.run, attempt=attempt)
        return attempt

    def set_stage(self, name: str, **changes: Any) -> StageState:
        """Change what is known of a stage."""
        state = replace(self.run.stages.get(name, StageState()), **changes)
        self.run = replace(self.run, stages={**self.run.stages, name: state})
        return state

    def emit(self, effect: Effect) -> None:
        """Add an effect."""
        self.effects.append(effect)

    def record(self, attempt: Attempt, status: str, reason: str = "", *, finished: bool = False) -> None:
        """The stage is now in `status`: for the machine's own rules, for `stage_history`, and for people."""
        self.set_stage(attempt.stage, status=status, attempts=attempt.number)
        self.emit(
            Record(
                stage=attempt.stage,
                attempt=attempt.number,
                status=status,
                reason=reason,
                started_at=attempt.started_at,
                finished_at=self.now if finished else None,
                approved_by=attempt.approved_by,
            )
        )

    def hold(self, reason: str) -> None:
        """Stop here until a person decides; deadlines wait with it. What has its outcome keeps that status."""
        attempt = self.run.attempt
        assert attempt is not None
        attempt = self.update(held=reason, held_at=self.now if attempt.held is None else attempt.held_at)
        if not attempt.phase.decided:
            self.record(attempt, HELD, reason)
        title = f"{self.run.pipeline.name}: {attempt.stage} is held"
        self.tell("stage.held", Level.WARNING, title, reason, run=self.run.id)

    def tell(
        self,
        event: str,
        level: Level,
        title: str,
        text: str = "",
        *,
        keys: tuple[str, ...] = (),
        channels: tuple[str, ...] = (),
        **fields: str,
    ) -> None:
        """Tell people, by these `channels` only if any are named; `keys` are what would be typed.

        Once per (Run, event, stage, attempt, question, send); of a Run, once per end.
        """
        attempt = self.run.attempt
        tries = sum(stage.attempts for stage in self.run.stages.values())
        if attempt is not None and not event.startswith("run."):
            fields.setdefault("stage", attempt.stage)  # by the end of the step it may be another one
        where = f"{attempt.stage}/{attempt.number}/{attempt.asked}/{attempt.sends}" if attempt else str(tries)
        self.emit(
            Notify(
                event=event,
                level=level,
                title=title,
                text=text,
                keys=keys,
                channels=channels,
                dedupe_key=f"{self.run.id}/{event}/{where}",
                fields={"pane": self.run.pane_name, "pipeline": self.run.pipeline.name, **fields},
            )
        )
