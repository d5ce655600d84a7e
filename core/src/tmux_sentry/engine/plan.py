"""From a stage's actions to exactly what will be typed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tmux_sentry.engine.conditions import stage_leaves
from tmux_sentry.engine.events import Keys
from tmux_sentry.engine.run import Attempt, Phase, Run
from tmux_sentry.policy.model import Action, ExitCode, ExternalCheck, SendKeys, Stage
from tmux_sentry.policy.variables import OUTSIDE, substitute

#: Tells the exit status by OSC 133;D: tmux hides it from the screen, the raw stream has it. fish refuses a line with
#: `$?` and says `$status`. It reads `\'` inside quotes as a quote, other shells do not: so each of them sees one of
#: the two names, and the rest as words without a number. `sentry` tells it from the report of a shell itself.
REPORT_EXIT = r"""; printf '\033]133;D;%s;sentry\007' '\' $? ' $status \'"""
#: Shells that do not understand that line.
REPORTLESS = frozenset({"csh", "elvish", "nu", "pwsh", "tcsh", "xonsh"})

#: Why a stage that lives by the exit status is held where no stream brings it.
UNSEEN = "its exit status cannot be observed here: the pane is polled; use success_when, or watch.method: stream"


def values(run: Run, stage: str, attempt: Attempt | None) -> dict[str, str]:
    """Every `${...}` a stage may use, by name. A name of an allowed variable that is not set is missing."""
    return {
        **dict.fromkeys(OUTSIDE, ""),
        **{f"pane.{name}": value for name, value in run.pane_facts.items()},
        "run.id": run.id,
        "pipeline.name": run.pipeline.name,
        "stage.name": stage,
        "pane.id": run.pane.pane_id,
        "pane.host": run.pane.host,
        "check.status": next(reversed([*attempt.checks.values()]), "") if attempt else "",
        "check.detail": attempt.check_detail if attempt else "",
        "check.url": attempt.check_url if attempt else "",
        "check.log_tail": attempt.check_log_tail if attempt else "",
        **{f"vars.{name}": value for name, value in run.pipeline.vars.items()},
        **{f"env.{name}": value for name, value in run.env.items()},
    }


def resolve(action: SendKeys, run: Run, stage: str, attempt: Attempt | None) -> Keys:
    """What `action` types, with its variables filled in. Raises UnknownVariable."""
    if action.keys:
        return Keys(keys=action.keys)
    text = substitute(action.text, values(run, stage, attempt), action.untrusted)
    if action.report_exit:
        text = with_report(text)
    return Keys(text=text, enter=action.enter)


def with_report(text: str) -> str:
    """A command line that also tells its exit status."""
    text = text.rstrip()
    return text + (REPORT_EXIT[1:] if text.endswith((";", "&")) else REPORT_EXIT)


def without_report(text: str) -> str:
    """The command line as the policy has it."""
    return text.removesuffix(REPORT_EXIT).removesuffix(REPORT_EXIT[1:])


def reports_exit(text: str) -> bool:
    """Whether `resolve` made it for `report_exit`."""
    return text.endswith(REPORT_EXIT[1:])


def waits_for_exit(stage: Stage) -> bool:
    """Whether an exit status may decide the stage, and has to be seen for that."""
    if any(isinstance(leaf, ExitCode) for leaf in stage_leaves(stage)):
        return True
    reports = any(isinstance(action, SendKeys) and action.report_exit for action in stage.actions_on_start)
    return reports and not stage.success_when


def needs_exit(action: SendKeys, stage: Stage, attempt: Attempt) -> bool:
    """Whether the attempt is judged by what this send reports, and nobody has said to type it all the same."""
    acting = attempt.phase is not Phase.ENDING and not attempt.blind
    return action.report_exit and acting and waits_for_exit(stage)


def check_config(action: ExternalCheck, run: Run, stage: str) -> Mapping[str, Any]:
    """The check's own keys, with the variables in their texts filled in. Raises UnknownVariable."""
    names = values(run, stage, None)

    def filled(value: Any) -> Any:
        if isinstance(value, str):
            return substitute(value, names)
        if isinstance(value, Mapping):
            return {key: filled(item) for key, item in value.items()}
        return [filled(item) for item in value] if isinstance(value, (list, tuple)) else value

    return {key: filled(value) for key, value in action.config.items()}


def sends(run: Run, stage: Stage, attempt: Attempt | None) -> tuple[Keys, ...]:
    """Everything the stage may type: what an approval of it covers. Raises UnknownVariable."""
    every: Iterable[Action] = (
        *stage.actions_on_start,
        *stage.on_success,
        *stage.on_failure,
        *(stage.on_timeout or ()),
    )
    found = [resolve(action, run, stage.name, attempt) for action in every if isinstance(action, SendKeys)]
    if stage.on_limit.resume:
        found.append(resolve(SendKeys(text=stage.on_limit.message), run, stage.name, attempt))
    return tuple(found)
