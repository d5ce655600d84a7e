from __future__ import annotations

import os
from pathlib import Path

import pytest

from tmux_sentry.doctor import files
from tmux_sentry.doctor.finding import Finding, Level
from tmux_sentry.errors import Diagnostic


def made(path: Path, mode: int) -> Path:
    path.write_text("x")
    path.chmod(mode)
    return path


def one(found: list[Finding]) -> Finding:
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610])
def test_a_file_that_others_reach_is_a_problem_with_its_chmod(tmp_path: Path, mode: int) -> None:
    path = made(tmp_path / "a key", mode)
    found = one(list(files.private(path, "files", "the key")))
    assert (found.level, found.fix) == (Level.PROBLEM, f"chmod 600 '{path}'")
    assert f"mode 0{mode:o}" in found.what
    assert ("written" in found.what) is bool(mode & 0o022)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_ours_alone_is_fine(tmp_path: Path, mode: int) -> None:
    assert one(list(files.private(made(tmp_path / "key", mode), "files", "the key"))).level is Level.OK


def test_a_directory_gets_its_own_chmod_and_may_be_readable_where_that_is_meant(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    assert one(list(files.private(tmp_path, "files", "d"))).fix == f"chmod 700 {tmp_path}"
    assert one(list(files.private(tmp_path, "files", "d", readable=True))).level is Level.OK
    tmp_path.chmod(0o770)
    assert one(list(files.private(tmp_path, "files", "d", readable=True))).level is Level.PROBLEM


def test_a_file_of_somebody_else_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(tmp_path / "key", 0o600)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    found = one(list(files.private(path, "files", "the key")))
    assert (found.level, found.fix.split()[0]) == (Level.PROBLEM, "chown")


def test_what_is_not_there_is_not_told(tmp_path: Path) -> None:
    assert list(files.private(tmp_path / "absent", "files", "the key")) == []
    assert one(list(files.home(tmp_path / "absent"))).level is Level.NOTE


def test_everything_in_the_state_directory_is_looked_at(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for name in ("master.key", "control.sock"):
        made(tmp_path / name, 0o644)
    for name in ("approvals", "recordings"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o777)
    found = list(files.home(tmp_path))
    assert [finding.level for finding in found] == [Level.PROBLEM] * 5
    assert [finding.fix.split()[1] for finding in found] == ["700", "600", "600", "700", "700"]


def test_a_file_in_the_place_of_the_state_directory_is_a_problem(tmp_path: Path) -> None:
    assert one(list(files.home(made(tmp_path / "home", 0o600)))).level is Level.PROBLEM


def test_keys_are_looked_at_once_each(tmp_path: Path) -> None:
    key = made(tmp_path / "id", 0o644)
    assert one(list(files.keys([key, key, tmp_path / "absent"]))).level is Level.PROBLEM


def test_a_public_key_may_be_read_by_all(tmp_path: Path) -> None:
    key = made(tmp_path / "id.pub", 0o644)
    key.write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAABGJsb2I= me\n")
    assert list(files.keys([key])) == []


def test_only_the_env_file_that_others_can_read_is_a_problem(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    exposed = f"others can read the secrets in {env}: chmod 600 {env}"
    found = list(files.settings(["APPROVAL_SECRET is not set: no approval links", exposed], env))
    assert [(one.level, one.fix) for one in found] == [(Level.NOTE, ""), (Level.PROBLEM, f"chmod 600 {env}")]
    assert [one.level for one in files.settings([], env)] == [Level.OK]


def test_a_secret_in_the_hosts_file_is_a_problem_only_when_others_can_read_it() -> None:
    def warning(help: str) -> Diagnostic:
        return Diagnostic(file="h.yaml", line=3, column=1, where="x", what="is in clear", help=help, warning=True)

    found = list(files.hosts([warning("put it in the env file"), warning("chmod 600 h.yaml; then put it there")]))
    assert [one.level for one in found] == [Level.NOTE, Level.PROBLEM]
    assert found[1].fix.startswith("chmod 600 h.yaml")


def test_approvals_by_file_are_no_barrier_where_they_are_taken() -> None:
    assert one(list(files.file_approvals(["file", "web"]))).level is Level.NOTE
    assert list(files.file_approvals(["web"])) == []
