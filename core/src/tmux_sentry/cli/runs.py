"""`tmux-sentry runs` and `tmux-sentry stage`: Runs by hand."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tmux_sentry.cli import output
from tmux_sentry.cli.everywhere import everywhere
from tmux_sentry.cli.offline import offline_desk
from tmux_sentry.cli.options import json_option
from tmux_sentry.cli.session import (
    Session,
    begin,
    change,
    env_file_option,
    hosts_option,
    inventory,
    person,
    policy_option,
    read_hosts,
    read_policy,
    reading_store,
)
from tmux_sentry.errors import SentryError, UsageError

_COLUMNS = ("id", "pipeline", "host", "pane_id", "pane_name", "status", "stage", "held", "started_at")


@click.group("runs")
def runs() -> None:
    """List, start, retry, cancel and resume runs."""


@runs.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that have ended.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many rows.")
@env_file_option
@json_option
def list_(everything: bool, limit: int, env_file: Path | None, as_json: bool) -> None:
    """List the open runs, newest first."""
    session = begin(env_file)
    with reading_store(session) as store:
        rows = [asdict(row) for row in store.runs(limit, open_only=not everything)] if store else []
    if as_json:
        output.emit_json(rows)
    elif not rows:
        output.say("no run" if everything else "no open run; --all lists those that have ended")
    else:
        # A usage limit is a column only where there is one.
        columns = (*_COLUMNS, "limited_until") if any(row["limited"] for row in rows) else _COLUMNS
        shown = [
            {**row, "limited_until": row["limited_until"] or ("unknown" if row["limited"] else "")} for row in rows
        ]
        output.table(columns, [[row[column] for column in columns] for row in shown])


@runs.command("start")
@click.argument("pipeline")
@click.argument("pane")
@click.option("--host", help="Where the pane is, if several hosts have one of that name.")
@policy_option
@hosts_option
@env_file_option
def start(
    pipeline: str,
    pane: str,
    host: str | None,
    policies: tuple[Path, ...],
    hosts_file: Path | None,
    env_file: Path | None,
) -> None:
    """Start PIPELINE on PANE (%3, or session:window.index), also where it ran before.

    Without a running instance, name the --policy; the next `run` then carries it on.
    """
    session = begin(env_file)
    args = {"pipeline": pipeline, "pane": pane, "host": host}

    def offline() -> Any:
        if not policies:
            raise UsageError("no instance is running", "without one the policy is not known", "add --policy FILE")
        with offline_desk(session, read_policy(session, policies)) as desk:
            hosts = read_hosts(session, hosts_file, host)
            asked = [one for one in hosts if host in (None, one.name)]
            for one, answer in everywhere(asked, lambda one: inventory(session, hosts, one).panes):
                if isinstance(answer, SentryError):
                    output.warn(answer.what)
                    desk.panes.lost(one.name, "; ".join(answer.lines()))
                    continue
                for info in answer:
                    desk.panes.see(info)
            return desk.start(pipeline, pane, host)

    _say(change(session, "start", args, offline))


@runs.command("retry")
@click.argument("run")
@click.argument("stage", required=False)
@env_file_option
def retry(run: str, stage: str | None, env_file: Path | None) -> None:
    """Try a stage again: STAGE, or the first that did not succeed."""
    _order(begin(env_file), run, "retry", stage)


@runs.command("cancel")
@click.argument("run")
@env_file_option
def cancel(run: str, env_file: Path | None) -> None:
    """End a run. Nothing is typed; what runs in the pane is left alone."""
    _order(begin(env_file), run, "cancel")


@runs.command("resume")
@click.argument("run", required=False)
@click.option("--all", "everything", is_flag=True, help="Every held run; also ends observing only.")
@click.option("--send", "verb", flag_value="send", help="Type what was held, after all.")
@click.option("--skip", "verb", flag_value="skip", help="Take it as typed and go on.")
@click.option("--abort", "verb", flag_value="abort", help="Fail the stage.")
@env_file_option
def resume(run: str | None, everything: bool, verb: str | None, env_file: Path | None) -> None:
    """Decide what becomes of a held run.

    After a restore of the database nothing is started and nothing is typed: --all ends that. What is held
    stays held until --send, --skip or --abort is said too.
    """
    if (run is None) is not everything:
        raise click.UsageError("name one RUN, or say --all")
    if run is not None and verb is None:
        raise click.UsageError("say what becomes of it: --send, --skip or --abort")
    session = begin(env_file)
    if run is not None and verb is not None:
        _order(session, run, verb)
        return
    args = {"verb": verb}

    def offline() -> Any:
        with offline_desk(session) as desk:
            return desk.handle("resume_all", args, person())

    answer = change(session, "resume_all", args, offline)
    if answer["went_on"]:
        output.say("observing only has ended: runs start and keys are typed again")
    for one in answer["runs"]:
        _say(one)
    if not answer["runs"]:
        output.say("no run is held")
    elif verb is None:
        output.say("decide on what is held: tmux-sentry runs resume RUN|--all --send|--skip|--abort")


@click.group("stage")
def stage() -> None:
    """Start a stage by hand."""


@stage.command("start")
@click.argument("run")
@click.argument("name", metavar="STAGE")
@env_file_option
def stage_start(run: str, name: str, env_file: Path | None) -> None:
    """Make STAGE of RUN ready, whatever its triggers say."""
    _order(begin(env_file), run, "start", name)


def _order(session: Session, run: str, verb: str, stage: str | None = None) -> None:
    args = {"run": run, "verb": verb, "stage": stage}

    def offline() -> Any:
        with offline_desk(session) as desk:
            return desk.handle("order", args, person())

    _say(change(session, "order", args, offline))


def _say(run: dict[str, Any]) -> None:
    stage = f", stage {run['stage']}" if run["stage"] else ""
    held = f", held: {run['held']}" if run["held"] else ""
    output.say(f"run {run['id']} of {run['pipeline']} on {run['host']}: {run['status']}{stage}{held}")
