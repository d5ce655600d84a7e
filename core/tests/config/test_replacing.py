"""A file is replaced whole or not at all, and only when it is what was read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tmux_sentry.config.replacing import alone, back_up, replace_file
from tmux_sentry.errors import Refused, SentryError


def test_mode_and_link_stay_and_nothing_else_is_left(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    replace_file(link, b"old", b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


def test_a_reader_that_has_it_open_sees_the_old_text_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        replace_file(path, b"old", b"a new text")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"a new text"


def test_a_new_file_is_ours_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        replace_file(tmp_path / "f", None, b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600


@pytest.mark.parametrize("before", [b"what was read", None])
def test_a_file_that_changed_meanwhile_is_left_alone(tmp_path: Path, before: bytes | None) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"what an editor saved")
    with pytest.raises(Refused, match="has changed meanwhile"):
        replace_file(path, before, b"new")
    assert path.read_bytes() == b"what an editor saved"


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x")
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(Refused, match="is not replaced"):
        replace_file(path, b"x", b"y")
    assert path.read_bytes() == b"x"


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_text_and_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*args: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "f"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(SentryError) as full:
        replace_file(path, b"old", b"new")
    assert full.value.lines() == [f"cannot write {path}", "No space left on device", "it is as it was"]
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["f"]


def test_a_backup_says_what_it_is_and_replaces_none(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yaml"
    copies = {back_up(path, "rotation", text) for text in (b"1", b"2", b"3")}
    assert sorted(copy.read_bytes() for copy in copies) == [b"1", b"2", b"3"]
    for copy in copies:
        assert copy.name.startswith("hosts.yaml.before-rotation-")
        assert copy.suffix != ".yaml"  # a directory of policies would take it in
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_one_at_a_time(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(Refused, match="another command"), alone(tmp_path):
        pytest.fail("two at a time")
    with alone(tmp_path):
        pass
