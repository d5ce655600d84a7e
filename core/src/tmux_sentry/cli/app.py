"""What the options of the command group decided, for every command below it."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
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

    def registry(self, only: Collection[str] | None = None, env_file: Path | None = None) -> Registry:
        """The plugins of this run, as the group's options, TMUX_SENTRY_DISABLED_PLUGINS and plugins.allow say; loads
        them anew. `env_file` may say where that file is."""
        from tmux_sentry.config.settings import find_home
        from tmux_sentry.plugins.allow import read
        from tmux_sentry.registry import disabled_from_env, load_registry

        allowed = read(find_home(os.environ, env_file)) if self.use_plugins else None
        return load_registry(only, disabled_from_env(os.environ), self.use_plugins, allowed=allowed)


def current() -> App:
    """The App of the running command; a fresh one outside of any command."""
    context = click.get_current_context(silent=True)
    return context.ensure_object(App) if context else App()
