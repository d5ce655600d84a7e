"""Fake installed distributions: a `.dist-info` directory and a module, as pip leaves them; no pip needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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

    def __init__(self, path: Path) -> None:
        self.path = path

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

    def run(self, *command: str, timeout: float = 60, **env: str) -> subprocess.CompletedProcess[str]:
        """Run python with `command`, warnings as errors, and this site on its path."""
        path = os.pathsep.join([str(self.path), *filter(None, sys.path)])
        whole = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8", **env}
        return subprocess.run(
            [sys.executable, "-W", "error", *command], capture_output=True, text=True, timeout=timeout, env=whole
        )

    def cli(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run `tmux-sentry ARGS`."""
        return self.run("-c", "import sys; from tmux_sentry.cli.main import main; sys.exit(main())", *args, **env)

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
def site(tmp_path: Path) -> Site:
    path = tmp_path / "site"
    path.mkdir()
    return Site(path)
