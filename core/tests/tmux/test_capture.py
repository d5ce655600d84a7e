"""What a capture shows of a real pane."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tmux_sentry.testing.tmux_server import TmuxServer
from tmux_sentry.tmux.capture import PaneGone, capture
from tmux_sentry.tmux.client import CommandClient

Connect = Callable[[], CommandClient]


def test_screen_cursor_and_row_belong_together(tmux_server: TmuxServer, connect: Connect) -> None:
    pane = tmux_server.new_session(width=40, height=10)
    tmux_server.wait_prompt(pane)
    tmux_server.send(pane, "echo 'hello  '", "Enter")
    tmux_server.wait_prompt(pane)
    tmux_server.send(pane, "half typed")
    tmux_server.wait(lambda: tmux_server.screen(pane).endswith("half typed"), "the text")
    seen = capture(connect(), pane)
    assert seen.lines == ("$ echo 'hello  '", "hello", "$ half typed")
    assert (seen.cursor, seen.row) == ((12, 2), "$ half typed")
    assert seen.info.identity.pane_id == pane
    assert seen.info.cursor == seen.cursor


def test_wrapped_rows_are_joined_and_the_cursor_s_row_is_not(tmux_server: TmuxServer, connect: Connect) -> None:
    pane = tmux_server.new_session(command="printf '%050d %040d' 1 2; exec sleep 60", width=40, height=10)
    tmux_server.wait(lambda: len(tmux_server.screen(pane).splitlines()) == 3, "the text")
    seen = capture(connect(), pane)
    assert seen.lines == (f"{1:050d} {2:040d}",)
    assert (seen.cursor, seen.row) == ((11, 2), "0" * 10 + "2")


@pytest.mark.parametrize(("history", "first"), [(0, "line 92"), (5, "line 87"), (None, "line 1"), (100_000, "line 1")])
def test_history_as_far_as_asked(tmux_server: TmuxServer, connect: Connect, history: int | None, first: str) -> None:
    command = "i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo line $i; done; exec sleep 60"
    pane = tmux_server.new_session(command=command, height=10)
    tmux_server.wait(lambda: tmux_server.screen(pane).endswith("line 100"), "the text")
    seen = capture(connect(), pane, history)
    assert (seen.lines[0], seen.lines[-1]) == (first, "line 100")
    assert seen.cursor == (0, 9)


def test_text_that_looks_like_protocol_is_text(tmux_server: TmuxServer, connect: Connect) -> None:
    lines = ("%end 1 2 1", "%exit", "%output %0 x", "SENT 42", "%begin 1 2 1")
    pane = tmux_server.new_session(command=f"printf '%s\\n' {' '.join(map(repr, lines))}; exec sleep 60")
    tmux_server.wait(lambda: "%begin" in tmux_server.screen(pane), "the text")
    client = connect()
    assert capture(client, pane).lines == lines
    assert client.alive


def test_wide_and_odd_characters(tmux_server: TmuxServer, connect: Connect) -> None:
    pane = tmux_server.new_session(command="printf '中文 ● ✦ é 🚀'; exec sleep 60")
    tmux_server.wait(lambda: "🚀" in tmux_server.screen(pane), "the text")
    assert capture(connect(), pane).row == "中文 ● ✦ é 🚀"


def test_a_pane_that_is_gone_is_not_another_one(tmux_server: TmuxServer, connect: Connect) -> None:
    tmux_server.new_session()
    pane = tmux_server.run("split-window", "-P", "-F", "#{pane_id}", "sleep 60")
    client = connect()
    tmux_server.run("kill-pane", "-t", pane)
    with pytest.raises(PaneGone, match=pane):
        capture(client, pane)
    assert client.alive
