"""The compare-and-send on a real tmux: once, here, and only while nothing has changed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tmux_sentry.errors import Refused, Unreachable
from tmux_sentry.testing.desk import Desk
from tmux_sentry.testing.tmux_server import TmuxServer
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.tmux.guard import Expect, Outcome, Word, adopt, paste, press
from tmux_sentry.tmux.inventory import list_panes

Connect = Callable[[], CommandClient]


def test_text_is_typed_and_entered(desk: Desk) -> None:
    outcome = paste(desk.client, desk.expect(), "echo 'one  two' \"$((1+1))\"", 1, enter=True)
    assert outcome == Outcome(word=Word.SENT, marker="1")
    desk.server.wait_prompt(desk.pane)
    assert desk.server.screen(desk.pane).splitlines()[1] == "one  two 2"
    assert desk.buffers() == ""
    assert list_panes(desk.client).panes[0].marker == "1"


def test_without_enter_the_text_stays_until_enter_is_pressed(desk: Desk) -> None:
    assert paste(desk.client, desk.expect(), "echo done", 1, enter=False).word is Word.SENT
    desk.server.wait(lambda: desk.server.screen(desk.pane) == "$ echo done", "the echo")
    assert press(desk.client, desk.expect(1), ("Enter",), 2).word is Word.SENT
    desk.server.wait_prompt(desk.pane)
    assert desk.server.screen(desk.pane).splitlines() == ["$ echo done", "done", "$"]


def test_named_keys_are_pressed(desk: Desk) -> None:
    desk.server.send(desk.pane, "cat", "Enter")
    desk.server.wait(lambda: desk.expect().command == "cat", "cat")
    assert press(desk.client, desk.expect(), ("a", "BSpace", "b", "Enter"), 1).word is Word.SENT
    desk.server.wait(lambda: desk.server.screen(desk.pane) == "$ cat\nb\nb", "the echo")
    assert press(desk.client, desk.expect(1), ("C-c",), 2).word is Word.SENT
    desk.server.wait_prompt(desk.pane)
    assert desk.server.screen(desk.pane).splitlines() == ["$ cat", "b", "b", "^C", "$"]


def test_the_same_previous_marker_sends_once(desk: Desk) -> None:
    expect = desk.expect()
    assert press(desk.client, expect, ("Space",), 1).word is Word.SENT
    desk.server.send(desk.pane, "", "C-u")
    desk.server.wait(lambda: desk.expect().cursor == expect.cursor, "the cursor")
    again = press(desk.client, expect, ("Space",), 2)
    assert again == Outcome(word=Word.REFUSED, reasons=("another send went first (marker 1, expected 0)",), marker="1")


def race(clients: list[CommandClient], expect: Expect) -> list[Word]:
    """All send at once after the same marker; what each was told."""
    barrier = threading.Barrier(len(clients))
    words: list[Word] = []

    def send(client: CommandClient, mine: int) -> None:
        barrier.wait(5)
        words.append(paste(client, expect, f"racer{mine}", expect.previous + mine, enter=False).word)

    threads = [threading.Thread(target=send, args=(client, n)) for n, client in enumerate(clients, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return words


def test_of_six_that_race_one_sends(desk: Desk, connect: Connect) -> None:
    desk.server.send(desk.pane, "stty -echo; cat", "Enter")  # the cursor then stands still: only the marker decides
    desk.server.wait(lambda: desk.expect().command == "cat", "cat")
    clients = [connect() for _ in range(6)]
    for marker in range(0, 100, 10):
        words = race(clients, desk.expect(marker))
        assert sorted(words) == [Word.REFUSED] * 5 + [Word.SENT]
        desk.server.run("set-option", "-p", "-t", desk.pane, "@sentry_last", str(marker + 10))
    desk.server.send(desk.pane, "", "Enter", "C-d")
    desk.server.wait(lambda: desk.expect().command == "bash", "the shell")
    assert desk.server.screen(desk.pane).count("racer") == 10
    assert desk.buffers() == ""


def test_forged_words_in_the_pane_do_not_count(desk: Desk) -> None:
    desk.server.send(desk.pane, "clear; printf 'SENT 1\\nSENT 2\\n%%end 1 2 1\\nSENT 1 x\\n'", "Enter")
    desk.server.wait_prompt(desk.pane)
    desk.server.run("rename-window", "-t", desk.pane, "SENT 1")
    desk.server.run("set-option", "-p", "-t", desk.pane, "@sentry_owner", "x\nSENT 1\n%end 1 2 1")
    desk.server.run("set-option", "-g", "@sentry_hold", "1")
    assert paste(desk.client, desk.expect(), "echo PLANNED", 1, enter=True).word is Word.REFUSED


MULTI_LINE = "first line\n\tsecond; line\nthird"


@pytest.mark.parametrize(("mode", "around"), [("h", (b"\x1b[200~", b"\x1b[201~")), ("l", (b"", b""))])
def test_lines_are_bracketed_when_the_application_asked(
    desk: Desk, tmp_path: Path, mode: str, around: tuple[bytes, bytes]
) -> None:
    file = tmp_path / "bytes"
    command = f"stty raw -echo; clear; printf '\\033[?2004{mode}ready\\r\\n'; cat > '{file}'"
    desk.server.send(desk.pane, command, "Enter")
    desk.server.wait(lambda: desk.server.screen(desk.pane) == "ready" and desk.expect().command == "cat", "cat")
    assert paste(desk.client, desk.expect(), MULTI_LINE, 1, enter=True).word is Word.SENT
    wanted = around[0] + MULTI_LINE.encode() + around[1] + b"\r"
    desk.server.wait(lambda: file.stat().st_size >= len(wanted), "the text")
    assert file.read_bytes() == wanted


@pytest.mark.parametrize("text", ["a\x1b[201~b", "\x03", "a\rb", "a\0", "\x7f", "\x9b31m", "\ud800"])
def test_text_with_keys_in_it_is_refused(desk: Desk, text: str) -> None:
    with pytest.raises(Refused, match="control character"):
        paste(desk.client, desk.expect(), text, 1, enter=True)
    assert desk.server.screen(desk.pane) == "$"


def test_what_makes_no_sense_is_refused(desk: Desk) -> None:
    expect = desk.expect(5)
    with pytest.raises(ValueError, match="does not follow"):
        paste(desk.client, expect, "x", 5, enter=True)
    with pytest.raises(ValueError, match="nothing"):
        paste(desk.client, expect, "", 6, enter=True)
    with pytest.raises(ValueError, match="no keys"):
        press(desk.client, expect, (), 6)
    with pytest.raises(ValueError, match="key name"):
        press(desk.client, expect, ("Enter ; kill-server",), 6)
    with pytest.raises(ValueError, match="pane id"):
        paste(desk.client, replace(expect, identity=replace(expect.identity, pane_id="main")), "x", 6, enter=True)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lost_reply_is_unknown(desk: Desk, how: signal.Signals) -> None:
    expect, server = desk.expect(), desk.server.pid
    os.kill(server, how)
    try:
        outcome = paste(desk.client, expect, "echo PLANNED", 1, enter=True, timeout=0.3)
        assert outcome.word is Word.UNKNOWN
        assert outcome.reasons
        assert not desk.client.alive
    finally:
        if how == signal.SIGSTOP:
            os.kill(server, signal.SIGCONT)


def test_a_send_that_hung_and_its_successor_are_never_both_typed(desk: Desk, connect: Connect) -> None:
    """The line of a send that got no answer may still reach tmux, before or after the next one."""
    expect, second, server = desk.expect(), connect(), desk.server.pid
    outcomes: list[Outcome] = []

    def send() -> None:
        outcomes.append(paste(desk.client, expect, "echo ONE", 1, enter=True))

    os.kill(server, signal.SIGSTOP)
    stuck = threading.Thread(target=send)
    stuck.start()
    os.kill(server, signal.SIGCONT)
    outcomes.append(paste(second, expect, "echo ONE", 2, enter=True))
    stuck.join(10)
    assert sorted(outcome.word for outcome in outcomes) == [Word.REFUSED, Word.SENT]
    desk.server.wait_prompt(desk.pane)
    assert desk.server.screen(desk.pane).splitlines() == ["$ echo ONE", "ONE", "$"]


def test_an_error_in_tmux_after_the_marker_is_unknown(desk: Desk) -> None:
    """Another client deletes our buffer between the two: here by a hook, which runs after set-buffer."""
    desk.server.run("set-hook", "-g", "after-set-buffer", "delete-buffer")
    outcome = paste(desk.client, desk.expect(), "echo PLANNED", 1, enter=True)
    assert outcome.word is Word.UNKNOWN
    assert "no buffer" in outcome.reasons[0]
    assert desk.server.show(desk.pane, "#{@sentry_last}") == "1"  # so nothing can send it a second time
    assert desk.server.screen(desk.pane) == "$"


def test_sizes_stay_as_they_are(desk: Desk) -> None:
    before = desk.server.show(desk.pane, "#{window_width}x#{window_height}")
    paste(desk.client, desk.expect(), "echo x", 1, enter=True)
    assert desk.server.show(desk.pane, "#{window_width}x#{window_height}") == before


def test_a_client_that_is_gone_sends_nothing(desk: Desk, tmux_server: TmuxServer) -> None:
    expect = desk.expect()
    desk.client.close()
    assert paste(desk.client, expect, "echo PLANNED", 1, enter=True).word is Word.UNKNOWN
    with pytest.raises(Unreachable):
        adopt(desk.client, expect.identity, "me", 1, 0)
    assert tmux_server.screen(desk.pane) == "$"
