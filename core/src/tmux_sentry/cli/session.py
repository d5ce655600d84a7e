"""What the commands that touch panes or the database have in common: settings, hosts, policy, store, instance."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tmux_sentry.cli import output
from tmux_sentry.cli.app import App, current
from tmux_sentry.control.person import person_of
from tmux_sentry.errors import SentryError, Unreachable, UsageError

if TYPE_CHECKING:
    from tmux_sentry.clock import Clock
    from tmux_sentry.config.hosts import Host
    from tmux_sentry.config.settings import Settings
    from tmux_sentry.contracts import AnyPlugin, PluginContext
    from tmux_sentry.policy.model import Policy
    from tmux_sentry.registry import Registry
    from tmux_sentry.state.store import Store
    from tmux_sentry.tmux.client import CommandClient
    from tmux_sentry.tmux.inventory import Inventory
    from tmux_sentry.tmux.model import PaneInfo
    from tmux_sentry.transport.base import Transport
    from tmux_sentry.watch.watcher import Watcher

_file = click.Path(path_type=Path)
hosts_option = click.option(
    "--hosts", "hosts_file", type=_file, help="Which machines; default: hosts.yaml, else this one."
)
env_file_option = click.option("--env-file", type=_file, help="Variables, one NAME=value a line; the environment wins.")
policy_option = click.option(
    "--policy", "policies", type=_file, multiple=True, help="A policy, or a directory of them."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One command's surroundings."""

    app: App
    registry: Registry
    settings: Settings

    @property
    def control(self) -> Path:
        """The control socket of the running instance."""
        return self.settings.home / "control.sock"

    @property
    def env(self) -> Mapping[str, str]:
        """The environment and the variables of the env file, encrypted ones opened."""
        return {**os.environ, **self.settings.values}

    def unseal(self, pipeline: Mapping[str, Any]) -> Mapping[str, Any]:
        """A pipeline as the database has it, its encrypted values opened."""
        from tmux_sentry.config.opening import opened_pipeline

        return opened_pipeline(pipeline, self.settings.vault)

    def context(self, plugin: AnyPlugin) -> PluginContext:
        """What a plugin gets: of the variables only those it declares, for the others may be secrets."""
        from tmux_sentry.contracts import PluginContext

        values = self.settings.values
        own = {setting.name: values[setting.name] for setting in plugin.settings if setting.name in values}
        return PluginContext(settings=own, home=str(self.settings.home))


def begin(env_file: Path | None, plugins: Collection[str] | None = None) -> Session:
    """Read settings and plugins; from here on no output shows a secret."""
    from tmux_sentry.config.settings import load_settings

    app = current()
    registry = app.registry(plugins, env_file)
    settings = load_settings(os.environ, env_file, registry.settings, app.redact.learn)
    app.redact.learn(settings.secrets)
    return Session(app=app, registry=registry, settings=settings)


def read_hosts(session: Session, path: Path | None, name: str | None = None) -> tuple[Host, ...]:
    """The hosts, warnings printed; from here on no output shows a secret of theirs either.

    Raises UsageError when there is none called `name`.
    """
    from tmux_sentry.config.hosts import find_hosts

    found = find_hosts(path, session.settings.home, vault=session.settings.vault)
    session.app.redact.learn(secret for host in found.hosts for secret in host.secrets)
    for warning in found.warnings:
        output.warn(f"{warning}: {warning.help}")
    if name is not None and name not in (host.name for host in found.hosts):
        known = ", ".join(host.name for host in found.hosts)
        raise UsageError(f"no host {name}", f"known: {known}", "name the file: --hosts")
    return found.hosts


def read_policy(session: Session, paths: Sequence[Path], *, warn: bool = True) -> Policy:
    """The policy, its warnings printed. Raises InvalidConfig."""
    from tmux_sentry.policy.load import load_policies

    result = load_policies(paths, session.registry, session.env, installed(session.registry), session.settings.vault)
    for warning in result.warnings if warn else ():
        output.warn(str(warning))
    return result.require()


def installed(registry: Registry) -> set[str]:
    """The folders and distributions of the usable plugins."""
    usable = [plugin for plugin in registry.plugins if plugin.state.value == "ok"]
    return {plugin.name for plugin in usable} | {plugin.distribution for plugin in usable}


def transport_of(session: Session, hosts: Sequence[Host], host: Host) -> Transport:
    """The way to a host, which may lead through others of the `hosts`."""
    from tmux_sentry.transport.local import LocalTransport

    if host.transport == "local":
        return LocalTransport(host.name)

    from tmux_sentry.config.ssh import target_of
    from tmux_sentry.transport.ssh import SshTransport

    return SshTransport(host.name, lambda: target_of(host, hosts, session.settings.values, Path.home()))


@contextmanager
def tmux_client(session: Session, hosts: Sequence[Host], host: Host) -> Iterator[CommandClient]:
    """A command client of the host's tmux server. Raises Unreachable."""
    from tmux_sentry.tmux.attach import attach

    with closing(transport_of(session, hosts, host)) as transport, closing(attach(transport, host.tmux)) as client:
        yield client


def inventory(session: Session, hosts: Sequence[Host], host: Host) -> Inventory:
    """The panes of one host that its `watch.sessions` lets through. Raises Unreachable."""
    from tmux_sentry.config.regex import compile_regex
    from tmux_sentry.tmux.inventory import list_panes
    from tmux_sentry.watch.row import LINE_LIMIT

    wanted = [compile_regex(pattern) for pattern in host.watch.sessions]
    with tmux_client(session, hosts, host) as client:
        found = list_panes(client)

    def is_wanted(name: str) -> bool:
        return not wanted or any(one.search(name[:LINE_LIMIT]) for one in wanted)

    return replace(found, panes=tuple(pane for pane in found.panes if is_wanted(pane.session_name)))


def person() -> str:
    """Who sits at this terminal, as the system knows them."""
    return person_of(os.getuid())


@contextmanager
def locked(session: Session) -> Iterator[None]:
    """The one instance of this home; raises Locked while another holds it."""
    from tmux_sentry.state.lock import InstanceLock

    lock = InstanceLock(session.settings.home / "sentry.lock")
    try:
        lock.acquire()
    except OSError as error:
        raise SentryError(
            f"cannot write to {session.settings.home}",
            error.strerror or str(error),
            "make it writable, or set TMUX_SENTRY_HOME to a directory of your own",
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def locked_store(session: Session, clock: Clock, *, recover: bool = False) -> Iterator[Store]:
    """The database, for writing; raises Locked while another instance holds it.

    With `recover` a damaged one is put aside and its newest good backup takes its place.
    """
    from tmux_sentry.state import backup, restore
    from tmux_sentry.state.store import Store

    path = Path(os.path.realpath(session.settings.database_path))
    with locked(session):
        restored = restore.recover(path, clock.now()) if recover else None
        if restored is not None:
            what = f"the database {path} was damaged ({restored.why}) and is restored from {restored.backup.name}"
            output.warn(f"{what}; the damaged files are in {restored.aside}")
        elif not path.exists() and backup.backups_of(path):
            fix = "to bring its newest backup back, stop and say: tmux-sentry db restore"
            output.warn(f"there is no database at {path}, so a new one is made; {fix}")
        settings = session.settings
        with Store.open(
            path,
            clock,
            allow_network_fs=settings.database_allow_network_fs,
            keep=settings.database_keep,
            redact=session.app.redact,
        ) as store:
            yield store


@contextmanager
def reading_store(session: Session) -> Iterator[Store | None]:
    """The database, for listings; None when there is none yet."""
    from tmux_sentry.clock import SystemClock
    from tmux_sentry.state.store import Store

    if not session.settings.database_path.exists():
        yield None
        return
    with Store.open_readonly(session.settings.database_path, SystemClock()) as store:
        yield store


def change(
    session: Session, verb: str, args: Mapping[str, Any], offline: Callable[[], Any], timeout: float = 30.0
) -> Any:
    """Ask the running instance; with none running, do it here under the lock."""
    from tmux_sentry.control.client import NotRunning, ask

    try:
        return ask(session.control, verb, args, timeout=timeout)
    except NotRunning:
        return offline()


@contextmanager
def watched_pane(
    session: Session, hosts_file: Path | None, pane: str, host: str | None
) -> Iterator[tuple[Watcher, PaneInfo, Host]]:
    """Watch just long enough for one pane, called `%3` or `session:window.index`. Raises as `pane_called` does."""
    from tmux_sentry.clock import SystemClock
    from tmux_sentry.engine.naming import pane_called
    from tmux_sentry.watch.watcher import Watcher

    hosts = read_hosts(session, hosts_file, host)
    found: dict[str, tuple[Watcher, PaneInfo, Host]] = {}
    down: dict[str, str] = {}
    with ExitStack() as stack:
        watchers = []
        for one in hosts:
            if host in (None, one.name):
                transport = stack.enter_context(closing(transport_of(session, hosts, one)))
                watcher = Watcher(one.name, transport, one.tmux, lambda record: None, SystemClock())
                watcher.start()
                stack.callback(watcher.stop)
                watchers.append((watcher, one))
        for watcher, one in watchers:
            try:
                infos = watcher.wait_inventory(15.0)
            except Unreachable as error:
                down[one.name] = error.why or error.what
                continue
            found |= {info.identity.key: (watcher, info, one) for info in infos}
        wanted = pane_called(pane, host, [info for _, info, _ in found.values()], down)
        yield found[wanted.identity.key]
