"""Which files count, and what becomes of them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry import Complaint
from tmux_sentry_approval_file.backend import FileApprovals


def _symlink(file: Path) -> None:
    target = file.with_name(".target")
    target.write_text("approve\n")
    file.unlink()
    file.symlink_to(target)


def _hard_link(file: Path) -> None:
    file.write_text("approve\n")
    os.link(file, file.with_name(".other"))


def _fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


def _directory(file: Path) -> None:
    file.unlink()
    file.mkdir(mode=0o700)


def _group_writable(file: Path) -> None:
    file.write_text("approve\n")
    file.chmod(0o620)


def _world_writable(file: Path) -> None:
    file.write_text("approve\n")
    file.chmod(0o602)


def _too_big(file: Path) -> None:
    file.write_text("approve\n" + "#" * 9000)


def _foreign(file: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    file.write_text("approve\n")
    os.chown(file, 65534, -1)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (_symlink, "cannot be read as a plain file"),
        (_hard_link, "hard links"),
        (_fifo, "not a plain file"),
        (_directory, "not a plain file"),
        (_group_writable, "chmod go-w"),
        (_world_writable, "chmod go-w"),
        (_too_big, "too big"),
        (_foreign, "another user"),
    ],
)
def test_a_file_that_somebody_else_can_have_written_does_not_count(harm: Any, said: str, desk: Any) -> None:
    harm(desk.file)
    assert said in desk.complaint()
    assert desk.look() == desk.look(60) == []


def test_after_the_chmod_the_answer_counts(desk: Any) -> None:
    _group_writable(desk.file)
    desk.complaint()
    desk.file.chmod(0o600)
    assert desk.look()[0].approved


def test_a_directory_that_others_can_write_counts_nothing(desk: Any) -> None:
    desk.file.write_text("approve\n")
    desk.directory.chmod(0o770)
    assert "chmod go-w" in desk.complaint()
    assert desk.look() == []
    with pytest.raises(OSError, match="chmod go-w"):
        desk.backend.close(desk.request, "approved")
    desk.directory.chmod(0o700)
    assert desk.look()[0].approved


def test_a_link_in_place_of_the_directory_counts_nothing(desk: Any) -> None:
    desk.file.write_text("approve\n")
    desk.directory.rename(desk.directory.with_name("elsewhere"))
    desk.directory.symlink_to(desk.directory.with_name("elsewhere"))
    assert "not a directory of its own" in desk.complaint()


def test_a_missing_directory_is_told_once(desk: Any) -> None:
    desk.file.unlink()
    desk.directory.rmdir()
    assert "is gone" in desk.complaint()
    assert desk.look() == []


def test_a_settled_request_is_kept_with_its_outcome(desk: Any) -> None:
    desk.file.write_text("approve\n")
    desk.look()
    desk.backend.close(desk.request, "approved")
    assert not desk.file.exists()
    kept = desk.directory / "decided" / desk.file.name
    text = kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "npm run build" in text
    assert "# answer: approve\n" in text
    assert text.endswith("# outcome: approved at 2023-11-14 22:13:20 UTC\n")
    desk.clock.advance(60)
    desk.backend.close(desk.request, "cancelled")
    assert kept.read_text() == text
    assert desk.look() == []
    assert [path.name for path in desk.directory.iterdir()] == ["decided"]


@pytest.mark.parametrize("restart", [False, True])
def test_an_edit_after_the_decision_is_told_once_an_edit(desk: Any, restart: bool) -> None:
    desk.backend.close(desk.request, "approved")
    if restart:
        desk.start()
    desk.file.write_text("reject\n")
    os.utime(desk.file, ns=(1, 1))
    said = desk.complaint()
    assert "already decided: approved at 2023-11-14" in said
    assert "no effect" in said
    assert desk.look() == []
    desk.file.write_text("reject!\n")
    assert "already decided" in desk.complaint()
    assert desk.file.read_text() == "reject!\n"


def test_a_settled_request_whose_file_is_no_plain_file_is_settled_all_the_same(desk: Any) -> None:
    _symlink(desk.file)
    desk.backend.close(desk.request, "expired")
    assert desk.file.is_symlink()
    assert "# outcome: expired" in (desk.directory / "decided" / desk.file.name).read_text()


def test_a_crash_between_move_and_outcome_is_made_good(desk: Any) -> None:
    desk.file.write_text("approve\n")
    (desk.directory / "decided").mkdir(mode=0o700)
    desk.file.rename(desk.directory / "decided" / desk.file.name)
    desk.start()
    desk.backend.close(desk.request, "approved")
    text = (desk.directory / "decided" / desk.file.name).read_text()
    assert "# answer: approve" in text
    assert "# outcome: approved" in text


def test_a_crash_while_the_file_was_made_is_made_good(desk: Any) -> None:
    os.link(desk.file, desk.directory / f".{desk.file.name}.new")
    desk.start()
    desk.backend.open(desk.request)
    desk.file.write_text("approve\n")
    assert desk.look()[0].approved


def test_unknown_files_are_told_once_and_never_touched(desk: Any) -> None:
    stranger = desk.directory / "notes\x1b[31m.txt"
    stranger.write_text("approve\n")
    for quiet in (".notes.swp", "notes.txt~"):
        (desk.directory / quiet).write_text("approve\n")
    said = desk.complaint()
    assert "unknown file in approvals/" in said
    assert said.isprintable()
    assert desk.look() == []
    assert stranger.read_text() == "approve\n"


def test_a_flood_of_unknown_files_is_one_complaint(desk: Any) -> None:
    for number in range(500):
        (desk.directory / f"x{number}").touch()
    assert "500 unknown files" in desk.complaint()
    assert desk.look() == []
    desk.file.write_text("approve\n")
    assert [item for item in desk.look() if not isinstance(item, Complaint)]


def test_two_requests_of_one_stage_have_two_files(desk: Any) -> None:
    other = Path(desk.backend.open(replace(desk.request, id="02DEF")))
    other.write_text("approve\n")
    (decision,) = desk.look()
    assert decision.request_id == "02DEF"


def test_nothing_is_made_before_the_first_request(tmp_path: Path) -> None:
    assert FileApprovals(tmp_path / "approvals").poll() == []
    assert list(tmp_path.iterdir()) == []
