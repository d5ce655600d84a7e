"""The plugins of this run: what they register, and what became of each.

A plugin that cannot be used is listed with its reason and stops nothing else. Nothing heavy is
imported here; jsonschema comes in when a plugin brings a schema.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar

from tmux_sentry import __version__
from tmux_sentry.contracts import AnyPlugin, ApprovalPlugin, CheckerPlugin, NotifierPlugin, ParserPlugin, Setting
from tmux_sentry.errors import UsageError
from tmux_sentry.plugins import loading
from tmux_sentry.plugins.allow import AllowFile
from tmux_sentry.plugins.consent import Answer, consent, exposed
from tmux_sentry.plugins.discovery import Found, discover
from tmux_sentry.plugins.loading import nearest
from tmux_sentry.plugins.status import Loaded, PluginState, PluginStatus, conflict
from tmux_sentry.policy.known import KNOWN
from tmux_sentry.security.sanitize import clean

if TYPE_CHECKING:
    import click
    import pluggy

DISABLED_VARIABLE = "TMUX_SENTRY_DISABLED_PLUGINS"
# An observer runs inside the engine's loop, which can spare it no more.
OBSERVER_TIMEOUT = 2.0
#: Mistakes of one action that are shown; nobody reads more.
_MOST_MISTAKES = 20

log = logging.getLogger(__name__)
__all__ = ["PluginState", "PluginStatus", "Registry", "disabled_from_env", "load_registry"]
R = TypeVar("R", ParserPlugin, NotifierPlugin, CheckerPlugin, ApprovalPlugin)


class Registry:
    """What the plugins of this run registered, by kind and name. Kinds: parser, notifier, checker, approval.

    Nothing but this class calls a plugin's hooks. `settings` are all variables that plugins declare.
    """

    def __init__(
        self, loaded: Iterable[Loaded] = (), *, manager: pluggy.PluginManager | None = None, timeout: float = 10.0
    ) -> None:
        self._loaded = sorted(loaded, key=lambda one: (one.status.name, one.status.distribution))
        self._manager = manager
        self._timeout = timeout
        self._conflicts: dict[tuple[str, str], str] = {}
        records = self._without_conflicts()
        self.parsers = _by_name(ParserPlugin, records)
        self.notifiers = _by_name(NotifierPlugin, records)
        self.checkers = _by_name(CheckerPlugin, records)
        self.approvals = _by_name(ApprovalPlugin, records)
        declared = (record.settings for one in self._loaded for record in one.records)
        self.settings = _merged(chain.from_iterable(declared))
        self._observers = list(self._implementing("tmux_sentry_event"))

    @classmethod
    def of(cls, *records: AnyPlugin) -> Registry:
        """A registry of these records and no installed plugin, for tests and for `demo`."""
        status = PluginStatus(name="given", kind="other", distribution="", version="", state=PluginState.OK)
        registry = cls([Loaded(status=status, records=records)])
        registry._loaded = []
        return registry

    @property
    def plugins(self) -> list[PluginStatus]:
        """Every installed plugin, usable or not, sorted by name."""
        return [one.status for one in self._loaded]

    def names(self, kind: str) -> list[str]:
        """The usable names of `kind`, sorted."""
        return list(self._of_kind(kind))

    def schema(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """The JSON Schema of the configuration of `name`; None when it has none or is not usable."""
        record = self._of_kind(kind).get(name)
        return record.config_schema if record else None

    def why_missing(self, kind: str, name: str) -> str:
        """Why an installed plugin does not provide `name`: a conflict, broken, disabled; "" when none is installed."""
        if (kind, name) in self._conflicts:
            return self._conflicts[kind, name]
        distribution = KNOWN.get(kind, {}).get(name)
        for status in self.plugins:
            is_it = status.distribution == distribution or (status.kind, _word(status.name)) == (kind, name)
            if is_it and status.state is not PluginState.OK:
                return f"plugin {status.name} is {status.state.value}: {status.reason}"
        return ""

    def mistakes(self, name: str, config: Mapping[str, Any]) -> list[tuple[str, str]]:
        """What the checker `name` finds wrong with an action, (key, what); nothing when it cannot look at it."""
        record = self.checkers.get(name)
        if record is None or record.problems is None:
            return []
        try:
            found = loading.guarded("problems", partial(_first, record.problems, config), self._timeout)
        except loading.Broken as broken:
            log.warning("check %s: %s", clean(name), broken)
            return []
        return found

    def add_commands(self, cli: click.Group) -> None:
        """Let plugins add commands to `cli`; one that exists already stays as it is and its claimants are broken."""
        import click

        taken = set(cli.list_commands(click.Context(cli)))
        claims: dict[str, list[tuple[Loaded, click.Command]]] = defaultdict(list)
        for one, function in self._implementing("tmux_sentry_commands"):
            # Into a group of its own first: a plugin can neither replace nor remove what is there.
            scratch = click.Group()
            try:
                loading.guarded("tmux_sentry_commands", lambda: function(cli=scratch), self._timeout)  # noqa: B023 - called at once
            except loading.Broken as broken:
                one.fails(str(broken))
                continue
            for name, command in scratch.commands.items():
                claims[name].append((one, command))
        for name, claimants in sorted(claims.items()):
            if name in taken:
                for one, _ in claimants:
                    one.fails(f"its command {name!r} exists already")
            elif len(claimants) > 1:
                self._conflict("command", name, [one for one, _ in claimants])
            else:
                cli.add_command(claimants[0][1], name)

    def observe(self, event: Any) -> None:
        """Show `event` to every observing plugin. One that raises is logged; one that hangs is not called again."""
        for one, function in list(self._observers):
            try:
                loading.guarded("tmux_sentry_event", lambda: function(event=event), OBSERVER_TIMEOUT)  # noqa: B023 - called at once
            except loading.Hung as hung:
                self._observers.remove((one, function))
                one.fails(str(hung))
            except loading.Broken as broken:
                log.warning("plugin %s: %s", one.status.name, broken)

    def _implementing(self, hook: str) -> Iterator[tuple[Loaded, Callable[..., Any]]]:
        for one in self._loaded:
            if self._manager is not None and one.plugin is not None:
                function = loading.implementation(self._manager, hook, one.plugin)
                if function is not None:
                    yield one, function

    def _of_kind(self, kind: str) -> Mapping[str, AnyPlugin]:
        kinds: dict[str, Mapping[str, AnyPlugin]] = {
            "parser": self.parsers,
            "notifier": self.notifiers,
            "checker": self.checkers,
            "approval": self.approvals,
        }
        return kinds[kind]

    def _without_conflicts(self) -> list[AnyPlugin]:
        """The records whose name nobody else claims; picking one of two would let a plugin take another's place."""
        claims: dict[tuple[str, str], list[tuple[Loaded, AnyPlugin]]] = defaultdict(list)
        for one in self._loaded:
            for record in one.records:
                kind = next(kind for kind, type_ in loading.RECORD_TYPES.items() if isinstance(record, type_))
                claims[kind, record.name].append((one, record))
        for (kind, name), claimants in claims.items():
            if len(claimants) > 1:
                self._conflicts[kind, name] = self._conflict(kind, name, [one for one, _ in claimants])
        return [claimants[0][1] for claimants in claims.values() if len(claimants) == 1]

    @staticmethod
    def _conflict(kind: str, name: str, claimants: Sequence[Loaded]) -> str:
        reason = conflict(kind, name, [one.status.distribution for one in claimants])
        for one in claimants:
            one.fails(reason)
        return reason


def _first(problems: Callable[[Mapping[str, Any]], Iterable[tuple[str, str]]], config: Any) -> list[tuple[str, str]]:
    return [(str(key), clean(str(what))) for key, what in islice(problems(config), _MOST_MISTAKES)]


def _word(entry_name: str) -> str:
    """What follows the kind: "slack" for `notify_slack`."""
    return entry_name.partition("_")[2]


def _by_name(type_: type[R], records: Iterable[AnyPlugin]) -> dict[str, R]:
    return {record.name: record for record in sorted(records, key=lambda r: r.name) if isinstance(record, type_)}


def _merged(settings: Iterable[Setting]) -> tuple[Setting, ...]:
    """Each variable once, sorted by name; secret if any plugin says so."""
    merged: dict[str, Setting] = {}
    for setting in settings:
        known = merged.setdefault(setting.name, setting)
        if setting.secret and not known.secret:
            merged[setting.name] = replace(known, secret=True)
    return tuple(merged[name] for name in sorted(merged))


def disabled_from_env(env: Mapping[str, str]) -> frozenset[str]:
    """The entry names listed, separated by commas, in TMUX_SENTRY_DISABLED_PLUGINS."""
    return frozenset(name.strip() for name in env.get(DISABLED_VARIABLE, "").split(",") if name.strip())


def load_registry(
    only: Collection[str] | None = None,
    disabled: Collection[str] = (),
    enabled: bool = True,
    timeout: float = 10.0,
    *,
    allowed: AllowFile | None = None,
    path: Sequence[str] | None = None,
    core_version: str = __version__,
) -> Registry:
    """Load the installed plugins. Never raises for a plugin; UsageError when `only` names one that is not installed.

    `only` and `disabled` are entry names (`parser_sentry`); `only` is the whole set of this run, and what is
    disabled stays so. `allowed` is what a person has agreed to; None: all that is installed. `timeout` (seconds) bounds
    each import and each hook. `path` replaces `sys.path` for discovery.
    """
    found = discover(core_version, path)
    installed = {one.name for one in found}
    if only is not None:
        _refuse_unknown(only, installed)
    for name in sorted(set(disabled) - installed):
        log.warning("%s names %s, which is not installed%s", DISABLED_VARIABLE, name, nearest(name, installed))
    manager = loading.new_manager()
    loaded: list[Loaded] = []
    # What a plugin prints while it loads must not end up in somebody's `--json`.
    with contextlib.redirect_stdout(sys.stderr):
        agreed = [_safely(consent, one, allowed if enabled else None) for one in found]
        for one, answer in zip(found, agreed, strict=True):
            # One that nobody has agreed to cannot take another's name from it.
            rivals = [
                other.distribution
                for other, its in zip(found, agreed, strict=True)
                if other.name == one.name and not its.why_not
            ]
            state, answer = _verdict(one, only, disabled, enabled, answer, rivals)
            status = PluginStatus(
                name=one.name,
                kind=one.kind,
                distribution=one.distribution,
                version=one.version,
                state=state,
                reason=clean(answer.reason, 500),
                fix=clean(answer.fix, 500),
                allowed_by=answer.allowed_by,
                found=one,
            )
            loaded.append(_load(one, status, manager, timeout))
    return Registry(loaded, manager=manager, timeout=timeout)


def _refuse_unknown(only: Collection[str], installed: Collection[str]) -> None:
    unknown = sorted(set(only) - set(installed))
    if unknown:
        listed = ", ".join(sorted(installed)) or "none"
        hints = "".join(nearest(name, installed) for name in unknown).removeprefix("; ")
        raise UsageError(f"no plugin named {', '.join(map(clean, unknown))}", f"installed: {listed}", hints)


def _verdict(
    one: Found,
    only: Collection[str] | None,
    disabled: Collection[str],
    enabled: bool,
    agreed: Answer,
    namesakes: Sequence[str],
) -> tuple[PluginState, Answer]:
    """What metadata, files and the user's choice say about a plugin before it is imported."""
    if not enabled:
        return PluginState.DISABLED, Answer(why_not="--no-plugins")
    if one.name in disabled:
        return PluginState.DISABLED, Answer(why_not=f"named in {DISABLED_VARIABLE}")
    if only is not None and one.name not in only:
        return PluginState.DISABLED, Answer(why_not="not named by --plugins")
    if one.broken:
        return PluginState.BROKEN, Answer(why_not=one.broken)
    if agreed.why_not:
        return PluginState.DISABLED, agreed
    if len(namesakes) > 1:
        return PluginState.BROKEN, Answer(why_not=conflict("plugin", one.name, namesakes))
    if one.incompatible:
        return PluginState.INCOMPATIBLE, Answer(why_not=one.incompatible)
    # Not a choice but a fault of the installation: broken, for the doctor to complain about.
    danger = _safely(exposed, one)
    return (PluginState.BROKEN, danger) if danger.why_not else (PluginState.OK, agreed)


def _safely(judge: Callable[..., Answer], one: Found, *rest: Any) -> Answer:
    """What `judge` says of a plugin; no, when its files are such that it cannot say anything."""
    try:
        return judge(one, *rest)
    except Exception as error:
        return Answer(why_not=f"its files cannot be looked at: {loading.describe(error)}")


def _load(one: Found, status: PluginStatus, manager: pluggy.PluginManager, timeout: float) -> Loaded:
    if status.state is not PluginState.OK or one.entry is None:
        return Loaded(status=status)
    try:
        plugin, records = loading.load(manager, one.name, one.entry, timeout)
    except loading.Broken as broken:
        return Loaded(status=replace(status, state=PluginState.BROKEN, reason=str(broken)))
    return Loaded(status=status, plugin=plugin, records=records)
