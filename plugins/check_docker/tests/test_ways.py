"""The ways to an engine."""

from __future__ import annotations

import os
import shutil
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker_asking import Asking, asked
from docker_program import DockerProgram
from engine_api import EngineApi, container

from tmux_sentry import CheckStatus, HostAccess
from tmux_sentry.testing.provider import closed_port, full_port, self_signed
from tmux_sentry.testing.ssh_server import running_ssh_server
from tmux_sentry.transport.access import TransportAccess
from tmux_sentry.transport.ssh import SshTransport
from tmux_sentry_check_docker.engine import Engine
from tmux_sentry_check_docker.image import ImageCheck
from tmux_sentry_check_docker.streams import over_unix

SUCCESS, PENDING, UNKNOWN = CheckStatus.SUCCESS, CheckStatus.PENDING, CheckStatus.UNKNOWN
SOCKET = Path("/var/run/docker.sock")
DOCKER = shutil.which("docker")


# -------------------------------------------------------------------------- the ways


def test_a_socket(engine: EngineApi) -> None:
    engine.containers["web"] = container()
    assert asked({"DOCKER_HOST": engine.address}, docker="local").status is SUCCESS
    assert engine.asked == ["/_ping", "/v1.44/containers/web/json"]


@pytest.mark.parametrize("address", [None, *([f"unix://{SOCKET}"] if os.access(SOCKET, os.W_OK) else [])])
def test_what_an_engine_does_not_have(engine: EngineApi, address: str | None) -> None:
    """Where this machine has a Docker, it is asked too."""
    settings = {"DOCKER_HOST": address or engine.address}
    assert asked(settings, name="sentry-test-no-such-container").status is PENDING
    assert Asking(ImageCheck(settings), image="sentry-test-no-such-image:1")().status is PENDING


@pytest.mark.parametrize("version", [None, "", "x", "1.44/../x", "1.44\x00"])
def test_an_engine_that_names_no_version_is_asked_without(engine: EngineApi, version: str | None) -> None:
    engine.containers["web"] = container()
    engine.version = version
    assert asked({"DOCKER_HOST": engine.address}).status is SUCCESS
    assert engine.asked[1] == "/containers/web/json"


@pytest.mark.parametrize("pong", [b"", b"OK", b"x" * 5000])
def test_whatever_a_ping_brings(engine: EngineApi, pong: bytes) -> None:
    engine.containers["web"] = container()
    engine.pong = pong
    assert asked({"DOCKER_HOST": engine.address}).status is SUCCESS


def test_an_engine_that_closes_after_each_answer(engine: EngineApi) -> None:
    engine.containers["web"] = container()
    engine.keep_alive = False
    assert asked({"DOCKER_HOST": engine.address}).status is SUCCESS


def test_what_was_left_of_an_answer_is_not_taken_for_the_next(engine: EngineApi) -> None:
    engine.containers["web"] = {**container(), "Mounts": ["x" * 500_000]}
    engine.containers["none"] = {}
    with Engine(over_unix(engine.address.removeprefix("unix://")), 5.0) as asked_twice:
        assert len(asked_twice.get("/containers/web/json", max_bytes=10).body) == 10
        assert asked_twice.get("/containers/web/json").object == engine.containers["web"]
        assert asked_twice.get("/containers/none/json").body == b"{}"


def test_a_port_without_tls() -> None:
    with EngineApi() as engine:
        engine.containers["web"] = container()
        assert asked({"DOCKER_HOST": engine.address}).status is SUCCESS


def certificates(folder: Path, name: str = "127.0.0.1") -> tuple[Path, ssl.SSLContext]:
    """DOCKER_CERT_PATH, and what a server needs that asks for the client's certificate."""
    certificate, key = self_signed(folder, name)
    shutil.copy(certificate, folder / "ca.pem")
    shutil.copy(certificate, folder / "cert.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    return folder, context


@pytest.mark.parametrize("more", [{"DOCKER_TLS_VERIFY": "1"}, {}])
def test_a_port_with_tls_and_a_clients_certificate(tmp_path: Path, more: dict[str, str]) -> None:
    folder, context = certificates(tmp_path / "tls")
    with EngineApi(context=context) as engine:
        engine.containers["web"] = container()
        result = asked({"DOCKER_HOST": engine.address, "DOCKER_CERT_PATH": str(folder), **more})
    assert result.status is SUCCESS, result


def test_a_server_that_nobody_vouches_for_is_told_nothing(tmp_path: Path) -> None:
    folder, _ = certificates(tmp_path / "ours")
    _, context = certificates(tmp_path / "theirs")
    with EngineApi(context=context) as engine:
        engine.containers["web"] = container()
        result = asked({"DOCKER_HOST": engine.address, "DOCKER_CERT_PATH": str(folder)})
        assert (result.status, "certificate is not accepted" in result.detail) == (UNKNOWN, True), result
        assert engine.asked == []


def test_a_server_of_another_name_is_told_nothing(tmp_path: Path) -> None:
    folder, context = certificates(tmp_path / "tls", "docker.example")
    with EngineApi(context=context) as engine:
        engine.containers["web"] = container()
        result = asked({"DOCKER_HOST": engine.address, "DOCKER_CERT_PATH": str(folder)})
        assert (result.status, engine.asked) == (UNKNOWN, [])


@pytest.mark.parametrize("lacking", ["ca.pem", "cert.pem", "key.pem"])
def test_tls_without_its_files_is_not_tried_without(tmp_path: Path, lacking: str) -> None:
    folder, _ = certificates(tmp_path / "tls")
    (folder / lacking).unlink()
    with EngineApi() as engine:
        result = asked({"DOCKER_HOST": engine.address, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(folder)})
        assert (result.status, "DOCKER_CERT_PATH" in result.detail) == (UNKNOWN, True)
        assert engine.asked == []


@pytest.mark.parametrize("program", ["scripted", *(["the real one"] if DOCKER else [])])
def test_the_docker_of_the_panes_host(
    engine: EngineApi, docker: DockerProgram, here: HostAccess, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.containers["web"] = container()
    if program == "scripted":
        docker.engine(Path(engine.address.removeprefix("unix://")))
    else:
        monkeypatch.setenv("PATH", f"{os.path.dirname(DOCKER or '')}:/usr/bin:/bin")
        monkeypatch.setenv("DOCKER_HOST", engine.address)
    assert asked({"DOCKER_HOST": "unix:///nowhere"}, here).status is SUCCESS
    assert asked({"DOCKER_HOST": "unix:///nowhere"}, here, docker="host").status is SUCCESS
    assert asked({"DOCKER_HOST": "unix:///nowhere"}, here, docker="local").status is UNKNOWN
    assert asked({"DOCKER_HOST": engine.address}, docker="host").status is SUCCESS  # by hand there is no host


def test_the_docker_of_a_host_over_ssh(engine: EngineApi, docker: DockerProgram) -> None:
    engine.containers["web"] = container()
    docker.engine(Path(engine.address.removeprefix("unix://")))
    with running_ssh_server(f"SetEnv PATH={docker.bin}:/usr/bin:/bin") as server:
        transport = SshTransport("nas", server.target)
        try:
            result = asked({}, TransportAccess(transport), seconds=20.0)
        finally:
            transport.close()
    assert result.status is SUCCESS, result


@pytest.fixture
def ssh(docker: DockerProgram, tmp_path: Path) -> Iterator[str]:
    """DOCKER_HOST of a machine that the system's ssh client reaches; its configuration is a wrapper's here."""
    real = shutil.which("ssh")
    with running_ssh_server(f"SetEnv PATH={docker.bin}:/usr/bin:/bin") as server:
        config = tmp_path / "ssh_config"
        config.write_text(f"IdentityFile {server.key_file}\nUserKnownHostsFile {server.known_hosts}\n")
        wrapper = docker.bin / "ssh"
        wrapper.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {tmp_path}/ssh_argv\nexec {real} -F {config} "$@"\n')
        wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
        yield f"ssh://{server.user}@{server.host}:{server.port}"


def test_an_address_of_ssh(engine: EngineApi, docker: DockerProgram, ssh: str, tmp_path: Path) -> None:
    engine.containers["web"] = container()
    docker.engine(Path(engine.address.removeprefix("unix://")))
    result = asked({"DOCKER_HOST": ssh}, seconds=20.0, docker="local")
    assert result.status is SUCCESS, result
    assert "-o BatchMode=yes" in (tmp_path / "ssh_argv").read_text()


def test_ssh_says_itself_what_is_wrong(docker: DockerProgram, ssh: str) -> None:
    result = asked({"DOCKER_HOST": ssh}, seconds=20.0)  # the relay there finds no engine
    assert (result.status, "cannot connect" in result.detail or "docker" in result.detail) == (UNKNOWN, True)
    result = asked({"DOCKER_HOST": f"ssh://127.0.0.1:{closed_port()}"}, seconds=20.0)
    assert (result.status, "refused" in result.detail) == (UNKNOWN, True), result


@pytest.mark.parametrize(
    "address",
    [
        "docker.example", "http://docker.example", "tcp://docker.example", "tcp://:1", "tcp://h:99999", "tcp://[",
        "ssh://", "ssh://-oProxyCommand=x", "ssh://-l@host", "ssh://u:hunter2@host", "ssh://host/run/docker.sock",
        "npipe:////./pipe/docker", "unix", "tcp://hunter2@127.0.0.1:1", "unix:///" + "x" * 500, "unix:///a\x00b",
        "tcp://" + "x" * 300 + ":1",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be(address: str, docker: DockerProgram) -> None:
    ssh = docker.bin / "ssh"
    ssh.write_text(f"#!/bin/sh\ntouch {docker.folder}/ran\n")
    ssh.chmod(0o755)
    result = asked({"DOCKER_HOST": address}, docker="local")
    assert (result.status, "DOCKER_HOST" in result.detail) == (UNKNOWN, True), result
    assert "hunter2" not in result.detail
    assert not (docker.folder / "ran").exists()


def test_a_tls_port_that_says_nothing_has_a_deadline(tmp_path: Path) -> None:
    folder, _ = certificates(tmp_path / "tls")
    with full_port() as port:
        settings = {"DOCKER_HOST": f"tcp://127.0.0.1:{port}", "DOCKER_CERT_PATH": str(folder)}
        assert asked(settings, seconds=0.7).status is UNKNOWN
