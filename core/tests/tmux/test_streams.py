"""The output stream of a real session."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tmux_sentry.errors import Unreachable
from tmux_sentry.testing.tmux_server import TmuxServer
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.tmux.streams import OutputStream
from tmux_sentry.transport.local import LocalTransport

Connect = Callable[[], CommandClient]


class Record:
    """What a stream said, in order."""

    def __init__(self) -> None:
        self.output: dict[str, bytearray] = {}
        self.gaps: list[str | None] = []
        self.exits: list[str] = []
        self.ages: list[float] = []
        self.blocked = threading.Event()
        self.blocked.set()

    def on_output(self, pane_id: str, data: bytes, age: float) -> None:
        self.blocked.wait(30)
        self.output.setdefault(pane_id, bytearray()).extend(data)
        self.ages.append(age)

    def text(self, pane: str) -> bytes:
        return bytes(self.output.get(pane, b""))


@pytest.fixture
def record() -> Record:
    return Record()


@pytest.fixture
def follow(tmux_server: TmuxServer, record: Record) -> Iterator[Callable[[str], OutputStream]]:
    streams: list[OutputStream] = []

    def start(session_id: str) -> OutputStream:
        stream = OutputStream(
            LocalTransport("here"),
            tmux_server.address,
            session_id,
            record.on_output,
            record.gaps.append,
            record.exits.append,
        )
        streams.append(stream)
        stream.start()
        return stream

    yield start
    record.blocked.set()
    for stream in streams:
        stream.close()


Follow = Callable[[str], OutputStream]


def test_output_comes_raw_and_only_of_its_session(tmux_server: TmuxServer, follow: Follow, record: Record) -> None:
    pane, other = tmux_server.new_session("one"), tmux_server.new_session("two")
    tmux_server.wait_prompt(pane)
    follow("$0")
    assert record.gaps == [None]
    tmux_server.send(other, "echo else''where", "Enter")
    tmux_server.wait(lambda: "\nelsewhere" in tmux_server.screen(other), "the other output")
    tmux_server.send(pane, "printf '\\033[1mb\\\\old\\033[0m\\377\\n%%exit\\n中\\n'", "Enter")
    wanted = b"\x1b[1mb\\old\x1b[0m\xff\r\n%exit\r\n\xe4\xb8\xad\r\n"
    tmux_server.wait(lambda: wanted in record.text(pane), "the output")
    assert set(record.output) == {pane}
    assert record.exits == []
    assert all(0 <= age < 3 for age in record.ages)


def test_a_long_line_is_not_wrapped(tmux_server: TmuxServer, follow: Follow, record: Record) -> None:
    pane = tmux_server.new_session(width=40)
    tmux_server.wait_prompt(pane)
    follow("$0")
    tmux_server.send(pane, "printf '%0500d\\n' 7", "Enter")
    tmux_server.wait(lambda: b"0" * 499 + b"7\r\n" in record.text(pane), "the line")


def test_two_windows_of_a_session_come_in_one_stream(tmux_server: TmuxServer, follow: Follow, record: Record) -> None:
    tmux_server.new_session()
    follow("$0")
    second = tmux_server.run("new-window", "-d", "-P", "-F", "#{pane_id}", "-t", "$0", "echo hello; exec sleep 60")
    tmux_server.wait(lambda: b"hello\r\n" in record.text(second), "the new window's output")


def test_no_line_of_a_flood_is_lost(tmux_server: TmuxServer, follow: Follow, record: Record) -> None:
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    follow("$0")
    tmux_server.send(pane, "echo; seq 1 100000", "Enter")
    tmux_server.wait(lambda: b"\n100000\r\n" in record.text(pane), "the end", timeout=30)
    numbers = [int(line) for line in record.text(pane).replace(b"\r", b"").split(b"\n") if line.isdigit()]
    assert numbers == list(range(1, 100_001))


def test_a_reader_that_falls_behind_gets_a_gap_and_then_goes_on(
    tmux_server: TmuxServer, connect: Connect, follow: Follow, record: Record
) -> None:
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    client = connect()  # as always beside a stream: it keeps the pane from stalling
    follow("$0")
    record.blocked.clear()
    tmux_server.send(pane, "timeout 4 yes; printf 'fin%s\\n' ished", "Enter")
    tmux_server.wait(lambda: "finished" in tmux_server.screen(pane), "the pane, which must not block", timeout=20)
    assert client.alive
    record.blocked.set()
    tmux_server.wait(lambda: pane in record.gaps, "the gap", timeout=20)
    tmux_server.wait(lambda: _goes_on(tmux_server, pane, record), "more output", timeout=20)
    assert record.exits == []


def _goes_on(server: TmuxServer, pane: str, record: Record) -> bool:
    server.send(pane, "echo a''gain", "Enter")
    return b"\ragain" in record.text(pane)


@pytest.mark.parametrize("detach", ["on", "off"])
def test_the_end_of_its_session_is_the_end(
    tmux_server: TmuxServer, follow: Follow, record: Record, detach: str
) -> None:
    """With `detach-on-destroy off` tmux moves the client to another session, whose output is not its own."""
    tmux_server.new_session("one")
    other = tmux_server.new_session("two")
    tmux_server.run("set-option", "-g", "detach-on-destroy", detach)
    follow("$0")
    tmux_server.run("kill-session", "-t", "one")
    tmux_server.wait(lambda: record.exits, "the exit")
    assert len(record.exits) == 1
    if detach == "off":
        assert record.exits == ["session $0 is gone"]
    assert other not in record.output
    tmux_server.wait(lambda: tmux_server.run("list-clients") == "", "the client to leave")


def test_a_session_that_does_not_exist_cannot_be_followed(tmux_server: TmuxServer, follow: Follow) -> None:
    tmux_server.new_session()
    with pytest.raises(Unreachable, match="cannot be attached"):
        follow("$7")


def test_a_killed_server_ends_the_stream_once(tmux_server: TmuxServer, follow: Follow, record: Record) -> None:
    tmux_server.new_session()
    stream = follow("$0")
    os.kill(tmux_server.pid, signal.SIGKILL)
    tmux_server.wait(lambda: record.exits, "the exit")
    stream.close()
    assert len(record.exits) == 1


def test_leaving_under_load_leaves_no_client_and_lets_the_server_end(tmux_server: TmuxServer, record: Record) -> None:
    pane = tmux_server.new_session(command="yes")
    size = tmux_server.show(pane, "#{window_width}x#{window_height}")
    streams = []
    for _ in range(4):
        stream = OutputStream(
            LocalTransport("here"), tmux_server.address, "$0", record.on_output, record.gaps.append, record.exits.append
        )
        stream.start()
        streams.append(stream)
    tmux_server.wait(lambda: len(record.text(pane)) > 100_000, "some output")
    for stream in streams:
        stream.close()
        stream.close()
    assert record.exits == ["detached"] * 4  # each went by itself, none was terminated
    assert tmux_server.run("list-clients") == ""
    assert not any(Path(f"/proc/{stream.pid}").exists() for stream in streams)
    assert tmux_server.show(pane, "#{window_width}x#{window_height}") == size


def test_a_callback_that_fails_ends_the_stream_and_no_more(tmux_server: TmuxServer) -> None:
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    exits: list[str] = []

    def fail(pane_id: str, data: bytes, age: float) -> None:
        raise RuntimeError("a bug")

    stream = OutputStream(LocalTransport("here"), tmux_server.address, "$0", fail, lambda pane: None, exits.append)
    stream.start()
    tmux_server.send(pane, "echo x", "Enter")
    tmux_server.wait(lambda: exits, "the exit")
    assert exits == ["internal error: a bug"]
    assert tmux_server.run("list-clients") == ""
