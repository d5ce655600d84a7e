"""hosts.yaml: what a person may write, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tmux_sentry.config.hosts import Host, WatchConfig, load_hosts, read_hosts
from tmux_sentry.contracts import AgentState
from tmux_sentry.errors import InvalidConfig, Refused, UsageError
from tmux_sentry.tmux.model import TmuxAddress

DOCUMENTED = """\
hosts:
  - name: here
    transport: local
    tmux: {socket_name: default}          # or socket_path
  - name: nas
    transport: ssh
    ssh: {hostname: 192.0.2.10, port: 22, user: dev, key_files: [~/.ssh/id_ed25519], known_hosts: ~/.ssh/known_hosts, proxy_jump: [bastion]}
    tmux: {socket_name: default, command: tmux}
    watch: {method: auto, sessions: ["^work"], notify: [waiting, limited, error]}
"""  # noqa: E501 - verbatim


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "hosts.yaml"
    path.touch(mode=0o600)
    return path


def test_the_documented_file_is_read(file: Path) -> None:
    file.write_text(DOCUMENTED)
    here, nas = load_hosts(file, file.parent)
    assert here == Host(name="here")
    assert (nas.name, nas.transport, nas.ssh["hostname"]) == ("nas", "ssh", "192.0.2.10")
    assert nas.watch == WatchConfig(
        sessions=("^work",), notify=(AgentState.WAITING, AgentState.LIMITED, AgentState.ERROR)
    )


def test_without_a_file_this_machine_is_meant(tmp_path: Path) -> None:
    assert load_hosts(None, tmp_path, tmp_path) == (Host(name="here", tmux=TmuxAddress()),)


def test_the_current_directory_comes_before_the_home_directory(tmp_path: Path) -> None:
    here, home = tmp_path / "a", tmp_path / "b"
    for folder, name in ((home, "far"), (here, "near")):
        folder.mkdir()
        assert [host.name for host in load_hosts(None, home, here)] != [name]
        (folder / "hosts.yaml").write_text(f"hosts: [{{name: {name}}}]\n")
        (folder / "hosts.yaml").chmod(0o600)
        assert [host.name for host in load_hosts(None, home, here)] == [name]


def test_its_paths_start_at_the_folder_of_the_file(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = "key_files: [keys/nas, /k, ~/k], known_hosts: known, config: ../config"
    file.write_text(f"hosts: [{{name: nas, transport: ssh, ssh: {{hostname: nas, user: keys/nas, {paths}}}}}]\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for named in (file, Path("../hosts.yaml")):
        (nas,) = load_hosts(named, tmp_path)
        assert nas.ssh["key_files"][1:] == ["/k", "~/k"]
        assert Path(nas.ssh["key_files"][0]).resolve() == tmp_path / "keys/nas"
        assert Path(nas.ssh["known_hosts"]).resolve() == tmp_path / "known"
        assert Path(nas.ssh["config"]).resolve() == tmp_path.parent / "config"
        assert (nas.ssh["hostname"], nas.ssh["user"]) == ("nas", "keys/nas")


def test_a_host_knows_the_file_that_a_command_has_to_name(file: Path) -> None:
    file.write_text("hosts: [{name: a}]\n")
    assert load_hosts(file, file.parent)[0].file == file
    assert load_hosts(None, file.parent, file.parent / "none")[0].file is None


BAD = {
    "no hosts": ("hosts: []\n", ["1:8: hosts: is empty"]),
    "a slash in a name": (
        "hosts: [{name: a/b}]\n",
        ["1:16: hosts[0].name: 'a/b' is not a host name of letters, digits, dot, dash and _"],
    ),
    "two of one name": (
        "hosts:\n  - name: a\n  - name: a\n",
        ["3:11: hosts[1].name: a second host is named 'a' (first in line 2)"],
    ),
    "ssh without its settings": ("hosts: [{name: a, transport: ssh}]\n", ["1:9: hosts[0]: 'ssh' is missing"]),
    "ssh settings of a local host": (
        "hosts: [{name: a, ssh: {hostname: b}}]\n",
        ["1:19: hosts[0].ssh: is only for hosts with transport: ssh"],
    ),
    "both kinds of socket": (
        "hosts: [{name: a, tmux: {socket_name: x, socket_path: /y}}]\n",
        ["1:25: hosts[0].tmux: has socket_name and socket_path; write one of them"],
    ),
    "a bad pattern": (
        "hosts: [{name: a, watch: {sessions: ['(']}}]\n",
        ["1:38: hosts[0].watch.sessions[0]: is not a regular expression: missing ): ("],
    ),
    "a secret of the wrong kind": (
        "hosts: [{name: a, transport: ssh, ssh: {hostname: b, password: 123456}}]\n",
        ["1:64: hosts[0].ssh.password: must be text, not this value"],
    ),
    "a way of watching that there is none": (
        "hosts: [{name: a, watch: {method: control}}]\n",
        ["1:35: hosts[0].watch.method: 'control' is not one of auto, stream, poll"],
    ),
    "ssh without a machine": (
        "hosts: [{name: a, transport: ssh, ssh: {user: b}}]\n",
        ["1:35: hosts[0].ssh: 'hostname' is missing"],
    ),
    "true for a file": (
        "hosts: [{name: a, transport: ssh, ssh: {hostname: b, config: true}}]\n",
        ["1:62: hosts[0].ssh.config: must be a path, or false for none"],
    ),
    "a word for a switch": (
        "hosts: [{name: a, transport: ssh, ssh: {hostname: b, agent: 'no', allow_exec: 1}}]\n",
        [
            "1:61: hosts[0].ssh.agent: must be true or false, not 'no'",
            "1:79: hosts[0].ssh.allow_exec: must be true or false, not 1",
        ],
    ),
    "a zone that there is none": (
        "hosts: [{name: a, timezone: Mars/Olympus}]\n",
        ["1:29: hosts[0].timezone: no timezone is named 'Mars/Olympus'"],
    ),
    "a list of nothing": ("hosts:\n  -\n", ["2:4: hosts[0]: must be a mapping, not nothing"]),
}


@pytest.mark.parametrize(("text", "expected"), BAD.values(), ids=BAD)
def test_a_bad_file_is_refused_with_the_place(file: Path, text: str, expected: list[str]) -> None:
    file.write_text(text)
    with pytest.raises(InvalidConfig) as invalid:
        read_hosts(file)
    assert [str(one).removeprefix(f"{file}:") for one in invalid.value.diagnostics] == expected


@pytest.mark.parametrize(
    "text",
    [
        BAD["a secret of the wrong kind"][0],
        "hosts: [{name: a, transport: ssh, ssh: {hostname: b, password: '123456', prot: 1}}]\n",
        'hosts:\n  - password: "123456\n',
        "hosts:\n  - password: &123456 *x\n",
    ],
)
def test_a_secret_near_an_error_is_not_shown(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(InvalidConfig) as invalid:
        read_hosts(file)
    assert "123456" not in "\n".join(invalid.value.lines())


def test_a_file_that_everybody_may_write_is_refused(file: Path) -> None:
    file.write_text(DOCUMENTED)
    file.chmod(0o646)
    with pytest.raises(Refused, match="the hosts file"):
        read_hosts(file)


def test_a_secret_in_clear_warns_with_the_place_and_what_to_do(file: Path) -> None:
    file.write_text(DOCUMENTED)
    file.chmod(0o644)
    assert read_hosts(file).warnings == ()
    file.write_text(DOCUMENTED.replace("port: 22", "password: hunter22, key_passphrase: hunter23"))
    (nas,) = read_hosts(file).hosts[1:]
    assert nas.secrets == ("hunter22", "hunter23")
    password, passphrase = read_hosts(file).warnings
    where = f"{file}:7:33: hosts[1].ssh.password"
    assert str(password) == f"{where}: is in clear, where others can read it"
    assert password.help == f"chmod 600 {file}; then put it in the env file as SSH_PASSWORD_NAS, or use the ssh agent"
    file.chmod(0o600)
    password, passphrase = read_hosts(file).warnings
    assert str(password) == f"{where}: is in clear"
    assert password.help == "put it in the env file as SSH_PASSWORD_NAS, or use the ssh agent"
    assert passphrase.help == "put it in the env file as SSH_KEY_PASSPHRASE_NAS, or use the ssh agent"
    assert "hunter" not in "\n".join(line for one in (password, passphrase) for line in one.lines())
    assert "hunter" not in repr(nas)


def test_what_ssh_settings_may_say(file: Path) -> None:
    more = "agent: false, config: false, allow_exec: true"
    file.write_text(DOCUMENTED.replace("proxy_jump: [bastion]", f"proxy_jump: [], {more}"))
    ssh = read_hosts(file).hosts[1].ssh
    assert [ssh[key] for key in ("proxy_jump", "agent", "config", "allow_exec")] == [[], False, False, True]
    file.write_text(DOCUMENTED.replace("port: 22", "config: ~/.ssh/other"))
    assert read_hosts(file).hosts[1].ssh["config"] == "~/.ssh/other"


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_hosts(tmp_path / "no.yaml")
