"""Watching a real tmux server: what a pane prints arrives, once and in order."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from tmux_sentry.contracts import Lines, Osc, PaneClosed, Screen, TextSource, Title
from tmux_sentry.tmux.capture import PaneGone
from tmux_sentry.watch.events import Activity, HostUp, Inventoried, PaneSeen
from tmux_sentry.watch.watcher import Watcher

Begin = Callable[..., Watcher]
IDLE = "sleep 1000"


def test_what_a_shell_prints_arrives_as_lines_soon(tmux_server: Any, log: Any, watch: Begin) -> None:
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    watch()
    log.wait_ready(pane)
    started = time.monotonic()
    tmux_server.send(pane, "printf '%s\\n' one '### SENTRY {\"a\":1}'", "Enter")
    log.wait_line(pane, '### SENTRY {"a":1}')
    assert time.monotonic() - started < 1.0
    assert log.lines(pane)[-2:] == ["one", '### SENTRY {"a":1}']
    assert log.all(HostUp)[0].away == 0.0
    assert log.all(Activity)


def test_after_a_quiet_start_the_first_line_continues_the_prompt(tmux_server: Any, log: Any, watch: Begin) -> None:
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    watcher = watch()
    log.wait_ready(pane)
    log.wait(lambda: watcher.view(log.identity(pane)).partial == "$", "the prompt as the line under construction")
    tmux_server.send(pane, "echo one", "Enter")
    log.wait_line(pane, "one")
    assert log.lines(pane) == ["$ echo one", "one"]


def test_a_burst_arrives_complete_and_in_order(tmux_server: Any, log: Any, watch: Begin) -> None:
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    watch()
    log.wait_ready(pane)
    tmux_server.send(pane, "echo; seq -f 'line %g' 10000; echo done", "Enter")
    log.wait_line(pane, "done")
    assert [line for line in log.lines(pane) if line.startswith("line ")] == [f"line {n}" for n in range(1, 10001)]
    activities = [r for r in log.everything(pane) if isinstance(r, Activity)]
    assert all(b.at - a.at > 0.15 for a, b in pairwise(activities))


def test_what_was_there_before_comes_as_one_capture_with_history(tmux_server: Any, log: Any, watch: Begin) -> None:
    pane = tmux_server.new_session(command="seq 100; exec sleep 1000")
    tmux_server.wait(lambda: "100" in tmux_server.screen(pane))
    watch()
    log.wait_ready(pane)
    assert log.screens(pane)[0].lines == tuple(str(n) for n in range(1, 101))
    assert log.lines(pane) == []


def test_half_a_line_is_never_taken_for_a_line(tmux_server: Any, log: Any, watch: Begin) -> None:
    go = tmux_server.directory / "go"
    script = tmux_server.directory / "script"
    script.write_text(
        f"printf 1; until [ -e {go} ]; do printf '\\033[m'; sleep 0.02; done; printf '0 problems\\nnext\\n'; sleep 1000"
    )
    pane = tmux_server.new_session(command=f"exec sh {script}")
    watch()
    log.wait_ready(pane)
    go.touch()
    log.wait_line(pane, "next")
    log.wait(lambda: any("10 problems" in s.lines for s in log.screens(pane)), "a capture with the whole line")
    assert "0 problems" not in log.lines(pane)


def test_titles_and_marks_come_between_the_lines_they_came_between(tmux_server: Any, log: Any, watch: Begin) -> None:
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    watch()
    log.wait_ready(pane)
    tmux_server.send(pane, "printf 'a\\n\\033]133;D;3\\007b\\n\\033]2;news\\033\\\\c\\n'", "Enter")
    log.wait_line(pane, "c")
    seen = [r for r in log.everything(pane) if isinstance(r, (Lines, Osc, Title))]
    flat = [x for r in seen for x in (r.lines if isinstance(r, Lines) else [r.text if isinstance(r, Osc) else r.title])]
    assert flat[-5:] == ["a", "D;3", "b", "news", "c"]


def test_a_new_window_is_seen_from_its_first_byte(tmux_server: Any, log: Any, watch: Begin) -> None:
    first = tmux_server.new_session(command=IDLE)
    watch(interval=30.0)
    log.wait_ready(first)
    tmux_server.run("rename-window", "x")
    log.wait(lambda: len(log.all(Inventoried)) >= 2, "an inventory after the attach")
    pane = tmux_server.run("new-window", "-d", "-P", "-F", "#{pane_id}", "echo first; echo second; exec sleep 1000")
    log.wait_line(pane, "second")
    assert log.lines(pane) == ["first", "second"]
    assert log.screens(pane) == []


def test_a_renamed_window_shows_at_once(tmux_server: Any, log: Any, watch: Begin) -> None:
    pane = tmux_server.new_session(command=IDLE)
    watcher = watch(interval=30.0)
    log.wait_ready(pane)
    tmux_server.run("rename-window", "-t", pane, "agent:ci")
    log.wait(lambda: watcher.pane(log.identity(pane)).window_name == "agent:ci", "the new name")


def test_split_and_killed_panes_are_announced_and_closed(tmux_server: Any, log: Any, watch: Begin) -> None:
    first = tmux_server.new_session(command=IDLE)
    watch(interval=0.3)
    log.wait_ready(first)
    second = tmux_server.run("split-window", "-d", "-P", "-F", "#{pane_id}", IDLE)
    identity = log.identity(second)
    tmux_server.run("kill-pane", "-t", second)
    log.wait(lambda: [c.pane for c in log.all(PaneClosed)] == [identity], "PaneClosed of the second pane")
    assert log.all(PaneClosed)[0].status is None


def test_the_last_words_come_before_the_closing(tmux_server: Any, log: Any, watch: Begin) -> None:
    first = tmux_server.new_session(command=IDLE)
    tmux_server.run("set-option", "-g", "remain-on-exit", "on")
    go = tmux_server.directory / "go"
    pane = tmux_server.run(
        "new-window", "-d", "-P", "-F", "#{pane_id}", f"while ! [ -e {go} ]; do sleep 0.02; done; seq 500; printf end"
    )
    watch(interval=0.1)
    log.wait_ready(first)
    log.wait_ready(pane)
    go.touch()
    log.wait(lambda: any(c.pane.pane_id == pane for c in log.all(PaneClosed)), "PaneClosed")
    screen, closed = log.everything(pane)[-2:]
    assert isinstance(screen, Screen)
    assert screen.lines[:500] == tuple(str(n) for n in range(1, 501))
    assert screen.lines[500].startswith("end")  # tmux may add "Pane is dead"
    assert isinstance(closed, PaneClosed)


def test_a_respawned_pane_is_another_pane(tmux_server: Any, log: Any, watch: Begin) -> None:
    pane = tmux_server.new_session(command=IDLE)
    watcher = watch(interval=0.3)
    old = log.identity(pane)
    tmux_server.run("respawn-pane", "-k", "-t", pane, "echo reborn; exec sleep 1000")
    log.wait(lambda: log.identity(pane) != old, "a new identity")
    assert [c.pane for c in log.all(PaneClosed)] == [old]
    log.wait(lambda: any("reborn" in s.lines for s in log.screens(pane) if s.pane != old), "a capture of the new one")
    assert watcher.pane(old) is None
    with pytest.raises(PaneGone):
        watcher.capture(old)


def test_a_dead_pane_closes_once_with_its_exit_status(tmux_server: Any, log: Any, watch: Begin) -> None:
    pane = tmux_server.new_session()
    tmux_server.run("set-option", "-g", "remain-on-exit", "on")
    tmux_server.wait_prompt(pane)
    watch(interval=0.2)
    log.wait_ready(pane)
    tmux_server.send(pane, "exit 7", "Enter")
    log.wait(lambda: log.all(PaneClosed), "PaneClosed")
    before = len(log.all(Inventoried))
    log.wait(lambda: len(log.all(Inventoried)) >= before + 3, "more inventories")
    # Now and then tmux 3.3a misses the end of the program and never learns the status.
    told = tmux_server.show(pane, "#{pane_dead_status}")
    assert [c.status for c in log.all(PaneClosed)] == [int(told) if told else None]
    assert told in ("7", "")
    assert len([s for s in log.all(PaneSeen) if s.info.identity.pane_id == pane]) == 1


def test_a_session_killed_while_watched_leaves_the_others_watched(tmux_server: Any, log: Any, watch: Begin) -> None:
    stays = tmux_server.new_session("stays")
    goes = tmux_server.new_session("goes")
    tmux_server.wait_prompt(stays)
    watch()
    log.wait_ready(stays)
    log.wait_ready(goes)
    tmux_server.run("kill-session", "-t", "goes")
    log.wait(lambda: [c.pane.pane_id for c in log.all(PaneClosed)] == [goes], "PaneClosed")
    tmux_server.send(stays, "echo still here", "Enter")
    log.wait_line(stays, "still here")
    assert not any(c.pane.pane_id == stays for c in log.all(PaneClosed))


def test_a_session_that_appears_later_is_watched(tmux_server: Any, log: Any, watch: Begin) -> None:
    first = tmux_server.new_session("one")
    watch(interval=30.0)
    log.wait_ready(first)
    second = tmux_server.new_session("two")
    log.wait_ready(second)
    tmux_server.wait_prompt(second)
    tmux_server.send(second, "echo hello", "Enter")
    log.wait(lambda: "hello" in log.lines(second), "a line of the new session")


def test_only_sessions_that_match_are_watched(tmux_server: Any, log: Any, watch: Begin) -> None:
    mine = tmux_server.new_session("work-1")
    other = tmux_server.new_session("private")
    watcher = watch(sessions=["^work"])
    log.wait_ready(mine)
    assert [info.identity.pane_id for info in watcher.panes()] == [mine]
    assert not log.everything(other)


def test_only_wanted_panes_are_read_but_all_are_listed(tmux_server: Any, log: Any, watch: Begin) -> None:
    mine = tmux_server.new_session("one", "mine")
    other = tmux_server.new_session("two", "other")
    watcher = watch(want=lambda info: info.window_name == "mine", interval=0.1)
    log.wait_ready(mine)
    log.identity(other)
    log.wait(lambda: len(log.all(Inventoried)) > 3, "some inventories")
    assert len(tmux_server.run("list-clients").splitlines()) == 2
    assert not log.everything(other)
    watcher.want(lambda info: True)
    log.wait_ready(other)


@pytest.mark.parametrize("how", ["linked", "group"])
def test_a_pane_in_two_sessions_says_each_line_once(tmux_server: Any, log: Any, watch: Begin, how: str) -> None:
    pane = tmux_server.new_session("one")
    if how == "linked":
        tmux_server.new_session("two")
        tmux_server.run("link-window", "-d", "-s", "one:main", "-t", "two:5")
    else:
        tmux_server.run("new-session", "-d", "-s", "two", "-t", "one")
    tmux_server.wait_prompt(pane)
    watch(interval=0.3)
    log.wait_ready(pane)
    log.wait(lambda: len(log.all(Inventoried)) >= 3, "some inventories")
    tmux_server.send(pane, "seq -f 'n%g' 50", "Enter")
    log.wait_line(pane, "n50")
    # The owner goes; the other session takes over.
    captures = sum(s.resync for s in log.screens(pane))
    tmux_server.run("kill-session", "-t", "one")
    log.wait(lambda: sum(s.resync for s in log.screens(pane)) > captures, "the capture of the change-over")
    tmux_server.send(pane, "seq -f 'm%g' 50", "Enter")
    log.wait_line(pane, "m50")
    assert [line for line in log.lines(pane) if line[0] in "nm"] == [f"{x}{n}" for x in "nm" for n in range(1, 51)]
    assert not log.all(PaneClosed)


def test_the_alternate_screen_is_read_from_captures_only(tmux_server: Any, log: Any, watch: Begin) -> None:
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    watcher = watch()
    identity = log.identity(pane)
    log.wait_ready(pane)
    go = tmux_server.directory / "go"
    tmux_server.send(
        pane,
        f"printf 'before\\n\\033[?1049h\\033[HFULL\\nSCREEN\\n'; until [ -e {go} ]; do sleep 0.02; done;"
        " printf 'MORE\\n'; sleep 0.6; printf '\\033[?1049lafter\\n'",
        "Enter",
    )
    log.wait(lambda: any(s.lines[:2] == ("FULL", "SCREEN") for s in log.screens(pane)), "the full screen")
    log.wait(lambda: watcher.view(identity).source is TextSource.CAPTURE, "the change of the source")
    go.touch()
    log.wait(lambda: any("MORE" in s.lines and not s.resync for s in log.screens(pane)), "its change")
    log.wait_line(pane, "after")
    assert watcher.view(identity).source is TextSource.STREAM
    log.wait(lambda: log.screens(pane)[-1].resync, "the capture of the way back")
    assert "before" in log.lines(pane)
    assert not {"FULL", "SCREEN", "MORE"} & set(log.lines(pane))


def test_an_agent_is_read_from_captures_at_most_five_times_a_second(tmux_server: Any, log: Any, watch: Begin) -> None:
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    watcher = watch()
    identity = log.identity(pane)
    log.wait_ready(pane)
    tmux_server.send(
        pane,
        "printf '\\033]0;✳ topic\\007'; for i in $(seq 60); do echo $i; sleep 0.02; done; echo last; sleep 0.5",
        "Enter",
    )
    log.wait(lambda: any("last" in s.lines for s in log.screens(pane)), "the last screen")
    assert watcher.view(identity).agent == "claude"
    screens = [s for s in log.screens(pane) if not s.resync]
    assert len(screens) >= 3
    assert all(b.at - a.at > 0.15 for a, b in pairwise(screens))
    assert "last" not in log.lines(pane)
    assert Title(pane=identity, at=log.all(Title)[0].at, title="✳ topic") in log.all(Title)


HOSTILE = r"""%exit
%output %0 forged
%begin 1 1 1
%end 1 1 1
%error 1 1 1
%session-changed $9 x
%extended-output %0 0 : forged
%pause %0
%%exit"""


def test_printed_protocol_lines_are_only_text(tmux_server: Any, log: Any, watch: Begin) -> None:
    text = tmux_server.directory / "hostile"
    text.write_text(HOSTILE + "\n")
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    watcher = watch(interval=0.2)
    log.wait_ready(pane)
    tmux_server.send(pane, f"cat {text}; printf '\\033]2;%%exit\\033\\\\'; echo fin", "Enter")
    log.wait_line(pane, "fin")
    assert log.lines(pane)[-10:-1] == HOSTILE.splitlines()
    log.wait(lambda: watcher.capture(log.identity(pane)).lines[-1] == "$", "the prompt")
    log.wait(lambda: watcher.panes()[0].title == "%exit", "the title in an inventory")
    assert len(log.all(HostUp)) == 1


@pytest.mark.parametrize("how", ["stop", "detached"])
def test_no_client_and_no_option_stays_behind(tmux_server: Any, log: Any, watch: Begin, how: str) -> None:
    for name in ("one", "two", "three"):
        pane = tmux_server.new_session(name)
    options = [tmux_server.run("show-options", *where) for where in (["-s"], ["-g"], ["-gw"], ["-p", "-t", pane])]
    size = tmux_server.show(pane, "#{window_width}x#{window_height}")
    watcher = watch()
    log.wait_ready(pane)
    tmux_server.wait(lambda: len(tmux_server.run("list-clients").splitlines()) == 4)
    if how == "detached":
        for client in tmux_server.run("list-clients", "-F", "#{client_name}").splitlines():
            tmux_server.run("detach-client", "-t", client)
    watcher.stop()
    assert tmux_server.run("list-clients") == ""
    assert [
        tmux_server.run("show-options", *where) for where in (["-s"], ["-g"], ["-gw"], ["-p", "-t", pane])
    ] == options
    assert tmux_server.show(pane, "#{window_width}x#{window_height}") == size
    processes = subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True, check=True).stdout
    assert not [p for p in processes.splitlines() if str(tmux_server.address.socket_path) in p and " -C " in p]
