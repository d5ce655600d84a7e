"""This machine as a host: real processes behind real pipes."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tmux_sentry.errors import Unreachable
from tmux_sentry.testing.tmux_server import TmuxServer
from tmux_sentry.transport.local import LocalChannel, LocalTransport


@pytest.fixture
def transport() -> Iterator[LocalTransport]:
    transport = LocalTransport("here")
    yield transport
    transport.close()


def wait(until: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def read_all(channel: LocalChannel) -> bytes:
    data = b""
    while chunk := channel.read():
        data += chunk
    return data


def exists(pid: int | None) -> bool:
    """Whether there is such a process; a zombie counts, a reaped one does not."""
    assert pid is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_is_written_comes_back(transport: LocalTransport) -> None:
    channel = transport.open(["cat"])
    channel.write(b"one\n\xff\x00two\n")
    data = b""
    while len(data) < 10:
        data += channel.read()
    assert data == b"one\n\xff\x00two\n"


def test_a_program_is_also_found_where_people_install_it(
    transport: LocalTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """launchd and systemd give a bare PATH; what comes first on it still does."""
    for folder, word in ((tmp_path / ".local/bin", "theirs"), (tmp_path / "first", "first")):
        folder.mkdir(parents=True)
        for name in ("only-there",) if word == "theirs" else ("both",):
            (folder / name).write_text(f"#!/bin/sh\necho {word}\n")
            (folder / name).chmod(0o755)
    (tmp_path / ".local/bin/both").symlink_to(tmp_path / ".local/bin/only-there")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}/first:/usr/bin:/bin")
    assert transport.run(["only-there"]).stdout == b"theirs\n"
    assert read_all(transport.open(["only-there"])) == b"theirs\n"
    assert transport.run(["both"]).stdout == b"first\n"


def test_arguments_meet_no_shell(transport: LocalTransport) -> None:
    assert transport.run(["printf", "%s|", "a b", "$HOME", "; echo x"]).stdout == b"a b|$HOME|; echo x|"


def test_the_end_of_the_program_is_the_end_of_the_data(transport: LocalTransport) -> None:
    channel = transport.open(["sh", "-c", "echo bye"])
    assert read_all(channel) == b"bye\n"
    assert channel.read() == b""


def test_a_large_write_passes_while_someone_reads(transport: LocalTransport) -> None:
    channel = transport.open(["head", "-c", "3000000"])
    reader_result: list[bytes] = []
    reader = threading.Thread(target=lambda: reader_result.append(read_all(channel)))
    reader.start()
    channel.write(b"x" * 3_000_000)
    reader.join(10)
    assert reader_result == [b"x" * 3_000_000]


def test_writing_to_an_ended_program_says_so(transport: LocalTransport) -> None:
    channel = transport.open(["true"])
    assert read_all(channel) == b""

    def write_fails() -> bool:  # a program that ends closes its output before its input
        try:
            channel.write(b"x")
        except BrokenPipeError:
            return True
        return False

    wait(write_fails)
    channel.close()
    with pytest.raises(OSError, match="closed"):
        channel.write(b"x")


@pytest.mark.parametrize(
    "program",
    [["cat"], ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"], ["sh", "-c", "setsid sleep 30 & exec cat"]],
    ids=["a quiet program", "one that ignores TERM", "one whose child keeps the pipe open"],
)
def test_close_unblocks_a_reader_and_leaves_no_process(transport: LocalTransport, program: list[str]) -> None:
    channel = transport.open(program)
    ended = threading.Event()

    def read() -> None:
        read_all(channel)
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    channel.close()
    assert ended.wait(5)
    assert not exists(channel.pid)
    channel.close()
    assert channel.read() == b""


def test_closing_the_transport_closes_its_channels(transport: LocalTransport) -> None:
    channels = [transport.open(["cat"]) for _ in range(3)]
    transport.close()
    transport.close()
    assert not any(exists(channel.pid) for channel in channels)


def test_many_channels_leak_no_file(transport: LocalTransport) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        transport.open(["true"]).close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_ctrl_c_at_our_terminal_does_not_reach_the_program(transport: LocalTransport) -> None:
    channel = transport.open(["cat"])
    assert channel.pid is not None
    assert os.getsid(channel.pid) == channel.pid != os.getsid(0)


def test_run_tells_status_and_both_outputs(transport: LocalTransport) -> None:
    done = transport.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.status, done.stdout, done.stderr) == (3, b"out\n", b"err\n")


def test_run_and_open_say_what_is_wrong(transport: LocalTransport, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        transport.run(["/no/such/program"])
    with pytest.raises(FileNotFoundError):
        transport.open(["/no/such/program"])
    with pytest.raises(Unreachable):
        transport.run([str(tmp_path)])
    with pytest.raises(Unreachable):
        transport.open([str(tmp_path)])
    with pytest.raises(TimeoutError):
        transport.run(["sleep", "30"], timeout=0.1)


def test_a_shell_is_in_the_foreground_only_while_it_runs_nothing(
    transport: LocalTransport, tmux_server: TmuxServer, tmp_path: Path
) -> None:
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    shell = int(tmux_server.show(pane, "#{pane_pid}"))
    wait(lambda: transport.in_foreground(shell) is True)
    odd = tmp_path / "a) b (c"
    shutil.copy(shutil.which("sleep") or "sleep", odd)
    tmux_server.send(pane, f"'{odd}' 60", "Enter")
    wait(lambda: transport.in_foreground(shell) is False)
    child = int(Path(f"/proc/{shell}/task/{shell}/children").read_text())
    wait(lambda: b"a) b (c" in Path(f"/proc/{child}/stat").read_bytes())
    assert transport.in_foreground(child) is True
    tmux_server.send(pane, "", "C-z")
    wait(lambda: transport.in_foreground(shell) is True)
    assert transport.in_foreground(child) is False
    os.kill(child, signal.SIGKILL)


def test_what_has_no_terminal_cannot_be_told(transport: LocalTransport) -> None:
    channel = transport.open(["cat"])
    assert channel.pid is not None
    assert transport.in_foreground(channel.pid) is None
    channel.close()
    assert transport.in_foreground(channel.pid) is None
