"""Registers the check `github_action`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tmux_sentry import Checker, CheckerPlugin, PluginContext, Setting, hookimpl
from tmux_sentry_check_github.schema import SCHEMA

SETTINGS = (
    Setting(
        name="GITHUB_TOKEN",
        description="a token with the permission Actions: read (with dispatch also Actions: write)",
        secret=True,
    ),
    Setting(name="GITHUB_API_URL", description="GitHub Enterprise: its address; without it https://api.github.com"),
)


@hookimpl
def tmux_sentry_checkers() -> Iterator[CheckerPlugin]:
    yield CheckerPlugin(
        name="github_action",
        description="waits for a GitHub Actions workflow run, and can start one",
        config_schema=SCHEMA,
        problems=_problems,
        settings=SETTINGS,
        factory=_make,
    )


def _make(context: PluginContext) -> Checker:
    from tmux_sentry_check_github.checker import GithubActions

    return GithubActions(context.settings)


def _problems(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    from tmux_sentry_check_github.problems import problems

    return problems(config)
