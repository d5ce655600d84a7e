"""Connecting over SSH to a real sshd, and to everything that is none: who is let in, and what a person is told."""

from __future__ import annotations

import base64
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import paramiko
import pytest

from tmux_sentry.errors import HostKeyRefused, Unreachable
from tmux_sentry.testing.ssh_server import SshServer, running_ssh_server
from tmux_sentry.transport.known_hosts import trust
from tmux_sentry.transport.ssh_dial import Dial, offered_key
from tmux_sentry.transport.ssh_handshake import connect_through
from tmux_sentry.transport.target import SshTarget

pytestmark = pytest.mark.skipif(
    not (shutil.which("sshd") or Path("/usr/sbin/sshd").exists()), reason="needs an OpenSSH server"
)
#: Seconds within which what has to happen at once has happened, on a busy machine too.
SOON = 5.0


@contextmanager
def connected(target: SshTarget, timeout: float = 10.0) -> Iterator[paramiko.Transport]:
    with closing(Dial(target, timeout)) as dial:
        yield dial.connect()


def refused(target: SshTarget, timeout: float = 10.0) -> list[str]:
    """What a person is told about a connection that does not come about; nothing of it is left open."""
    dial = Dial(target, timeout)
    with pytest.raises(Unreachable) as error:
        dial.connect()
    return error.value.lines()


def output(transport: paramiko.Transport, command: str) -> str:
    with closing(transport.open_session(timeout=10)) as channel:
        channel.settimeout(10)
        channel.exec_command(command)
        return channel.makefile("rb").read().decode().strip()


def wait(until: Callable[[], object]) -> None:
    deadline = time.monotonic() + SOON
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def nothing_goes_on() -> Iterator[None]:
    """Whatever became of a connection, no thread of it is left."""
    yield
    wait(lambda: not any(map(of_ours, threading.enumerate())))


def of_ours(thread: threading.Thread) -> bool:
    return isinstance(thread, paramiko.Transport) or thread.name.startswith("ssh-dial@")


def public(path: Path) -> tuple[str, bytes]:
    """Type and blob of the public half of a key file."""
    key_type, encoded, *_ = path.with_name(f"{path.name}.pub").read_text().split()
    return key_type, base64.b64decode(encoded)


def shown(path: Path) -> str:
    """The public half of a key file as ssh-keygen shows it: type and fingerprint."""
    done = subprocess.run(["ssh-keygen", "-lf", path], check=True, capture_output=True, text=True)
    return f"{public(path)[0]} {done.stdout.split()[1]}"


def new_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", path], check=True)
    return path


def authorize(server: SshServer, key: Path) -> None:
    shutil.copy(f"{key}.pub", server.directory / "authorized_keys")


# --------------------------------------------------------------------------- connections


def test_a_connection_runs_programs_until_it_is_closed(ssh_server: SshServer) -> None:
    dial = Dial(ssh_server.target())
    transport = dial.connect()
    assert output(transport, "echo $0-$((1+1))").endswith("-2")
    assert ssh_server.connections()
    dial.close()
    dial.close()
    assert not transport.is_active()
    wait(lambda: not ssh_server.connections())


def test_no_old_algorithm_is_offered_and_the_cheapest_cipher_comes_first(ssh_server: SshServer) -> None:
    with connected(ssh_server.target()) as transport:
        options = transport.get_security_options()
        offered = {*options.ciphers, *options.digests, *options.kex, *options.key_types}
        old = ("md5", "sha1", "cbc", "3des", "arcfour", "blowfish", "group1-", "dss")
        assert [name for name in offered if any(word in name for word in old)] == []
        assert "ssh-rsa" not in offered
        assert transport.remote_cipher == "aes128-gcm@openssh.com"


def test_every_step_has_a_time_limit(ssh_server: SshServer) -> None:
    with connected(ssh_server.target(), timeout=7.0) as transport:
        limits = (
            transport.banner_timeout,
            transport.handshake_timeout,
            transport.auth_timeout,
            transport.channel_timeout,
        )
        assert limits == (7.0, 7.0, 7.0, 7.0)


def test_a_server_of_old_algorithms_alone_is_refused() -> None:
    with running_ssh_server("Ciphers aes128-cbc", "MACs hmac-sha1") as server:
        what, why, _ = refused(server.target(name="nas"))
    assert what == f"nas: {server.host}:{server.port} knows none of the algorithms that are safe"
    assert "no acceptable ciphers" in why


# ----------------------------------------------------------------------------- host keys


def test_an_unknown_key_is_refused_with_its_fingerprint_and_the_command(ssh_server: SshServer, tmp_path: Path) -> None:
    target = ssh_server.target(
        name="nas", known_hosts=(tmp_path / "a", tmp_path / "b"), trust="tmux-sentry hosts trust nas"
    )
    dial = Dial(target)
    with pytest.raises(HostKeyRefused) as error:
        dial.connect()
    wait(lambda: not ssh_server.connections())  # without being told to close
    dial.close()
    assert error.value.lines() == [
        "nas: its host key is not known",
        f"{target.address} offers {shown(ssh_server.host_key)}, which is not in {tmp_path}/a or {tmp_path}/b",
        "compare the fingerprint, then: tmux-sentry hosts trust nas",
    ]
    assert "Accepted" not in ssh_server.log
    assert list(tmp_path.iterdir()) == []


def test_a_changed_key_is_refused_with_both_fingerprints(ssh_server: SshServer) -> None:
    before = shown(ssh_server.host_key)
    ssh_server.new_host_key()
    ssh_server.restart()
    target = ssh_server.target(name="nas", trust="tmux-sentry hosts trust nas")
    what, why, fix = refused(target)
    assert what == "nas: its host key has CHANGED"
    offered, _, known = why.partition("; known is ")
    assert offered == f"{target.address} offers {shown(ssh_server.host_key)}"
    assert known.startswith(f"{before} ({ssh_server.known_hosts}:1). Somebody may answer in its place")
    assert fix == "only if you know why it changed: tmux-sentry hosts trust nas"
    assert "Accepted" not in ssh_server.log


def test_a_revoked_key_is_refused_though_it_is_known(ssh_server: SshServer) -> None:
    line = ssh_server.known_hosts.read_text()
    ssh_server.known_hosts.write_text(f"{line}@cert-authority * {line.split(None, 1)[1]}@revoked {line}")
    what, why, _ = refused(ssh_server.target(name="nas"))
    assert what == "nas: its host key is revoked"
    assert shown(ssh_server.host_key) in why


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_the_known_key_of_several_is_asked_for(tmp_path: Path, kind: str) -> None:
    key = new_key(tmp_path / "second", kind)
    with running_ssh_server(f"HostKey {key}") as server:
        known = tmp_path / "known_hosts"
        trust(known, server.host, server.port, *public(key))
        target = server.target(known_hosts=(known,))
        assert offered_key(target) == public(key)
        with connected(target) as transport:
            assert transport.is_authenticated()
        # None is known: the one that the server would give to ssh.
        assert offered_key(replace(target, known_hosts=())) == public(server.host_key)


def test_the_offered_key_is_told_without_a_login(ssh_server: SshServer) -> None:
    assert offered_key(ssh_server.target(known_hosts=(), key_files=())) == public(ssh_server.host_key)
    wait(lambda: "Connection closed by" in ssh_server.log or "Connection reset by" in ssh_server.log)
    assert "Accepted" not in ssh_server.log
    assert "Failed" not in ssh_server.log


# --------------------------------------------------------------------------------- login


def test_a_wrong_user_or_key_is_told_with_all_that_was_tried(ssh_server: SshServer, tmp_path: Path) -> None:
    other, junk = new_key(tmp_path / "other"), tmp_path / "junk"
    junk.write_text("not a key\n")
    keys = (tmp_path / "none", junk, other)
    assert refused(ssh_server.target(name="nas", user="nobody-here", key_files=keys, password="wrong-password")) == [
        "nas: no login as nobody-here",
        f"key {tmp_path}/none: No such file or directory; key {junk}: not a private key that is supported; "
        f"key {other}: refused; password: not taken, only publickey",
        "check ssh.user and ssh.key_files in hosts.yaml, and ~/.ssh/authorized_keys on that machine",
    ]
    _, why, _ = refused(ssh_server.target(name="nas", key_files=()))
    assert why == "there is no key file, no key in an ssh agent and no password"


def test_keys_that_cannot_be_used_do_not_keep_others_from_it(ssh_server: SshServer, tmp_path: Path) -> None:
    keys = (tmp_path / "none", new_key(tmp_path / "locked", passphrase="secret"), ssh_server.key_file)
    with connected(ssh_server.target(key_files=keys)) as transport:
        assert transport.is_authenticated()


@pytest.mark.parametrize(("kind", "options"), [("ed25519", ()), ("ecdsa", ()), ("rsa", ("-m", "PEM"))])
def test_an_encrypted_key(ssh_server: SshServer, tmp_path: Path, kind: str, options: tuple[str, ...]) -> None:
    key = new_key(tmp_path / "key", kind, "the-passphrase")
    if options:
        argv = ["ssh-keygen", "-q", "-p", *options, "-P", "the-passphrase", "-N", "the-passphrase", "-f", key]
        subprocess.run(argv, check=True, capture_output=True)
    authorize(ssh_server, key)
    target = ssh_server.target(name="my-nas", key_files=(key,))
    with connected(replace(target, key_passphrase="the-passphrase")) as transport:
        assert transport.is_authenticated()
    _, why, fix = refused(target)
    assert why == f"key {key}: encrypted, and there is no passphrase for it"
    assert fix == "set SSH_KEY_PASSPHRASE_MY_NAS in the env file"
    _, why, fix = refused(replace(target, key_passphrase="another"))
    assert why == f"key {key}: its passphrase is wrong"


def test_a_passphrase_does_no_harm_to_a_key_that_needs_none(ssh_server: SshServer) -> None:
    with connected(ssh_server.target(key_passphrase="another")) as transport:
        assert transport.is_authenticated()


def test_a_certificate_beside_the_key_is_used(ssh_server: SshServer, tmp_path: Path) -> None:
    authority, key = new_key(tmp_path / "authority"), new_key(tmp_path / "key")
    argv = ["ssh-keygen", "-q", "-s", authority, "-I", "me", "-n", ssh_server.user, f"{key}.pub"]
    subprocess.run(argv, check=True, capture_output=True)
    ssh_server.config.append(f"TrustedUserCAKeys {authority}.pub")
    ssh_server.restart()
    with connected(ssh_server.target(key_files=(key,))) as transport:
        assert transport.is_authenticated()


@pytest.fixture
def agent(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """A real ssh agent; called with key files it takes them."""
    path = f"/tmp/sentry-agent-{os.getpid()}"  # sockets have short path limits
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", path)
    wait(lambda: Path(path).exists())
    yield lambda *keys: subprocess.run(["ssh-add", "-q", *keys], check=True)
    process.terminate()
    process.wait()


def test_the_agent_gives_its_keys_unless_it_is_off(
    ssh_server: SshServer, tmp_path: Path, agent: Callable[..., None]
) -> None:
    locked = tmp_path / "locked"
    shutil.copy(ssh_server.key_file, locked)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", locked], check=True, capture_output=True)
    target = ssh_server.target(name="nas", agent=True, key_files=(locked,))
    agent(new_key(tmp_path / "other"))
    _, why, fix = refused(target)
    assert why.endswith("; agent's key other: refused")
    assert fix == f"set SSH_KEY_PASSPHRASE_NAS in the env file, or: ssh-add {locked}"
    agent(ssh_server.key_file)
    with connected(target) as transport:
        assert transport.is_authenticated()
    assert "agent's key" not in "\n".join(refused(replace(target, agent=False)))


@pytest.mark.parametrize("listed", ["encrypted", "public", "private is elsewhere", "old format, .pub beside it"])
def test_only_the_listed_keys_also_from_the_agent(
    ssh_server: SshServer, tmp_path: Path, agent: Callable[..., None], listed: str
) -> None:
    key, opened = new_key(tmp_path / "key", "rsa"), tmp_path / "opened"
    shutil.copy(key, opened)
    authorize(ssh_server, key)
    in_the_way = [new_key(tmp_path / f"other{number}") for number in range(7)]  # more than sshd hears
    rekey = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", key]
    names = {"encrypted": key, "public": Path(f"{key}.pub"), "private is elsewhere": key}
    if listed.startswith("old"):
        rekey += ["-m", "PEM"]
    subprocess.run(rekey, check=True, capture_output=True)
    if listed == "encrypted":
        Path(f"{key}.pub").unlink()  # its public half is in it
    elif listed == "private is elsewhere":
        key.unlink()
    target = ssh_server.target(name="nas", agent=True, listed_only=True, key_files=(names.get(listed, key),))
    agent(*in_the_way)
    before = refused(target)
    assert "ssh agent: it has none of the keys that are listed (IdentitiesOnly)" in before[1]
    assert "refused" not in before[1]
    agent(opened)
    with connected(target) as transport:
        assert transport.is_authenticated()
    # What the agent has needs no passphrase: only the refusal is told.
    ssh_server.directory.joinpath("authorized_keys").write_text("")
    assert refused(target)[1] == "agent's key key: refused"


def test_a_public_key_file_without_the_agents_help(ssh_server: SshServer, tmp_path: Path) -> None:
    public_file = Path(f"{new_key(tmp_path / 'key')}.pub")
    _, why, _ = refused(ssh_server.target(name="nas", key_files=(public_file,)))
    assert why == f"key {public_file}: a public key, with which only an ssh agent that has the private one can log in"


def test_a_server_that_ends_the_connection_after_too_many_keys(tmp_path: Path) -> None:
    keys = tuple(new_key(tmp_path / f"key{number}") for number in range(4))
    with running_ssh_server("MaxAuthTries 2") as server:
        _, why, _ = refused(server.target(key_files=(*keys, server.key_file)))
    assert why == f"key {keys[0]}: refused; key {keys[1]}: the server ended the connection"


IDENTITIES, SIGN = 11, 13  # what an agent is asked (draft-ietf-sshm-ssh-agent)


@pytest.fixture
def hanging(
    ssh_server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[int], tuple[SshTarget, threading.Event]]]:
    """Called with what an agent does not answer, a target that needs it, and an event for when it was asked that."""
    path, listener = f"/tmp/sentry-hangs-{os.getpid()}", socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    monkeypatch.setenv("SSH_AUTH_SOCK", path)

    def made(silent_at: int) -> tuple[SshTarget, threading.Event]:
        asked = threading.Event()
        parts = (public(ssh_server.key_file)[1], b"me")
        one_key = b"\x0c\0\0\0\x01" + b"".join(len(part).to_bytes(4, "big") + part for part in parts)

        def serve() -> None:
            with closing(listener.accept()[0]) as sock:
                while request := sock.recv(65536):
                    if request[4] == silent_at:
                        asked.set()
                    else:
                        sock.sendall(len(one_key).to_bytes(4, "big") + one_key)

        threading.Thread(target=serve, daemon=True).start()
        return ssh_server.target(name="nas", agent=True, key_files=()), asked

    yield made
    listener.close()
    os.unlink(path)


@pytest.mark.parametrize(
    ("silent_at", "why"),
    [(IDENTITIES, "ssh agent: timed out"), (SIGN, "agent's key me: no answer within 0.5 s")],
)
def test_an_agent_that_hangs_is_given_up(
    hanging: Callable[[int], tuple[SshTarget, threading.Event]], silent_at: int, why: str
) -> None:
    target, asked = hanging(silent_at)
    assert refused(target, timeout=0.5)[1] == why
    assert asked.is_set()


class Door(paramiko.ServerInterface):
    """Who may come in to a server made of paramiko itself, where sshd would need accounts with passwords."""

    def __init__(self, methods: str) -> None:
        self.methods = methods

    def get_allowed_auths(self, username: str) -> str:
        return self.methods

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return paramiko.AUTH_PARTIALLY_SUCCESSFUL if "publickey" in self.methods else paramiko.AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        return paramiko.AUTH_SUCCESSFUL if password == "the-password" else paramiko.AUTH_FAILED

    def check_auth_interactive(self, username: str, submethods: str) -> object:
        return paramiko.InteractiveQuery("", "", ("Password: ", False))

    def check_auth_interactive_response(self, responses: Sequence[str]) -> int:
        return self.check_auth_password("", responses[0])


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Callable[[str], SshTarget]]:
    """Called with the methods that the server takes, the target to reach it."""
    host_key, user_key = new_key(tmp_path / "host"), new_key(tmp_path / "user")
    known_hosts = tmp_path / "known_hosts"
    listeners: list[socket.socket] = []

    def serve(listener: socket.socket, methods: str) -> None:
        with suppress(OSError):
            while True:
                transport = paramiko.Transport(listener.accept()[0])
                transport.add_server_key(paramiko.PKey.from_path(host_key))
                transport.start_server(threading.Event(), Door(methods))

    def opened(methods: str) -> SshTarget:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=serve, args=(listener, methods), daemon=True).start()
        host, port = listener.getsockname()
        trust(known_hosts, host, port, *public(host_key))
        keys = (user_key,) if "publickey" in methods else ()
        return SshTarget(
            name="nas", hostname=host, port=port, user="u", key_files=keys, agent=False, known_hosts=(known_hosts,)
        )

    yield opened
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.mark.parametrize("methods", ["password", "keyboard-interactive", "publickey,password"])
def test_a_password_alone_asked_for_or_after_a_key(door: Callable[[str], SshTarget], methods: str) -> None:
    target = door(methods)
    with connected(replace(target, password="the-password")) as transport:
        assert transport.is_authenticated()
    lines = refused(replace(target, password="another-password"))
    assert lines[0] == "nas: no login as u"
    assert "password: " in lines[1]
    assert "another-password" not in "\n".join(lines)


def test_a_key_that_is_not_enough_is_told(door: Callable[[str], SshTarget]) -> None:
    target = door("publickey,password")
    _, why, _ = refused(target)
    assert why == f"key {target.key_files[0]}: accepted, but publickey or password is wanted too"


# --------------------------------------------------------------------------------- jumps


@pytest.fixture
def inner() -> Iterator[SshServer]:
    with running_ssh_server() as server:
        yield server


def test_through_a_jump_and_closing_ends_all_of_it(ssh_server: SshServer, inner: SshServer) -> None:
    jump = ssh_server.target(name="bastion")
    with connected(inner.target(jumps=(jump,))) as transport:
        # The client's address of the inner server is the outer one: it has come through it.
        assert output(transport, "echo $SSH_CLIENT").startswith("127.0.0.1 ")
        assert ssh_server.connections()
        assert inner.connections()
    wait(lambda: not ssh_server.connections() and not inner.connections())


def test_through_two_jumps(ssh_server: SshServer, inner: SshServer) -> None:
    with running_ssh_server() as innermost:
        target = innermost.target(jumps=(ssh_server.target(), inner.target()))
        with connected(target) as transport:
            assert output(transport, "echo here") == "here"
        assert offered_key(replace(target, known_hosts=())) == public(innermost.host_key)


def test_a_jump_whose_key_is_not_known_is_not_logged_in_to(ssh_server: SshServer, inner: SshServer) -> None:
    jump = ssh_server.target(name="bastion", known_hosts=(), trust="tmux-sentry hosts trust nas")
    target = inner.target(name="nas", jumps=(jump,))
    for attempt in (lambda: Dial(target).connect(), lambda: offered_key(target)):
        with pytest.raises(HostKeyRefused, match=r"^nas: jump bastion: its host key is not known") as error:
            attempt()
        assert error.value.fix.endswith(": tmux-sentry hosts trust nas")
    assert "Accepted" not in ssh_server.log


def test_a_jump_that_lets_nobody_on(inner: SshServer) -> None:
    with running_ssh_server("AllowTcpForwarding no") as bastion:
        target = inner.target(name="nas", jumps=(bastion.target(name="bastion"),))
        what, why, fix = refused(target)
    assert what == f"nas: {target.address} cannot be reached from the jump before it"
    assert "rohibited" in why
    assert fix == "allow it in the jump's sshd_config: AllowTcpForwarding yes"


def test_a_machine_that_the_jump_does_not_reach(ssh_server: SshServer, inner: SshServer) -> None:
    target = inner.target(name="nas", jumps=(ssh_server.target(name="bastion"),))
    inner.stop()
    what, why = refused(target)
    assert what == f"nas: {target.address} cannot be reached from the jump before it"
    assert why == "Connect failed"


# ------------------------------------------------------------------------- ProxyCommand


BRIDGE = """\
import os, socket, sys, threading
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def up():
    while data := os.read(0, 65536): sock.sendall(data)
    os._exit(0)
threading.Thread(target=up, daemon=True).start()
while data := sock.recv(65536): os.write(1, data)
"""


def test_through_a_proxy_command_that_ends_with_the_connection(ssh_server: SshServer, tmp_path: Path) -> None:
    (tmp_path / "bridge.py").write_text(BRIDGE)
    command = f"echo $$ > {tmp_path}/pid; {sys.executable} {tmp_path}/bridge.py {ssh_server.port}; exit 1"
    with connected(ssh_server.target(proxy_command=command)) as transport:
        assert output(transport, "echo here") == "here"
        pid = int((tmp_path / "pid").read_text())
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    wait(lambda: not ssh_server.connections())


@pytest.mark.parametrize("command", ["exit 3", "no-such-program-here 2>&1 >/dev/null", "sleep 0.1"])
def test_a_proxy_command_that_ends_at_once(ssh_server: SshServer, command: str) -> None:
    begun, used = time.monotonic(), time.process_time()
    what, why, _ = refused(ssh_server.target(name="nas", proxy_command=command))
    assert what == "nas: its ProxyCommand ended before an SSH server answered"
    assert why == command
    assert time.monotonic() - begun < SOON
    assert time.process_time() - used < 1.0, "it spins"


def test_a_proxy_command_that_says_nothing_is_ended(ssh_server: SshServer, tmp_path: Path) -> None:
    command = f"echo $$ > {tmp_path}/pid; trap '' TERM; while :; do read x; done"
    what, *_ = refused(ssh_server.target(name="nas", proxy_command=command), timeout=0.5)
    assert what.startswith("nas: no SSH server answers at ")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


# ------------------------------------------------------------- what is no SSH server at all


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def at(listener: socket.socket) -> SshTarget:
    host, port = listener.getsockname()
    return SshTarget(name="nas", hostname=host, port=port, user="u", agent=False)


def answering(listener: socket.socket, data: bytes, *, end: bool) -> threading.Thread:
    """Answer the first connection, and end it or wait until the other side does."""

    def answer() -> None:
        with closing(listener.accept()[0]) as sock, suppress(OSError):
            sock.sendall(data)
            while not end and sock.recv(65536):
                pass

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    return thread


ANSWERS = {
    "silence": (b"", False, "no SSH server answers at ADDRESS within 0.5 s"),
    "a line that never ends": (b"x" * 100, False, "no SSH server answers at ADDRESS within 0.5 s"),
    "a banner and then silence": (b"SSH-2.0-x\r\n", False, "no SSH server answers at ADDRESS within 0.5 s"),
    "an end": (b"", True, "ADDRESS ended the connection before the login"),
    "a banner and then an end": (b"SSH-2.0-x\r\n", True, "ADDRESS ended the connection before the login"),
    "what a web server says": (b"HTTP/1.1 400 Bad\r\n\r\n", True, "ADDRESS ended the connection before the login"),
    "a long talk": (b"hello\r\n" * 200, False, "ADDRESS is not an SSH server"),
    "bytes that are no text": (b"\xff\xfe\n" * 3, False, "ADDRESS is not an SSH server"),
    "another protocol version": (b"SSH-1.5-x\r\n", False, "ADDRESS knows none of the algorithms that are safe"),
    "terminal escapes": (b"\x1b]0;evil\x07\x1b[2J\r\n" * 200, False, "ADDRESS is not an SSH server"),
}


@pytest.mark.parametrize(("data", "end", "what"), ANSWERS.values(), ids=ANSWERS)
def test_what_answers_otherwise(listener: socket.socket, data: bytes, end: bool, what: str) -> None:
    thread = answering(listener, data, end=end)
    target, begun = at(listener), time.monotonic()
    lines = refused(target, timeout=0.5)
    assert lines[0] == "nas: " + what.replace("ADDRESS", target.address)
    assert time.monotonic() - begun < SOON
    assert "".join(lines).isprintable()
    thread.join(SOON)
    assert not thread.is_alive(), "our end of the connection is still open"


def test_a_line_that_trickles_in_without_an_end(listener: socket.socket) -> None:
    ended = threading.Event()

    def trickle() -> None:
        with closing(listener.accept()[0]) as sock, suppress(OSError):
            while not ended.wait(0.05):
                sock.sendall(b"x")

    thread = threading.Thread(target=trickle, daemon=True)
    thread.start()
    begun = time.monotonic()
    assert refused(at(listener), timeout=0.3)[0].startswith("nas: no SSH server answers at ")
    assert time.monotonic() - begun < SOON
    ended.set()
    thread.join(SOON)


def test_a_name_that_does_not_resolve() -> None:
    for name in ("no-such-host.invalid", "a..b", "x" * 300):
        what, why, _ = refused(SshTarget(name="nas", hostname=name, user="u"))
        assert what == f"nas: the name {name} does not resolve"
        assert why


def test_a_port_where_nothing_listens(listener: socket.socket) -> None:
    target = at(listener)
    listener.close()
    assert refused(target) == [
        f"nas: {target.address} refuses the connection",
        "no SSH server listens there",
        "check ssh.port, and sshd on that machine",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="fills the queue of a socket as Linux does")
def test_an_address_that_does_not_answer() -> None:
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    begun = time.monotonic()
    with closing(full), closing(socket.create_connection(full.getsockname())):
        assert refused(at(full), timeout=0.5)[0] == f"nas: {at(full).address} does not answer within 0.5 s"
    assert time.monotonic() - begun < SOON


# ------------------------------------------------------------------ closing, and being quiet


def test_closing_before_it_connects(ssh_server: SshServer) -> None:
    dial = Dial(ssh_server.target(name="nas"))
    dial.close()
    with pytest.raises(Unreachable, match=r"^nas: the connection was closed$"):
        dial.connect()
    assert "Accepted" not in ssh_server.log


@pytest.mark.parametrize("when", ["the banner", "the key exchange", "behind a jump"])
def test_closing_gives_an_attempt_up_at_once(ssh_server: SshServer, listener: socket.socket, when: str) -> None:
    target, reached = at(listener), threading.Event()
    if when == "behind a jump":
        target = replace(target, jumps=(ssh_server.target(),))

    def silent() -> None:
        with closing(listener.accept()[0]) as sock, suppress(OSError):
            sock.sendall(b"SSH-2.0-x\r\n" if when == "the key exchange" else b"")
            while sock.recv(65536):
                reached.set()

    server = threading.Thread(target=silent, daemon=True)
    server.start()
    given_up(Dial(target), reached)
    server.join(SOON)
    assert not server.is_alive(), "our end of the connection is still open"
    wait(lambda: not ssh_server.connections())


@pytest.mark.parametrize("silent_at", [IDENTITIES, SIGN])
def test_closing_gives_an_attempt_up_while_the_agent_hangs(
    ssh_server: SshServer, hanging: Callable[[int], tuple[SshTarget, threading.Event]], silent_at: int
) -> None:
    target, asked = hanging(silent_at)
    given_up(Dial(target, timeout=2.0), asked)
    wait(lambda: not ssh_server.connections())


def given_up(dial: Dial, reached: threading.Event) -> None:
    """Connect on a thread, close once `reached` is set, and see that the thread ends at once."""
    errors: list[Unreachable] = []

    def connect() -> None:
        try:
            dial.connect()
        except Unreachable as error:
            errors.append(error)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    assert reached.wait(SOON)
    begun = time.monotonic()
    dial.close()
    thread.join(SOON)
    assert time.monotonic() - begun < 1.0
    assert [error.what for error in errors] == ["nas: the connection was closed"]


def test_a_way_that_takes_nothing_does_not_keep_it_from_closing(
    ssh_server: SshServer, inner: SshServer, tmp_path: Path
) -> None:
    (tmp_path / "bridge.py").write_text(BRIDGE)
    command = f"echo $$ > {tmp_path}/pid; exec {sys.executable} {tmp_path}/bridge.py {ssh_server.port}"
    dial = Dial(inner.target(jumps=(ssh_server.target(proxy_command=command),)))
    channel = dial.connect().open_session(timeout=10)
    channel.exec_command("echo here; exec cat > /dev/null")
    assert channel.recv(4) == b"here"
    sent = [time.monotonic()]

    def send() -> None:
        with suppress(OSError, EOFError, paramiko.SSHException):
            while channel.send(b"x" * 4096):
                sent.append(time.monotonic())

    sender, closer = threading.Thread(target=send, daemon=True), threading.Thread(target=dial.close, daemon=True)
    bridge = int((tmp_path / "pid").read_text())
    os.kill(bridge, signal.SIGSTOP)
    try:
        sender.start()
        wait(lambda: time.monotonic() - sent[-1] > 0.5)  # every buffer is full
        assert len(sent) > 10
        closer.start()
        for thread in (closer, sender):
            thread.join(SOON)
            assert not thread.is_alive()
    finally:
        with suppress(ProcessLookupError):
            os.kill(bridge, signal.SIGKILL)


NOISY = """\
import logging, sys
from tmux_sentry.errors import Unreachable
from tmux_sentry.transport.ssh_dial import Dial
from tmux_sentry.transport.target import SshTarget
logging.basicConfig()
try:
    Dial(SshTarget(hostname="127.0.0.1", port=int(sys.argv[1]), user="u", agent=False), timeout=0.5).connect()
except Unreachable as error:
    print(error.what)
"""


@pytest.mark.parametrize("data", [b"SSH-2.0-x\r\n", b"junk\n" * 200, b"\xff\n"])
def test_nothing_but_our_own_words_reaches_stderr(listener: socket.socket, data: bytes) -> None:
    thread = answering(listener, data, end=True)
    argv = [sys.executable, "-W", "error", "-c", NOISY, str(listener.getsockname()[1])]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True)
    thread.join(SOON)
    assert done.stderr == ""
    assert done.stdout.startswith("127.0.0.1:")


def test_what_paramiko_logs_is_ours_at_debug(listener: socket.socket, caplog: pytest.LogCaptureFixture) -> None:
    answering(listener, b"", end=True)
    with caplog.at_level(logging.DEBUG, logger="tmux_sentry"):
        refused(at(listener), timeout=0.5)
    # pytest listens at loggers that do not propagate, too.
    ours = [record for record in caplog.records if not record.name.startswith("paramiko")]
    assert {record.levelname for record in ours} == {"DEBUG"}
    assert any("Error reading SSH protocol banner" in record.getMessage() for record in ours)


def test_closing_what_goes_through_a_jump_that_has_ended_is_no_error() -> None:
    class Channel:
        def close(self) -> None:
            raise EOFError

    class Jump:
        def open_channel(self, *args: object, **kwargs: object) -> Channel:
            return Channel()

    jump: Any = Jump()
    target: Any = SimpleNamespace(hostname="192.0.2.1", port=22, address="192.0.2.1:22")
    connect_through(jump, target, "nas", 1.0).close()
