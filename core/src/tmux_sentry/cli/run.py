"""`tmux-sentry run`: the main job, in the foreground."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tmux_sentry.cli import output
from tmux_sentry.cli.options import log_level_option
from tmux_sentry.cli.session import (
    Session,
    begin,
    env_file_option,
    hosts_option,
    locked_store,
    policy_option,
    read_hosts,
    read_policy,
    transport_of,
)
from tmux_sentry.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, UsageError

if TYPE_CHECKING:
    from tmux_sentry.config.hosts import Host
    from tmux_sentry.engine.runner import Runner
    from tmux_sentry.policy.model import Policy
    from tmux_sentry.registry import Registry
    from tmux_sentry.state.store import Store


@click.command("run")
@hosts_option
@policy_option
@env_file_option
@log_level_option()
@click.option("--plugins", help="The whole plugin set of this run: NAME,NAME,... (see: tmux-sentry plugins).")
@click.option("--dry-run", is_flag=True, help="Touch nothing: no database, no lock, no tmux options, no messages; say what would be typed first.")
@click.option("--once", is_flag=True, help="End when the runs matched at the start have ended; 0 if all succeeded, else 1.")
@click.option("--take-over", is_flag=True, help="Take panes over from another instance or from a lost database.")
def command(
    hosts_file: Path | None,
    policies: tuple[Path, ...],
    env_file: Path | None,
    log_level: str | None,
    plugins: str | None,
    dry_run: bool,
    once: bool,
    take_over: bool,
) -> int:
    """Watch the panes and walk them through the policy, in the foreground. Ctrl+C stops it cleanly."""
    session = begin(env_file, None if plugins is None else [name.strip() for name in plugins.split(",") if name.strip()])
    output.log_to_stderr(log_level or session.settings.log_level, session.app)
    for warning in session.settings.warnings:
        output.warn(warning)
    policy = read_policy(session, policies or _default_policy())
    with build_runner(session, policy, hosts_file, dry_run=dry_run, once=once, take_over=take_over) as runner:
        interrupted = run_until_signal(runner)
        if interrupted is None:
            return EXIT_FAILED if once and not dry_run and not runner.succeeded else EXIT_OK
    output.say("stopped; the panes were left as they are. Go on with the same command.")
    return EXIT_INTERRUPTED if interrupted == signal.SIGINT else EXIT_OK


def _default_policy() -> tuple[Path, ...]:
    path = Path("policies/default.yaml")
    if not path.exists():
        raise UsageError("no policy is named", f"and there is no {path} here", "add --policy FILE, or write one: tmux-sentry init")
    return (path,)


def run_until_signal(runner: Runner) -> int | None:
    """The signal that ended it; None when it ended by itself."""
    received: list[int] = []

    def stop(number: int, _frame: object) -> None:
        received.append(number)
        runner.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        runner.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return received[0] if received else None


@contextmanager
def build_runner(
    session: Session,
    policy: Policy,
    hosts_file: Path | None,
    *,
    dry_run: bool = False,
    once: bool = False,
    take_over: bool = False,
) -> Iterator[Runner]:
    """A Runner on the locked database (or, for a dry run, on memory), with its control socket open."""
    from tmux_sentry.approvals.broker import Broker
    from tmux_sentry.clock import SystemClock
    from tmux_sentry.control.server import ControlServer
    from tmux_sentry.engine.runner import Parts, Runner
    from tmux_sentry.notify.routing import Router
    from tmux_sentry.watch.watcher import Watcher

    clock = SystemClock()
    hosts = read_hosts(session, hosts_file)
    registry, context = session.registry, session.context()
    channels = _channels(session, policy) if not dry_run else ()
    with ExitStack() as stack:
        store: Store = stack.enter_context(locked_store(session, clock) if not dry_run else _memory(session))
        approvals = {} if dry_run else {name: record.factory(context) for name, record in registry.approvals.items()}

        def watcher(host: Host) -> Any:
            return lambda sink: Watcher(
                host.name, transport_of(host), host.tmux, sink, clock, sessions=host.watch.sessions
            )

        runner = Runner(
            Parts(
                policy=policy,
                watchers={host.name: watcher(host) for host in hosts},
                prompts={host.name: host.watch.prompt for host in hosts},
                store=store,
                clock=clock,
                parsers={name: record.factory(context) for name, record in registry.parsers.items()},
                notifiers={name: registry.notifiers[name].factory(context) for name in channels},
                checkers={name: record.factory(context) for name, record in registry.checkers.items()},
                broker=Broker(approvals, clock),
                router=Router(policy.routes, channels),
                redact=session.app.redact,
                observe=registry.observe,
                env=os.environ,
                dry_run=dry_run,
                once=once,
                take_over=take_over,
            )
        )
        if not dry_run:
            stack.enter_context(ControlServer(session.control, runner.handle))
        yield runner


@contextmanager
def _memory(session: Session) -> Iterator[Store]:
    from tmux_sentry.clock import SystemClock
    from tmux_sentry.state.store import Store

    with Store.open(None, SystemClock(), redact=session.app.redact) as store:
        yield store


def _channels(session: Session, policy: Policy) -> tuple[str, ...]:
    """The channels that messages can go to. A configured one that no plugin provides is an error, with the way to get it."""
    from tmux_sentry.policy.plugins import hint

    registry: Registry = session.registry
    wanted = [*session.settings.notification_channels, *(name for route in policy.routes for name in route.channels)]
    for pipeline in policy.pipelines:
        for stage in pipeline.stages:
            lists: list[Any] = [*stage.actions_on_start, *stage.on_success, *stage.on_failure, *(stage.on_timeout or ())]
            wanted += [name for action in lists for name in getattr(action, "channels", ())]
    for name in wanted:
        if name not in registry.notifiers:
            raise UsageError(
                f"there is no notification channel {name}",
                registry.why_missing("notifier", name) or "NOTIFICATION_CHANNELS or the policy names it",
                hint(registry, "notifier", name),
            )
    return tuple(dict.fromkeys(wanted))
