"""The kit for checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tmux_sentry.testing.conformance import CheckerConformance
from tmux_sentry.testing.provider import closed_port
from tmux_sentry_check_docker import plugin as docker_plugin


class TestContainer(CheckerConformance):
    plugin = docker_plugin
    record = "docker_container"
    settings: ClassVar[Mapping[str, str]] = {"DOCKER_HOST": f"tcp://127.0.0.1:{closed_port()}"}
    unanswered: ClassVar[Mapping[str, Any]] = {"name": "web", "until": "healthy", "docker": "local"}


class TestImage(CheckerConformance):
    plugin = docker_plugin
    record = "docker_image"
    settings: ClassVar[Mapping[str, str]] = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    unanswered: ClassVar[Mapping[str, Any]] = {"image": "registry.example/app:1", "docker": "local"}


class TestBuild(CheckerConformance):
    plugin = docker_plugin
    record = "docker_build"
    settings: ClassVar[Mapping[str, str]] = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    unanswered: ClassVar[Mapping[str, Any]] = {"name": "webapp", "docker": "local", "progress_file": "/nowhere/b.json"}
