"""What a plugin registers, and what it gets to work with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tmux_sentry.contracts.approvals import ApprovalBackend
from tmux_sentry.contracts.checks import Checker
from tmux_sentry.contracts.messages import Notifier, Rate
from tmux_sentry.contracts.signals import Parser

ConfigSchema = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A variable (environment or env file) that a plugin reads. A secret one is redacted everywhere."""

    name: str
    description: str
    secret: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginContext:
    """What the core hands a factory: its validated configuration, its variables, and where state lives."""

    config: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    home: str = ""  # ~/.tmux_sentry


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plugin:
    name: str
    description: str = ""
    config_schema: ConfigSchema | None = None
    settings: tuple[Setting, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ParserPlugin(_Plugin):
    """Registers a Parser. Parsers run in order of `name`."""

    factory: Callable[[PluginContext], Parser]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierPlugin(_Plugin):
    """Registers a notification channel; `name` is the word in NOTIFICATION_CHANNELS. `rate` is the provider's limit.

    A `local` channel shows messages at the machine itself: nobody who is away sees them.
    """

    factory: Callable[[PluginContext], Notifier]
    rate: Rate | None = None
    local: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckerPlugin(_Plugin):
    """Registers an `external_check` type; `config_schema` describes the action's other keys.

    `problems` is what a schema cannot say: (key, what is wrong with its value) for each mistake, "" for the action as a
    whole. It gets an action that the schema takes, with its secrets opened and its `${...}` as they are written, while
    a policy is read; it must not ask the service, nor repeat a secret.
    """

    factory: Callable[[PluginContext], Checker]
    problems: Callable[[Mapping[str, Any]], Iterable[tuple[str, str]]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalPlugin(_Plugin):
    """Registers a way to ask people."""

    factory: Callable[[PluginContext], ApprovalBackend]


AnyPlugin = ParserPlugin | NotifierPlugin | CheckerPlugin | ApprovalPlugin
