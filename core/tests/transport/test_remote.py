"""A command line arrives as it was meant, whatever login shell reads it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmux_sentry.transport import remote

SHELLS = ("sh", "bash", "fish", "tcsh")
#: Prints each argument on a line, in a form that no shell touches.
SHOW = ["sh", "-c", 'for a; do printf "%s" "$a" | od -An -v -tx1 | tr -d " \\n"; echo; done', "sh"]
HARD = [
    "plain", "", "two words", "it's", '"quoted"', "back\\slash", "\\", "\\'", "a!b", "!!", "$HOME", "`id`", "$(id)",
    "a;b", "a|b", "a&b", "(x)", "{a,b}", "*", "~", "#", "%", "^", "tab\there", "été", "-n", "'\\''", "$3", "\\\\x",
]  # fmt: skip


def hexed(words: list[str]) -> list[str]:
    return [word.encode().hex() for word in words]


def run(shell: str, argv: list[str], tmp_path: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    """As sshd does it: the login shell with `-c` and the line."""
    home = str(tmp_path) if tmp_path else "/nonexistent"
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home, "LANG": "C.UTF-8"}
    path = shutil.which(shell)
    assert path, f"{shell} is not installed; scripts/setup test brings it"
    return subprocess.run([path, "-c", remote.running(argv, "0123abcd")], env=env, capture_output=True, check=False)


@pytest.mark.parametrize("shell", SHELLS)
def test_every_argument_arrives_byte_for_byte(shell: str) -> None:
    done = run(shell, [*SHOW, *HARD])
    found = remote.split(done.stdout, "0123abcd")
    assert found is not None, done
    assert found[1].decode().split("\n")[:-1] == hexed(HARD)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0"), max_size=12), max_size=4))
def test_any_words_arrive_in_a_posix_shell_and_in_fish(words: list[str]) -> None:
    line = f"exec {' '.join(map(remote.quote, [*SHOW, *words]))}"
    for shell in ("sh", "fish"):
        done = subprocess.run([shell, "-c", line], env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=True)
        assert done.stdout.decode().split("\n")[:-1] == hexed(words)


@pytest.mark.parametrize("shell", SHELLS)
def test_status_and_both_outputs_come_from_the_program_alone(shell: str) -> None:
    done = run(shell, ["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert done.returncode == 3
    assert remote.split(done.stdout, "0123abcd")[1] == b"out\n"  # type: ignore[index]
    assert remote.split(done.stderr, "0123abcd")[1] == b"err\n"  # type: ignore[index]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_program_that_is_not_there_is_127(shell: str) -> None:
    assert run(shell, ["no-such-program"]).returncode == 127


def test_programs_that_people_installed_by_hand_are_found(tmp_path: Path) -> None:
    program = tmp_path / ".local" / "bin" / "mine"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    assert run("sh", ["mine"], tmp_path).stdout.endswith(b"\nfound\n")


def test_what_start_up_files_print_is_not_taken_for_output() -> None:
    assert remote.split(b"Welcome\nno newline0123abcd 77\nout\n", "0123abcd") == (77, b"out\n")
    assert remote.split(b"Welcome\n0123abcd 7", "0123abcd") is None
    assert remote.split(b"0123abcd x\n", "0123abcd") is None


@pytest.mark.parametrize("word", ["a\nb", "a\rb", "a\0b"])
def test_what_no_shell_can_carry_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="newline or NUL"):
        remote.quote(word)
