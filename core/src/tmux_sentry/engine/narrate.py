"""What `run` tells its terminal and log: one readable line an event, sanitised and redacted."""

from __future__ import annotations

import logging

from tmux_sentry.contracts import CheckStatus, Dialog
from tmux_sentry.engine.conductor import Step
from tmux_sentry.engine.events import Ask, CheckReported, CloseAsk, Notify, Record, Send, StartCheck
from tmux_sentry.engine.progress import progress
from tmux_sentry.engine.run import HELD, PENDING, Run
from tmux_sentry.security.sanitize import clean, visible

log = logging.getLogger("tmux_sentry.run")


def narrate(step: Step, *, dry: bool = False) -> None:
    """Log what a committed step did; `dry` says that nothing of it will be carried out."""
    before, run = step.before, step.run
    if before is None:
        tell(run, "would start a run" if dry else f"run {run.id} started")
    for effect in step.effects:
        match effect:
            case Record() if effect.status != PENDING:
                level = logging.WARNING if effect.status == HELD else logging.INFO
                attempt = f" (attempt {effect.attempt})" if effect.attempt > 1 else ""
                reason = f": {effect.reason}" if effect.reason else ""
                tell(run, "%s %s%s%s", effect.stage, effect.status.replace("_", " "), attempt, reason, level=level)
            case Send():
                will = "would" if dry else "will"
                if effect.answers is not None:
                    will = f"{will} answer a dialog ({_asked(effect.answers.dialog)}) and"
                tell(run, "%s %s type: %s", effect.stage, will, visible(effect.keys.shown(), 200))
            case Ask():
                keys = "; ".join(visible(send.shown(), 200) for send in effect.sends) or "(nothing)"
                asks = "would ask" if dry else f"asks ({effect.approval_id})"
                tell(run, "%s %s for an approval to type: %s", effect.stage, asks, keys)
            case CloseAsk():
                tell(run, "approval %s: %s", effect.approval_id, effect.outcome)
            case StartCheck():
                tell(run, "external check %s started", effect.type)
            case Notify(event="limit.reached"):
                said = "; ".join(effect.text.splitlines())
                tell(run, "the agent is at its usage limit: %s", said, level=logging.WARNING)
            case _:
                pass
    if isinstance(step.event, CheckReported) and (found := progress(run)) is not None:
        was = progress(before) if before is not None else None
        if was is None or (was.status, was.detail) != (found.status, found.detail):
            level = logging.INFO if found.status is CheckStatus.PENDING else logging.WARNING
            tell(run, "external check: %s", str(found), level=level)
    if before is not None and before.limited and run.limit is not None and not run.limited:
        tell(run, "the usage limit is over")
    if before is not None and before.open and not run.open:
        tell(run, "run %s", run.status)


def _asked(dialog: Dialog) -> str:
    return visible(dialog.command or dialog.question, 200)


def tell(run: Run, text: str, *values: object, level: int = logging.INFO) -> None:
    """One line about a Run, with its pipeline and pane in front."""
    head = f"{run.pipeline.name} ({run.pane.host} {run.pane_name} {run.pane.pane_id})"
    words = tuple(clean(value, 400) if isinstance(value, str) else value for value in values)
    log.log(level, "%s: " + text, clean(head, 120), *words)
