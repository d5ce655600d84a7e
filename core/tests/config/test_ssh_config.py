"""~/.ssh/config: what is honoured of it, and that reading it runs nothing."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.config.ssh_config import SshConfig, SshConfigHost
from tmux_sentry.errors import UsageError

HOME = Path("/home/u")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.touch(mode=0o600)
    return path


def lookup(file: Path, text: str, name: str = "nas", *, allow_exec: bool = False, **given: Any) -> SshConfigHost:
    file.write_text(text)
    return SshConfig.read(file, HOME, allow_exec=allow_exec).lookup(name, **given)


READ: dict[str, tuple[str, dict[str, Any]]] = {
    "nothing": ("", {}),
    "everything that is honoured": (
        """\
        Host nas
            HostName 192.0.2.10
            User dev
            Port 2222
            IdentityFile ~/.ssh/nas
            IdentityFile /keys/nas
            IdentitiesOnly yes
            ProxyJump bastion,dev@inner:2222
            UserKnownHostsFile ~/.ssh/kh /kh
            Compression yes
        """,
        {
            "hostname": "192.0.2.10",
            "user": "dev",
            "port": 2222,
            "identity_files": (HOME / ".ssh/nas", Path("/keys/nas")),
            "identities_only": True,
            "proxy_jump": ("bastion", "dev@inner:2222"),
            "user_known_hosts": (HOME / ".ssh/kh", Path("/kh")),
        },
    ),
    "the first value counts": ("User a\nHost nas\n User b\n Port 5\nHost n*\n Port 6\n", {"user": "a", "port": 5}),
    "another host": ("Host nas2\n User a\nHost * !nas\n User b\n", {}),
    "equals signs and quotes": ('Host="nas"\nUser = "a b"\n', {"user": "a b"}),
    "comments behind": ("Host nas # mine\n Port 23 # old\n", {"port": 23}),
    "HostName with %h": ("HostName %h.example.com\n", {"hostname": "nas.example.com"}),
    "a name that is looked up elsewhere": ("CanonicalizeHostname yes\nUser a\n", {"user": "a"}),
    "blanks in paths": (
        'IdentityFile "~/a b"\nUserKnownHostsFile "/a b" /c\n',
        {"identity_files": (HOME / "a b",), "user_known_hosts": (Path("/a b"), Path("/c"))},
    ),
    "none at all": (
        "IdentityFile none\nUserKnownHostsFile none\nProxyJump none\n",
        {"identity_files": (), "user_known_hosts": (), "proxy_jump": ()},
    ),
    "Match by words in capitals": ("Match Host nas\n User a\nMatch Host other\n User b\n Port 7\n", {"user": "a"}),
    "Match by the name as given": ("HostName x\nMatch originalhost nas\n User a\n", {"hostname": "x", "user": "a"}),
    "Match not": ("Match !host nas\n User a\nMatch !host other\n User b\n", {"user": "b"}),
    "Match by what is not supported": ("Match tagged x\n User a\nMatch localnetwork 10.0.0.0/8\n User b\n", {}),
    "ProxyJump none before another": ("ProxyJump none\nProxyJump a\n", {"proxy_jump": ()}),
    "ProxyCommand none before ProxyJump": ("ProxyCommand none\nProxyJump a\n", {"proxy_jump": ()}),
    "ProxyCommand left out": ("ProxyCommand nc %h %p\nProxyJump a\n", {"proxy_jump": ("a",)}),
}


@pytest.mark.parametrize(("text", "expected"), READ.values(), ids=READ)
def test_what_is_honoured(file: Path, text: str, expected: dict[str, Any]) -> None:
    assert lookup(file, text) == SshConfigHost(**{"hostname": "nas", **expected})


def test_what_is_set_already_wins_and_is_meant_by_the_rest(file: Path) -> None:
    text = "User a\nPort 5\nMatch user dev\n IdentityFile /keys/dev\nHost *\n ProxyCommand nc -l %r %h %p\n"
    found = lookup(file, text, allow_exec=True, user="dev", port=2222)
    assert (found.user, found.port, found.identity_files) == ("dev", 2222, (Path("/keys/dev"),))
    assert found.proxy_command == "nc -l dev nas 2222"


# ------------------------------------------------------------------------ running programs


def match_exec(ran: Path) -> str:
    return f'Match host nas exec "touch {ran}"\n User a\n ProxyJump x\nHost *\n Port 5\n'


def test_match_exec_is_not_run_and_its_block_does_not_count(file: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    for text in (match_exec(ran), match_exec(ran).replace("exec", "Exec"), match_exec(ran).replace("exec", "!exec")):
        assert lookup(file, text) == SshConfigHost(hostname="nas", port=5)
    assert not ran.exists()


def test_a_proxy_command_is_left_out_with_a_warning_once(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for name in ("other", "nas", "nas"):
            assert lookup(file, "Host nas\n ProxyCommand touch x\n", name).proxy_command is None
    told = "ProxyCommand of nas is left out; ssh.allow_exec: true in hosts.yaml runs it"
    assert caplog.messages == [f"{file}: {told}"]


def test_with_the_setting_match_exec_counts(file: Path, tmp_path: Path) -> None:
    # In a process of its own: what paramiko runs it with reads stdin and leaves pipes to the garbage collector.
    file.write_text(match_exec(tmp_path / "ran"))
    code = (
        "import sys; from pathlib import Path; from tmux_sentry.config.ssh_config import SshConfig\n"
        "print(SshConfig.read(Path(sys.argv[1]), Path('/'), allow_exec=True).lookup('nas').user)"
    )
    argv = [sys.executable, "-c", code, file]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "a\n"
    assert (tmp_path / "ran").exists()


def test_with_the_setting_a_proxy_command_counts(file: Path) -> None:
    found = lookup(file, "Host nas\n ProxyCommand  exec nc '%h' %p # x\nProxyJump a\n", allow_exec=True)
    assert (found.proxy_command, found.proxy_jump) == ("exec nc 'nas' 22 # x", ())
    found = lookup(file, "ProxyJump a\nProxyCommand nc\n", allow_exec=True)
    assert (found.proxy_command, found.proxy_jump) == (None, ("a",))


@pytest.mark.parametrize("who", ["writable", "of somebody else"])
def test_a_file_that_others_control_runs_nothing_and_says_no_keys(
    file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, who: str
) -> None:
    if who == "writable":
        file.chmod(0o666)
        why = "everybody may write to it"
    elif os.geteuid() != 0:
        pytest.skip("only root can give files away")
    else:
        os.chown(file, 12345, -1)
        why = "it belongs to user 12345, not to you"
    text = match_exec(tmp_path / "ran") + "UserKnownHostsFile /tmp/theirs\nProxyCommand nc\nUser b\n"
    with caplog.at_level(logging.WARNING):
        assert lookup(file, text, allow_exec=True) == SshConfigHost(hostname="nas", port=5, user="b")
    assert not (tmp_path / "ran").exists()
    assert caplog.messages[0] == f"{file}: {why}: what runs programs or says which keys are trusted is left out"


def test_include_is_not_followed_and_told_once(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    (file.parent / "more").write_text("User a\n")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert lookup(file, f"Include {file.parent}/more\nPort 5\n") == SshConfigHost(hostname="nas", port=5)
    assert caplog.messages == [f"{file}:1: Include is not followed"]


LEFT_OUT = {
    "an alias of a key": (
        "HostKeyAlias other\n",
        "HostKeyAlias is not supported: the key is looked for under the machine's own name",
    ),
    "a Match with an equals sign": ("Match host=nas\n", "Match host=nas is not supported, and its block is left out"),
    "a Match that we do not know": ("Match tagged x\n", "Match tagged is not supported, and its block is left out"),
}


@pytest.mark.parametrize(("line", "told"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_is_left_out_is_told_once(file: Path, caplog: pytest.LogCaptureFixture, line: str, told: str) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert lookup(file, f"Port 5\n{line} Port 6\n") == SshConfigHost(hostname="nas", port=5)
    assert caplog.messages == [f"{file}:2: {told}"]


BAD = {
    "a keyword alone": ("User a\nPort\n", ":2 is not understood"),
    "an open quote": ('User a\nMatch exec "x\n', ":2 is not understood"),
    "nothing but a comment": ("User # me\n", ":1 is not understood"),
    "a port in words": ("Port ssh\n", ": Port ssh of nas is not a port"),
    "a port that is too large": ("Port 65536\n", ": Port 65536 of nas is not a port"),
    "a Match of nothing": ("Match host\n", " cannot be used for nas"),
}


@pytest.mark.parametrize(("text", "what"), BAD.values(), ids=BAD)
def test_what_cannot_be_used_is_told_with_the_place(file: Path, text: str, what: str) -> None:
    with pytest.raises(UsageError) as error:
        lookup(file, text)
    assert error.value.what.endswith(what)
    assert str(file) in error.value.what


def test_a_file_that_is_not_there_is_told(file: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        SshConfig.read(file.with_name("no"), HOME, allow_exec=False)
