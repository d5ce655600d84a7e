"""What says nothing on the way to an engine, and how it is named."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from docker_asking import asked
from docker_program import DockerProgram
from engine_api import EngineApi, container

from tmux_sentry import CheckStatus, HostAccess
from tmux_sentry.testing.provider import closed_port, full_port
from tmux_sentry.testing.ssh_server import running_ssh_server
from tmux_sentry.transport.access import TransportAccess
from tmux_sentry.transport.ssh import SshTransport
from tmux_sentry_check_docker.programs import ThisMachine

UNKNOWN = CheckStatus.UNKNOWN

FAULTS = [
    ("hang", "no answer within"),
    ("reset", "closed without an answer"),
    (b"", "closed without an answer"),
    (b"\x15\x03\x01\x00\x02\x02\x16", "no HTTP"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{", "broke"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "broke"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b"[" * 2_000_000, "is that Docker?"),
    (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000, "broke"),
    (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "HTTP 302"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n<html>Log in</html>\r\n\r\n", "is that Docker?"),
    ((500, {"message": "driver failed"}), "HTTP 500: driver failed"),
    ((500, {"message": "x" * 100_000}), "HTTP 500"),
    ((503, None), "HTTP 503"),
    ((403, {"message": 5}), "HTTP 403"),
    ((404, {"message": "page not found"}), "HTTP 404"),
    ((200, []), "is that Docker?"),
]


@pytest.mark.parametrize("way", ["socket", "host"])
@pytest.mark.parametrize(("fault", "word"), FAULTS)
def test_no_answer_decides_nothing_and_is_named(
    engine: EngineApi, docker: DockerProgram, here: HostAccess, fault: Any, word: str, way: str
) -> None:
    engine.containers["web"] = container()
    engine.faults["/containers"] = fault
    docker.engine(Path(engine.address.removeprefix("unix://")))
    host = here if way == "host" else None
    result = asked({"DOCKER_HOST": engine.address}, host, seconds=0.7)
    assert (result.status, word in result.detail) == (UNKNOWN, True), result
    assert len(result.detail) < 600


@pytest.mark.parametrize("fault", ["hang", "reset", (500, None), (404, {}), b"SSH-2.0-OpenSSH_9.9\r\n"])
def test_a_ping_that_fails_is_no_answer(engine: EngineApi, fault: Any) -> None:
    engine.containers["web"] = container()
    engine.faults["/_ping"] = fault
    assert asked({"DOCKER_HOST": engine.address}, seconds=0.7).status is UNKNOWN
    assert engine.queries("/json") == []


def test_an_answer_that_drips_has_a_deadline(engine: EngineApi) -> None:
    engine.faults["/containers"] = "drip"
    began = time.monotonic()
    result = asked({"DOCKER_HOST": engine.address}, seconds=0.7)
    assert (result.status, "no answer within 0.7 s" in result.detail) == (UNKNOWN, True)
    assert time.monotonic() - began < 8


def test_a_port_that_takes_nobody_has_a_deadline() -> None:
    with full_port() as port:
        assert asked({"DOCKER_HOST": f"tcp://127.0.0.1:{port}"}, seconds=0.7).status is UNKNOWN


def test_nobody_there(tmp_path: Path) -> None:
    result = asked({"DOCKER_HOST": f"tcp://127.0.0.1:{closed_port()}"})
    assert (result.status, "refused" in result.detail) == (UNKNOWN, True)
    result = asked({"DOCKER_HOST": f"unix://{tmp_path}/none"})
    assert (result.status, "does Docker run" in result.detail) == (UNKNOWN, True)


def test_a_host_without_docker_says_so(tmp_path: Path) -> None:
    result = asked({}, ThisMachine({"PATH": str(tmp_path)}))  # a local host also looks where Docker is often installed
    assert (result.status, "no program `docker` on this machine" in result.detail) == (UNKNOWN, True)


def test_a_host_over_ssh_without_docker_says_so(docker: DockerProgram) -> None:
    docker.says("version", err="sh: docker: not found\n", status=127)  # as a shell there says it
    with running_ssh_server(f"SetEnv PATH={docker.bin}:/usr/bin:/bin") as server:
        transport = SshTransport("nas", server.target)
        try:
            result = asked({}, TransportAccess(transport), seconds=20.0)
        finally:
            transport.close()
    assert (result.status, "no program `docker` on nas" in result.detail) == (UNKNOWN, True), result


def test_a_hosts_docker_says_itself_what_is_wrong(docker: DockerProgram, here: HostAccess) -> None:
    docker.says("version", err="permission denied while trying to connect to the Docker daemon socket\n", status=1)
    result = asked({}, here)
    assert (result.status, "permission denied while trying" in result.detail) == (UNKNOWN, True), result
