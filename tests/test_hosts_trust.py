"""`tmux-sentry hosts trust` against a real sshd: what it shows, what it asks, what it writes."""

from __future__ import annotations

import json
import os
import pty
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.testing.ssh_server import SshServer, running_ssh_server


@pytest.fixture
def known_hosts(sandbox: Any) -> Path:
    return sandbox.path / "user" / ".ssh" / "known_hosts"


@pytest.fixture
def bastion() -> Iterator[SshServer]:
    with running_ssh_server() as server:
        yield server


def write_hosts(sandbox: Any, **servers: SshServer) -> None:
    """hosts.yaml with a host for each server, reached through the one after it; the ssh config is the default one."""
    names = list(servers)
    hosts: list[dict[str, Any]] = [{"name": "here"}]
    for index, (name, server) in enumerate(servers.items()):
        ssh = {"hostname": server.host, "port": server.port, "user": server.user, "key_files": [str(server.key_file)]}
        hosts.append({"name": name, "transport": "ssh", "ssh": {**ssh, "proxy_jump": names[index + 1 : index + 2]}})
    sandbox.write("hosts.yaml", json.dumps({"hosts": hosts}))  # JSON is YAML too


def fingerprint(server: SshServer) -> str:
    done = subprocess.run(["ssh-keygen", "-lf", server.host_key], check=True, capture_output=True, text=True)
    return done.stdout.split()[1]


def line(server: SshServer) -> str:
    return f"[{server.host}]:{server.port} {' '.join(server.host_key.with_suffix('.pub').read_text().split()[:2])}\n"


def at_a_terminal(sandbox: Any, keys: bytes, *args: str) -> tuple[int, str]:
    """Exit status and everything shown of `tmux-sentry ARGS`, with `keys` typed at its terminal."""
    ours, theirs = pty.openpty()
    argv = [*sandbox.command, *args]
    process = subprocess.Popen(argv, cwd=sandbox.work, env=sandbox.env(), stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, keys)
    shown = b""
    with suppress(OSError):  # Linux's way to say that the other end is closed
        while data := os.read(ours, 65536):
            shown += data
    os.close(ours)
    return process.wait(20), shown.decode().replace("\r\n", "\n")


def test_the_key_is_shown_and_written_when_a_person_says_yes(
    sandbox: Any, ssh_server: SshServer, known_hosts: Path
) -> None:
    write_hosts(sandbox, nas=ssh_server)
    status, shown = at_a_terminal(sandbox, b"y\n", "hosts", "trust", "nas")
    assert status == 0, shown
    for part in (f"127.0.0.1:{ssh_server.port}", f"ssh-ed25519 {fingerprint(ssh_server)}", str(known_hosts), "[y/N]"):
        assert part in shown
    assert known_hosts.read_text() == line(ssh_server)
    assert sandbox.run("hosts", "trust", "nas").stdout == "the key of nas is trusted already\n"
    assert "Accepted" not in ssh_server.log


@pytest.mark.parametrize("keys", [b"\n", b"n\n"])
def test_without_a_yes_nothing_is_written(sandbox: Any, ssh_server: SshServer, known_hosts: Path, keys: bytes) -> None:
    write_hosts(sandbox, nas=ssh_server)
    status, shown = at_a_terminal(sandbox, keys, "hosts", "trust", "nas")
    assert status == 3
    assert "the key of nas is not trusted" in shown
    assert not known_hosts.exists()


def test_without_a_terminal_only_a_fingerprint_will_do(sandbox: Any, ssh_server: SshServer, known_hosts: Path) -> None:
    write_hosts(sandbox, nas=ssh_server)
    done = sandbox.run("hosts", "trust", "nas")
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "tmux-sentry: the key of nas is not trusted",
        "there is no terminal to ask at",
        f"compare it, then add --fingerprint {fingerprint(ssh_server)}",
    ]
    done = sandbox.run("hosts", "trust", "nas", "--fingerprint", "SHA256:another")
    assert done.returncode == 3
    assert f"it is {fingerprint(ssh_server)}" in done.stderr
    assert not known_hosts.exists()
    sandbox.ok("hosts", "trust", "nas", "--fingerprint", fingerprint(ssh_server))
    assert known_hosts.read_text() == line(ssh_server)


def test_a_changed_key_is_told_with_the_old_one_and_takes_its_place(
    sandbox: Any, ssh_server: SshServer, known_hosts: Path
) -> None:
    write_hosts(sandbox, nas=ssh_server)
    known_hosts.parent.mkdir(mode=0o700)
    known_hosts.write_text("# mine\n" + line(ssh_server))
    before = fingerprint(ssh_server)
    ssh_server.new_host_key()
    ssh_server.restart()
    status, shown = at_a_terminal(sandbox, b"n\n", "hosts", "trust", "nas")
    assert status == 3
    assert f"known so far ssh-ed25519 {before} ({known_hosts}:2)" in shown
    assert f"ssh-ed25519 {fingerprint(ssh_server)}" in shown
    assert "warning: the key has CHANGED" in shown
    status, shown = at_a_terminal(sandbox, b"y\n", "hosts", "trust", "nas")
    assert status == 0, shown
    assert known_hosts.read_text() == "# mine\n" + line(ssh_server)
    assert known_hosts.with_name("known_hosts.old").exists()


def test_a_revoked_key_cannot_be_trusted(sandbox: Any, ssh_server: SshServer, known_hosts: Path) -> None:
    write_hosts(sandbox, nas=ssh_server)
    known_hosts.parent.mkdir(mode=0o700)
    known_hosts.write_text(f"@revoked * {line(ssh_server).split(None, 1)[1]}")
    done = sandbox.run("hosts", "trust", "nas", "--fingerprint", fingerprint(ssh_server))
    assert done.returncode == 3
    assert "tmux-sentry: the key of nas is revoked" in done.stderr
    assert line(ssh_server) not in known_hosts.read_text()


@pytest.mark.parametrize("config", ["UserKnownHostsFile none", "UserKnownHostsFile /etc/ssh/ssh_known_hosts"])
def test_the_file_of_the_system_is_never_written(sandbox: Any, ssh_server: SshServer, config: str) -> None:
    write_hosts(sandbox, nas=ssh_server)
    ssh_config = sandbox.path / "user" / ".ssh" / "config"
    ssh_config.parent.mkdir(mode=0o700)
    ssh_config.write_text(f"{config}\n")
    ssh_config.chmod(0o600)
    done = sandbox.run("hosts", "trust", "nas", "--fingerprint", "SHA256:none")
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "tmux-sentry: the key of nas cannot be kept",
        "it has no known_hosts file of yours, and /etc/ssh/ssh_known_hosts is the system's",
        "set ssh.known_hosts in hosts.yaml",
    ]


def test_a_jump_comes_first_and_is_asked_for_by_itself(
    sandbox: Any, ssh_server: SshServer, bastion: SshServer, known_hosts: Path
) -> None:
    write_hosts(sandbox, nas=ssh_server, bastion=bastion)
    status, shown = at_a_terminal(sandbox, b"y\nn\n", "hosts", "trust", "nas")
    assert status == 3
    assert shown.index(fingerprint(bastion)) < shown.index(fingerprint(ssh_server))
    assert "bastion, a jump to nas" in shown
    assert known_hosts.read_text() == line(bastion)
    status, shown = at_a_terminal(sandbox, b"y\n", "hosts", "trust", "nas")
    assert status == 0, shown
    assert fingerprint(bastion) not in shown
    assert known_hosts.read_text() == line(bastion) + line(ssh_server)
    assert "Accepted" in bastion.log
    assert "Accepted" not in ssh_server.log


def test_several_fingerprints_for_a_way_through_jumps(
    sandbox: Any, ssh_server: SshServer, bastion: SshServer, known_hosts: Path
) -> None:
    with running_ssh_server() as outer:
        way = [outer, bastion, ssh_server]
        write_hosts(sandbox, nas=ssh_server, bastion=bastion, outer=outer)
        options = [part for server in way for part in ("--fingerprint", fingerprint(server))]
        sandbox.ok("hosts", "trust", "nas", *options)
        assert known_hosts.read_text() == "".join(map(line, way))
        # Each key is fetched through the jumps before it.
        assert [server.log.count("Accepted publickey") for server in way] == [2, 1, 0]


@pytest.mark.parametrize(
    ("name", "what"),
    [("nsa", "no host 'nsa' in the hosts file"), ("here", "here is this machine")],
)
def test_a_name_that_is_no_machine_to_trust(sandbox: Any, ssh_server: SshServer, name: str, what: str) -> None:
    write_hosts(sandbox, nas=ssh_server)
    done = sandbox.run("hosts", "trust", name)
    assert done.returncode == 2
    assert done.stderr.startswith(f"tmux-sentry: {what}")


def test_a_machine_that_is_down(sandbox: Any, ssh_server: SshServer) -> None:
    write_hosts(sandbox, nas=ssh_server)
    ssh_server.stop()
    done = sandbox.run("hosts", "trust", "nas")
    assert done.returncode == 4
    assert done.stderr.startswith(f"tmux-sentry: nas: 127.0.0.1:{ssh_server.port} refuses the connection\n")


def test_the_message_of_a_refused_key_leads_here(sandbox: Any, ssh_server: SshServer, known_hosts: Path) -> None:
    write_hosts(sandbox, nas=ssh_server)
    (row,) = (one for one in json.loads(sandbox.run("status", "--json").stdout)["hosts"] if one["name"] == "nas")
    assert "nas: its host key is not known" in row["error"]
    assert fingerprint(ssh_server) in row["error"]
    assert row["error"].endswith("tmux-sentry hosts trust nas")
    assert not known_hosts.exists()


def test_the_command_of_the_message_names_the_file_that_was_named(
    sandbox: Any, ssh_server: SshServer, known_hosts: Path
) -> None:
    write_hosts(sandbox, nas=ssh_server)
    (sandbox.work / "hosts.yaml").rename(sandbox.work / "my hosts.yaml")
    rows = json.loads(sandbox.run("status", "--hosts", "my hosts.yaml", "--json").stdout)["hosts"]
    command = next(row["error"] for row in rows if row["name"] == "nas")
    words = shlex.split(command[command.index("tmux-sentry ") :])
    assert words == ["tmux-sentry", "hosts", "trust", "nas", "--hosts", "my hosts.yaml"]
    sandbox.ok(*words[1:], "--fingerprint", fingerprint(ssh_server))
    assert known_hosts.read_text() == line(ssh_server)


def test_a_secret_of_the_hosts_file_is_told_but_never_shown(sandbox: Any, ssh_server: SshServer) -> None:
    ssh = {"hostname": ssh_server.host, "port": ssh_server.port, "known_hosts": str(ssh_server.known_hosts)}
    ssh |= {"user": "hunter22-hunter22", "password": "hunter22-hunter22"}  # the user is shown in messages
    sandbox.write("hosts.yaml", json.dumps({"hosts": [{"name": "nas", "transport": "ssh", "ssh": ssh}]}))
    policy = sandbox.write("p.yaml", "pipelines: [{name: p, match: {host: nas}, stages: [{name: s}]}]\n")
    for args in (["status"], ["check", "--policy", policy, "--hosts", "hosts.yaml"]):
        done = sandbox.run(*args)
        told = done.stdout + done.stderr
        assert "hosts[0].ssh.password: is in clear" in told
        assert "put it in the env file as SSH_PASSWORD_NAS, or use the ssh agent" in told
        assert "nas: no login as [redacted]" in told
        assert "hunter22" not in told
