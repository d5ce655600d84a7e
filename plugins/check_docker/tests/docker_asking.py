"""One check that is asked again and again, as the core does it, with what it remembers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tmux_sentry import Checker, CheckRequest, CheckResult, HostAccess
from tmux_sentry.testing.samples import AT
from tmux_sentry_check_docker.container import ContainerCheck


class Asking:
    """`asking(now)` asks; `memory` is what it remembers. The stage began at AT, 2023-11-14T22:13:20Z."""

    def __init__(self, checker: Checker, host: HostAccess | None = None, started_at: float = AT, **config: Any) -> None:
        self.checker, self.config, self.host, self.started_at = checker, config, host, started_at
        self.memory: Mapping[str, Any] = {}
        self.earlier: tuple[Mapping[str, Any], ...] = ()

    def remember(self, memory: Mapping[str, Any]) -> None:
        """As the core keeps it: what is no JSON raises."""
        self.memory = json.loads(json.dumps(dict(memory), allow_nan=False))

    def next(self) -> Asking:
        """The check of the stage after this one, or of a retry: it began when this one did, by the clock of Docker."""
        after = Asking(self.checker, self.host, self.started_at, **self.config)
        after.earlier = (*self.earlier, self.memory)
        return after

    def __call__(self, now: float = AT + 10) -> CheckResult:
        request = CheckRequest(
            config=self.config,
            id="run/stage/1/check1",
            started_at=self.started_at,
            now=now,
            memory=self.memory,
            remember=self.remember,
            earlier=self.earlier,
            host=self.host,
        )
        return self.checker.check(request)


def asked(settings: dict[str, str], host: HostAccess | None = None, seconds: float = 5.0, **config: Any) -> CheckResult:
    """One answer of a check whether the container `web` runs."""
    return Asking(ContainerCheck(settings, seconds), host, **{"name": "web", **config})()
