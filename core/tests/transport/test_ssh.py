"""Programs on another machine: a real sshd, a real network that fails."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import paramiko
import pytest

from tmux_sentry.errors import Unreachable
from tmux_sentry.testing.ssh_server import SshServer, running_ssh_server
from tmux_sentry.testing.tcp_proxy import TcpProxy, running_proxy
from tmux_sentry.testing.tmux_server import TmuxServer
from tmux_sentry.transport.ssh import MAX_LINKS, SshChannel, SshTransport
from tmux_sentry.transport.ssh_link import BEAT, DEADLINE, is_hung, we_slept

Connect = Callable[..., SshTransport]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """`connect(server, **changes of its target)`: a transport that is closed at the end."""
    made: list[SshTransport] = []

    def begin(server: SshServer, **changes: Any) -> SshTransport:
        transport = SshTransport("nas", lambda: server.target(**changes))
        made.append(transport)
        return transport

    yield begin
    for transport in made:
        transport.close()


@pytest.fixture
def proxied(ssh_server: SshServer) -> Iterator[TcpProxy]:
    """A network between us and `ssh_server`, which is known under the proxy's port too."""
    with running_proxy(ssh_server.port) as proxy:
        key = ssh_server.host_key.with_suffix(".pub").read_text().split()[:2]
        ssh_server.known_hosts.write_text(f"[{proxy.host}]:{proxy.port} {' '.join(key)}\n")
        yield proxy


def wait(until: Callable[[], object], what: str, timeout: float = 10.0) -> None:
    deadline = time.monotonic() + timeout
    while not until():
        assert time.monotonic() < deadline, f"{what} did not come true within {timeout:g} s"
        time.sleep(0.01)


def read_all(channel: SshChannel, size: int) -> bytes:
    data = b""
    while len(data) < size and (chunk := channel.read()):
        data += chunk
    return data


# --------------------------------------------------------------------------- programs


def test_a_program_takes_input_and_gives_output(ssh_server: SshServer, connect: Connect) -> None:
    channel = connect(ssh_server).open(["cat"])
    channel.write(b"one\n\xff\0two")
    assert read_all(channel, 9) == b"one\n\xff\0two"
    assert channel.pid is not None
    os.kill(channel.pid, signal.SIGTERM)
    assert channel.read() == b""
    channel.close()
    channel.close()


def test_a_program_that_runs_to_its_end(ssh_server: SshServer, connect: Connect) -> None:
    transport = connect(ssh_server)
    done = transport.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.status, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
    assert transport.run(["no-such-program"]).status == 127
    assert len(transport.run(["head", "-c", "3000000", "/dev/zero"]).stdout) == 3000000
    with pytest.raises(TimeoutError, match="sleep did not end within 2 s"):
        transport.run(["sleep", "60"], timeout=2.0)


def test_closing_ends_a_read(ssh_server: SshServer, connect: Connect) -> None:
    channel = connect(ssh_server).open(["cat"])
    ended = threading.Event()
    threading.Thread(target=lambda: (channel.read(), ended.set()), daemon=True).start()
    channel.close()
    assert ended.wait(5.0)
    with pytest.raises(OSError, match=r"."):
        channel.write(b"x")


def test_whose_a_terminal_is_costs_no_login_for_each_question(
    ssh_server: SshServer, tmux_server: TmuxServer, connect: Connect
) -> None:
    transport = connect(ssh_server)
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    shell = int(tmux_server.show(pane, "#{pane_pid}"))
    assert transport.in_foreground(shell) is None  # not worth a connection of its own
    transport.run(["true"])
    assert transport.in_foreground(shell) is True
    tmux_server.send(pane, "sleep 100", "Enter")
    tmux_server.wait(lambda: transport.in_foreground(shell) is False, "the shell in the background")
    assert transport.in_foreground(1 << 22) is None
    helpers = ssh_server.log.count("Starting session: command")
    for _ in range(20):
        transport.in_foreground(shell)
    assert ssh_server.log.count("Starting session: command") == helpers


@pytest.mark.parametrize("shell", ["fish", "tcsh"])
def test_a_login_shell_that_is_not_posix(shell: str, connect: Connect) -> None:
    with running_ssh_server(f'ForceCommand exec {shell} -c "$SSH_ORIGINAL_COMMAND"') as server:
        transport = connect(server)
        assert transport.run(["printf", "%s", "it's $HOME \\ !"]).stdout == b"it's $HOME \\ !"
        channel = transport.open(["cat"])
        channel.write(b"through")
        assert read_all(channel, 7) == b"through"
        assert transport.in_foreground(os.getpid()) in (None, True, False)


def test_start_up_files_and_a_banner_may_print_what_they_like(connect: Connect, tmp_path: Any) -> None:
    banner = tmp_path / "banner"
    banner.write_text("AUTHORISED USE ONLY\n" * 20)
    noise = 'printf "Last login\\n%%begin 1 1 1\\nno newline"; echo oops >&2; eval "$SSH_ORIGINAL_COMMAND"'
    with running_ssh_server(f"ForceCommand {noise}", f"Banner {banner}") as server:
        transport = connect(server)
        done = transport.run(["sh", "-c", "echo out; echo err >&2"])
        assert (done.stdout, done.stderr) == (b"out\n", b"err\n")
        channel = transport.open(["cat"])
        channel.write(b"clean")
        assert read_all(channel, 5) == b"clean"


def test_a_host_that_runs_something_else_says_what(connect: Connect) -> None:
    with running_ssh_server("ForceCommand echo This account is not available.") as server:
        with pytest.raises(Unreachable, match="nas: the login shell did not run our command") as raised:
            connect(server).open(["cat"])
        assert raised.value.why == "it printed: This account is not available."


# ------------------------------------------------------------------------- connections


@pytest.mark.parametrize("sessions", [1, 2, 10])
def test_channels_beyond_those_of_a_connection_get_another_one(sessions: int, connect: Connect) -> None:
    with running_ssh_server(f"MaxSessions {sessions}") as server:
        transport = connect(server)
        wanted = min(2 * sessions + 1, MAX_LINKS)
        channels = [transport.open(["cat"]) for _ in range(wanted)]
        for number, channel in enumerate(channels):
            channel.write(b"%d\n" % number)
            assert channel.read() == b"%d\n" % number
        assert server.log.count("Accepted publickey") == -(-wanted // sessions)
        # A closed channel frees its place.
        channels[0].close()
        wait(lambda: "session_close" in server.log or "Close session" in server.log, "the end of a session")
        transport.open(["cat"])
        assert server.log.count("Accepted publickey") == -(-wanted // sessions)


def test_there_is_an_end_to_the_connections(connect: Connect) -> None:
    with running_ssh_server("MaxSessions 1") as server:
        transport = connect(server)
        channels = [transport.open(["cat"]) for _ in range(MAX_LINKS)]
        with pytest.raises(Unreachable, match="no further SSH channel") as raised:
            transport.open(["cat"])
        assert "MaxSessions" in raised.value.fix
        assert len(channels) == MAX_LINKS


def test_many_threads_share_one_connection_from_the_start(ssh_server: SshServer, connect: Connect) -> None:
    transport = connect(ssh_server)
    done: list[int] = []
    threads = [threading.Thread(target=lambda: done.append(transport.run(["true"]).status)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20.0)
    assert done == [0] * 6
    assert ssh_server.log.count("Accepted publickey") == 1


def test_nothing_is_left_after_closing(ssh_server: SshServer, connect: Connect) -> None:
    transport = connect(ssh_server)
    channel = transport.open(["cat"])
    assert channel.pid is not None
    transport.close()
    assert channel.read() == b""
    wait(lambda: not ssh_server.connections(), "the end of the connection")
    wait(lambda: subprocess.run(["kill", "-0", str(channel.pid)], capture_output=True).returncode, "the end of cat")
    with pytest.raises(Unreachable):
        transport.open(["cat"])


# ------------------------------------------------------------------------------ faults


def test_a_killed_connection_is_noticed_at_once_and_made_anew(ssh_server: SshServer, connect: Connect) -> None:
    transport = connect(ssh_server)
    channel = transport.open(["cat"])
    began = time.monotonic()
    assert ssh_server.signal(signal.SIGKILL)
    assert channel.read() == b""
    assert time.monotonic() - began < 2.0
    assert transport.run(["echo", "again"]).stdout == b"again\n"


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["stopped sshd", "lost packets"])
def test_a_hung_connection_is_noticed_in_fifteen_seconds(
    ssh_server: SshServer, proxied: TcpProxy, connect: Connect, fault: str
) -> None:
    transport = connect(ssh_server, port=proxied.port)
    channel = transport.open(["cat"])
    began = time.monotonic()
    if fault == "lost packets":
        proxied.drop()
    else:
        assert ssh_server.signal(signal.SIGSTOP)
    try:
        assert channel.read() == b""
    finally:
        ssh_server.signal(signal.SIGCONT)
    assert BEAT - 1.0 < time.monotonic() - began < 15.0
    proxied.passing()
    assert transport.run(["echo", "again"], timeout=20.0).stdout == b"again\n"


LONG = BEAT + DEADLINE
#: what has become of a link: (when something came last, when it is looked at, what follows); waited for until LONG
SILENCES: dict[str, tuple[float, float, str]] = {
    "woken early": (0.0, LONG - 1.0, "goes on"),
    "nothing has come": (0.0, LONG, "hangs"),
    "nothing has come, and the machine is busy": (0.0, LONG + BEAT, "hangs"),
    "something has come meanwhile": (1.0, LONG, "goes on"),
    "the lid was closed": (0.0, LONG + BEAT + 0.1, "slept"),
    "the lid was closed for a night": (0.0, 30_000.0, "slept"),
}


@pytest.mark.parametrize(("heard", "now", "expected"), SILENCES.values(), ids=SILENCES)
def test_a_silence_is_the_link_s_fault_only_while_we_are_awake(heard: float, now: float, expected: str) -> None:
    verdict = "slept" if we_slept(LONG, now) else "hangs" if is_hung(LONG, now, heard) else "goes on"
    assert verdict == expected


@pytest.mark.slow
def test_a_slow_but_living_connection_is_kept(ssh_server: SshServer, proxied: TcpProxy, connect: Connect) -> None:
    transport = connect(ssh_server, port=proxied.port)
    channel = transport.open(["cat"])
    proxied.delay(1.0)
    deadline = time.monotonic() + BEAT + DEADLINE + 2.0
    while time.monotonic() < deadline:
        channel.write(b"x")
        assert channel.read() == b"x"
    assert proxied.accepted == 1


def test_a_reset_connection_ends_its_channels(ssh_server: SshServer, proxied: TcpProxy, connect: Connect) -> None:
    transport = connect(ssh_server, port=proxied.port)
    channel = transport.open(["cat"])
    assert proxied.reset() == 1
    assert channel.read() == b""
    before = [thread for thread in threading.enumerate() if thread.name == "ssh@nas"]
    assert transport.run(["echo", "again"]).stdout == b"again\n"
    assert proxied.accepted == 2
    wait(lambda: sum(thread.is_alive() for thread in before) == 0, "the end of its threads", BEAT / 2)


class Slams(paramiko.ServerInterface):
    """A server that lets everybody in and ends the connection when a channel is opened."""

    def __init__(self, transport: paramiko.Transport) -> None:
        self._transport = transport

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return paramiko.AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        self._transport.close()
        return paramiko.OPEN_FAILED_CONNECT_FAILED


def test_of_a_connection_that_gives_no_channel_nothing_is_left(ssh_server: SshServer, connect: Connect) -> None:
    def serve() -> None:
        transport = paramiko.Transport(listener.accept()[0])
        transport.add_server_key(paramiko.PKey.from_path(ssh_server.host_key))
        transport.start_server(threading.Event(), Slams(transport))

    before = set(threading.enumerate())
    with socket.create_server((ssh_server.host, 0)) as listener:
        port = listener.getsockname()[1]
        key = ssh_server.host_key.with_suffix(".pub").read_text().split()[:2]
        ssh_server.known_hosts.write_text(f"[{ssh_server.host}]:{port} {' '.join(key)}\n")
        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(Unreachable, match="the SSH connection was lost"):
            connect(ssh_server, port=port).open(["cat"])
    ours = [thread for thread in threading.enumerate() if thread not in before and thread.name == "ssh@nas"]
    wait(lambda: not any(thread.is_alive() for thread in ours), "the end of its threads", BEAT / 2)


def test_reset_gives_up_what_hangs(ssh_server: SshServer, proxied: TcpProxy, connect: Connect) -> None:
    transport = connect(ssh_server, port=proxied.port)
    channel = transport.open(["cat"])
    proxied.drop()
    began = time.monotonic()
    transport.reset()
    assert channel.read() == b""
    assert time.monotonic() - began < 2.0


def test_closing_calls_a_connect_off(ssh_server: SshServer, proxied: TcpProxy, connect: Connect) -> None:
    proxied.drop()
    transport = connect(ssh_server, port=proxied.port)
    ended = threading.Event()

    def try_it() -> None:
        try:
            transport.open(["cat"])
        except Unreachable:
            ended.set()

    threading.Thread(target=try_it, daemon=True).start()
    wait(lambda: proxied.accepted, "the connect")
    transport.close()
    assert ended.wait(2.0)
