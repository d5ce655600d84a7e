"""Stopped and let go on: the program sleeps through its own deadlines, as a laptop does whose lid is closed."""

from __future__ import annotations

import os
import signal
import time

from drive import Driver, wait_end, wait_stop
from scenes import TOO_LONG

#: Where it is stopped: a command has gone to tmux, its answer has not been read. The rest stops at random.
POINTS = ("guard.before", "command.written", "guard.block", "settle.before")


def stop_and_go(driver: Driver, count: int) -> None:
    """Stop it so many times for longer than it waits for tmux; half of them are killed a moment later."""
    for _ in range(count):
        if not driver.world.panes:
            driver.world.open_round()
        pid = _stopped(driver)
        if pid is None:
            continue
        time.sleep(TOO_LONG)
        os.kill(pid, signal.SIGCONT)
        if (status := wait_end(pid, driver.chance.uniform(0.0, 1.0))) is not None:
            driver.ended(status)
            continue
        driver.kill(pid)
    driver.finish()


def _stopped(driver: Driver) -> int | None:
    """A life that is stopped; None when its work had ended before."""
    env = {}
    if driver.chance.random() < 0.5:
        point = driver.chance.choice(POINTS)
        env = {"TMUX_SENTRY_FAILPOINT": f"{point}:{driver.chance.randint(1, 8)}", "TMUX_SENTRY_CRASH_PAUSE": "1"}
    driver.world.wait_alone()
    pid = driver.world.live(**env)
    if env:
        if wait_stop(pid):
            return pid
    elif (status := wait_end(pid, driver.chance.uniform(0.2, 0.8))) is None:
        os.kill(pid, signal.SIGSTOP)
        return pid
    else:
        driver.ended(status)
        return None
    driver.ended(0)  # the point was not passed so often: `wait_stop` has seen the end
    return None
