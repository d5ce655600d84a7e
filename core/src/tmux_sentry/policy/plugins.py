"""What the policy needs to know of the installed plugins, and what to say about the missing ones."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from tmux_sentry.policy.known import KNOWN

_FOLDER = {"checker": "check", "notifier": "notify", "approval": "approval", "parser": "parser"}


class RegistryView(Protocol):
    """The installed plugins, by kind: "checker", "notifier", "approval", "parser"."""

    def names(self, kind: str) -> Collection[str]:
        """The names of usable plugins of a kind."""

    def schema(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """The JSON Schema of a plugin's own configuration; None when it has none."""

    def why_missing(self, kind: str, name: str) -> str:
        """Why an installed plugin of that name cannot be used (broken, disabled); "" when none is installed."""

    def mistakes(self, name: str, config: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
        """What the checker `name` says is wrong with an action that its schema takes: (key, what) for each."""


class NoPlugins:
    """A RegistryView with nothing installed."""

    def names(self, kind: str) -> Collection[str]:
        return ()

    def schema(self, kind: str, name: str) -> Mapping[str, Any] | None:
        return None

    def why_missing(self, kind: str, name: str) -> str:
        return ""

    def mistakes(self, name: str, config: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
        return ()


def hint(view: RegistryView, kind: str, name: str) -> str:
    """What to do about an unknown plugin name.

    A pip line only for names of the known table: a mistyped word must never become an install command.
    """
    reason = view.why_missing(kind, name)
    if reason:
        return reason
    known = KNOWN.get(kind, {})
    if name in known:
        return f"it is not installed: pip install {known[name]}"
    near = difflib.get_close_matches(name, sorted({*view.names(kind), *known}), n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"no installed plugin provides it; such plugins are named tmux-sentry-{_FOLDER.get(kind, kind)}-<name>"


def missing_plugin(view: RegistryView, wanted: str, installed: Collection[str] = ()) -> str:
    """ "" when `wanted` is installed and usable, else what to do.

    `wanted` is a plugin's folder ("check_github"), its distribution, or a name it registers ("github_action");
    `installed` are the folders and distributions of the usable plugins.
    """
    folder = wanted.removeprefix("tmux-sentry-").replace("-", "_")
    distribution = f"tmux-sentry-{folder.replace('_', '-')}"
    if {wanted, folder, distribution} & set(installed) or any(wanted in view.names(kind) for kind in _FOLDER):
        return ""
    provides = [(kind, name) for kind, table in KNOWN.items() for name, dist in table.items() if dist == distribution]
    if any(name in view.names(kind) for kind, name in provides):
        return ""
    registers = [(kind, wanted) for kind, table in KNOWN.items() if wanted in table]
    for kind, name in (*provides, *registers):
        return hint(view, kind, name)
    near = difflib.get_close_matches(
        wanted, sorted({*installed, *(n for kind in _FOLDER for n in view.names(kind))}), n=1
    )
    return f"did you mean '{near[0]}'?" if near else "tmux-sentry plugins lists what is installed"
