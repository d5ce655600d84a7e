"""What an external check costs and how late it is: a GitHub run of ten minutes, followed by the real checker.

Requests are counted on a loopback GitHub under a clock that jumps from one question to the next, so ten minutes take a
second. Beside it stands the plain loop that asks for the run every five seconds with no ETag. How late the end is known
depends on the pace that was reached by then: the run is followed again with ends all over the longest wait. What comes
behind is measured in real time, soon after a change: until the real engine has the stage's transition on disk, and how
much of it is the engine's. Prints a table; there is nothing that it could fail.
"""

from __future__ import annotations

import queue
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plugins" / "check_github" / "tests"))

from github_api import GitHub, job

from tmux_sentry import CheckRequest, CheckResult, CheckStatus, PluginContext
from tmux_sentry.clock import SystemClock
from tmux_sentry.contracts import PaneIdentity
from tmux_sentry.engine.checking import Checks
from tmux_sentry.engine.conductor import Conductor, Step
from tmux_sentry.engine.events import StartCheck
from tmux_sentry.engine.herald import Herald
from tmux_sentry.engine.pace import LONGEST, Pace
from tmux_sentry.engine.run import Run
from tmux_sentry.policy.build import build_pipeline
from tmux_sentry.state.records import RunNames
from tmux_sentry.state.store import Store
from tmux_sentry_check_github import plugin

MINUTES = 10
TRIES = 5
SPREAD = 10  # ends, over the longest wait
EVERY = 5.0  # seconds between two questions of the plain loop
TOKEN = "github_pat_" + "a1" * 30
#: When the run is queued, begins, finishes a step: seconds after the stage.
STEPS = [(3.0, "queued"), (20.0, "in_progress"), *((60.0 * n, "step") for n in range(1, MINUTES))]
PANE = PaneIdentity(host="here", server_pid=1, server_start=1, pane_id="%0", pane_pid=2)
NAMES = RunNames(session_name="work", window_name="deploy", window_index=0, pane_index=0)


def checker(github: GitHub) -> Any:
    """The checker as the core makes it."""
    (record,) = plugin.tmux_sentry_checkers()
    return record.factory(PluginContext(settings={"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": github.url}))


def follow(end: float = MINUTES * 60.0) -> tuple[int, int, float]:
    """Requests in all, those that cost the primary limit, and seconds from the end until it was known.

    `end` is when the run ends, in seconds after the stage's start.
    """
    clock = [1_700_000_000.0]
    with GitHub(token=TOKEN, clock=lambda: clock[0]) as github:
        began, memory, pace, run = clock[0], {}, Pace(), None
        asked, waiting = checker(github), [*STEPS, (end, "success")]
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
                return len(github.requests), github.rate.used - used, clock[0] - began - end
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


def latency() -> tuple[float, float]:
    """Seconds from the end of a run until the stage has succeeded, on disk, and how many of them after the answer."""
    inbox: queue.Queue[tuple[Any, threading.Event]] = queue.Queue()
    steps: list[Step] = []

    def give(run_id: str, event: Any, wait: bool) -> None:
        taken = threading.Event()
        inbox.put((event, taken))
        if wait:
            taken.wait(30.0)

    clock = SystemClock()
    with (
        tempfile.TemporaryDirectory() as home,
        GitHub(token=TOKEN, clock=time.time) as github,
        Store.open(Path(home) / "state.db", clock) as store,
    ):
        number = github.add_run(status="in_progress")
        checks = Checks({"github_action": checker(github)}, give, clock)
        conductor = Conductor(store, clock, Herald(), steps.append)
        conductor.add(deploy(github.repository, number), NAMES)
        (start,) = (effect for step in steps for effect in step.effects if isinstance(effect, StartCheck))
        checks.start("r", "here", start)
        ended = answered = 0.0
        run = conductor.runs["r"]
        while run.stages["deploy"].status != "succeeded":
            event, taken = inbox.get(timeout=60.0)
            answered = time.monotonic()
            run = conductor.step("r", event)
            taken.set()
            if not ended and getattr(event, "status", None) is CheckStatus.PENDING:
                ended = time.monotonic()
                github.set(number, status="completed", conclusion="success")
        done = time.monotonic()
        checks.close()
        return done - ended, done - answered


def deploy(repository: str, run_id: int) -> Run:
    """A Run of one stage that waits for the run."""
    check = {"type": "github_action", "repository": repository, "run_id": run_id}
    stage = {
        "name": "deploy",
        "actions_on_start": [{"external_check": check}],
        "success_when": [{"external_status": "success"}],
    }
    pipeline = build_pipeline({"name": "webapp", "match": {"window_name": "deploy"}, "stages": [stage]})
    return Run(id="r", pane=PANE, pane_name="work:deploy.0", policy_digest=pipeline.digest, pipeline=pipeline)


def main() -> None:
    """Measure and print."""
    requests, primary, _ = follow()
    late = [follow(MINUTES * 60.0 + LONGEST * n / SPREAD)[2] for n in range(SPREAD)]
    plain = int(MINUTES * 60 / EVERY)
    print(f"a run of {MINUTES} minutes, from the stage's start to its end")
    print(f"{'':32}{'requests':>10}{'of the primary limit':>24}{'known after, median':>22}{'most':>10}")
    ours = f"{statistics.median(late):>20.1f} s{max(late):>8.1f} s"
    print(f"{'tmux-sentry':32}{requests:>10}{primary:>24}{ours}")
    print(f"{'the run every 5 s, no ETag':32}{plain:>10}{plain:>24}{EVERY / 2:>20.1f} s{EVERY:>8.1f} s")
    print(f"{'ratio':32}{plain / requests:>9.1f}x{plain / max(primary, 1):>23.1f}x")
    times = [latency() for _ in range(TRIES)]
    for what, seconds in (
        ("from the end of a run to the stage's transition, soon after a change", [whole for whole, _ in times]),
        ("of which from the answer to the transition", [engine for _, engine in times]),
    ):
        print(f"\n{what}: median {statistics.median(seconds):.3f} s, most {max(seconds):.3f} s of {TRIES}", end="")
    print()


if __name__ == "__main__":
    main()
