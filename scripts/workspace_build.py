"""Builds the root distribution `tmux-sentry`: no files, only a list of the members it stands for.

Built in a checkout (`pip install .`, `pip install -e .`, `uv sync`) it names the members by their
folders; in a release (a wheel made from an sdist) it names them by version. The two are told apart
by who asks: an sdist is always a release, and a wheel is one when no core/ lies beside it.

The file is both the PEP 517 backend (hatchling's, with one function wrapped) and hatchling's
metadata hook, because only the backend knows that an sdist is being made.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import hatchling.build
from hatchling.build import (
    build_editable,
    build_wheel,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
)
from hatchling.metadata.plugin.interface import MetadataHookInterface

__all__ = [
    "WorkspaceMetadata",
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
]

# hatchling loads the hook a second time, by path: an environment variable is what both copies see.
RELEASE = "TMUX_SENTRY_RELEASE"


def build_sdist(sdist_directory: str, config_settings: dict[str, Any] | None = None) -> str:
    """hatchling's build_sdist, with the members named by version."""
    os.environ[RELEASE] = "1"
    return hatchling.build.build_sdist(sdist_directory, config_settings)


def requirement(member: str, root: Path, version: str, *, release: bool) -> str:
    """What the root requires for one member (`core`, or a folder of plugins/)."""
    name = f"tmux-sentry-{member.replace('_', '-')}"
    if release:
        major, minor = version.split(".")[:2]
        return f"{name}>={major}.{minor},<{major}.{int(minor) + 1}"
    folder = root / member if member == "core" else root / "plugins" / member
    return f"{name} @ {folder.as_uri()}"


class WorkspaceMetadata(MetadataHookInterface):
    """Fills in the root's dependencies and its extra `all` from the lists in pyproject.toml."""

    def update(self, metadata: dict[str, Any]) -> None:
        root = Path(self.root)
        release = RELEASE in os.environ or not (root / "core" / "pyproject.toml").is_file()

        def requirements(members: list[str]) -> list[str]:
            return [requirement(member, root, metadata["version"], release=release) for member in members]

        metadata["dependencies"] = requirements(["core", *self.config["default-plugins"]])
        metadata["optional-dependencies"] = {"all": requirements(self.config["all-plugins"])}
