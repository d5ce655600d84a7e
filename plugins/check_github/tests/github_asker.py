"""A check that is asked as the core asks it: again and again, with what it remembers, by a clock that a test moves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from github_api import GitHub

from tmux_sentry import CheckRequest, CheckResult, PluginContext
from tmux_sentry_check_github import plugin

TOKEN = "github_pat_SECRET0123456789"
AT = 1_700_000_000.0
RUN = "018bcfe56807f3a9c21"  # what `${run.id}` stands for


class Clock:
    """Epoch seconds that a test moves."""

    def __init__(self) -> None:
        self.at = AT

    def __call__(self) -> float:
        return self.at


class Asker:
    """Asks one check again and again; what it remembers stays, also over `restart`."""

    def __init__(self, github: GitHub, clock: Clock, **settings: str) -> None:
        self.github, self.clock = github, clock
        self.settings = {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": github.url, **settings}
        self.config: dict[str, Any] = {"repository": github.repository}
        self.typed: tuple[str, ...] = ()
        self.id = f"{RUN}/deploy/1/check1"
        self.memory: Mapping[str, Any] = {}
        self.remembered: list[Mapping[str, Any]] = []
        self.earlier: tuple[Mapping[str, Any], ...] = ()
        self.started_at = AT
        self.restart()

    def restart(self) -> None:
        """Another process: only what was remembered is known."""
        (record,) = plugin.tmux_sentry_checkers()
        self.checker = record.factory(PluginContext(settings=self.settings))

    def next_check(self, stage: str, attempt: int = 1) -> None:
        """The check of another stage or attempt of the Run, which begins at once."""
        self.earlier += (self.memory,)
        self.id, self.memory, self.started_at = f"{RUN}/{stage}/{attempt}/check1", {}, self.clock.at

    def remember(self, memory: Mapping[str, Any]) -> None:
        self.memory = json.loads(json.dumps(dict(memory), allow_nan=False))
        self.remembered.append(self.memory)

    def request(self, **config: Any) -> CheckRequest:
        return CheckRequest(
            config={**self.config, **config},
            id=self.id,
            started_at=self.started_at,
            now=self.clock.at,
            typed=self.typed,
            memory=self.memory,
            remember=self.remember,
            earlier=self.earlier,
        )

    def __call__(self, **config: Any) -> CheckResult:
        result = self.checker.check(self.request(**config))
        shown = result.detail + result.url + result.log_tail
        assert TOKEN not in shown
        assert "SIGNATURE" not in shown
        assert result.next_in is None or result.next_in > 0
        assert result.percent is None or 0 <= result.percent <= 100
        return result
