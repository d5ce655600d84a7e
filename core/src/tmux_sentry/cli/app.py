"""What the options of the command group decided, for every command below it."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from tmux_sentry.security.redact import Redactor

if TYPE_CHECKING:
    from tmux_sentry.registry import Registry


@dataclass(slots=True, kw_only=True)
class App:
    """One process of the command line. A command that has read its settings tells `redact`: from then on
    no output, error or log line shows a secret."""

    use_plugins: bool = True
    redact: Redactor = field(default_factory=Redactor)

    def registry(self, only: Collection[str] | None = None) -> Registry:
        """The plugins of this run, as the group's options and TMUX_SENTRY_DISABLED_PLUGINS say; loads them anew."""
        from tmux_sentry.registry import disabled_from_env, load_registry

        return load_registry(only, disabled=disabled_from_env(os.environ), enabled=self.use_plugins)


def current() -> App:
    """The App of the running command; a fresh one outside of any command."""
    context = click.get_current_context(silent=True)
    return context.ensure_object(App) if context else App()
