"""Fake installed distributions: a `.dist-info` directory and a module, as pip leaves them; no pip needed."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

_LIST = """
import json, sys
from tmux_sentry.registry import load_registry
registry = load_registry(**json.loads(sys.argv[1]))
rows = [{"name": p.name, "kind": p.kind, "distribution": p.distribution, "version": p.version,
         "state": p.state.value, "reason": p.reason} for p in registry.plugins]
names = {kind: registry.names(kind) for kind in ("parser", "notifier", "checker", "approval")}
print(json.dumps({"rows": rows, "names": names}))
"""


class Site:
    """A directory of installed plugins, and processes that see it."""

    def __init__(self, path: Path, warm: Any) -> None:
        self.path = path
        self._warm = warm
        self.more: list[Path] = []

    def install(
        self,
        entry: str,
        source: str,
        *,
        distribution: str = "",
        version: str = "0.1.0",
        requires: str = "tmux-sentry-core>=0.1,<0.2",
        metadata: bytes | None = None,
        entry_points: bytes | None = None,
    ) -> None:
        """Install a plugin whose module is `source`; `metadata` and `entry_points` replace those files' bytes."""
        name = distribution or "tmux-sentry-" + entry.replace("_", "-")
        module = name.replace("-", "_")
        info = self.path / f"{module}-{version}.dist-info"
        info.mkdir()
        (self.path / f"{module}.py").write_text(dedent(source))
        whole = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: {requires}\n"
        (info / "METADATA").write_bytes(whole.encode() if metadata is None else metadata)
        points = f"[tmux_sentry]\n{entry} = {module}\n"
        (info / "entry_points.txt").write_bytes(points.encode() if entry_points is None else entry_points)

    def install_package(
        self, entry: str, files: dict[str, str], *, record: bool = True, version: str = "0.1.0"
    ) -> Path:
        """Install a plugin whose package has these `files`, as pip does it, with its RECORD; returns the package."""
        name = "tmux-sentry-" + entry.replace("_", "-")
        module = name.replace("-", "_")
        info, package = self.path / f"{module}-{version}.dist-info", self.path / module
        info.mkdir()
        package.mkdir()
        for relative, source in files.items():
            (package / relative).write_text(dedent(source))
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[tmux_sentry]\n{entry} = {module}.plugin\n")
        if record:
            self.record(info, [*package.iterdir(), *info.iterdir()])
        return package

    def install_editable(self, entry: str, project: Path, files: dict[str, str]) -> Path:
        """Install a plugin as `pip install -e` does: its code stays in `project`/src; returns the package."""
        name = "tmux-sentry-" + entry.replace("_", "-")
        module = name.replace("-", "_")
        info, package = self.path / f"{module}-0.1.0.dist-info", project / "src" / module
        info.mkdir()
        package.mkdir(parents=True)
        for relative, source in files.items():
            (package / relative).write_text(dedent(source))
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
        (info / "entry_points.txt").write_text(f"[tmux_sentry]\n{entry} = {module}.plugin\n")
        direct = {"dir_info": {"editable": True}, "url": project.as_uri()}
        (info / "direct_url.json").write_text(json.dumps(direct))
        self.record(info, info.iterdir())
        # What a .pth file does where it is installed; a folder of PYTHONPATH reads none.
        self.more.append(package.parent)
        return package

    def record(self, info: Path, files: Iterable[Path]) -> None:
        """Write RECORD, as an installer does."""
        rows = []
        for file in sorted(files):
            digest = base64.urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest()).decode().rstrip("=")
            rows.append(f"{file.relative_to(self.path)},sha256={digest},{file.stat().st_size}\n")
        (info / "RECORD").write_text("".join([*rows, f"{info.name}/RECORD,,\n"]))

    def run(self, *command: str, timeout: float = 60, **env: str) -> subprocess.CompletedProcess[str]:
        """Run python with `command`, warnings as errors, and this site on its path."""
        whole = {**self._env, "PYTHONIOENCODING": "utf-8", **env}
        return subprocess.run(
            [sys.executable, "-W", "error", *command], capture_output=True, text=True, timeout=timeout, env=whole
        )

    def cli(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run `tmux-sentry ARGS`."""
        done: subprocess.CompletedProcess[str] = self._warm.run(
            args, Path.cwd(), {**self._env, "LANG": "C.UTF-8", **env}, 60
        )
        return done

    @property
    def _env(self) -> dict[str, str]:
        path = os.pathsep.join([*map(str, [self.path, *self.more]), *filter(None, sys.path)])
        return {"PATH": os.environ["PATH"], "PYTHONPATH": path}

    def load(self, **arguments: Any) -> dict[str, Any]:
        """`{"rows": [...], "names": {kind: [...]}}` of `load_registry(**arguments)` on this site alone."""
        done = self.run("-c", _LIST, json.dumps({"path": [str(self.path)], **arguments}))
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def row(self, name: str, **arguments: Any) -> dict[str, str]:
        """The one row of the plugin `name`."""
        (row,) = [row for row in self.load(**arguments)["rows"] if row["name"] == name]
        return row  # type: ignore[no-any-return]


@pytest.fixture
def site(tmp_path: Path, warm: Any) -> Site:
    path = tmp_path / "site"
    path.mkdir()
    return Site(path, warm)
