"""What every check of something that a stage has started must get right, as tests; part of `CheckerConformance`.

A subclass has its service show jobs: whatever it is that a stage starts there.

    def showing(self, *jobs):                       # HttpCheckerConformance: what the service answers to every request
        return Reply.of_json([{"id": job.number, "at": job.began, "done": bool(job.ended)} for job in jobs])

    def asked_about(self, home, *jobs):             # CheckerConformance: the settings and the action to ask with
        write_for_my_service(jobs)
        return self.settings, {"job": "nightly"}
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tmux_sentry.contracts import Checker, CheckerPlugin, CheckResult, CheckStatus, PluginContext
from tmux_sentry.testing.asking import bounded, checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something that the service does or has done well. Times are epoch seconds, by its clock and by ours."""

    number: int  # from 1, rising
    began: float
    ended: float | None = None  # None: it still runs


class StageRows:
    """The rows. They are left out only where the check says that it asks for something else."""

    #: False: it asks how things are, whoever made them so and when. Then its documentation must say so.
    of_stage: ClassVar[bool] = True
    #: False: its service shows the newest job only, as an address or a tag does.
    shows_all: ClassVar[bool] = True

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        for name, row in vars(StageRows).items():
            if name.startswith("test_") and name not in vars(cls):
                setattr(
                    cls, name, row if cls.of_stage else None
                )  # None is no test; a skipped one would look like a gap

    def records(self) -> list[CheckerPlugin]:
        raise NotImplementedError

    def asked_about(self, home: Path, *jobs: Job) -> tuple[Mapping[str, str], Mapping[str, Any]]:
        """Have the service show these jobs, the newest last; the settings and the action to ask with."""
        raise NotImplementedError(
            "have your service show jobs (see tmux_sentry.testing.stages), or set of_stage = False"
        )

    # ------------------------------------------------------------------------- the rows

    def test_a_job_from_before_the_stage_is_no_answer(self, tmp_path: Path) -> None:
        """Ten seconds are enough: a build of the stage before, or of somebody else."""
        for stage in self._stages(tmp_path):
            old, new = stage.job(1, -20, -10), stage.job(2, 10, 20)
            assert not stage.ask(old).status.final
            assert stage.ask(old, new).status is CheckStatus.SUCCESS

    def test_what_an_earlier_check_of_the_run_has_followed_is_no_answer(self, tmp_path: Path) -> None:
        """Another stage or attempt has been decided by it. No clock helps here: both began at the same time."""
        for stage in self._stages(tmp_path):
            old, first, second = stage.job(1, -20, -10), stage.job(2, 10, 20), stage.job(3, 300, 310)
            stage.ask(old)
            assert stage.ask(old, first).status is CheckStatus.SUCCESS
            retry = stage.next()
            assert not retry.ask(old, first).status.final
            assert retry.ask(old, first, second).status is CheckStatus.SUCCESS

    def test_after_a_restart_the_same_job_is_followed(self, tmp_path: Path) -> None:
        """Each question is another process; only what was remembered is known."""
        for stage in self._stages(tmp_path):
            old, mine, running = stage.job(1, -20, -10), stage.job(2, 10, 20), stage.job(2, 10, None)
            newer = (stage.job(3, 300, None),) if self.shows_all else ()
            stage.ask(old)
            assert not stage.ask(old, running).status.final
            assert stage.ask(old, mine, *newer).status is CheckStatus.SUCCESS
            assert stage.ask(old, mine, *newer).status is CheckStatus.SUCCESS

    # -------------------------------------------------------------------------- helpers

    def _stages(self, home: Path) -> list[_Stage]:
        """A stage for each record, which began ten minutes ago."""
        began = time.time() - 600
        about = self.asked_about
        return [_Stage(record.factory, about, home, began) for record in self.records()]


class _Stage:
    """One check, asked as the core asks it, by another process each time."""

    def __init__(
        self,
        factory: Callable[[PluginContext], Checker],
        about: Callable[..., tuple[Mapping[str, str], Mapping[str, Any]]],
        home: Path,
        began: float,
        earlier: tuple[Mapping[str, Any], ...] = (),
    ) -> None:
        self._factory, self._about, self._home, self._began, self._earlier = factory, about, home, began, earlier
        self._memory: Mapping[str, Any] = {}

    def job(self, number: int, began: float, ended: float | None) -> Job:
        """Times are seconds after the beginning of the stage."""
        return Job(number=number, began=self._began + began, ended=None if ended is None else self._began + ended)

    def ask(self, *jobs: Job) -> CheckResult:
        """The answer while the service shows these."""
        settings, action = self._about(self._home, *jobs)
        checker = self._factory(PluginContext(settings=settings, home=str(self._home)))
        try:
            return checked(
                checker,
                action,
                id=f"run/stage/{len(self._earlier) + 1}/check1",
                started_at=self._began,
                now=time.time(),
                memory=self._memory,
                remember=self._remember,
                earlier=self._earlier,
            )
        finally:
            if callable(close := getattr(checker, "close", None)):
                bounded(close)

    def next(self) -> _Stage:
        """The check of a later stage or attempt, which began at the same time."""
        assert self._memory, "it remembers nothing of what it has followed"
        return _Stage(self._factory, self._about, self._home, self._began, (*self._earlier, self._memory))

    def _remember(self, memory: Mapping[str, Any]) -> None:
        self._memory = json.loads(json.dumps(dict(memory), allow_nan=False))
