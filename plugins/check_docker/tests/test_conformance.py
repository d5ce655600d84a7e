"""The kit for checks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar

import pytest
from docker_program import DockerProgram, build
from engine_api import IMAGE, EngineApi, container, image

from tmux_sentry.testing.conformance import CheckerConformance
from tmux_sentry.testing.provider import closed_port
from tmux_sentry.testing.stages import Job
from tmux_sentry_check_docker import plugin as docker_plugin

About = tuple[Mapping[str, str], Mapping[str, Any]]


def written(at: float | None) -> str:
    """A time as Docker writes it."""
    if at is None:
        return "0001-01-01T00:00:00Z"
    return datetime.fromtimestamp(at, timezone.utc).isoformat().replace("+00:00", "Z")


class TestContainer(CheckerConformance):
    plugin = docker_plugin
    record = "docker_container"
    settings: ClassVar[Mapping[str, str]] = {"DOCKER_HOST": f"tcp://127.0.0.1:{closed_port()}"}
    unanswered: ClassVar[Mapping[str, Any]] = {"name": "web", "until": "healthy", "docker": "local"}
    shows_all = False

    @pytest.fixture(autouse=True)
    def _there(self, engine: EngineApi) -> None:
        self.engine = engine

    def asked_about(self, home: Path, *jobs: Job) -> About:
        """One container, which is started again for each job."""
        job = jobs[-1]
        times = {"StartedAt": written(job.began), "FinishedAt": written(job.ended)}
        self.engine.containers["web"] = container("exited" if job.ended else "running", **times)
        return {"DOCKER_HOST": self.engine.address}, {"name": "web", "until": "exited", "docker": "local"}


class TestImage(CheckerConformance):
    plugin = docker_plugin
    record = "docker_image"
    settings: ClassVar[Mapping[str, str]] = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    unanswered: ClassVar[Mapping[str, Any]] = {"image": "registry.example/app:1", "docker": "local"}
    shows_all = False

    @pytest.fixture(autouse=True)
    def _there(self, engine: EngineApi) -> None:
        self.engine = engine

    def asked_about(self, home: Path, *jobs: Job) -> About:
        """The image that the last build has made."""
        job = [one for one in jobs if one.ended][-1]
        self.engine.images["app"] = image(IMAGE[:-1] + str(job.number), Created=written(job.ended))
        return {"DOCKER_HOST": self.engine.address}, {"image": "app", "docker": "local"}


class TestBuild(CheckerConformance):
    plugin = docker_plugin
    record = "docker_build"
    settings: ClassVar[Mapping[str, str]] = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    unanswered: ClassVar[Mapping[str, Any]] = {"name": "webapp", "docker": "local", "progress_file": "/nowhere/b.json"}

    @pytest.fixture(autouse=True)
    def _there(self, docker: DockerProgram) -> None:
        self.docker = docker

    def asked_about(self, home: Path, *jobs: Job) -> About:
        """The history, the newest first."""
        rows = [
            build(f"b{one.number}", "Completed" if one.ended else "Running", written(one.began))
            for one in reversed(jobs)
        ]
        self.docker.lists(*rows)
        return self.settings, {"docker": "local"}
