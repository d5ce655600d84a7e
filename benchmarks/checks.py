"""What an external check costs and how late it is: a GitHub run of ten minutes, followed by the real checker.

Requests are counted on a loopback GitHub under a clock that jumps from one question to the next, so ten minutes take a
second. Beside it stands the plain loop that asks for the run every five seconds with no ETag. The latency is measured
in real time: from the moment at which GitHub has the end of a run to the stage's transition, with the wait between
two questions that the pace had reached by then. Prints a table; there is nothing that it could fail.
"""

from __future__ import annotations

import queue
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plugins" / "check_github" / "tests"))

from github_api import GitHub, job

from tmux_sentry import CheckRequest, CheckResult, CheckStatus, PluginContext
from tmux_sentry.clock import SystemClock
from tmux_sentry.engine.checking import Checks
from tmux_sentry.engine.events import CheckReported, StartCheck
from tmux_sentry.engine.pace import Pace
from tmux_sentry_check_github import plugin

MINUTES = 10
TRIES = 5
EVERY = 5.0  # seconds between two questions of the plain loop
TOKEN = "github_pat_" + "a1" * 30
#: When the run is queued, begins, finishes a step, ends: seconds after the stage.
STEPS = [(3.0, "queued"), (20.0, "in_progress"), *((60.0 * n, "step") for n in range(1, MINUTES)), (600.0, "success")]


def checker(github: GitHub) -> Any:
    """The checker as the core makes it."""
    (record,) = plugin.tmux_sentry_checkers()
    return record.factory(PluginContext(settings={"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": github.url}))


def follow() -> tuple[int, int, float]:
    """Requests in all, those that cost the primary limit, and seconds from the end until it was known."""
    clock = [1_700_000_000.0]
    with GitHub(token=TOKEN, clock=lambda: clock[0]) as github:
        began, memory, pace, run = clock[0], {}, Pace(), None
        asked, waiting = checker(github), list(STEPS)
        used = github.rate.used

        def remember(kept: Any) -> None:
            memory.clear()
            memory.update(kept)

        while True:
            while waiting and clock[0] - began >= waiting[0][0]:
                run = happen(github, run, waiting.pop(0)[1], len(waiting))
            request = CheckRequest(
                config={"repository": github.repository, "workflow": "deploy.yml"},
                id="r/deploy/1/check1",
                started_at=began,
                now=clock[0],
                typed=("gh workflow run deploy.yml",),
                memory=dict(memory),
                remember=remember,
            )
            result: CheckResult = asked.check(request)
            if result.status is CheckStatus.SUCCESS:
                return len(github.requests), github.rate.used - used, clock[0] - began - STEPS[-1][0]
            pace = pace.after(result)
            clock[0] += pace.seconds(result, 0.5)


def happen(github: GitHub, run: int | None, what: str, left: int) -> int:
    """The next thing that happens to the run."""
    if run is None:
        return github.add_run()
    if what == "in_progress":
        github.set(run, status="in_progress")
    elif what == "success":
        github.set(run, status="completed", conclusion="success")
    done = MINUTES - left
    steps = ",".join(f"{'+' if n < done else '>' if n == done else ''}step {n}" for n in range(MINUTES))
    github.set_jobs(run, job(1, "ship", status="in_progress", steps=steps))
    return run


def latency() -> float:
    """Seconds from the end of a run until the answer is with the loop, soon after a change, in real time."""
    reports: queue.Queue[CheckReported] = queue.Queue()
    with GitHub(token=TOKEN, clock=time.time) as github:
        run = github.add_run(status="in_progress")
        config = {"repository": github.repository, "run_id": run}
        given = {"github_action": checker(github)}
        checks = Checks(given, lambda run, event, wait: reports.put(event), SystemClock())  # type: ignore[arg-type]
        checks.start("r", "here", StartCheck(action_id="c", type="github_action", config=config, started_at=0.0))
        reports.get(timeout=30.0)
        ended = time.monotonic()
        github.set(run, status="completed", conclusion="success")
        while reports.get(timeout=60.0).status is not CheckStatus.SUCCESS:
            pass
        checks.close()
        return time.monotonic() - ended


def main() -> None:
    """Measure and print."""
    requests, primary, late = follow()
    plain = int(MINUTES * 60 / EVERY)
    print(f"a run of {MINUTES} minutes, from the stage's start to its end")
    print(f"{'':32}{'requests':>10}{'of the primary limit':>24}{'known after':>14}")
    print(f"{'tmux-sentry':32}{requests:>10}{primary:>24}{late:>12.1f} s")
    print(f"{'the run every 5 s, no ETag':32}{plain:>10}{plain:>24}{EVERY / 2:>12.1f} s")
    print(f"{'ratio':32}{plain / requests:>9.1f}x{plain / max(primary, 1):>23.1f}x")
    times = [latency() for _ in range(TRIES)]
    print("\nfrom the end of a run to the transition, soon after a change:", end=" ")
    print(f"median {statistics.median(times):.2f} s, most {max(times):.2f} s of {TRIES}")


if __name__ == "__main__":
    main()
