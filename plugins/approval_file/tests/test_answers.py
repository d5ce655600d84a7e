"""What a person writes into the file, and what it means."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest

from tmux_sentry import Decision
from tmux_sentry_approval_file.text import read_answer

SHOWN = b"# may stage build go on?\n# digest: " + b"d1" * 32 + b"\n"


@pytest.mark.parametrize(
    ("raw", "kind", "text"),
    [
        (b"approve\n", "approve", ""),
        (b"approve", "approve", ""),
        (b"  APPROVE  \r\n\r\n", "approve", ""),
        (b"\xef\xbb\xbfApprove\n", "approve", ""),
        (SHOWN + b"approve\n", "approve", ""),
        (SHOWN.replace(b"\n", b"\r\n") + b"approve\r\n", "approve", ""),
        (b"reject\n", "reject", ""),
        (b"reject because the tests are red\n", "reject", "because the tests are red"),
        (b"Reject:\tno \x1b[31mway\n", "reject", "no way"),
        (SHOWN, "none", ""),
        (b"# approve\n", "none", ""),
        (b"", "empty", ""),
        (b" \n", "empty", ""),
        (b"appro", "partial", None),
        (b"r", "partial", None),
        (b"appro\n", "wrong", None),
        (b"approve it\n", "wrong", None),
        (b"approved\n", "wrong", None),
        (b"approve\nreject\n", "wrong", None),
        (b"approve\napprove\n", "wrong", None),
        (b"yes\n", "wrong", None),
        (b"don't approve\n", "wrong", None),
        (b"approve\x00\n", "wrong", None),
        (b"\xff\xfea\x00p\x00", "wrong", None),
        (b"a\xcc\x81pprove\n", "wrong", None),
        ("аpprove\n".encode(), "wrong", None),  # a Cyrillic letter
        (b"rejected\n", "wrong", None),
    ],
)
def test_meaning(raw: bytes, kind: str, text: str | None) -> None:
    answer = read_answer(raw)
    assert answer.kind == kind
    assert answer.text.isprintable()
    assert answer.text == text if text is not None else answer.text


def test_the_file_says_what_will_be_typed_where_and_how_to_answer(desk: Any) -> None:
    assert desk.file.name == "work-agent-ci.0__build__01ABC.txt"
    assert desk.file.stat().st_mode & 0o777 == 0o600
    assert desk.file.parent.stat().st_mode & 0o777 == 0o700
    text = desk.file.read_text()
    assert "1. npm run build\\x1b[31m\\n<Enter>\n" in text
    assert "2. <C-c>\n" in text
    assert f"echo approve > {desk.file}" in text
    for word in (
        "stage build",
        "work:agent/ci.0",
        "%3 on here",
        "r1",
        "d1" * 32,
        "attempt 2",
        "2023-11-14 23:13:20 UTC",
    ):
        assert word in text
    assert all(line.startswith("#") for line in text.splitlines())
    assert desk.look() == desk.look(60) == []


def test_echo_into_the_file_is_the_answer(desk: Any) -> None:
    subprocess.run(f'echo "approve" > {desk.file}', shell=True, check=True)
    (decision,) = desk.look()
    assert isinstance(decision, Decision)
    assert (decision.request_id, decision.approved, decision.channel) == ("01ABC", True, "file")
    assert decision.by
    assert decision.at == desk.clock.now()
    assert desk.look() == []


def test_a_rejection_brings_its_reason(desk: Any) -> None:
    subprocess.run(f'echo "reject because it is Friday" > {desk.file}', shell=True, check=True)
    (decision,) = desk.look()
    assert (decision.approved, decision.comment) == (False, "because it is Friday")


def test_a_line_added_with_an_editor_is_the_answer(desk: Any) -> None:
    saved = desk.file.with_name("4913.tmp~")
    saved.write_text(desk.file.read_text() + "approve\n")
    saved.chmod(0o600)
    assert desk.look() == []
    os.rename(saved, desk.file)
    (decision,) = desk.look()
    assert decision.approved


def test_an_answer_without_a_newline_counts_when_it_stays(desk: Any) -> None:
    desk.file.write_text("reject because the")
    assert desk.look() == []
    desk.file.write_text("reject because the tests are red")
    assert desk.look() == []
    (decision,) = desk.look()
    assert decision.comment == "because the tests are red"


@pytest.mark.parametrize("half", ["", "appro"])
def test_half_an_answer_is_waited_for_and_then_complained_about_once(desk: Any, half: str) -> None:
    desk.file.write_text(half)
    assert desk.look() == desk.look() == desk.look(9) == []
    assert "one word" in desk.look(2)[0].why
    assert desk.look(60) == []
    desk.file.write_text("approve\n")
    assert desk.look()[0].approved


def test_a_wrong_word_is_told_once_and_the_request_waits_on(desk: Any) -> None:
    desk.file.write_text("yes please\n")
    assert "'yes please'" in desk.complaint()
    assert desk.look(60) == []
    desk.file.write_text("ok\x1b[2J\n")
    assert desk.complaint().isprintable()
    desk.file.write_text("approve\n")
    assert desk.look()[0].approved


def test_an_answer_written_while_the_program_was_down_counts(desk: Any) -> None:
    desk.file.write_text("approve\n")
    desk.start()
    assert desk.backend.open(desk.request) == str(desk.file)
    assert desk.file.read_text() == "approve\n"
    (decision,) = desk.look()
    assert decision.approved


def test_an_answer_below_another_request_does_not_count(desk: Any) -> None:
    desk.file.write_text(desk.file.read_text().replace("d1" * 32, "e2" * 32) + "approve\n")
    assert "another request" in desk.complaint()
    assert desk.look() == []


def test_a_removed_file_is_told_and_can_be_written_again(desk: Any) -> None:
    desk.file.unlink()
    assert desk.look() == desk.look(5) == []
    assert "is gone" in desk.look(6)[0].why
    assert desk.look(60) == []
    desk.file.write_text("approve\n")
    desk.file.chmod(0o600)
    assert desk.look()[0].approved
