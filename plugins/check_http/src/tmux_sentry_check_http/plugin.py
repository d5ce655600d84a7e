"""Registers the checks `http` and `webhook`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tmux_sentry import Checker, CheckerPlugin, PluginContext, Setting, hookimpl
from tmux_sentry_check_http import schemas

SETTINGS = (
    Setting(name="WEBHOOK_LISTEN", description="host:port of the listener; 127.0.0.1:8787 unless set"),
    Setting(
        name="WEBHOOK_LISTEN_SECRET",
        description="what deliveries are signed with: whsec_ and base64, or GitHub's secret; the newest first",
        secret=True,
    ),
)


@hookimpl
def tmux_sentry_checkers() -> Iterator[CheckerPlugin]:
    yield CheckerPlugin(
        name="http",
        description="polls a URL until a condition on its JSON, or its status, is true",
        config_schema=schemas.HTTP,
        problems=_http_problems,
        factory=_http,
    )
    yield CheckerPlugin(
        name="webhook",
        description="waits for a signed delivery that another service posts to tmux-sentry",
        config_schema=schemas.WEBHOOK,
        problems=_webhook_problems,
        settings=SETTINGS,
        factory=_webhook,
    )


def _http(context: PluginContext) -> Checker:
    from tmux_sentry_check_http.http_check import HttpChecker

    return HttpChecker()


def _webhook(context: PluginContext) -> Checker:
    from tmux_sentry_check_http.webhook_check import WebhookChecker

    return WebhookChecker(context.settings, context.home)


def _http_problems(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    from tmux_sentry_check_http import http_config

    return http_config.problems(config)


def _webhook_problems(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    from tmux_sentry_check_http import verdict

    return verdict.problems(config, otherwise="event")
