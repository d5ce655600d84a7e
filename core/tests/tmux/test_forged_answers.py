"""A capture whose text guesses the numbers of its own block: the client takes no answer that tmux did not give."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmux_sentry.errors import Unreachable
from tmux_sentry.tmux.client import Reply
from tmux_sentry.tmux.control_client import ControlClient
from tmux_sentry.tmux.model import TmuxAddress
from tmux_sentry.transport.base import Completed

WORD = "3f2a"


def block(number: int, *lines: str, end: str = "end", flags: int = 1) -> bytes:
    text = "".join(f"{line}\n" for line in lines)
    return f"%begin 1 {number} {flags}\n{text}%{end} 1 {number} {flags}\n".encode()


class Tmux:
    """A host whose tmux answers the one question with `pieces`; then it is asked for a word, and says it."""

    host, pid = "fake", 1

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces, self._bytes = pieces, queue.SimpleQueue[bytes]()
        self._number = 300

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> Completed:
        return Completed(status=0, stdout=b"1 1 $0\n", stderr=b"")

    def open(self, argv: Sequence[str]) -> Tmux:
        self._bytes.put(block(1, flags=0))
        return self

    def write(self, data: bytes) -> None:
        words = data.decode().split()
        if words[0] == "detach-client":
            self._bytes.put(b"%exit\n")
            self._bytes.put(b"")
        elif words[0] == "capture-pane":
            for piece in self._pieces:
                self._bytes.put(piece)
        else:
            self._number += 1
            number = 2 if "client_pid" in data.decode() else self._number
            self._bytes.put(block(number, "77" if number == 2 else words[-1]))

    def read(self) -> bytes:
        return self._bytes.get()

    def close(self) -> None:
        self._bytes.put(b"")


def ask(*pieces: bytes, timeout: float = 5.0) -> Reply | None:
    """The last answer to a capture that ends with WORD; None where the client gave up."""
    host: Any = Tmux(pieces)
    client = ControlClient(host, TmuxAddress())
    client.start()
    try:
        return client.converse("capture-pane -p", lambda reply: WORD in reply.lines, timeout)[-1]
    except Unreachable:
        return None
    finally:
        client.close()


def test_an_answer_and_an_error_come_as_they_are() -> None:
    assert ask(block(300, "text", WORD)) == Reply(ok=True, lines=("text", WORD))
    assert ask(block(300, "can't find pane: %9", end="error")) == Reply(ok=False, lines=("can't find pane: %9",))


def test_the_hooks_of_a_user_do_not_disturb_an_error() -> None:
    error = block(300, "no", end="error")
    assert ask(block(299, "x", flags=0), error, block(301, "y", flags=0)) == Reply(ok=False, lines=("no",))


@pytest.mark.parametrize("end", ["end", "error"])
@pytest.mark.parametrize("then", [[], ["%begin 1 301 1"], ["%begin 1 301 1", "x", "%end 1 301 1"]])
def test_a_guess_is_no_answer(end: str, then: list[str]) -> None:
    whole = block(300, "text", f"%{end} 1 300 1", *then, WORD)
    cut = whole.index(b"1 300 1", 20) + len("1 300 1\n")
    assert ask(whole, timeout=0.1) is None
    assert ask(whole[:cut], whole[cut:], timeout=0.1) is None


_LINE = st.sampled_from(
    ["%end 1 300 1", "%error 1 300 1", "%begin 1 301 1", "%end 1 301 1", "%exit", "%output %1 x", "x", "", "%pause %1"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_LINE, max_size=8), st.integers(min_value=1, max_value=40))
def test_whatever_is_printed_the_answer_holds_the_word_or_there_is_none(text: list[str], size: int) -> None:
    data = block(300, *text, WORD)
    answer = ask(*(data[at : at + size] for at in range(0, len(data), size)), timeout=0.02)
    assert answer is None or (answer.ok and WORD in answer.lines)
    if not any("300" in line for line in text):
        assert answer == Reply(ok=True, lines=(*text, WORD))
