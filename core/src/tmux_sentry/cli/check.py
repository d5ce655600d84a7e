"""`tmux-sentry check`: everything that is wrong with policies and hosts, before anything runs."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tmux_sentry.cli import app, output, telling
from tmux_sentry.cli.answering import unheard
from tmux_sentry.cli.everywhere import everywhere
from tmux_sentry.cli.options import json_option
from tmux_sentry.cli.session import Session, installed, inventory, person, reading_store
from tmux_sentry.errors import EXIT_OK, EXIT_UNREACHABLE, EXIT_USAGE, Diagnostic, InvalidConfig, SentryError

if TYPE_CHECKING:
    from tmux_sentry.config.hosts import Host, HostsFile
    from tmux_sentry.config.vault import Vault
    from tmux_sentry.engine.matching import Candidate, Earlier
    from tmux_sentry.policy.load import LoadResult
    from tmux_sentry.policy.model import Policy
    from tmux_sentry.tmux.inventory import Inventory

_PANE_COLUMNS = ("pipeline", "host", "pane_id", "pane", "note")


@click.command("check", short_help="Validate policies and hosts files.")
@click.option(
    "--policy",
    "policies",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="A file or a directory of *.yaml; repeatable.",
)
@click.option(
    "--hosts", type=click.Path(path_type=Path), help="Also check this file and list the panes each pipeline would take."
)
@click.option("--env-file", type=click.Path(path_type=Path), help="Variables, as `run` takes them.")
@json_option
def command(policies: tuple[Path, ...], hosts: Path | None, env_file: Path | None, as_json: bool) -> int:
    """Validate policies: every error at once, with its line and column. Exit code 2 when there are any.

    With --hosts, exit code 4 when some host is not reached: what would start there is not known.
    """
    from tmux_sentry.config.settings import load_settings
    from tmux_sentry.policy.load import load_policies

    current = app.current()
    registry = current.registry(env_file=env_file)
    settings = load_settings(os.environ, env_file, registry.settings, current.redact.learn)
    current.redact.learn(settings.secrets)
    session = Session(app=current, registry=registry, settings=settings)
    result = load_policies(policies, registry, session.env, installed(registry), settings.vault)
    hosts_file, diagnostics = _hosts(hosts, result.diagnostics, settings.vault)
    failed = any(not diagnostic.warning for diagnostic in diagnostics)
    live = Live() if failed or hosts_file is None else look(session, result.require(), hosts_file.hosts)
    warnings = list(settings.warnings)
    if env_file or as_json:  # without the file that `run` gets, what it will be set up with is not known
        named = telling.named(result.require()) if not failed else []
        channels = (*settings.notification_channels, *named)
        warnings += telling.problems(session, channels)
        if not failed:
            notifiers, links = telling.usable(session, channels), bool(settings.approval_secret)
            warnings += unheard(result.require(), notifiers, person(), links=links)
    if as_json:
        output.emit_json(_as_json(result, diagnostics, warnings, live, failed))
    else:
        for warning in warnings if env_file else ():
            output.warn(warning)
        _print(diagnostics)
        if not failed:
            _print_summary(result.require(), hosts_file, live.panes)
    if failed:
        return EXIT_USAGE
    return EXIT_UNREACHABLE if live.unreachable else EXIT_OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The live panes that each pipeline matches, as rows of `pipeline`, `host`, `pane_id`, `pane` and `note`, and the
    hosts that were not reached, as rows of `name`, `what`, `why` and `fix`."""

    panes: Sequence[Mapping[str, str]] = ()
    unreachable: Sequence[Mapping[str, str]] = ()


def look(session: Session, policy: Policy, hosts: Sequence[Host]) -> Live:
    """Ask every host; one that cannot be reached is also said on stderr and leaves the rest alone."""
    from tmux_sentry.engine.matching import MEANING, preview
    from tmux_sentry.engine.twins import find_twins, sentence
    from tmux_sentry.watch.source import agent_of

    found: dict[str, Inventory] = {}
    unreachable: list[Mapping[str, str]] = []
    for host, answer in everywhere(hosts, lambda host: inventory(session, hosts, host)):
        if isinstance(answer, SentryError):
            output.warn("; ".join(answer.lines()))
            unreachable.append({"name": host.name, "what": answer.what, "why": answer.why, "fix": answer.fix})
        else:
            found[host.name] = answer
    panes = [pane for host in hosts if host.name in found for pane in found[host.name].panes]
    same = find_twins([host.name for host in hosts], panes).of
    for twin, leader in same.items():
        output.warn(sentence(twin, leader))
    panes = [pane for pane in panes if pane.identity.host not in same]
    agents = {pane.identity.key: agent_of(pane.command, pane.title) for pane in panes}
    candidates = preview(policy.pipelines, panes, _earlier(session), agents)
    _warn_of_polled(policy, {host.name for host in hosts if _is_polled(host, found.get(host.name))}, candidates)
    rows = [
        {
            "pipeline": candidate.pipeline,
            "host": candidate.pane.identity.host,
            "pane_id": candidate.pane.identity.pane_id,
            "pane": candidate.pane.name,
            "note": MEANING[candidate.verdict],
        }
        for candidate in candidates
    ]
    return Live(panes=rows, unreachable=unreachable)


def _earlier(session: Session) -> list[Earlier]:
    """The Runs of the database, which is only read: a pane that has run a pipeline does not start it again."""
    from tmux_sentry.engine.starting import earlier_of

    try:
        with reading_store(session) as store:
            return [earlier_of(run) for run in store.past_runs()] if store else []
    except SentryError as error:
        output.warn("; ".join([*error.lines(), "what has run already is not known here"]))
        return []


def _is_polled(host: Host, answer: Inventory | None) -> bool:
    from tmux_sentry.tmux.version import ability
    from tmux_sentry.watch.reading import always_polled

    return answer is not None and always_polled(host.watch.method, ability(f"tmux {answer.version}"))


def _warn_of_polled(policy: Policy, polled: Collection[str], candidates: Iterable[Candidate]) -> None:
    """Say which stages would wait on a polled host for an exit status, which nobody sees there."""
    from tmux_sentry.engine.plan import waits_for_exit

    taken = {(one.pipeline, one.pane.identity.host): None for one in candidates if one.pane.identity.host in polled}
    for name, host in taken:
        pipeline = policy.pipeline(name)
        stages = [stage.name for stage in pipeline.stages if waits_for_exit(stage)] if pipeline else []
        if stages:
            where = f"{name} on {host}: {', '.join(stages)}"
            output.warn(f"{where}: no exit status is seen where panes are polled (report_exit, exit_code)")


def _hosts(path: Path | None, found: Iterable[Diagnostic], vault: Vault) -> tuple[HostsFile | None, list[Diagnostic]]:
    from tmux_sentry.config.hosts import read_hosts

    if path is None:
        return None, list(found)
    try:
        hosts = read_hosts(path, vault)
    except InvalidConfig as invalid:
        return None, [*found, *invalid.diagnostics]
    app.current().redact.learn(secret for host in hosts.hosts for secret in host.secrets)
    return hosts, [*found, *hosts.warnings]


def _print(diagnostics: Iterable[Diagnostic]) -> None:
    """On stderr, as editors and people read it."""
    errors = InvalidConfig(list(diagnostics))
    if errors.diagnostics:
        lines = errors.lines()
        only_warnings = all(diagnostic.warning for diagnostic in errors.diagnostics)
        output.fail(lines[:-1] if only_warnings else lines, errors.what, redact=app.current().redact)


def _print_summary(policy: Policy, hosts: HostsFile | None, panes: Sequence[Mapping[str, str]]) -> None:
    stages = sum(len(pipeline.stages) for pipeline in policy.pipelines)
    output.say(f"ok: {_count(len(policy.pipelines), 'pipeline')}, {_count(stages, 'stage')}")
    if hosts is not None:
        output.say("the pipelines match:" if panes else "no live pane matches a pipeline")
        if panes:
            output.table(_PANE_COLUMNS, [[pane.get(column, "") for column in _PANE_COLUMNS] for pane in panes])


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _as_json(
    result: LoadResult,
    found: Iterable[Diagnostic],
    warnings: Iterable[str],
    live: Live,
    failed: bool,
) -> dict[str, Any]:
    pipelines = result.policy.pipelines if result.policy else ()
    return {
        "ok": not failed,
        "pipelines": len(pipelines),
        "stages": sum(len(pipeline.stages) for pipeline in pipelines),
        "diagnostics": [
            {
                "severity": "warning" if one.warning else "error",
                "file": one.file,
                "line": one.line,
                "column": one.column,
                "where": one.where,
                "what": one.what,
                "help": one.help,
            }
            for one in found
        ],
        "warnings": list(warnings),
        "panes": [dict(pane) for pane in live.panes],
        "unreachable": [dict(host) for host in live.unreachable],
    }
