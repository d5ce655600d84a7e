"""`tmux-sentry replay`: a policy over a recording, under a virtual clock. Nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from tmux_sentry.cli import output
from tmux_sentry.cli.options import json_option
from tmux_sentry.cli.session import Session, begin, env_file_option, policy_option, read_policy
from tmux_sentry.errors import UsageError
from tmux_sentry.security.sanitize import clean, visible

if TYPE_CHECKING:
    from tmux_sentry.policy.model import Policy
    from tmux_sentry.recording.rehearsal import Rehearsal, Script
    from tmux_sentry.tmux.model import PaneInfo


@click.command("replay")
@click.argument("recording", type=click.Path(path_type=Path))
@policy_option
@click.option("--pipeline", help="Start this pipeline, whatever panes it matches.")
@click.option("--window", help="The name of the recorded window, where the recording has none.")
@click.option("--command", "program", help="The program in the pane (bash, claude, ...), where the recording has none.")
@click.option("--approve", multiple=True, metavar="ID|STAGE|all", help="Say yes to a request when it comes. Repeats.")
@click.option("--check", "checks", multiple=True, metavar="STAGE=success|failure", help="How an outside check answers.")
@env_file_option
@json_option
def command(
    recording: Path,
    policies: tuple[Path, ...],
    pipeline: str | None,
    window: str | None,
    program: str | None,
    approve: tuple[str, ...],
    checks: tuple[str, ...],
    env_file: Path | None,
    as_json: bool,
) -> None:
    """Run a policy over a recording: print signals, transitions and effects; send nothing.

    RECORDING is an asciicast v2 file, as `run --record` and asciinema write it. Exit status 0 when it was played to its
    end, whatever became of the stages.
    """
    from tmux_sentry.recording.rehearsal import Script

    if not policies:
        raise UsageError("no policy is named", "", "add --policy FILE")
    session = begin(env_file)
    policy = read_policy(session, policies)
    if pipeline and policy.pipeline(pipeline) is None:
        raise UsageError(
            f"the policy has no pipeline {clean(pipeline, 60)}", "", "see: tmux-sentry check --policy FILE"
        )
    script = Script(approve=frozenset(approve), checks=_answers(checks, policy), pipeline=pipeline or "")
    rehearsal = _play(session, recording, policy, script, {"window_name": window, "command": program}, as_json)
    if not as_json:
        _sum_up(rehearsal)


def _answers(words: tuple[str, ...], policy: Policy) -> dict[str, Literal["success", "failure"]]:
    stages = {stage.name for pipeline in policy.pipelines for stage in pipeline.stages}
    answers: dict[str, Literal["success", "failure"]] = {}
    for word in words:
        stage, _, answer = word.rpartition("=")
        if stage not in stages:
            raise UsageError(f"--check {clean(word, 80)}: the policy has no such stage", "", "--check STAGE=success")
        if answer == "success":
            answers[stage] = "success"
        elif answer == "failure":
            answers[stage] = "failure"
        else:
            raise UsageError(
                f"--check {clean(word, 80)}: the answer is success or failure", "", "--check STAGE=success"
            )
    return answers


def _play(
    session: Session, path: Path, policy: Policy, script: Script, given: Mapping[str, str | None], as_json: bool
) -> Rehearsal:
    from tmux_sentry.cli.parts import wanted
    from tmux_sentry.recording import facts
    from tmux_sentry.recording.asciicast import open_cast
    from tmux_sentry.recording.rehearsal import Rehearsal
    from tmux_sentry.recording.sent import sent_in
    from tmux_sentry.recording.stage import Stage, VirtualClock, start_of
    from tmux_sentry.recording.terminal import running
    from tmux_sentry.state.store import Store

    script = replace(script, sent=sent_in(path))
    parsers = wanted(session, session.registry.parsers)
    with open_cast(path) as cast:
        clock = VirtualClock(start_of(cast))
        info = _named(facts.first(cast.header), given)
        with Store.open(None, clock, redact=session.app.redact) as store:
            rehearsal = Rehearsal(
                policy,
                parsers,
                store,
                clock,
                script,
                output.emit_line if as_json else _show,
                env=session.env,
                redact=session.app.redact,
                unseal=session.unseal,
            )
            with closing(rehearsal), running(info.width, info.height) as terminal:
                stage = Stage(cast, terminal, info, clock, rehearsal.sink)
                rehearsal.on(stage)
                stage.play(rehearsal)
        if cast.torn:
            output.warn("the recording ends in the middle of a line: whoever wrote it was stopped")
    return rehearsal


def _named(info: PaneInfo, given: Mapping[str, str | None]) -> PaneInfo:
    return replace(info, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]


def _show(line: Mapping[str, Any]) -> None:
    """A line for people: when, what kind, of what, and what it is."""
    where = clean(str(line.get("stage") or line.get("pipeline") or ""), 40)
    what = clean(str(line.get("effect") or line.get("signal") or line.get("status") or ""), 40)
    attempt = f" (attempt {line['attempt']})" if line.get("attempt", 1) != 1 else ""
    output.say(f"{line['at']:9.3f}  {line['kind']:<11}{where:<16}{what}{attempt}{_detail(line)}")


def _detail(line: Mapping[str, Any]) -> str:
    match line.get("effect"):
        case "send":
            return f": {visible(line['keys'], 200)}"
        case "ask":
            return f" ({line['id']}): {'; '.join(visible(one, 200) for one in line['keys'])}"
        case "close_ask":
            return f" ({line['id']}): {line['outcome']}"
        case "check":
            return f": {clean(line['type'], 60)}"
        case "notify":
            return f": {clean(line['title'], 200)}"
    if line["kind"] == "signal":
        seen = clean(line.get("evidence", ""), 120)
        return f" {line.get('state', '')} {line['confidence']:.2f} {line['parser']}: {seen}"
    return f": {clean(line['reason'], 200)}" if line.get("reason") else ""


def _sum_up(rehearsal: Rehearsal) -> None:
    runs = list(rehearsal.runs.values())
    if not runs:
        output.say("no run started: no pipeline matches the pane; --pipeline NAME starts one all the same")
    for run in runs:
        at = f" at {run.attempt.stage}" if run.open and run.attempt is not None else ""
        output.say(f"{run.pipeline.name}: {run.status}{at}")
    for keys in rehearsal.waiting:
        output.say(f"not typed before the recording ended: {visible(keys, 200)}")
