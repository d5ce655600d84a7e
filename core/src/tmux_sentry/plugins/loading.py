"""Loads one plugin without trusting it: import, register, collect its records, check each record.

Import and hooks run on a daemon thread with a deadline. Whatever goes wrong is one `Broken`
with a reason for the user; only KeyboardInterrupt passes.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import EntryPoint
from itertools import islice
from typing import Any, TypeVar

import pluggy

from tmux_sentry import hookspecs
from tmux_sentry.bounded import TimedOut, call_bounded
from tmux_sentry.contracts import AnyPlugin, ApprovalPlugin, CheckerPlugin, NotifierPlugin, ParserPlugin, Setting
from tmux_sentry.security.sanitize import clean

T = TypeVar("T")

RECORD_TYPES: dict[str, type[AnyPlugin]] = {
    "parser": ParserPlugin,
    "notifier": NotifierPlugin,
    "checker": CheckerPlugin,
    "approval": ApprovalPlugin,
}
# Which kind of record each registering hook yields.
RECORD_HOOKS = {
    "tmux_sentry_parsers": "parser",
    "tmux_sentry_notifiers": "notifier",
    "tmux_sentry_checkers": "checker",
    "tmux_sentry_approval_backends": "approval",
}
HOOKS = (*RECORD_HOOKS, "tmux_sentry_commands", "tmux_sentry_event")
_MOST_RECORDS = 100  # a hook that yields without end would otherwise fill the memory
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,59}")
_SETTING = re.compile(r"[A-Z][A-Z0-9_]*")


class Broken(Exception):
    """A plugin cannot be used; the message is the reason, as one clean line."""

    def __init__(self, reason: str) -> None:
        super().__init__(clean(reason))


class Hung(Broken):
    """The plugin's code did not return in time; its thread is still in there."""


def new_manager() -> pluggy.PluginManager:
    """A plugin manager that knows the hooks and no plugin."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def guarded(what: str, call: Callable[[], T], timeout: float) -> T:
    """`call()` within `timeout` seconds; Broken, naming `what`, when it raises or hangs."""
    try:
        return call_bounded(call, timeout, name=what)
    except KeyboardInterrupt:
        raise
    except TimedOut:
        raise Hung(f"{what} did not finish within {timeout:g} s") from None
    except BaseException as error:  # a plugin may well raise SystemExit
        raise Broken(f"{what}: {describe(error)}") from error


def describe(error: BaseException) -> str:
    """`error` as one line; even when it cannot say what it is."""
    try:
        text = str(error)
    except Exception:
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def nearest(name: str, names: Iterable[str]) -> str:
    """`; did you mean X?` for the one of `names` closest to `name`, or nothing."""
    match = difflib.get_close_matches(name, sorted(names), n=1)
    return f"; did you mean {match[0]}?" if match else ""


def load(manager: pluggy.PluginManager, name: str, entry: EntryPoint, timeout: float) -> tuple[object, list[AnyPlugin]]:
    """The plugin that `entry` names, registered, and its records; Broken, and not registered, when anything fails."""
    plugin = guarded("import", entry.load, timeout)
    try:
        register(manager, name, plugin)
        return plugin, collect(manager, plugin, timeout)
    except Broken:
        # pluggy before 1.7 leaves a plugin registered whose hook asks for an unknown argument.
        if manager.has_plugin(name):
            manager.unregister(name=name)
        raise


def register(manager: pluggy.PluginManager, name: str, plugin: object) -> None:
    """Register `plugin`; Broken when its hooks do not fit, and then it may be registered nevertheless."""
    try:
        manager.register(plugin, name)
    except Exception as error:
        raise Broken(f"its hooks do not fit: {describe(error)}") from error
    callers = manager.get_hookcallers(plugin)
    if not callers:
        raise Broken("it registers nothing: no function in it is marked @hookimpl")
    for caller in callers:
        mine = [impl for impl in caller.get_hookimpls() if impl.plugin is plugin]
        if not caller.has_spec() and not all(impl.optionalhook for impl in mine):
            raise Broken(f"unknown hook {caller.name}{nearest(caller.name, HOOKS)}")
        if any(impl.hookwrapper or impl.wrapper for impl in mine):
            raise Broken(f"{caller.name} is a hook wrapper; a plugin's hooks only register records")


def implementation(manager: pluggy.PluginManager, hook: str, plugin: object) -> Callable[..., Any] | None:
    """The function with which `plugin` implements `hook`, taking keyword arguments as pluggy would pass them."""
    for impl in getattr(manager.hook, hook).get_hookimpls():
        if impl.plugin is plugin:
            # Called one by one: in a pluggy call an exception in one implementation stops all the others.
            return lambda **given: impl.function(*(given[name] for name in impl.argnames))
    return None


def collect(manager: pluggy.PluginManager, plugin: object, timeout: float) -> list[AnyPlugin]:
    """The records that `plugin` registers, each of them checked; Broken at the first that is wrong."""
    records: list[AnyPlugin] = []
    for hook, kind in RECORD_HOOKS.items():
        function = implementation(manager, hook, plugin)
        if function is None:
            continue
        yielded = guarded(hook, lambda function=function: list(islice(function() or (), _MOST_RECORDS + 1)), timeout)  # type: ignore[misc]
        if len(yielded) > _MOST_RECORDS:
            raise Broken(f"{hook} yields more than {_MOST_RECORDS} records")
        for record in yielded:
            try:
                problem = next(problems(kind, record), "")
            except Exception as error:  # a record can hold anything, a schema that contains itself too
                problem = describe(error)
            if problem:
                raise Broken(f"{hook}: {problem}")
        records.extend(yielded)
    return records


def problems(kind: str, record: object) -> Iterator[str]:
    """What is wrong with a record of `kind`; nothing when it can be used."""
    expected = RECORD_TYPES[kind]
    if not isinstance(record, expected):
        yield f"yields a {type(record).__name__}, not a {expected.__name__}"
        return
    if not isinstance(record.name, str) or not _NAME.fullmatch(record.name):
        yield f"the name {record.name!r} is not a word of a-z, 0-9, '_', '.' and '-'"
    if not callable(record.factory):
        yield f"the factory of {record.name!r} cannot be called"
    if isinstance(record, CheckerPlugin) and record.problems is not None and not callable(record.problems):
        yield f"the problems of {record.name!r} cannot be called"
    for setting in record.settings:
        if not isinstance(setting, Setting):
            yield f"a setting of {record.name!r} is a {type(setting).__name__}, not a Setting"
        elif not isinstance(setting.name, str) or not _SETTING.fullmatch(setting.name):
            yield f"the setting {setting.name!r} is not a word of A-Z, 0-9 and '_'"
    if record.config_schema is not None:
        why = schema_problem(record.config_schema)
        if why:
            yield f"the config_schema of {record.name!r} {why}"


def schema_problem(schema: Any) -> str:
    """Why `schema` cannot be part of the composed policy schema, or nothing."""
    if not isinstance(schema, dict):
        return f"is a {type(schema).__name__}, not a dict"
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"is not a valid JSON Schema (2020-12): {error.message} at {error.json_path}"
    references = list(_references(schema))
    outside = [reference for reference in references if not reference.startswith("#")]
    if outside:
        return f"refers out of itself: {outside[0]}"
    if references and "$id" not in schema:
        # Inside the composed schema a "#/..." without an own $id would point into the whole.
        return "uses $ref but has no $id of its own"
    return ""


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("$ref", "$dynamicRef") and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
