"""Where an SSH connection goes: hosts.yaml before the ssh config before ssh's defaults, jumps, secrets."""

from __future__ import annotations

import os
import pwd
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.config.hosts import Host
from tmux_sentry.config.ssh import target_of
from tmux_sentry.errors import SentryError, UsageError
from tmux_sentry.transport.target import SshTarget

GLOBAL = Path("/etc/ssh/ssh_known_hosts")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def ssh(name: str = "nas", **settings: Any) -> Host:
    return Host(name=name, transport="ssh", ssh={"hostname": f"{name}.example.com", **settings})


def target(home: Path, host: Host, *others: Host, config: str = "", **values: str) -> SshTarget:
    if config:
        (home / ".ssh" / "config").write_text(config)
    return target_of(host, [host, *others], values, home)


def test_without_anything_else_the_defaults_of_ssh(home: Path) -> None:
    for name in ("id_rsa", "id_ed25519", "id_dsa"):
        (home / ".ssh" / name).touch()
    assert target(home, ssh()) == SshTarget(
        name="nas",
        hostname="nas.example.com",
        port=22,
        user=pwd.getpwuid(os.getuid()).pw_name,
        key_files=(home / ".ssh/id_ed25519", home / ".ssh/id_rsa"),
        agent=True,
        known_hosts=(home / ".ssh/known_hosts", home / ".ssh/known_hosts2", GLOBAL),
        trust="tmux-sentry hosts trust nas",
    )


CONFIG = """\
Host nas.example.com
    HostName 192.0.2.10
    User theirs
    Port 2222
    IdentityFile ~/.ssh/theirs
    IdentitiesOnly yes
    UserKnownHostsFile ~/.ssh/theirs_known
    ProxyJump jump
"""


def test_the_ssh_config_comes_before_the_defaults(home: Path) -> None:
    found = target(home, ssh(), config=CONFIG)
    assert (found.hostname, found.port, found.user) == ("192.0.2.10", 2222, "theirs")
    assert found.key_files == (home / ".ssh/theirs",)
    assert (found.agent, found.listed_only) == (True, True)
    assert found.known_hosts == (home / ".ssh/theirs_known", GLOBAL)
    assert [jump.hostname for jump in found.jumps] == ["jump"]


def test_hosts_yaml_comes_before_the_ssh_config(home: Path) -> None:
    own = {"user": "ours", "port": 23, "key_files": ["~/k", "/k"], "agent": True, "known_hosts": "~/kh"}
    found = target(home, ssh(**own, proxy_jump=[]), config=CONFIG)
    assert (found.hostname, found.port, found.user) == ("192.0.2.10", 23, "ours")
    assert found.key_files == (home / "k", Path("/k"))
    assert (found.agent, found.listed_only) == (True, False)
    assert found.known_hosts == (home / "kh",)
    assert found.jumps == ()


@pytest.mark.parametrize(
    ("config", "own", "agent", "listed_only"),
    [
        ("User x\n", {}, True, False),
        ("IdentitiesOnly no\n", {}, True, False),
        ("IdentitiesOnly yes\n", {}, True, True),
        ("IdentitiesOnly yes\n", {"key_files": ["~/k"]}, True, True),
        ("IdentitiesOnly yes\n", {"agent": True}, True, False),
        ("IdentitiesOnly yes\n", {"agent": False}, False, False),
    ],
)
def test_which_keys_of_the_agent_are_offered(
    home: Path, config: str, own: dict[str, Any], agent: bool, listed_only: bool
) -> None:
    found = target(home, ssh(**own), config=config)
    assert (found.agent, found.listed_only) == (agent, listed_only)


def test_the_ssh_config_can_be_another_file_or_none(home: Path) -> None:
    (home / "other").write_text("User other\n")
    assert target(home, ssh(config="~/other"), config=CONFIG).user == "other"
    assert target(home, ssh(config=False), config=CONFIG).hostname == "nas.example.com"
    with pytest.raises(UsageError, match="cannot be read"):
        target(home, ssh(config="~/none"))


def test_what_is_wrong_in_the_ssh_config_is_told_with_the_host(home: Path) -> None:
    with pytest.raises(UsageError) as error:
        target(home, ssh(), config="User a\nPort\n")
    assert error.value.lines() == [f"nas: {home}/.ssh/config:2 is not understood", "a line is: Keyword value"]
    (home / "bad").write_text("Port\n")
    with pytest.raises(UsageError, match=r"^nas: .*bad:1 is not understood"):
        target(home, ssh(config=False, proxy_jump=["jump"]), ssh("jump", config="~/bad"))


def test_the_command_that_trusts_a_key_names_the_hosts_file_that_was_named(home: Path) -> None:
    named = replace(ssh(), file=Path("my machines/hosts.yaml"))
    assert target(home, named).trust == "tmux-sentry hosts trust nas --hosts 'my machines/hosts.yaml'"


def test_a_proxy_command_needs_the_setting_and_no_jump_of_ours(home: Path) -> None:
    config = "ProxyCommand nc %h %p\n"
    assert target(home, ssh(), config=config).proxy_command is None
    assert target(home, ssh(allow_exec=True), config=config).proxy_command == "nc nas.example.com 22"
    assert target(home, ssh(allow_exec=True, proxy_jump=["a"]), config=config).proxy_command is None
    assert target(home, ssh(allow_exec=True, proxy_jump=[]), config=config).proxy_command is None


# -------------------------------------------------------------------------------- jumps


BASTION = ssh("bastion", user="b", port=2222, key_files=["/b"], known_hosts="/kh", password="secret-b")
OUTER = ssh("outer", user="o")
INNER = ssh("inner", user="i", proxy_jump=["bastion"])
ALIASES = "Host alias\n HostName alias.example.com\n User a\n Port 5\n ProxyJump gate\nHost gate\n User g\n"


@pytest.mark.parametrize(
    ("jumps", "expected"),
    [
        (["bastion"], ["b@bastion.example.com:2222"]),
        (["inner"], ["b@bastion.example.com:2222", "i@inner.example.com:22"]),
        (["outer", "bastion"], ["o@outer.example.com:22", "b@bastion.example.com:2222"]),
        # ssh -J outer,inner: what is behind a jump is reached through it, not through jumps of its own
        (["outer", "inner"], ["o@outer.example.com:22", "i@inner.example.com:22"]),
        (["bastion", "inner"], ["b@bastion.example.com:2222", "i@inner.example.com:22"]),
        (["alias"], ["g@gate:22", "a@alias.example.com:5"]),
        (["x@alias:6"], ["g@gate:22", "x@alias.example.com:6"]),
        (["x@bastion"], ["x@bastion.example.com:2222"]),
        (["x@192.0.2.1:23"], ["x@192.0.2.1:23"]),
        (["x@[2001:db8::1]:23"], ["x@[2001:db8::1]:23"]),
        (["ssh://x@h"], ["x@h:22"]),
        ([], []),
    ],
)
def test_jumps_are_flat_and_in_the_order_of_dialling(home: Path, jumps: list[str], expected: list[str]) -> None:
    found = target(home, ssh(proxy_jump=jumps), BASTION, OUTER, INNER, config=ALIASES).jumps
    assert [f"{jump.user}@{jump.address}" for jump in found] == expected
    assert all(jump.jumps == () for jump in found)
    assert {jump.trust for jump in found} <= {"tmux-sentry hosts trust nas"}


def test_a_jump_that_is_a_host_has_all_of_its_settings(home: Path) -> None:
    (jump,) = target(home, ssh(proxy_jump=["bastion"]), BASTION).jumps
    assert (jump.name, jump.key_files, jump.known_hosts) == ("bastion", (Path("/b"),), (Path("/kh"),))
    assert jump.password == "secret-b"


def test_a_jump_that_is_none_has_the_ssh_config_of_who_names_it(home: Path) -> None:
    (home / "other").write_text("Host jump\n User other\n ProxyCommand nc %h\n")
    (jump,) = target(home, ssh(config="~/other", allow_exec=True, proxy_jump=["jump"]), config="User x\n").jumps
    assert (jump.user, jump.proxy_command) == ("other", "nc jump")
    (jump,) = target(home, ssh(config=False, proxy_jump=["jump"]), config="User x\n").jumps
    assert jump.user != "x"


def test_only_the_first_machine_is_reached_by_its_proxy_command(home: Path) -> None:
    config = "Host a b\n ProxyCommand nc %h\n"
    first, second = target(home, ssh(allow_exec=True, proxy_jump=["a", "b"]), config=config).jumps
    assert (first.proxy_command, second.proxy_command) == ("nc a", None)


A, B = ssh("a", proxy_jump=["b"]), ssh("b", proxy_jump=["a"])
BAD_JUMPS: dict[str, tuple[list[str], str, str]] = {
    "itself": (["nas"], "nas: its jumps lead in a circle", "nas -> nas"),
    "a circle": (["a"], "nas: its jumps lead in a circle", "nas -> a -> b -> a"),
    "itself behind another": (["bastion", "nas"], "nas: its jumps lead in a circle", "nas -> nas"),
    "this machine": (["here"], "nas: its jump here is this machine", ""),
    "nothing": ([""], "nas: its jump '' is not [user@]host[:port]", ""),
    "a port in words": (["a:ssh"], "nas: its jump 'a:ssh' is not [user@]host[:port]", ""),
    "a port that is none": (["a:70000"], "nas: its jump 'a:70000' is not [user@]host[:port]", ""),
    "an address without brackets": (["2001:db8::1"], "nas: its jump '2001:db8::1' is not [user@]host[:port]", ""),
    "two in one": (["a,b"], "nas: its jump 'a,b' is not [user@]host[:port]", ""),
}


@pytest.mark.parametrize(("jumps", "what", "why"), BAD_JUMPS.values(), ids=BAD_JUMPS)
def test_jumps_that_cannot_be_used(home: Path, jumps: list[str], what: str, why: str) -> None:
    with pytest.raises(SentryError) as error:
        target(home, ssh(proxy_jump=jumps), A, B, BASTION, Host(name="here"))
    assert (error.value.what, error.value.why) == (what, why)
    assert error.value.exit_code == 2


def test_jumps_of_the_ssh_config_that_lead_in_a_circle(home: Path) -> None:
    with pytest.raises(UsageError, match="in a circle"):
        target(home, ssh(), config="Host *\n ProxyJump bastion\n")


# ------------------------------------------------------------------------------- secrets


@pytest.mark.parametrize(
    ("settings", "values", "expected"),
    [
        ({}, {}, None),
        ({}, {"SSH_PASSWORD": "of-all"}, "of-all"),
        ({}, {"SSH_PASSWORD": "of-all", "SSH_PASSWORD_MY_NAS_2": "of-nas"}, "of-nas"),
        ({}, {"SSH_PASSWORD_OTHER": "of-other", "SSH_PASSWORD_MY_NAS_2": ""}, None),
        ({"password": "of-yaml"}, {"SSH_PASSWORD_MY_NAS_2": "of-nas"}, "of-yaml"),
    ],
)
def test_where_a_secret_comes_from(
    home: Path, settings: dict[str, str], values: dict[str, str], expected: str | None
) -> None:
    found = target(home, ssh("my-nas.2", **settings), **values)
    assert (found.password, found.key_passphrase) == (expected, None)
    passphrases = {name.replace("PASSWORD", "KEY_PASSPHRASE"): value for name, value in values.items()}
    found = target(home, ssh("my-nas.2", **{f"key_{'passphrase'}": v for v in settings.values()}), **passphrases)
    assert (found.password, found.key_passphrase) == (None, expected)
    assert not expected or expected not in repr(found)


def test_a_jump_has_secrets_of_its_own(home: Path) -> None:
    found = target(home, ssh(proxy_jump=["x@jump:22"]), SSH_PASSWORD_NAS="of-nas", SSH_PASSWORD_JUMP="of-jump")
    assert (found.password, found.jumps[0].password) == ("of-nas", "of-jump")
