"""The command client on a real tmux server."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tmux_sentry.errors import NoServer, TmuxMissing, TmuxTooOld, Unreachable
from tmux_sentry.testing.tmux_server import TmuxServer
from tmux_sentry.tmux.attach import attach
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.tmux.control_client import ControlClient
from tmux_sentry.tmux.model import TmuxAddress
from tmux_sentry.tmux.version import Ability, ability
from tmux_sentry.transport.local import LocalTransport

Connect = Callable[[], CommandClient]


def test_a_command_gets_its_own_reply(tmux_server: TmuxServer, connect: Connect) -> None:
    tmux_server.new_session()
    client = connect()
    assert client.alive
    for number in range(50):
        assert client.command(f"display-message -p 'n {number}'").lines == (f"n {number}",)
    refused = client.command("capture-pane -p -t %99")
    assert (refused.ok, refused.lines) == (False, ("can't find pane: %99",))


def test_threads_do_not_get_each_others_replies(tmux_server: TmuxServer, connect: Connect) -> None:
    tmux_server.new_session()
    client = connect()
    wrong: list[str] = []

    def ask(thread: int) -> None:
        for number in range(50):
            word = f"{thread}-{number}"
            if client.command(f"display-message -p '{word}'").lines != (word,):
                wrong.append(word)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert wrong == []


def test_a_users_hooks_do_not_disturb_the_replies(tmux_server: TmuxServer, connect: Connect) -> None:
    tmux_server.new_session()
    tmux_server.run("set-hook", "-g", "after-display-message", "list-sessions ; display-message -p HOOK")
    tmux_server.run("set-hook", "-g", "client-attached", "list-sessions")
    client = connect()
    assert [client.command(f"display-message -p {n}").lines for n in range(5)] == [(str(n),) for n in range(5)]


def test_a_conversation_collects_every_block(tmux_server: TmuxServer, connect: Connect) -> None:
    tmux_server.new_session()
    client = connect()
    line = "display-message -p one ; if-shell -F 1 'display-message -p two ; display-message -p three'"
    replies = client.converse(line, lambda reply: "three" in reply.lines)
    assert [reply.lines for reply in replies] == [("one",), (), ("two",), ("three",)]
    replies = client.converse("display-message -p one ; nosuch-buffer", lambda reply: "never" in reply.lines)
    assert not replies[-1].ok
    replies = client.converse("display-message -p a ; show-buffer -b none ; display-message -p b", lambda r: False)
    assert [reply.ok for reply in replies] == [True, False]
    assert client.command("display-message -p last").lines == ("last",)


@pytest.mark.parametrize("line", ["", "display-message -p a\nkill-server", "list-panes\n", "# comment", "a\0b", "a\rb"])
def test_what_is_not_one_line_never_reaches_tmux(tmux_server: TmuxServer, connect: Connect, line: str) -> None:
    tmux_server.new_session()
    client = connect()
    with pytest.raises(ValueError, match="must"):
        client.command(line)
    assert client.command("display-message -p ok").lines == ("ok",)


def test_notifications_reach_the_owner(tmux_server: TmuxServer) -> None:
    tmux_server.new_session()
    seen: list[tuple[str, str]] = []
    renamed = threading.Event()

    def notice(name: str, rest: str) -> None:
        seen.append((name, rest))
        if name == "session-renamed":
            renamed.set()

    client = ControlClient(LocalTransport("here"), tmux_server.address, on_notification=notice)
    client.start()
    tmux_server.run("rename-session", "-t", "work", "other")
    assert renamed.wait(5)
    assert ("session-renamed", "$0 other") in seen
    client.close()


def test_what_tmux_is_silent_about_is_a_lost_client(tmux_server: TmuxServer, connect: Connect) -> None:
    tmux_server.new_session()
    client, server = connect(), tmux_server.pid
    os.kill(server, signal.SIGSTOP)
    try:
        with pytest.raises(Unreachable) as lost:
            client.command("display-message -p early", timeout=0.2)
    finally:
        os.kill(server, signal.SIGCONT)
    assert "no reply within 0.2 s" in lost.value.why
    assert not client.alive
    with pytest.raises(Unreachable):
        client.command("display-message -p late")
    tmux_server.wait(lambda: tmux_server.run("list-clients") == "", "the client to be gone")


def test_the_client_ends_with_its_session_and_says_so(tmux_server: TmuxServer) -> None:
    tmux_server.new_session("one")
    ended: list[str] = []
    gone = threading.Event()

    def on_exit(reason: str) -> None:
        ended.append(reason)
        gone.set()

    client = ControlClient(LocalTransport("here"), tmux_server.address, on_exit=on_exit)
    client.start()
    tmux_server.new_session("two")
    tmux_server.run("kill-session", "-t", "one")
    assert gone.wait(5)
    assert not client.alive
    with pytest.raises(Unreachable):
        client.command("list-panes")
    again = ControlClient(LocalTransport("here"), tmux_server.address)
    again.start()
    assert again.alive
    again.close()
    client.close()
    assert len(ended) == 1


@pytest.mark.parametrize("how", ["kill-server", "SIGKILL"])
def test_a_killed_server_is_noticed(tmux_server: TmuxServer, connect: Connect, how: str) -> None:
    tmux_server.new_session()
    client = connect()
    if how == "SIGKILL":
        os.kill(tmux_server.pid, signal.SIGKILL)
    else:
        tmux_server.run("kill-server")
    tmux_server.wait(lambda: not client.alive, "the end")
    with pytest.raises(Unreachable):
        client.command("list-panes")


def test_leaving_leaves_nothing_behind(tmux_server: TmuxServer, connect: Connect) -> None:
    pane = tmux_server.new_session()
    before = tmux_server.show(pane, "#{window_width}x#{window_height} #{session_attached}")
    options = tmux_server.run("show-options", "-s") + tmux_server.run("show-options", "-g")
    client = connect()
    assert tmux_server.show(pane, "#{window_width}x#{window_height}") == before.split()[0]
    client.close()
    client.close()
    assert tmux_server.run("list-clients") == ""
    assert tmux_server.show(pane, "#{window_width}x#{window_height} #{session_attached}") == before
    assert tmux_server.run("show-options", "-s") + tmux_server.run("show-options", "-g") == options
    assert not Path(f"/proc/{client.pid}").exists()


def test_a_size_that_people_see_does_not_change(tmux_server: TmuxServer, connect: Connect) -> None:
    pane = tmux_server.new_session(width=200, height=60)
    person = subprocess.Popen(
        ["script", "-qec", f"stty cols 90 rows 30; tmux -S {tmux_server.address.socket_path} attach", "/dev/null"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        tmux_server.wait(lambda: tmux_server.show(pane, "#{window_width}") == "90", "the person's size")
        client = connect()
        client.command("list-panes -a")
        assert tmux_server.show(pane, "#{window_width}x#{window_height}") == "90x29"
        client.close()
        assert tmux_server.show(pane, "#{window_width}x#{window_height}") == "90x29"
    finally:
        person.kill()
        person.communicate()


def test_no_server_is_not_started_by_looking(tmux_server: TmuxServer) -> None:
    client = ControlClient(LocalTransport("here"), tmux_server.address)
    with pytest.raises(NoServer) as none:
        client.start()
    assert "no tmux server" in none.value.what
    assert none.value.fix
    assert not Path(tmux_server.address.socket_path or "").exists()
    assert not client.alive


def test_a_server_that_has_ended_is_no_server(tmux_server: TmuxServer) -> None:
    tmux_server.new_session()
    tmux_server.run("kill-server")
    with pytest.raises(NoServer):
        ControlClient(LocalTransport("here"), tmux_server.address).start()


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (None, TmuxMissing),
        ("exit 127", TmuxMissing),
        ("echo tmux 2.3", TmuxTooOld),
        ("echo tmux 1.8", TmuxTooOld),
        ("echo hello", TmuxTooOld),
        ('case "$*" in -V) echo tmux 3.4;; *) echo "tmux: segfault" >&2; exit 1;; esac', NoServer),
        ('case "$*" in -V) echo tmux 3.4;; *) echo "x: Permission denied" >&2; exit 1;; esac', Unreachable),
        ('case "$*" in -V) echo tmux 3.1c;; *) echo "no server running on x" >&2; exit 1;; esac', NoServer),
        (
            'case "$*" in -V) echo tmux 3.1c;; *) echo "error connecting to x (Permission denied)" >&2; exit 1;; esac',
            Unreachable,
        ),
    ],
)
def test_an_unusable_tmux_is_named(tmp_path: Path, script: str | None, error: type[Unreachable]) -> None:
    program = tmp_path / "tmux"
    if script is not None:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    with pytest.raises(Unreachable) as raised:
        attach(LocalTransport("nas"), TmuxAddress(command=str(program)), timeout=5)
    assert type(raised.value) is error
    assert raised.value.what.startswith("nas: ")


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ("", "does not answer"),
        ("*list-sessions*) echo '0 1795894760 $0';;", "gone"),
        ("*list-sessions*) echo '0 what $0';;", "makes no sense"),
        ("*list-sessions*) echo '0 0';;", "makes no sense"),
        ("*list-sessions*) echo '0 0 $(id)';;", "makes no sense"),
    ],
)
def test_a_tmux_that_does_not_answer_is_unreachable(tmp_path: Path, answers: str, why: str) -> None:
    program = tmp_path / "tmux"
    program.write_text(f'#!/bin/sh\ncase "$*" in -V) echo tmux 3.4;; {answers} *) exec sleep 60;; esac\n')
    program.chmod(0o755)
    with pytest.raises(Unreachable, match=why):
        ControlClient(LocalTransport("nas"), TmuxAddress(command=str(program))).start(timeout=0.5)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("%begin 1 3 1\nx\n%end 1 3 1\n%end 1 3 1\n", "made no sense: a block ended that had not begun"),
        ("%begin 1 2 1\nx\n%end 1 2 1\n", "made no sense: the block numbers do not rise"),
    ],
)
def test_a_reply_with_a_forged_end_is_not_taken(tmp_path: Path, answer: str, why: str) -> None:
    program = tmp_path / "tmux"
    attach = "printf '%%begin 1 1 0\\n%%end 1 1 0\\n'; read line; printf '%%begin 1 2 1\\n7\\n%%end 1 2 1\\n'"
    others = "-V) echo tmux 3.4;; *list-sessions*) echo '0 0 $0';;"
    script = f"{attach}; read line; cat {tmp_path}/answer; cat"
    program.write_text(f'#!/bin/sh\ncase "$*" in {others} *) {script};; esac\n')
    program.chmod(0o755)
    (tmp_path / "answer").write_text(answer)
    client = ControlClient(LocalTransport("nas"), TmuxAddress(command=str(program)))
    client.start()
    with pytest.raises(Unreachable) as lost:
        client.command("list-panes")
    assert why in lost.value.why
    assert not client.alive
    client.close()


def test_a_reply_that_nobody_waits_for_ends_the_client(tmux_server: TmuxServer, connect: Connect) -> None:
    """`command` is for one command: the second reply would otherwise answer the next one."""
    tmux_server.new_session()
    client = connect()
    assert client.command("display-message -p one ; run-shell -d 0.2 -C 'display-message -p two'").lines == ("one",)
    tmux_server.wait(lambda: not client.alive, "the end")


@pytest.mark.parametrize(
    ("version", "able"),
    [
        ("tmux 3.2", "STREAM"), ("tmux 3.3a", "STREAM"), ("tmux 3.10", "STREAM"), ("tmux 4.0", "STREAM"),
        ("tmux next-3.5", "STREAM"), ("tmux 3.2-rc3", "STREAM"), ("tmux openbsd-7.4", "STREAM"),
        ("tmux master", "STREAM"), ("tmux 3.1c", "TYPE"), ("tmux 3.0", "TYPE"), ("tmux next-3.1", "TYPE"),
        ("tmux openbsd-6.8", "TYPE"), ("tmux 2.9a", "OBSERVE"), ("tmux 2.4", "OBSERVE"), ("tmux 2.3", "NOTHING"),
        ("", "NOTHING"), ("screen 4.9", "NOTHING"),
    ],
)  # fmt: skip
def test_versions(version: str, able: str) -> None:
    assert ability(version) is Ability[able]
