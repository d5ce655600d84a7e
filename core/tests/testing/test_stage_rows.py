"""The kit's rows about what a stage has started: a good check passes, and each way to take another's job fails."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tmux_sentry import CheckerPlugin, CheckRequest, CheckResult, CheckStatus, PluginContext, hookimpl
from tmux_sentry.testing.conformance import CheckerConformance
from tmux_sentry.testing.stages import Job

OLDER = "a_job_from_before_the_stage_is_no_answer"
FOLLOWED = "what_an_earlier_check_of_the_run_has_followed_is_no_answer"
RESTARTED = "after_a_restart_the_same_job_is_followed"


class Builds:
    """Follows the newest build of `builds`: number, began, ended. `fault` is what it does wrong."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault

    def check(self, request: CheckRequest) -> CheckResult:
        builds = {number: (began, ended) for number, began, ended in request.config["builds"]}
        known = request.memory.get("number")
        behind = {one["number"] for one in request.earlier} if self.fault != "never looks at earlier" else set()
        since = request.started_at - (30 if self.fault == "allows for 30 seconds" else 0)
        mine = [number for number, (began, _) in builds.items() if began >= since and number not in behind]
        if isinstance(known, int) and self.fault != "never looks at memory":
            mine = [known]
        if not mine or self.fault == "never succeeds":
            return CheckResult(status=CheckStatus.PENDING, detail="none yet")
        if self.fault != "remembers nothing":
            request.remember({"number": mine[-1]})
        ended = builds[mine[-1]][1]
        return CheckResult(status=CheckStatus.SUCCESS if ended else CheckStatus.PENDING, detail=f"build {mine[-1]}")


def failing(home: Path, fault: str = "", **about: Any) -> list[str]:
    """Which rows fail."""

    @hookimpl
    def tmux_sentry_checkers() -> list[CheckerPlugin]:
        return [CheckerPlugin(name="x", description="an x", factory=lambda context: Builds(fault))]

    plugin = SimpleNamespace(tmux_sentry_checkers=tmux_sentry_checkers)
    subject = type("Subject", (CheckerConformance,), {"plugin": plugin, **about})()
    failed = []
    for name in (OLDER, FOLLOWED, RESTARTED):
        try:
            getattr(subject, f"test_{name}")(home)
        except (AssertionError, NotImplementedError):
            failed.append(name)
    return failed


def asked_about(self: Any, home: Path, *jobs: Job) -> tuple[Mapping[str, str], Mapping[str, Any]]:
    return {}, {"builds": [(job.number, job.began, job.ended) for job in jobs]}


@pytest.mark.parametrize(
    ("fault", "failed"),
    [
        ("", []),
        ("allows for 30 seconds", [OLDER, FOLLOWED, RESTARTED]),
        ("never looks at earlier", [FOLLOWED]),
        ("remembers nothing", [FOLLOWED, RESTARTED]),
        ("never looks at memory", [RESTARTED]),
        ("never succeeds", [OLDER, FOLLOWED, RESTARTED]),
    ],
)
def test_each_fault_fails_its_rows(tmp_path: Path, fault: str, failed: list[str]) -> None:
    assert failing(tmp_path, fault, asked_about=asked_about) == failed


def test_whoever_does_not_say_how_the_service_shows_jobs_fails(tmp_path: Path) -> None:
    assert failing(tmp_path) == [OLDER, FOLLOWED, RESTARTED]


def test_a_check_that_is_of_no_stage_says_so_and_has_none_of_them() -> None:
    class OfNone(CheckerConformance):
        of_stage = False

    class OfOneAfterAll(OfNone):
        of_stage = True

    rows = [f"test_{name}" for name in (OLDER, FOLLOWED, RESTARTED)]
    assert [getattr(OfNone, row) for row in rows] == [None] * 3
    assert [getattr(OfOneAfterAll, row) for row in rows] == [getattr(CheckerConformance, row) for row in rows]


def test_each_question_is_asked_of_another_instance_which_is_closed(tmp_path: Path) -> None:
    made: list[Any] = []

    class Closing(Builds):
        def close(self) -> None:
            made.append("closed")

    def factory(context: PluginContext) -> Closing:
        made.append("made")
        return Closing()

    @hookimpl
    def tmux_sentry_checkers() -> list[CheckerPlugin]:
        return [CheckerPlugin(name="x", description="an x", factory=factory)]

    plugin = SimpleNamespace(tmux_sentry_checkers=tmux_sentry_checkers)
    subject = type("Subject", (CheckerConformance,), {"plugin": plugin, "asked_about": asked_about})()
    getattr(subject, f"test_{OLDER}")(tmp_path)
    assert made == ["made", "closed"] * 2
