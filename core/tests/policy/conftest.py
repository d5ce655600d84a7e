"""A registry view of what a test says is installed, and a loader of policy text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.policy.load import LoadResult, load_policies

GITHUB = {
    "type": "object",
    "required": ["repository"],
    "properties": {"repository": {"type": "string", "pattern": "^[^/]+/[^/]+$"}, "branch": {"$ref": "#/$defs/branch"}},
    "$defs": {"branch": {"type": "string"}},
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Installed:
    """Plugins by kind and name, with their schemas."""

    plugins: Mapping[str, Mapping[str, Mapping[str, Any] | None]] = field(default_factory=dict)
    broken: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def names(self, kind: str) -> Collection[str]:
        return list(self.plugins.get(kind, {}))

    def schema(self, kind: str, name: str) -> Mapping[str, Any] | None:
        return self.plugins[kind][name]

    def why_missing(self, kind: str, name: str) -> str:
        return self.broken.get((kind, name), "")

    def mistakes(self, name: str, config: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
        return ()


@pytest.fixture
def installed() -> Callable[..., Installed]:
    return Installed


@pytest.fixture
def plugins() -> Installed:
    """stdout, the GitHub checker, and one checker that says nothing of its keys."""
    return Installed({"notifier": {"stdout": None}, "checker": {"github_action": GITHUB, "free": None}})


@pytest.fixture
def load(tmp_path: Path, plugins: Installed) -> Callable[..., LoadResult]:
    """Load policy texts, one file each (p1.yaml, p2.yaml, ...)."""

    def load(*texts: str | bytes, view: Installed = plugins, env: Mapping[str, str] | None = None) -> LoadResult:
        paths = []
        for number, text in enumerate(texts, 1):
            path = tmp_path / f"p{number}.yaml"
            path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
            paths.append(path)
        return load_policies(paths, view, env or {})

    return load
