"""What became of each installed plugin."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from tmux_sentry.contracts import AnyPlugin
from tmux_sentry.plugins.discovery import Found
from tmux_sentry.security.sanitize import clean

log = logging.getLogger(__name__)


class PluginState(str, Enum):
    """What became of an installed plugin."""

    OK = "ok"
    BROKEN = "broken"
    INCOMPATIBLE = "incompatible"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginStatus:
    """One installed plugin. `name` is its entry point's, `<kind>_<name>`; `reason` is empty when it is ok.

    `fix` is the command that `reason` ends with, where there is one; `allowed_by` is the line (file:line) of
    plugins.allow that lets it load, "" where none has to; `found` is what its provenance is read from.
    """

    name: str
    kind: str
    distribution: str
    version: str
    state: PluginState
    reason: str = ""
    fix: str = ""
    allowed_by: str = ""
    found: Found | None = field(default=None, repr=False, compare=False)


@dataclass(slots=True, kw_only=True)
class Loaded:
    """A plugin with what it brought: nothing, unless its status is ok."""

    status: PluginStatus
    plugin: object = None
    records: Sequence[AnyPlugin] = ()

    def fails(self, reason: str) -> None:
        """Show the plugin as broken from now on."""
        log.warning("plugin %s: %s", self.status.name, reason)
        self.status = replace(self.status, state=PluginState.BROKEN, reason=clean(reason), fix="")


def conflict(kind: str, name: str, distributions: Iterable[str]) -> str:
    """The one line about several distributions that claim the same name."""
    claimants = " and ".join(distributions)
    return f"Conflict: the {kind} {name!r} is claimed by {claimants}; uninstall or disable all but one"
