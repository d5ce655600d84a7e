"""Puts a Runner together from settings, hosts, policy and plugins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tmux_sentry.cli import output, telling
from tmux_sentry.cli.answering import unheard
from tmux_sentry.cli.parts import needed, wanted
from tmux_sentry.cli.session import Session, locked_store, person, read_hosts, transport_of
from tmux_sentry.policy.model import ExternalCheck, Policy

if TYPE_CHECKING:
    from tmux_sentry.clock import Clock
    from tmux_sentry.config.hosts import Host
    from tmux_sentry.contracts import ApprovalBackend
    from tmux_sentry.engine.conductor import Step
    from tmux_sentry.engine.runner import Runner
    from tmux_sentry.recording.recorder import Recorder
    from tmux_sentry.state.store import Store
    from tmux_sentry.transport.base import Transport
    from tmux_sentry.watch.events import Sink
    from tmux_sentry.watch.tap import Tap
    from tmux_sentry.watch.watcher import Watcher


@contextmanager
def build_runner(
    session: Session,
    policy: Policy,
    hosts_file: Path | None,
    *,
    dry_run: bool = False,
    once: bool = False,
    record: bool = False,
    take_over: bool = False,
) -> Iterator[Runner]:
    """A Runner on the locked database (or, for a dry run, on memory), with its control socket open."""
    from tmux_sentry.approvals.broker import Broker
    from tmux_sentry.approvals.tokens import Tokens
    from tmux_sentry.cli.bar import Bar
    from tmux_sentry.clock import SystemClock
    from tmux_sentry.control.server import ControlServer
    from tmux_sentry.engine.runner import Parts, Runner
    from tmux_sentry.transport.access import TransportAccess
    from tmux_sentry.watch.tap import nobody

    clock, registry = SystemClock(), session.registry
    hosts = read_hosts(session, hosts_file)
    own = () if dry_run else session.settings.notification_channels
    bar = Bar(output.progress) if output.on_terminal() and not dry_run else None

    recorder: Recorder | None = None

    def observe(step: Step) -> None:
        registry.observe(step)
        if recorder is not None:
            recorder.step(step)
        if bar is not None:
            bar.step(step)

    notifiers = telling.notifiers(session, own, () if dry_run else telling.named(policy))
    links = bool(session.settings.approval_secret)
    for warning in () if dry_run else unheard(policy, notifiers.values(), person(), links=links):
        output.warn(warning)
    checkers = needed(session, registry.checkers, _checks(policy), "external check", "checker")

    with ExitStack() as stack:
        store: Store = stack.enter_context(_memory(session) if dry_run else locked_store(session, clock, recover=True))
        if record:  # under the lock: it removes old recordings
            recorder = _recorder(session, clock)
            stack.callback(recorder.close)
        tap = nobody if recorder is None else recorder
        ways = {host.name: stack.enter_context(closing(transport_of(session, hosts, host))) for host in hosts}
        runner = Runner(
            Parts(
                policy=policy,
                watchers={host.name: _watcher(host, ways[host.name], store, tap, dry_run=dry_run) for host in hosts},
                tell_states={host.name: host.watch.notify for host in hosts},
                zones={host.name: host.timezone for host in hosts},
                prompts={host.name: host.watch.prompt for host in hosts},
                store=store,
                clock=clock,
                parsers=wanted(session, registry.parsers),
                notifiers=notifiers,
                checkers=checkers,
                access={name: TransportAccess(way) for name, way in ways.items()},
                broker=Broker({} if dry_run else _backends(session), clock),
                tokens=Tokens(() if dry_run else session.settings.approval_secret),
                token_ttl=float(session.settings.approval_token_ttl),
                herald=telling.herald(session, Policy() if dry_run else policy, own),
                channels=telling.channels(session, notifiers, store.instance),
                home=None if dry_run else session.settings.home,
                observe=observe,
                env=session.env,
                unseal=session.unseal,
                dry_run=dry_run,
                once=once,
                take_over=take_over,
            )
        )
        if not dry_run:
            stack.enter_context(ControlServer(session.control, runner.handle, redact=session.app.redact))
        yield runner


def _backends(session: Session) -> dict[str, ApprovalBackend]:
    """The ways of asking. What is wrong with one that somebody has configured is told before anybody waits for it."""
    made: dict[str, ApprovalBackend] = wanted(session, session.registry.approvals)
    for name, backend in made.items():
        problem = telling.problem_of(backend)
        if problem and session.context(session.registry.approvals[name]).settings:
            output.warn(f"approvals by {name}: {problem}")
    return made


def _checks(policy: Policy) -> list[str]:
    """Every type of external check that the policy names."""
    return [one.type for one in telling.actions(policy) if isinstance(one, ExternalCheck)]


def _watcher(host: Host, transport: Transport, store: Store, tap: Tap, *, dry_run: bool) -> Callable[[Sink], Watcher]:
    from tmux_sentry.clock import SystemClock
    from tmux_sentry.watch.watcher import Watcher

    how, left = host.watch, store.clients(host.name)
    channel = None if dry_run else f"sentry-{store.instance}"
    return lambda sink: Watcher(
        host.name,
        transport,
        host.tmux,
        sink,
        SystemClock(),
        method=how.method,
        sessions=how.sessions,
        max_panes=how.max_panes,
        left=left,
        channel=channel,
        tap=tap,
    )


def _recorder(session: Session, clock: Clock) -> Recorder:
    """Writes what the panes print; raises SentryError where it cannot."""
    from tmux_sentry import __version__
    from tmux_sentry.recording.recorder import Recorder

    settings = session.settings
    return Recorder(
        settings.home / "recordings",
        session.app.redact,
        clock,
        version=__version__,
        limit=settings.recording_bytes,
        total=settings.recordings_bytes,
        keep=settings.recordings_keep,
    )


@contextmanager
def _memory(session: Session) -> Iterator[Store]:
    from tmux_sentry.clock import SystemClock
    from tmux_sentry.state.store import Store

    with Store.open(None, SystemClock(), redact=session.app.redact) as store:
        yield store
