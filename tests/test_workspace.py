"""The workspace keeps its promises: members in lockstep, complete wheels, releases that name versions."""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from email.parser import HeaderParser
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from build import ProjectBuilder
from pyproject_hooks import quiet_subprocess_runner

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

import tmux_sentry

ROOT = Path(__file__).resolve().parents[1]
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
MEMBERS = [ROOT / "core", *PLUGINS]


def pyproject(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text())


def distribution(folder: Path) -> str:
    return f"tmux-sentry-{folder.name.replace('_', '-')}"


def series() -> str:
    """What every member asks of the others: this minor release, whatever the patch."""
    major, minor = tmux_sentry.__version__.split(".")[:2]
    return f">={major}.{minor},<{major}.{int(minor) + 1}"


def names(requirements: Iterable[str]) -> set[str]:
    """The distributions named by lines of a requirements file, in one spelling."""
    found = {re.split(r"[<>=!~;@\[ ]", line, maxsplit=1)[0] for line in requirements if line and line[0] not in "#-"}
    return {name.lower().replace("_", "-") for name in found}


# ------------------------------------------------------------------------ lockstep


@pytest.mark.parametrize("folder", [ROOT, *MEMBERS], ids=lambda folder: folder.name)
def test_every_distribution_has_the_same_version_and_pythons(folder: Path) -> None:
    project = pyproject(folder)["project"]
    assert project["version"] == tmux_sentry.__version__
    assert project["requires-python"] == ">=3.10"
    assert project["license"] == "MIT"


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_a_plugins_folder_gives_it_its_names(folder: Path) -> None:
    project = pyproject(folder)["project"]
    assert project["name"] == distribution(folder)
    assert project["entry-points"]["tmux_sentry"] == {folder.name: f"tmux_sentry_{folder.name}.plugin"}
    assert f"tmux-sentry-core{series()}" in project["dependencies"]
    assert (folder / f"src/tmux_sentry_{folder.name}/plugin.py").is_file()
    assert (folder / f"src/tmux_sentry_{folder.name}/py.typed").is_file()


def test_every_folder_of_plugins_is_a_plugin() -> None:
    folders = {path for path in (ROOT / "plugins").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(PLUGINS)


def test_every_member_is_listed_wherever_members_are_listed() -> None:
    root = pyproject(ROOT)
    hook = root["tool"]["hatch"]["metadata"]["hooks"]["custom"]
    assert hook["all-plugins"] == [folder.name for folder in PLUGINS]
    assert set(hook["default-plugins"]) <= set(hook["all-plugins"])
    assert root["tool"]["uv"]["sources"] == {distribution(member): {"workspace": True} for member in MEMBERS}
    editables = re.findall(r"^-e \./(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert editables == [str(member.relative_to(ROOT)) for member in MEMBERS]


def test_every_third_party_requirement_is_pinned_in_the_constraints() -> None:
    wanted = (ROOT / "requirements-dev.txt").read_text().splitlines()
    for member in MEMBERS:
        project = pyproject(member)["project"]
        wanted += [*project["dependencies"], *chain(*project.get("optional-dependencies", {}).values())]
    own = {"tmux-sentry", *(distribution(member) for member in MEMBERS)}
    text = (ROOT / "constraints.txt").read_text().replace("\\\n", " ")
    pinned = text.splitlines()
    assert names(wanted) - own <= names(pinned)
    # One without a hash, and pip would take any file of that name and version.
    assert all(re.match(r"\S+==\S+ .*--hash=sha256:[0-9a-f]{64}\b", line) for line in pinned)
    assert "://" not in text  # no registry's host


def imported(folder: Path) -> set[str]:
    """The top-level modules that a member's code imports, wherever in a file it does."""
    found: set[str] = set()
    for path in (folder / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                found.add(node.module.split(".")[0])
    return found


@functools.cache
def providers_of_modules() -> dict[str, set[str]]:
    """Which installed distributions bring each top-level module (`packages_distributions` misses some on 3.10)."""
    providers: dict[str, set[str]] = {}
    for found in importlib.metadata.distributions():
        for file in found.files or []:
            providers.setdefault(file.parts[0].removesuffix(".py"), set()).update(names([found.name]))
    return providers


@pytest.mark.parametrize("folder", MEMBERS, ids=lambda folder: folder.name)
def test_a_member_declares_what_it_imports(folder: Path) -> None:
    providers = dict(providers_of_modules())
    own = {"tmux_sentry", f"tmux_sentry_{folder.name}"}
    if folder.name == "core":
        own |= {"pytest", "cryptography"}  # tmux_sentry.testing is only imported by tests, which bring them
    else:
        own.remove("tmux_sentry")
        providers["tmux_sentry"] = {"tmux-sentry-core"}  # an editable install lists none of its files
    project = pyproject(folder)["project"]
    declared = names(project["dependencies"]).union(*map(names, project.get("optional-dependencies", {}).values()))
    undeclared = {
        module: providers.get(module)
        for module in imported(folder) - own - sys.stdlib_module_names
        if not providers.get(module, set()) & declared
    }
    assert undeclared == {}


@pytest.mark.parametrize("folder", MEMBERS, ids=lambda folder: folder.name)
def test_a_member_links_to_folders_only(folder: Path) -> None:
    """hatchling copies what a linked folder holds, but packs a linked file as a link, which dangles in an sdist."""
    links = [path for path in folder.rglob("*") if path.is_symlink() and not path.is_dir()]
    assert [str(path.relative_to(ROOT)) for path in links] == []


# ------------------------------------------------------------------- what is built


class Built:
    """One distribution, built in every way; the backend runs in this environment, so no network is asked."""

    def __init__(self, source: Path, folder: Path) -> None:
        checkout = ProjectBuilder(source, runner=quiet_subprocess_runner)
        self.wheel = Path(checkout.build("wheel", folder / "wheel"))
        self.editable = Path(checkout.build("editable", folder / "editable"))
        self.sdist = Path(checkout.build("sdist", folder / "sdist"))
        with tarfile.open(self.sdist) as archive:
            archive.extractall(folder / "unpacked", filter="data")
        (self.unpacked,) = (folder / "unpacked").iterdir()
        release = ProjectBuilder(self.unpacked, runner=quiet_subprocess_runner)
        self.wheel_of_sdist = Path(release.build("wheel", folder / "release"))


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(ROOT / "core", tmp_path_factory.mktemp("core"))


@pytest.fixture(scope="module")
def meta(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(ROOT, tmp_path_factory.mktemp("meta"))


def schemas_in(wheel: Path) -> dict[str, str]:
    with zipfile.ZipFile(wheel) as archive:
        prefix = "tmux_sentry/schemas/"
        return {
            name.removeprefix(prefix): archive.read(name).decode()
            for name in archive.namelist()
            if name.startswith(prefix)
        }


def test_wheels_carry_the_schemas_whether_built_from_the_tree_or_from_an_sdist(core: Built) -> None:
    real = {path.name: path.read_text() for path in (ROOT / "schemas").glob("*.schema.json")}
    assert real
    assert real.items() <= schemas_in(core.wheel).items()
    assert real.items() <= schemas_in(core.wheel_of_sdist).items()


def test_the_command_and_the_typing_marker_are_in_the_wheel(core: Built) -> None:
    with zipfile.ZipFile(core.wheel_of_sdist) as archive:
        names = archive.namelist()
        (entry_points,) = (name for name in names if name.endswith("/entry_points.txt"))
        assert "tmux-sentry = tmux_sentry.cli.main:main" in archive.read(entry_points).decode()
    assert "tmux_sentry/py.typed" in names
    assert not [name for name in names if "tests/" in name]


def metadata(text: str) -> list[str]:
    return sorted(HeaderParser().parsestr(text).get_all("Requires-Dist", []))


def requirements(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return metadata(archive.read(name).decode())


def expected(*, release: bool) -> list[str]:
    hook = pyproject(ROOT)["tool"]["hatch"]["metadata"]["hooks"]["custom"]
    lower, upper = series().split(",")

    def line(folder: Path) -> str:
        return distribution(folder) + (f"{upper},{lower}" if release else f" @ {folder.as_uri()}")

    default = [ROOT / "core", *(ROOT / "plugins" / name for name in hook["default-plugins"])]
    return sorted(
        [line(folder) for folder in default]
        + [line(folder) + ("; " if release else " ; ") + "extra == 'all'" for folder in PLUGINS]
    )


def test_from_a_checkout_the_root_takes_the_members_beside_it(meta: Built) -> None:
    assert requirements(meta.editable) == expected(release=False)
    assert requirements(meta.wheel) == expected(release=False)


def test_a_release_of_the_root_names_its_members_by_version(meta: Built) -> None:
    assert metadata((meta.unpacked / "PKG-INFO").read_text()) == expected(release=True)
    assert requirements(meta.wheel_of_sdist) == expected(release=True)


def test_the_root_ships_no_code_of_its_own(meta: Built) -> None:
    with zipfile.ZipFile(meta.wheel) as archive:
        assert all(".dist-info/" in name for name in archive.namelist())


# ---------------------------------------------------------------------- what is kept

# In two halves, so that this file does not find itself.
REGISTRIES = tuple(a + b for a, b in [("pypi.", "org"), ("python", "hosted.org"), ("registry.npm", "js.org")])
MACHINE_PATH = re.compile("(?<![\\w.:])/(?:ro" + "ot|wo" + "rk|Us" + "ers)/\\w")


def committed() -> list[Path]:
    """The files of the checkout that git has or would take, text only."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()]


def test_no_file_names_a_package_registry_or_a_path_of_somebodys_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in committed()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1)
        if MACHINE_PATH.search(line) or any(host in line for host in REGISTRIES)
    ]
    assert found == []


def test_lock_files_that_name_a_registry_are_not_committed() -> None:
    assert [path.name for path in committed() if path.name in {"uv.lock", "package-lock.json"}] == []
