"""What gets into a recording: no secret however it is cut, and each piece at its own time."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from tmux_sentry.recording.tape import Tape
from tmux_sentry.security.redact import Redactor

SECRET = "correct-horse-battery-staple"
TOKEN = "ghp_" + "a1B2c3D4e5F6" * 3


class Kept(io.BytesIO):
    """Can be read when it is closed."""

    def close(self) -> None:
        self.kept = self.getvalue()
        super().close()


def record(*pieces: tuple[float, bytes | tuple[str, Any]], limit: int = 1 << 20) -> list[Any]:
    """The lines of a recording of outputs and marks."""
    stream = Kept()
    tape = Tape(stream, Redactor([SECRET]), {"version": 2, "width": 80, "height": 24}, limit)
    for at, piece in pieces:
        if isinstance(piece, bytes):
            tape.output(at, piece)
        else:
            tape.mark(at, *piece)
    tape.close()
    return [json.loads(line) for line in stream.kept.splitlines()]


def output(lines: list[Any]) -> str:
    return "".join(text for _, code, text in lines[1:] if code == "o")


def test_each_piece_keeps_its_time_and_the_marks_stay_between_them() -> None:
    lines = record((0.5, b"one\r\n"), (1.0, ("x-gap", "")), (2.0, b"two"), (2.5, ("r", "90x20")), (3.0, b"\r\n"))
    assert lines[1:] == [
        [0.5, "o", "one\r\n"], [1.0, "x-gap", ""], [2.0, "o", "two"], [2.5, "r", "90x20"], [3.0, "o", "\r\n"],
    ]  # fmt: skip


@pytest.mark.parametrize("secret", [SECRET, TOKEN])
def test_a_secret_that_comes_in_pieces_is_not_in_it(secret: str) -> None:
    for cut in range(1, len(secret)):
        first, second = secret[:cut], secret[cut:]
        lines = record((1.0, f"a {first}".encode()), (2.0, f"{second} b\r\n".encode()), (9.0, b"c"))
        assert secret[:cut] not in output(lines)[2:] or cut < 4
        assert secret not in output(lines)
        assert output(lines).startswith("a [redacted")
        assert output(lines).endswith("] b\r\nc")
        assert lines[-1] == [9.0, "o", "c"]


def test_times_around_a_secret_in_a_long_recording_are_exact() -> None:
    pieces: list[tuple[float, bytes]] = [(float(n), f"line {n}\r\n".encode()) for n in range(5000)]
    pieces[1000] = (1000.0, f"x {SECRET} y\r\n".encode())
    pieces[3000] = (3000.0, f"{TOKEN} z\r\n".encode())
    lines = record(*pieces)
    times = {text: at for at, _, text in lines[1:]}
    assert times["line 999\r\n"] == 999.0
    assert times["x [redacted] y\r\n"] == 1000.0
    assert times["line 1001\r\n"] == 1001.0
    assert times["[redacted github-token] z\r\n"] == 3000.0
    assert times["line 4999\r\n"] == 4999.0
    assert [line[0] for line in lines[1:]] == sorted(line[0] for line in lines[1:])


def test_a_secret_without_an_end_is_left_out_and_what_follows_is_there() -> None:
    endless = "ghp_" + "A" * 100_000
    lines = record(*((float(n), endless[n * 500 : n * 500 + 500].encode()) for n in range(201)), (300.0, b"\r\nafter"))
    assert "AAAA" not in output(lines)
    assert output(lines).endswith("\r\nafter")


def test_titles_pictures_and_names_lose_secrets_too() -> None:
    lines = record((1.0, ("x-pane", {"title": f"t {SECRET}", SECRET: ["a", TOKEN]})))
    assert SECRET not in json.dumps(lines)
    assert TOKEN not in json.dumps(lines)


def test_characters_that_are_cut_or_none_at_all_are_no_trouble() -> None:
    text = "é漢🎉".encode()
    lines = record(*((float(n), text[n : n + 1]) for n in range(len(text))), (50.0, b"\xff\xfe"), (60.0, b"\xe6"))
    assert output(lines) == "é漢🎉\ufffd\ufffd\ufffd"


def test_it_says_when_it_is_full() -> None:
    stream = Kept()
    tape = Tape(stream, Redactor(), {"version": 2}, 20_000)
    for number in range(10):
        tape.output(float(number), b"word " * 400)
    assert not tape.full
    for number in range(20):
        tape.output(10.0 + number, b"word " * 400)
    assert tape.full
