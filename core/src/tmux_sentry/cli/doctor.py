"""`tmux-sentry doctor`: everything that can be wrong with this installation, each with its fix. It only reads."""

from __future__ import annotations

import contextlib
import locale
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tmux_sentry.cli import app, output
from tmux_sentry.cli.everywhere import everywhere
from tmux_sentry.cli.options import json_option
from tmux_sentry.cli.session import Session, env_file_option, hosts_option, installed, policy_option, transport_of
from tmux_sentry.errors import EXIT_FAILED, EXIT_OK, Refused, SentryError, Unreachable, UsageError

if TYPE_CHECKING:
    from tmux_sentry.config.hosts import Host
    from tmux_sentry.doctor.finding import Finding
    from tmux_sentry.doctor.host import HostFacts
    from tmux_sentry.doctor.known import Known

#: Seconds after which the hosts that have not answered yet are named, and those after which one is given up.
_PATIENCE = 1.0
_HOST_TIMEOUT = 40.0
_AGAIN = "correct it, then start tmux-sentry doctor again"


@click.command("doctor")
@hosts_option
@policy_option
@env_file_option
@json_option
def command(hosts_file: Path | None, policies: tuple[Path, ...], env_file: Path | None, as_json: bool) -> int:
    """Look at everything that can be wrong here, and say how to put it right. Changes nothing.

    Exit status 0 when nothing needs doing, 1 when something does.
    """
    from tmux_sentry.doctor.finding import Level

    _refuse_missing({"--hosts": hosts_file, "--env-file": env_file}, policies)
    found = list(_findings(hosts_file, policies, env_file))
    problems = sum(one.level is Level.PROBLEM for one in found)
    notes = sum(one.level is Level.NOTE for one in found)
    if as_json:
        rows = [{"level": one.level.value, "subject": one.subject, "what": one.what, "fix": one.fix} for one in found]
        output.emit_json({"ok": not problems, "problems": problems, "notes": notes, "findings": rows})
    else:
        _print(found)
        output.say(f"{_summary(problems)}; {notes} worth knowing" if notes else _summary(problems))
    return EXIT_FAILED if problems else EXIT_OK


def _refuse_missing(files: dict[str, Path | None], policies: Sequence[Path]) -> None:
    """A file that is named and is not there is a mistake in the command, not in the installation."""
    for option, path in [*files.items(), *(("--policy", path) for path in policies)]:
        if path is not None and not os.path.lexists(path):
            raise UsageError(f"{option}: there is no {path}")


def _findings(hosts_file: Path | None, policies: Sequence[Path], env_file: Path | None) -> Iterator[Finding]:
    from tmux_sentry.config.settings import key_file_of
    from tmux_sentry.doctor import (
        approvals,
        backups,
        channels,
        clock,
        database,
        disk,
        files,
        instance,
        plugins,
        surroundings,
    )

    now = time.time()
    yield surroundings.python(sys.version_info[:3])
    yield from surroundings.locale(locale.getpreferredencoding(False))
    session, found = _begin(env_file)
    yield from found
    if not any(one.subject == "plugins" for one in found):
        yield from plugins.plugins(session.registry.plugins)
    settings, path = session.settings, Path(os.path.realpath(session.settings.database_path))
    yield from files.home(settings.home)
    yield from files.key_file(key_file_of(settings.values, os.environ), settings.home)
    yield from files.secrets_in_clear(_in_clear(session, env_file))
    yield from files.file_approvals(session.registry.approvals)
    yield from approvals.backends(*_answering(session))
    yield from disk.disk(path.parent, session.settings.database_allow_network_fs)
    yield database.library()
    since, overdue = now - channels.REMEMBERED, now - channels.LONG_DUE
    found, known = database.examine(path, since=since, overdue=overdue)
    yield from found
    yield from backups.backups(path, now)
    running = instance.look(settings.home)
    yield from instance.judge(running)
    if known is not None:
        yield from instance.waiting(known)
        # Asked again: a `run` beside us may have written since we began.
        yield from clock.heartbeat(known.seen_at, time.time())
    local = [name for name, record in session.registry.notifiers.items() if record.local]
    unwell = [one.name for one in known.unwell] if known else []
    yield from channels.configured(settings.notification_channels, lambda name: _build(session, name), local, unwell)
    yield from channels.health(known.unwell if known else ())
    yield from channels.unheard(settings.home)
    yield from channels.outbox(known.undelivered if known else (), running=running.running)
    yield from _hosts(session, hosts_file, known, running=running.running)
    yield from _policies(session, policies)


def _begin(env_file: Path | None) -> tuple[Session, list[Finding]]:
    """As `session.begin`, but files that cannot be used are findings, and all else is looked at without them."""
    from tmux_sentry.config.settings import find_home, load_settings
    from tmux_sentry.doctor.files import settings as judged
    from tmux_sentry.doctor.finding import of_error
    from tmux_sentry.registry import Registry

    current, registry = app.current(), Registry()
    found: list[Finding] = []
    try:
        find_home(os.environ, env_file)
    except (UsageError, Refused) as error:
        if env_file is None:
            raise
        found += of_error("settings", error, _AGAIN)
        env_file = None
    try:
        registry = current.registry(env_file=env_file)
    except (UsageError, Refused) as error:  # plugins.allow: nothing is loaded that nobody may have agreed to
        found += of_error("plugins", error, _AGAIN)
    try:
        settings = load_settings(os.environ, env_file, registry.settings, current.redact.learn)
        found += judged(settings.warnings, env_file)
    except (UsageError, Refused) as error:
        if env_file is None:
            raise
        found += of_error("settings", error, _AGAIN)
        settings = load_settings(os.environ, None, registry.settings, current.redact.learn)
    current.redact.learn(settings.secrets)
    return Session(app=current, registry=registry, settings=settings), found


def _in_clear(session: Session, env_file: Path | None) -> Iterator[tuple[str, str, str]]:
    """The secrets in clear of the env file; one that cannot be used has been told."""
    from tmux_sentry.config.audit import variables_in_clear
    from tmux_sentry.config.secret_files import read_document
    from tmux_sentry.config.settings import read_variables

    if env_file is not None:
        with contextlib.suppress(UsageError, Refused):
            variables = read_variables(os.environ, env_file, session.registry.settings)
            for one in variables_in_clear(read_document(env_file, yaml=False), variables):
                yield one.value.place, one.value.name, one.fix


def _build(session: Session, channel: str) -> object:
    """Make the channel as `run` does. Raises SentryError."""
    from tmux_sentry.cli.parts import needed

    # What a plugin prints must not end up in somebody's `--json`.
    with contextlib.redirect_stdout(sys.stderr):
        return needed(session, session.registry.notifiers, [channel], "notification channel", "notifier")[channel]


def _answering(session: Session) -> tuple[dict[str, str], frozenset[str], frozenset[str]]:
    """What each way of asking says is wrong, those that somebody has configured, and those that lack a secret."""
    from tmux_sentry.cli.parts import wanted
    from tmux_sentry.cli.telling import problem_of

    with contextlib.redirect_stdout(sys.stderr):
        made = wanted(session, session.registry.approvals)
        said = {name: problem_of(backend) for name, backend in made.items()}
    configured = frozenset(name for name in made if session.context(session.registry.approvals[name]).settings)
    pages = frozenset(name for name, backend in made.items() if hasattr(backend, "serve"))
    return said, configured, frozenset() if session.settings.approval_secret else pages


def _hosts(session: Session, hosts_file: Path | None, known: Known | None, *, running: bool) -> Iterator[Finding]:
    from tmux_sentry.config.hosts import find_hosts
    from tmux_sentry.doctor import clock, files, tmux
    from tmux_sentry.doctor.finding import note, of_error, ok

    try:
        found = find_hosts(hosts_file, session.settings.home, vault=session.settings.vault)
    except SentryError as error:
        yield from of_error("hosts", error, _AGAIN)
        return
    session.app.redact.learn(secret for host in found.hosts for secret in host.secrets)
    if found.path is None:
        yield note("hosts", "there is no hosts.yaml: this machine's default tmux server is meant")
    else:
        yield ok("hosts", f"{found.path} names {', '.join(host.name for host in found.hosts)}")
    yield from files.hosts(found.warnings)
    yield from files.keys(_keys(session, found.hosts))
    for host, answer in _ask(session, found.hosts):
        if isinstance(answer, SentryError):
            yield from of_error("hosts", answer, f"see that {host.name} can be reached and answers")
            continue
        yield from tmux.reachable(host.name, answer)
        yield from tmux.polled(host.name, host.watch.method, answer.version)
        yield from clock.apart(host.name, answer.offset)
        yield from tmux.inherited(host.name, host.tmux, answer.inherited)
        yield from tmux.holds(host.name, answer.panes, answer.inherited)
        # Of a database that cannot be read nobody knows whether it is the owner; one that is lost owns nothing.
        if known is not None or not session.settings.database_path.exists():
            yield from tmux.owners(host.name, answer.panes, known.instance if known else "")
        ours = known.clients.get(host.name, frozenset()) if known else frozenset()
        yield from tmux.clients(host.name, answer.clients, ours, running=running)


def _ask(session: Session, hosts: Sequence[Host]) -> list[tuple[Host, HostFacts | SentryError]]:
    """Each host's answer, in the order of the file."""
    from tmux_sentry.bounded import TimedOut, call_bounded
    from tmux_sentry.doctor.host import ask_host

    def look(host: Host) -> HostFacts:
        with contextlib.closing(transport_of(session, hosts, host)) as transport:
            return ask_host(transport, host.tmux)

    def ask(host: Host) -> HostFacts:
        try:
            return call_bounded(lambda: look(host), _HOST_TIMEOUT, f"doctor@{host.name}")
        except TimedOut:
            raise Unreachable(f"{host.name}: it did not answer within {_HOST_TIMEOUT:g} s") from None

    def waiting(slow: Sequence[Host]) -> None:
        output.progress(f"still asking {', '.join(host.name for host in slow)} ...")

    answers = {host.name: answer for host, answer in everywhere(hosts, ask, patience=_PATIENCE, waiting=waiting)}
    output.progress("")
    return [(host, answers[host.name]) for host in hosts]


def _keys(session: Session, hosts: Sequence[Host]) -> Iterator[Path]:
    """The private keys that would be tried; a host whose way cannot be made out is told when it is asked."""
    from tmux_sentry.config.ssh import target_of

    for host in hosts:
        if host.transport == "ssh":
            with contextlib.suppress(SentryError):
                target = target_of(host, hosts, session.settings.values, Path.home())
                for hop in (*target.jumps, target):
                    yield from hop.key_files


def _policies(session: Session, paths: Sequence[Path]) -> Iterator[Finding]:
    from tmux_sentry.doctor.finding import count, of_diagnostics, of_error, ok
    from tmux_sentry.policy.load import load_policies

    if not paths:
        return
    known = installed(session.registry)
    try:
        result = load_policies(paths, session.registry, session.env, known, session.settings.vault)
    except SentryError as error:
        yield from of_error("policies", error, _AGAIN)
        return
    yield from of_diagnostics("policies", result.diagnostics)
    if result.policy is not None:
        yield ok("policies", f"{count(len(result.policy.pipelines), 'pipeline')} in {', '.join(map(str, paths))}")


def _print(found: Iterable[Finding]) -> None:
    """A line each, and below it what to do about it."""
    from tmux_sentry.security.outlet import text_out

    redact = app.current().redact
    for one in found:
        output.say(f"{one.level.value:<8} {one.subject:<10} {text_out(one.what, redact)}")
        if one.fix:
            output.say(f"{'':<19} fix: {text_out(one.fix, redact)}")


def _summary(problems: int) -> str:
    return f"{problems} problem{'' if problems == 1 else 's'}" if problems else "nothing needs doing"
