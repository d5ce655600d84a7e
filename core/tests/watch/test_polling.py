"""Panes without an output stream: by choice, on an old tmux, or because their stream keeps failing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.clock import SystemClock
from tmux_sentry.contracts import Lines, PaneClosed, Screen, TextSource, Title
from tmux_sentry.errors import Refused, Unreachable
from tmux_sentry.testing.tmux_server import TmuxServer
from tmux_sentry.tmux.fence import adopt
from tmux_sentry.tmux.guard import Expect, Word, paste
from tmux_sentry.tmux.model import PaneInfo, TmuxAddress
from tmux_sentry.transport.local import LocalChannel, LocalTransport
from tmux_sentry.watch.events import HostDown, Inventoried, PaneSeen
from tmux_sentry.watch.pane import POLLED_HISTORY
from tmux_sentry.watch.polling import ChangedPanes
from tmux_sentry.watch.watcher import Watcher

Begin = Callable[..., Watcher]


# ---------------------------------------------------------------- what counts as a change


@pytest.mark.parametrize(
    "change",
    [{"cursor": (1, 0)}, {"history": 5}, {"activity": 101}, {"alternate": True}, {"width": 90}, {"height": 50}],
    ids=str,
)
def test_any_difference_is_a_change(info: Any, change: dict[str, Any]) -> None:
    changed = ChangedPanes()
    before = info(history=4, activity=100)
    assert changed.update([before], 0.0) == []  # new: whoever begins to read it captures it anyway
    after = replace(before, **change)
    assert changed.update([after], 0.5) == [after]


def test_a_pane_is_looked_at_once_more_when_the_second_of_its_activity_is_over(info: Any) -> None:
    changed, pane = ChangedPanes(), info(activity=100)
    printed = replace(pane, activity=101)
    seen = [bool(changed.update([pane if at == 0 else printed], float(at))) for at in range(5)]
    assert seen == [False, True, False, True, False]  # at 3 rather than 2: less than 1.1 s later is too early


def test_what_is_not_listed_any_more_is_forgotten(info: Any) -> None:
    changed, pane = ChangedPanes(), info()
    changed.update([pane], 0.0)
    changed.update([], 1.0)
    assert changed.update([replace(pane, history=9)], 2.0) == []


# ------------------------------------------------------------------------ on a real tmux


def clients(server: TmuxServer) -> list[str]:
    return server.run("list-clients", "-F", "#{client_flags}").splitlines()


def shown(log: Any, pane: str, line: str) -> bool:
    return any(line in screen.lines for screen in log.screens(pane))


def test_a_polled_pane_brings_captures_and_no_stream_is_attached(tmux_server: Any, log: Any, watch: Begin) -> None:
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    watcher = watch(method="poll")
    log.wait_ready(pane)
    tmux_server.send(pane, "echo one; printf '\\033]2;news\\007'", "Enter")
    log.wait(lambda: shown(log, pane, "one"), "the line on a capture")
    log.wait(lambda: [title.title for title in log.all(Title)] == ["news"], "the title")
    assert log.all(Lines) == []
    assert len(clients(tmux_server)) == 1
    view = watcher.view(log.identity(pane))
    assert (view.source, view.last_output is not None) == (TextSource.CAPTURE, True)


def test_a_redraw_in_place_is_seen(tmux_server: Any, log: Any, watch: Begin) -> None:
    go = tmux_server.directory / "go"
    loop = f"printf wait; until [ -e {go} ]; do sleep 0.02; done; printf '\\rdone'; exec sleep 1000"
    pane = tmux_server.new_session(command=f'sh -c "{loop}"')
    watch(method="poll")
    log.wait(lambda: shown(log, pane, "wait"), "the first text")
    go.touch()
    log.wait(lambda: shown(log, pane, "done"), "a text with the same cursor and history")


def test_lines_that_scrolled_away_between_two_looks_are_captured(tmux_server: Any, log: Any, watch: Begin) -> None:
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    watch(method="poll")
    log.wait_ready(pane)
    tmux_server.send(pane, "clear; seq -f 'line %g' 150; echo done", "Enter")
    log.wait(lambda: shown(log, pane, "done"), "the end of the output")
    assert shown(log, pane, "line 1")
    before = len([screen for screen in log.screens(pane) if screen.resync])
    tmux_server.send(pane, f"seq -f 'more %g' {POLLED_HISTORY + 300}; echo over", "Enter")
    log.wait(lambda: any(s.resync and "more 1" in s.lines for s in log.screens(pane)[before:]), "a capture of all")


def test_a_full_screen_program_shows_its_screen_alone(tmux_server: Any, log: Any, watch: Begin) -> None:
    go = tmux_server.directory / "go"
    draw = f"seq 100; printf '\\033[?1049h\\033[H'; echo one; until [ -e {go} ]; do sleep 0.02; done; echo two"
    pane = tmux_server.new_session(command=f"{draw}; exec sleep 1000")
    watch(method="poll")
    log.wait(lambda: shown(log, pane, "one"), "the alternate screen")
    go.touch()
    log.wait(lambda: shown(log, pane, "two"), "its change")
    last: Screen = log.screens(pane)[-1]
    assert (last.lines, last.resync) == (("one", "two"), False)


# -------------------------------------------------------------------- streams that fail


class Refusing(LocalTransport):
    """Starts no output stream while told so, as a server without a further channel does."""

    def __init__(self) -> None:
        super().__init__("here")
        self.refusing = True
        self.refused = 0

    def open(self, argv: Sequence[str]) -> LocalChannel:
        if self.refusing and any("pause-after" in word for word in argv):
            self.refused += 1
            raise Unreachable("here: no further channel")
        return super().open(argv)


@pytest.fixture
def refusing(tmux_server: TmuxServer, log: Any) -> Iterator[Callable[[str], Refusing]]:
    transport = Refusing()
    watchers: list[Watcher] = []

    def begin(method: Any) -> Refusing:
        watchers.append(Watcher("here", transport, tmux_server.address, log, SystemClock(), method=method))
        watchers[0].start()
        return transport

    yield begin
    watchers[0].stop()
    transport.close()


def test_a_stream_that_fails_twice_gives_way_to_polling_and_comes_back(
    tmux_server: Any, log: Any, refusing: Callable[[str], Refusing]
) -> None:
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    transport = refusing("auto")
    log.wait(lambda: transport.refused >= 2, "two failures")
    tmux_server.send(pane, "echo polled", "Enter")
    log.wait(lambda: shown(log, pane, "polled"), "a polled line")
    assert log.lines(pane) == []
    transport.refusing = False
    log.wait(lambda: len(clients(tmux_server)) == 2, "the stream", timeout=20)
    log.wait(lambda: _said(tmux_server, log, pane), "a streamed line", timeout=20)


def _said(server: TmuxServer, log: Any, pane: str) -> bool:
    if not log.lines(pane):
        server.send(pane, "echo streamed", "Enter")
    return "streamed" in log.lines(pane)


def test_with_the_method_stream_nothing_is_polled(
    tmux_server: Any, log: Any, refusing: Callable[[str], Refusing]
) -> None:
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    transport = refusing("stream")
    log.wait(lambda: transport.refused >= 3, "three failures")
    tmux_server.send(pane, "echo unseen", "Enter")
    tmux_server.wait(lambda: "unseen" in tmux_server.screen(pane))
    log.wait(lambda: transport.refused >= 4, "one more failure")
    assert log.screens(pane) == []


# ------------------------------------------------------------------------- an older tmux


def older(server: TmuxServer, version: str) -> TmuxAddress:
    """The server's tmux, as if it were that version: no client flags, no -N."""
    real = shutil.which("tmux")
    program: Path = server.directory / f"tmux-{version}"
    program.write_text(
        f'#!/bin/sh\nfor word; do case $word in -V) echo "tmux {version}"; exit;; '
        f'-C|-N) echo "unknown option $word" >&2; exit 1;; esac; done\nexec {real} "$@"\n'
    )
    program.chmod(0o755)
    return replace(server.address, command=str(program))


@pytest.fixture
def watch_older(tmux_server: TmuxServer, log: Any) -> Iterator[Callable[[str], Watcher]]:
    watchers: list[Watcher] = []

    def begin(version: str) -> Watcher:
        transport = LocalTransport("here")
        watchers.append(Watcher("here", transport, older(tmux_server, version), log, SystemClock()))
        watchers[-1].start()
        return watchers[-1]

    yield begin
    for watcher in watchers:
        watcher.stop()


def test_tmux_3_1_is_polled_by_processes_and_typed_into(
    tmux_server: Any, log: Any, watch_older: Callable[[str], Watcher]
) -> None:
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    watcher = watch_older("3.1c")
    log.wait_ready(pane)
    identity = log.identity(pane)
    assert adopt(watcher.client, identity, "me@here", 1, 0).refused is None
    info = watcher.capture(identity).info
    expect = Expect(identity=identity, epoch=1, previous=0, command="bash", cursor=info.cursor)
    assert paste(watcher.client, expect, "echo typed; #", 1, enter=True).word is Word.SENT
    log.wait(lambda: shown(log, pane, "typed"), "the output")
    assert paste(watcher.client, expect, "echo twice", 2, enter=True).word is Word.REFUSED
    assert clients(tmux_server) == []
    tmux_server.run("kill-session")
    log.wait(lambda: log.all(HostDown), "HostDown")
    log.wait(lambda: [closed.pane for closed in log.all(PaneClosed)] == [identity], "PaneClosed")


def test_tmux_before_3_0_is_only_observed(tmux_server: Any, log: Any, watch_older: Callable[[str], Watcher]) -> None:
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    watcher = watch_older("2.9a")
    log.wait_ready(pane)
    tmux_server.send(pane, "echo seen", "Enter")
    log.wait(lambda: shown(log, pane, "seen"), "the output")
    with pytest.raises(Refused, match="too old to be typed into"):
        adopt(watcher.client, log.identity(pane), "me@here", 1, 0)
    assert tmux_server.run("show-options", "-p", "-t", pane) == ""


# ------------------------------------------------------------------------------- limits


def test_of_too_many_panes_the_first_are_read(tmux_server: Any, log: Any, watch: Begin, caplog: Any) -> None:
    panes = [tmux_server.new_session(f"s{number}") for number in range(3)]
    for pane in panes:
        tmux_server.wait_prompt(pane)
    watch(max_panes=2)
    for pane in panes[:2]:
        log.wait_ready(pane)
    tmux_server.send(panes[2], "echo unread", "Enter")
    tmux_server.send(panes[0], "echo read", "Enter")
    log.wait_line(panes[0], "read")
    assert log.everything(panes[2]) == []
    assert [seen.info.identity.pane_id for seen in log.all(PaneSeen)] == panes
    assert sum("of which only 2 are read" in record.message for record in caplog.records) == 1
    tmux_server.run("kill-session", "-t", "s0")
    log.wait_ready(panes[2])


def test_of_too_many_panes_those_that_are_needed_come_first(
    tmux_server: Any, log: Any, watch: Begin, caplog: Any
) -> None:
    old, new, newest = [tmux_server.new_session(f"s{number}") for number in range(3)]
    watcher = watch(max_panes=1, interval=0.1)
    log.wait_ready(old)
    needs = {new: 1, newest: 2}
    watcher.prefer(lambda info: needs.get(info.identity.pane_id, 0))
    log.wait_ready(newest)
    assert log.everything(new) == []
    needs[new] = 2  # as much: the older one is read
    log.wait_ready(new)
    log.wait(lambda: any(f"s2:main.0 {newest}: a run waits" in one.message for one in caplog.records), "the word of it")
    before = len(log.all(Inventoried))
    log.wait(lambda: len(log.all(Inventoried)) > before + 2, "more looks")
    assert sum("a run waits for this pane" in record.message for record in caplog.records) == 1


def test_output_makes_no_other_pane(info: Callable[..., PaneInfo]) -> None:
    assert info(history=1, activity=2) == info(history=3, activity=4), "what changes with output makes no other pane"
