"""An engine and a `docker` program for each test."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from docker_program import DockerProgram
from engine_api import EngineApi

from tmux_sentry import HostAccess
from tmux_sentry.transport.access import TransportAccess
from tmux_sentry.transport.local import LocalTransport


@pytest.fixture
def socket_path() -> Iterator[Path]:
    """A short one: the name of a unix socket has at most some hundred bytes."""
    with tempfile.TemporaryDirectory(prefix="sentry-docker-") as folder:
        yield Path(folder) / "docker.sock"


@pytest.fixture
def engine(socket_path: Path) -> Iterator[EngineApi]:
    """An engine on a unix socket."""
    with EngineApi(socket_path) as api:
        yield api


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DockerProgram:
    """The program `docker` of this machine."""
    program = DockerProgram(tmp_path / "docker")
    monkeypatch.setenv("PATH", f"{program.bin}:{os.environ['PATH']}")
    for name in ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    return program


@pytest.fixture
def here() -> Iterator[HostAccess]:
    """This machine as a watched host."""
    transport = LocalTransport("desk")
    yield TransportAccess(transport)
    transport.close()
