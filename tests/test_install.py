"""Each way of installing that the README names gives a working `tmux-sentry`. Needs a package registry."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EVERY = {folder.name for folder in (ROOT / "plugins").iterdir() if (folder / "pyproject.toml").exists()}
DEFAULT = EVERY - {"notify_apprise"}
SOME = {"approval_file", "notify_apprise", "parser_sentry"}
#: What builds an editable member.
BUILD = ("hatchling>=1.27", "editables")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def environment() -> dict[str, str]:
    """This one, without what points Python or uv at the environment that runs the tests."""
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips, with pip's own words, where no package can be fetched."""
    folder = tmp_path_factory.mktemp("registry")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    command += ["--no-cache-dir", "--retries", "1", "--timeout", "10", "editables"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no package registry can be reached: {done.stderr.strip().splitlines()[-1]}")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of this checkout, as git would clone it: nothing that was built or installed comes along."""
    ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "dist", "uv.lock", ".hypothesis")
    return Path(shutil.copytree(ROOT, tmp_path / "checkout", symlinks=True, ignore=ignored))


def installed_plugins(bin_folder: Path, cwd: Path) -> dict[str, str]:
    """What the installed command says of each plugin, "ok" or why not, asked from a folder that is no checkout."""
    run(bin_folder / "tmux-sentry", "--help", cwd=cwd)
    rows = json.loads(run(bin_folder / "tmux-sentry", "plugins", "--json", cwd=cwd))
    return {row["name"]: row["reason"] or row["state"] for row in rows}


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("arguments", "plugins", "isolated"),
    [
        (["-e", "."], DEFAULT, False),
        (["-r", "requirements.txt"], EVERY, False),
        (["./core", *(f"./plugins/{name}" for name in sorted(SOME))], SOME, True),
    ],
    ids=["-e .", "-r requirements.txt", "by folder"],
)
def test_pip_installs_a_working_command(
    checkout: Path, tmp_path: Path, arguments: list[str], plugins: set[str], isolated: bool
) -> None:
    """pip makes an environment for each build, which takes most of the time: by folder, and uv for every member below,
    it is made; where it is not, the two packages that editable builds name are installed before.
    """
    venv.create(tmp_path / "venv", with_pip=False)
    bin_folder = tmp_path / "venv" / "bin"
    pip = [sys.executable, "-m", "pip", "--python", str(bin_folder / "python")]
    options = ["--quiet", "--no-compile"]
    if not isolated:
        run(*pip, "install", *options, *BUILD, cwd=checkout)
        options.append("--no-build-isolation")
    run(*pip, "install", *options, *arguments, cwd=checkout)
    assert installed_plugins(bin_folder, tmp_path) == dict.fromkeys(plugins, "ok")


@pytest.mark.usefixtures("registry")
def test_uv_sync_installs_a_working_command_that_follows_the_checkout(checkout: Path, tmp_path: Path) -> None:
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    assert uv, "uv is in requirements-dev.txt"
    run(uv, "sync", "--quiet", "--python", sys.executable, cwd=checkout)
    bin_folder = checkout / ".venv" / "bin"
    assert installed_plugins(bin_folder, tmp_path) == dict.fromkeys(DEFAULT, "ok")
    where = run(bin_folder / "python", "-c", "import tmux_sentry; print(tmux_sentry.__file__)", cwd=tmp_path)
    assert where.strip() == str(checkout / "core/src/tmux_sentry/__init__.py")
