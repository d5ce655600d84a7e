"""Registers the checks `docker_build`, `docker_container` and `docker_image`."""

from __future__ import annotations

from collections.abc import Iterator

from tmux_sentry import Checker, CheckerPlugin, PluginContext, Setting, hookimpl
from tmux_sentry_check_docker import schemas

SETTINGS = (
    Setting(
        name="DOCKER_HOST",
        description="for `docker: local`: unix:///path, tcp://host:port or ssh://user@host",
    ),
    Setting(
        name="DOCKER_TLS_VERIFY",
        description="for tcp://, any text but an empty one: speak TLS, with the files of DOCKER_CERT_PATH",
    ),
    Setting(
        name="DOCKER_CERT_PATH",
        description="for tcp://, the directory of ca.pem, cert.pem and key.pem; ~/.docker unless set",
    ),
)


@hookimpl
def tmux_sentry_checkers() -> Iterator[CheckerPlugin]:
    yield CheckerPlugin(
        name="docker_build",
        description="a build that was started in the stage, by `docker buildx history`",
        config_schema=schemas.BUILD,
        settings=SETTINGS,
        factory=_build,
    )
    yield CheckerPlugin(
        name="docker_container",
        description="a container that is to run, to be healthy, or to end",
        config_schema=schemas.CONTAINER,
        settings=SETTINGS,
        factory=_container,
    )
    yield CheckerPlugin(
        name="docker_image",
        description="a tag that is to mean a new image, or a certain one",
        config_schema=schemas.IMAGE,
        settings=SETTINGS,
        factory=_image,
    )


def _build(context: PluginContext) -> Checker:
    from tmux_sentry_check_docker.build import BuildCheck

    return BuildCheck(context.settings)


def _container(context: PluginContext) -> Checker:
    from tmux_sentry_check_docker.container import ContainerCheck

    return ContainerCheck(context.settings)


def _image(context: PluginContext) -> Checker:
    from tmux_sentry_check_docker.image import ImageCheck

    return ImageCheck(context.settings)
