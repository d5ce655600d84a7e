"""The private tmux server that shows recorded bytes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from tmux_sentry.errors import SentryError
from tmux_sentry.recording.terminal import CHUNK, Terminal, running


@pytest.fixture(scope="module")
def terminal() -> Iterator[Terminal]:
    with running(60, 10) as made:
        yield made


@pytest.fixture(autouse=True)
def blank(terminal: Terminal) -> None:
    terminal.write(b"\x1b[?1049l\x1b[H\x1b[2J\x1b[3J")


def test_what_is_written_is_on_the_screen_at_once(terminal: Terminal) -> None:
    for number in range(50):
        terminal.write(f"\r\x1b[Kstep {number}".encode())
        taken = terminal.capture()
        assert (taken.row, taken.cursor) == (f"step {number}", (len(f"step {number}"), 0))


def test_sequences_may_be_cut_anywhere_and_questions_in_them_do_no_harm(terminal: Terminal) -> None:
    for byte in "\x1b[31mré\x1b[0m\x1b[6n\x1b[c\x1b]10;?\x1b\\d\x1b[5;3Hx".encode():
        terminal.write(bytes([byte]))
    taken = terminal.capture()
    assert taken.screen[0] == "réd"
    assert taken.screen[4] == "  x"
    assert taken.cursor == (3, 4)


def test_the_alternate_screen_and_long_output(terminal: Terminal) -> None:
    terminal.write(b"line\r\n" * (2 * CHUNK // 6) + b"end")
    taken = terminal.capture(None)
    assert taken.lines[-1] == "end"
    assert len(taken.lines) > 1000
    terminal.write(b"\x1b[?1049hfull")
    assert terminal.capture().info.alternate


def test_another_size(terminal: Terminal) -> None:
    terminal.write(b"x" * 50)
    terminal.resize(40, 12)
    taken = terminal.capture(None)
    assert (taken.info.width, taken.info.height) == (40, 12)
    assert taken.lines[-1] == "x" * 50  # wrapped, and joined again
    assert "x" * 10 in taken.screen
    terminal.resize(60, 10)


def test_nothing_of_it_is_left_and_the_users_tmux_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMUX", "/nowhere/socket,1,0")
    with running(20, 5) as made:
        pid = int(made._client.command("display-message -p '#{pid}'").lines[0])
        directory = os.path.dirname(made._address.socket_path or "")
        assert os.stat(directory).st_mode & 0o077 == 0
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    assert not state.strip() or state.startswith("Z")
    assert not os.path.exists(directory)


def test_without_tmux_it_says_what_to_do() -> None:
    with pytest.raises(SentryError) as caught, running(20, 5, command="/nowhere/tmux"):
        pass
    assert caught.value.lines()[-1] == "install tmux 3.2 or newer here"


def test_a_server_that_dies_is_an_error_and_no_hang() -> None:
    with running(20, 5) as made:
        subprocess.run([*made._address.argv(), "kill-server"], check=True)
        with pytest.raises(SentryError):
            made.write(b"x" * 10 * CHUNK)
