"""Plugins by consent: what a person has not agreed to, or somebody else could change, is not even imported."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# Leaves a canary when it is imported, whatever comes after.
PLUGIN = """
import os, pathlib
pathlib.Path(os.environ["CANARY"]).touch()
from tmux_sentry import NotifierPlugin, hookimpl

@hookimpl
def tmux_sentry_notifiers():
    yield NotifierPlugin(name="NAME", factory=print)
"""
FILES = {"__init__.py": "", "plugin.py": PLUGIN}


class House:
    """A site with plugins, a home directory, and the canary that an import leaves."""

    def __init__(self, site: Any, home: Path) -> None:
        self.site, self.home, self.canary = site, home, home.parent / "canary"

    def cli(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        whole = {"TMUX_SENTRY_HOME": str(self.home), "CANARY": str(self.canary), "HOME": str(self.home.parent), **env}
        done: subprocess.CompletedProcess[str] = self.site.cli(*args, **whole)
        return done

    def rows(self, *args: str, **env: str) -> dict[str, dict[str, Any]]:
        done = self.cli("plugins", "--json", *args, **env)
        assert done.returncode == 0, done.stderr
        return {row["name"]: row for row in json.loads(done.stdout)}

    def row(self, name: str) -> dict[str, Any]:
        return self.rows()[name]

    def allow(self, text: str, mode: int = 0o600) -> Path:
        self.home.mkdir(mode=0o700, exist_ok=True)
        path = self.home / "plugins.allow"
        path.write_text(text)
        path.chmod(mode)
        return path

    @property
    def allowed(self) -> str:
        return (self.home / "plugins.allow").read_text()


@pytest.fixture
def house(site, tmp_path: Path) -> House:
    return House(site, tmp_path / "home")


def named(name: str) -> dict[str, str]:
    return {**FILES, "plugin.py": PLUGIN.replace("NAME", name)}


def line(name: str, pin: str = "0.1.0") -> str:
    return f"{name} tmux-sentry-{name.replace('_', '-')} {pin}\n"


def test_without_an_allow_file_everything_loads(house: House) -> None:
    house.site.install_package("notify_one", named("one"))
    row = house.row("notify_one")
    assert (row["state"], row["allowed_by"]) == ("ok", None)
    assert house.canary.exists()


def test_what_is_not_listed_is_not_imported(house: House) -> None:
    house.site.install_package("notify_one", named("one"))
    path = house.allow("# nothing\n")
    row = house.row("notify_one")
    assert row["state"] == "disabled"
    assert row["reason"] == f"not listed in {path}: tmux-sentry plugins trust notify_one"
    assert not house.canary.exists()


@pytest.mark.parametrize(
    "command",
    [
        ["plugins"], ["schema", "policy"], ["doctor"], ["run", "--dry-run", "--policy", "POLICY"],
        ["check", "--policy", "POLICY"], ["no-such-command"],
    ],
    ids=lambda command: command[0],
)  # fmt: skip
def test_no_command_imports_it(house: House, command: list[str], tmp_path: Path) -> None:
    house.site.install_package("notify_one", named("one"))
    house.allow("")
    policy = tmp_path / "policy.yaml"
    policy.write_text("pipelines: [{name: a, match: {window_name: x}, stages: [{name: b}]}]\n")
    done = house.cli(*(str(policy) if word == "POLICY" else word for word in command), TMUX_TMPDIR=str(tmp_path))
    assert "Traceback" not in done.stderr
    assert not house.canary.exists()


@pytest.mark.parametrize("by", ["environment", "env file", "default"])
def test_the_home_is_known_before_any_plugin(house: House, by: str, tmp_path: Path) -> None:
    house.site.install_package("notify_one", named("one"))
    house.home = tmp_path / ".tmux_sentry" if by == "default" else house.home
    house.allow("")
    env_file = tmp_path / ".env"
    env_file.write_text(f"TMUX_SENTRY_HOME={house.home}\n" if by == "env file" else "LOG_LEVEL=INFO\n")
    env_file.chmod(0o600)
    env = {"CANARY": str(house.canary), "HOME": str(tmp_path)}
    if by == "environment":
        env["TMUX_SENTRY_HOME"] = str(house.home)
    policy = tmp_path / "policy.yaml"
    policy.write_text("pipelines: [{name: a, match: {window_name: x}, stages: [{name: b}]}]\n")
    check = ["check", "--policy", str(policy)]
    for command in (["plugins", "--json"], ["doctor"], ["schema", "policy"], ["history"], check):
        done = house.site.cli(*command, "--env-file", str(env_file), **env)
        assert not house.canary.exists(), (command, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("text", "state", "reason"),
    [
        (line("notify_one"), "ok", ""),
        ("notify_one TMUX_sentry.notify-one 0.1.0", "ok", ""),
        (line("notify_one", "0.1.1") + line("notify_one"), "ok", ""),
        (line("notify_one", "0.1.1"), "disabled", "PATH:1 allows 0.1.1, and 0.1.0 is installed: TRUST"),
        ("notify_one other 0.1.0", "disabled", "not listed in PATH: TRUST"),
        ("notify_two tmux-sentry-notify-one 0.1.0", "disabled", "not listed in PATH: TRUST"),
    ],
)
def test_a_line_allows_one_version_of_one_distribution(house: House, text: str, state: str, reason: str) -> None:
    house.site.install_package("notify_one", named("one"))
    path = house.allow(text)
    row = house.row("notify_one")
    wanted = reason.replace("PATH", str(path)).replace("TRUST", "tmux-sentry plugins trust notify_one")
    assert (row["state"], row["reason"]) == (state, wanted)
    assert house.canary.exists() is (state == "ok")


def test_the_row_says_which_line_allows_it(house: House) -> None:
    house.site.install_package("notify_one", named("one"))
    path = house.allow("# first\n" + line("notify_one"))
    assert house.row("notify_one")["allowed_by"] == f"{path}:2"


@pytest.mark.parametrize("command", [["plugins"], ["schema", "policy"], ["plugins", "trust", "notify_one", "--yes"]])
def test_a_line_that_cannot_be_read_stops_the_command(house: House, command: list[str]) -> None:
    house.site.install_package("notify_one", named("one"))
    path = house.allow(f"{line('notify_one')}notify_two 1.0\n")
    done = house.cli(*command)
    assert done.returncode == 2
    assert f"{path}:2:15: " in done.stderr
    assert not house.canary.exists()


def test_a_list_that_others_can_write_stops_the_command(house: House) -> None:
    house.site.install_package("notify_one", named("one"))
    path = house.allow(line("notify_one"), 0o666)
    done = house.cli("plugins")
    assert done.returncode == 3
    assert f"chmod 600 {path}" in done.stderr
    assert not house.canary.exists()


def test_one_that_nobody_agreed_to_cannot_take_anothers_name(house: House) -> None:
    house.site.install_package("notify_one", named("one"))
    house.site.install("notify_one", "raise AssertionError('imported')", distribution="rival")
    assert house.row("notify_one")["state"] == "broken"
    house.allow(line("notify_one"))
    rows = json.loads(house.cli("plugins", "--json").stdout)
    assert [(row["distribution"], row["state"]) for row in rows if row["name"] == "notify_one"] == [
        ("rival", "disabled"),
        ("tmux-sentry-notify-one", "ok"),
    ]


# ---------------------------------------------------------------------------------------- hashes


def pin_of(house: House, name: str) -> str:
    return str(house.row(name)["pin"])


def test_a_hash_allows_these_files_and_no_others(house: House) -> None:
    package = house.site.install_package("notify_one", named("one"))
    house.allow(line("notify_one", pin_of(house, "notify_one")))
    assert house.row("notify_one")["state"] == "ok"
    house.canary.unlink()
    source = (package / "plugin.py").read_text()
    (package / "plugin.py").write_text(source + "\n# changed\n")
    row = house.row("notify_one")
    assert row["state"] == "disabled"
    assert f"{package / 'plugin.py'} is not what was installed" in row["reason"]
    assert not house.canary.exists()


def test_a_file_that_record_does_not_list_is_not_covered_by_a_hash(house: House) -> None:
    package = house.site.install_package("notify_one", named("one"))
    house.allow(line("notify_one", pin_of(house, "notify_one")))
    house.canary.unlink()
    (package / "plugin").mkdir()  # comes before plugin.py
    (package / "plugin" / "__init__.py").write_text(PLUGIN)
    row = house.row("notify_one")
    assert f"{package / 'plugin' / '__init__.py'} is not in RECORD" in row["reason"]
    assert not house.canary.exists()


def test_a_listed_file_that_is_gone_is_not_what_was_installed(house: House) -> None:
    package = house.site.install_package("notify_one", {**named("one"), "data.txt": "x"})
    house.allow(line("notify_one", pin_of(house, "notify_one")))
    (package / "data.txt").unlink()
    assert "data.txt cannot be read" in house.row("notify_one")["reason"]


def test_another_record_is_another_hash(house: House) -> None:
    package = house.site.install_package("notify_one", named("one"))
    house.allow(line("notify_one", pin_of(house, "notify_one")))
    house.canary.unlink()
    (package / "plugin.py").write_text(named("one")["plugin.py"] + "\n# changed\n")
    (info,) = house.site.path.glob("*.dist-info")
    house.site.record(info, [*package.glob("*.py"), *(file for file in info.iterdir() if file.name != "RECORD")])
    assert "allows another hash than sha256:" in house.row("notify_one")["reason"]
    assert not house.canary.exists()


@pytest.mark.parametrize("kind", ["editable", "without RECORD"])
def test_without_a_record_of_the_code_a_hash_is_of_the_sources(house: House, kind: str, tmp_path: Path) -> None:
    files = {**named("one"), "more.py": "x = 1\n"}
    if kind == "editable":
        package = house.site.install_editable("notify_one", tmp_path / "project", files)
    else:
        package = house.site.install_package("notify_one", files, record=False)
    before = house.row("notify_one")
    assert before["editable"] is (kind == "editable")
    assert (before["record_hash"] is None) is (kind == "without RECORD")
    assert before["path"] == str(package)
    house.allow(line("notify_one", before["pin"]))
    assert house.row("notify_one")["state"] == "ok"
    house.canary.unlink()
    (package / "__pycache__").mkdir(exist_ok=True)
    (package / "__pycache__" / "x.pyc").write_bytes(b"x")  # no source
    assert house.row("notify_one")["state"] == "ok"
    house.canary.unlink()
    (package / "more.py").rename(package / "other.py")
    row = house.row("notify_one")
    assert (row["state"], "another hash" in row["reason"]) == ("disabled", True)
    assert not house.canary.exists()


def test_a_package_that_stands_before_the_allowed_one_is_not_taken_for_it(house: House, tmp_path: Path) -> None:
    house.site.install_package("notify_one", named("one"))
    house.allow(line("notify_one"))
    other = tmp_path / "other" / "tmux_sentry_notify_one"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("")
    (other / "plugin.py").write_text(PLUGIN)
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from tmux_sentry.cli.main import main; sys.exit(main())"
    env = {"TMUX_SENTRY_HOME": str(house.home), "CANARY": str(house.canary)}
    done = house.site.run("-c", code, str(other.parent), "plugins", "--json", **env)
    (row,) = [row for row in json.loads(done.stdout) if row["name"] == "notify_one"]
    assert (row["state"], "which is no part of it" in row["reason"]) == ("disabled", True)
    assert not house.canary.exists()


# ----------------------------------------------------------------------------- others could change it


def places(package: Path) -> dict[str, Path]:
    (info,) = package.parent.glob("*.dist-info")
    return {
        "package": package,
        "file": package / "plugin.py",
        "other file": package / "data.txt",
        "site-packages": package.parent,
        "metadata": info,
        "entry points": info / "entry_points.txt",
    }


@pytest.mark.parametrize("where", ["package", "file", "other file", "site-packages", "metadata", "entry points"])
@pytest.mark.parametrize("allowed", [True, False], ids=["allowed", "no list"])
def test_what_everybody_may_write_is_not_imported(house: House, where: str, allowed: bool) -> None:
    package = house.site.install_package("notify_one", {**named("one"), "data.txt": "x"})
    if allowed:
        house.allow(line("notify_one"))
    place = places(package)[where]
    place.chmod(place.stat().st_mode | 0o002)
    row = house.row("notify_one")
    assert (row["state"], row["reason"]) == ("broken", f"everybody may write to {place}: chmod go-w {place}")
    assert not house.canary.exists()
    doctor = json.loads(house.cli("doctor", "--json").stdout)
    assert [one["fix"] for one in doctor["findings"] if "notify_one (" in one["what"]] == [f"chmod go-w {place}"]


def test_a_sticky_bit_helps_above_the_package_only(house: House) -> None:
    package = house.site.install_package("notify_one", named("one"))
    package.parent.chmod(0o1777)
    assert house.row("notify_one")["state"] == "ok"
    package.chmod(0o1777)  # plugin/ would be imported before plugin.py
    assert house.row("notify_one")["state"] == "broken"


def test_a_sticky_bit_does_not_help_around_a_module(house: House) -> None:
    house.site.install("notify_one", PLUGIN.replace("NAME", "one"), requires="click")
    assert house.row("notify_one")["state"] == "ok"
    house.canary.unlink()
    house.site.path.chmod(0o1777)  # tmux_sentry_notify_one/ would be imported before the module
    assert house.row("notify_one")["state"] == "broken"
    assert not house.canary.exists()


def test_a_folder_behind_a_link_is_looked_at_too(house: House, tmp_path: Path) -> None:
    package = house.site.install_package("notify_one", named("one"))
    (tmp_path / "behind").mkdir()
    (tmp_path / "behind" / "x.py").touch()
    (package / "linked").symlink_to(tmp_path / "behind")
    (package / "loop").symlink_to(package)
    assert house.row("notify_one")["state"] == "ok"
    (tmp_path / "behind" / "x.py").chmod(0o666)
    assert f"everybody may write to {package / 'linked' / 'x.py'}" in house.row("notify_one")["reason"]


@pytest.mark.parametrize("row", ["a\0b,sha256=x,1", "x" * 200_000, "loop/x,sha256=x,1", '"'])
def test_a_record_that_cannot_be_made_out_stops_no_other_plugin(house: House, row: str) -> None:
    house.site.install_package("notify_one", named("one"))
    house.site.install_package("notify_two", named("two"))
    (info,) = house.site.path.glob("tmux_sentry_notify_two*.dist-info")
    (house.site.path / "loop").symlink_to("loop")
    with (info / "RECORD").open("a") as record:
        record.write(row + "\n")
    house.allow(line("notify_one") + line("notify_two", "sha256:" + "0" * 64))
    rows = house.rows()
    assert {name: rows[name]["state"] for name in ("notify_one", "notify_two")} == {
        "notify_one": "ok",
        "notify_two": "disabled",
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_belongs_to_another_user_is_not_imported(house: House) -> None:
    package = house.site.install_package("notify_one", named("one"))
    os.chown(package / "plugin.py", 65534, -1)
    row = house.row("notify_one")
    assert row["state"] == "broken"
    assert f"{package / 'plugin.py'} belongs to " in row["reason"]
    assert not house.canary.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to a group")
def test_what_a_group_may_write_is_not_imported(house: House) -> None:
    package = house.site.install_package("notify_one", named("one"))
    os.chown(package / "plugin.py", -1, 12345)
    (package / "plugin.py").chmod(0o664)
    assert "group 12345 may write to" in house.row("notify_one")["reason"]
    os.chown(package / "plugin.py", -1, 0)  # root's own group
    assert house.row("notify_one")["state"] == "ok"


# --------------------------------------------------------------------------------- trust and distrust


def test_the_first_trust_does_not_silently_turn_off_the_others(house: House) -> None:
    house.site.install_package("notify_one", named("one"))
    house.site.install_package("notify_two", named("two"))
    done = house.cli("plugins", "trust", "notify_one", "--yes")
    assert done.returncode == 3
    assert "would not load any more" in done.stderr
    assert "notify_two" in done.stderr
    assert "--all" in done.stderr
    assert "--only" in done.stderr
    assert not (house.home / "plugins.allow").exists()


def test_trust_all_pins_what_is_installed_and_imports_nothing(house: House) -> None:
    house.site.install_package("notify_one", named("one"))
    done = house.cli("plugins", "trust", "--all", "--yes")
    assert done.returncode == 0, done.stderr
    assert not house.canary.exists()
    assert "  record hash   " in done.stdout
    assert {row["state"] for row in house.rows().values()} == {"ok"}
    assert (house.home / "plugins.allow").stat().st_mode & 0o777 == 0o600
    house.site.install_package("notify_later", named("later"))
    assert house.row("notify_later")["state"] == "disabled"


def test_only_lets_nothing_else_load(house: House) -> None:
    house.site.install_package("notify_one", named("one"))
    house.site.install_package("notify_two", named("two"))
    assert house.cli("plugins", "trust", "notify_two", "--only", "--yes").returncode == 0
    assert [name for name, row in house.rows().items() if row["state"] == "ok"] == ["notify_two"]


def test_a_trusted_plugin_joins_the_list_and_leaves_it(house: House) -> None:
    house.site.install_package("notify_one", named("one"))
    before = "# mine\nnotify_x x 1  # why\n"
    house.allow(before)
    assert house.cli("plugins", "trust", "notify_one", "--yes").returncode == 0
    assert house.allowed == before + "notify_one  tmux-sentry-notify-one  0.1.0\n"
    assert house.row("notify_one")["state"] == "ok"
    again = house.cli("plugins", "trust", "notify_one")
    assert (again.returncode, "trusted already" in again.stdout) == (0, True)
    assert house.cli("plugins", "distrust", "notify_one").returncode == 0
    assert house.allowed == before
    assert house.row("notify_one")["state"] == "disabled"


def test_trust_by_hash_writes_what_is_compared(house: House) -> None:
    house.site.install_package("notify_one", named("one"))
    house.allow(line("notify_one"))
    done = house.cli("plugins", "trust", "notify_one", "--hash", "--yes")
    assert done.returncode == 0, done.stderr
    assert house.allowed.split() == ["notify_one", "tmux-sentry-notify-one", pin_of(house, "notify_one")]
    assert house.row("notify_one")["state"] == "ok"


def test_without_a_terminal_it_asks_nobody_and_writes_nothing(house: House) -> None:
    house.site.install_package("notify_one", named("one"))
    house.allow("")
    done = house.cli("plugins", "trust", "notify_one")
    assert done.returncode == 3
    assert "add --yes" in done.stderr
    assert "tmux-sentry-notify-one 0.1.0" in done.stdout
    assert house.allowed == ""


@pytest.mark.parametrize(("answer", "status", "written"), [("y\n", 0, True), ("n\n", 3, False), ("\n", 3, False)])
def test_on_a_terminal_it_asks(house: House, answer: str, status: int, written: bool) -> None:
    house.site.install_package("notify_one", named("one"))
    house.allow("")
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    code = "import os, sys; os.dup2(int(sys.argv.pop(1)), 0); from tmux_sentry.cli.main import main; sys.exit(main())"
    path = os.pathsep.join([str(house.site.path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", code, str(theirs), "plugins", "trust", "notify_one"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": path, "TMUX_SENTRY_HOME": str(house.home)},
        pass_fds=[theirs],
        capture_output=True,
        timeout=60,
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == status, done.stderr
    assert bool(house.allowed) is written


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["trust"], 2, "name the plugins to trust, or --all"),
        (["trust", "notify_one", "--all"], 2, "name the plugins to trust, or --all"),
        (["trust", "notify_oen", "--yes"], 2, "did you mean notify_one?"),
        (["distrust", "notify_two"], 2, "notify_two is not listed in"),
        (["--json", "trust", "notify_one"], 2, "options go behind trust"),
    ],
)
def test_a_mistake_is_told(house: House, args: list[str], status: int, words: str) -> None:
    house.site.install_package("notify_one", named("one"))
    house.allow("")
    done = house.cli("plugins", *args)
    assert (done.returncode, words in done.stderr) == (status, True), done.stderr
    assert house.allowed == ""


def test_nothing_can_be_taken_out_of_a_list_that_is_not_there(house: House) -> None:
    done = house.cli("plugins", "distrust", "notify_one")
    assert (done.returncode, "every plugin that is installed loads" in done.stderr) == (2, True)


@pytest.mark.parametrize("fault", ["writable", "altered", "two of a name"])
def test_what_must_not_be_trusted_is_refused(house: House, fault: str) -> None:
    package = house.site.install_package("notify_one", named("one"))
    house.allow("")
    if fault == "writable":
        package.chmod(0o777)
    elif fault == "altered":
        (package / "plugin.py").write_text("")
    else:
        house.site.install("notify_one", "", distribution="rival")
    done = house.cli("plugins", "trust", "notify_one", "--hash", "--yes")
    assert done.returncode == 3
    assert "notify_one cannot be trusted" in done.stderr
    assert house.allowed == ""


def test_the_doctor_says_how_to_agree_to_a_plugin(house: House) -> None:
    house.site.install_package("notify_one", named("one"))
    path = house.allow("")
    doctor = json.loads(house.cli("doctor", "--json").stdout)
    (found,) = [one for one in doctor["findings"] if "notify_one (" in one["what"]]
    assert (found["level"], found["fix"]) == ("note", "tmux-sentry plugins trust notify_one")
    assert found["what"].endswith(f"is disabled: not listed in {path}")


def test_the_doctor_goes_on_with_a_list_that_cannot_be_read(house: House) -> None:
    house.site.install_package("notify_one", named("one"))
    path = house.allow("what is this line\n")
    doctor = json.loads(house.cli("doctor", "--json").stdout)
    (found,) = [one for one in doctor["findings"] if one["subject"] == "plugins"]
    assert (found["level"], found["what"].startswith(f"{path}:1:")) == ("problem", True)
    assert len(doctor["findings"]) > 3
    assert not house.canary.exists()
