"""Scenes: the program is stopped in the moment before it types, the world changes, and it is let go on.

A kill cannot show what the guard compares, because nothing else is there then. Here somebody else is.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable

from drive import Driver, wait_end, wait_stop
from tally import Pane, Tally
from world import World

#: Longer than the program waits for tmux's answer.
TOO_LONG = 5.6
#: What a send that must not happen gets to happen.
MOMENT = 1.5


def copy_mode(mutant: str = "", patience: float = 20.0) -> Tally:
    """Somebody starts to read in the pane: the guard refuses, and the command is typed when they have read."""

    def between(world: World, pid: int) -> None:
        (pane,) = world.panes
        world.server.run("copy-mode", "-t", pane.id)
        os.kill(pid, signal.SIGCONT)
        time.sleep(MOMENT)
        world.server.run("send-keys", "-t", pane.id, "-X", "cancel")

    return _scene(between, mutant, patience)


def another_process(mutant: str = "", patience: float = 20.0) -> Tally:
    """The pane is respawned: its new shell gets nothing of what was meant for the old one."""

    def between(world: World, pid: int) -> None:
        (pane,) = world.panes
        world.server.run("rename-window", "-t", pane.id, "other")  # no pipeline is for the new one
        world.respawn(pane)
        os.kill(pid, signal.SIGCONT)

    return _scene(between, mutant, patience, nothing=True)


def taken_over(mutant: str = "", patience: float = 20.0) -> Tally:
    """Another instance takes the pane over and types nothing yet: the first one must not type any more."""

    def between(world: World, pid: int) -> None:
        other = world.live(
            "--take-over", TMUX_SENTRY_HOME=str(world.path / "other"), TMUX_SENTRY_FAILPOINT="claim.done"
        )
        if wait_end(other, 10.0) != -signal.SIGKILL:
            raise AssertionError(f"the other instance did not take over\n{world.tail()}")
        os.kill(pid, signal.SIGCONT)

    return _scene(between, mutant, patience, nothing=True)


def late_tmux(mutant: str = "", patience: float = 20.0) -> Tally:
    """tmux hangs: it carries the line out when the program has long given up on the answer."""

    def between(world: World, pid: int) -> None:
        server = world.server.pid
        os.kill(server, signal.SIGSTOP)
        try:
            os.kill(pid, signal.SIGCONT)
            time.sleep(TOO_LONG)
        finally:
            os.kill(server, signal.SIGCONT)

    return _scene(between, mutant, patience)


def _scene(between: Callable[[World, int], None], mutant: str, patience: float, *, nothing: bool = False) -> Tally:
    """Stop at the guard, let `between` happen; with `nothing`, no line may reach the pane then."""
    world = World(shell=3, agent=0, panes=1)
    driver = Driver(world, random.Random(0), patience=patience, mutant=mutant)
    try:
        world.open_round()
        env = {"TMUX_SENTRY_CRASH_MUTANT": mutant} if mutant else {}
        pid = world.live(TMUX_SENTRY_FAILPOINT="guard.before", TMUX_SENTRY_CRASH_PAUSE="1", **env)
        try:
            if not wait_stop(pid):
                raise AssertionError(f"it did not come to the guard\n{world.tail()}")
            between(world, pid)
            if nothing:
                time.sleep(MOMENT)
            else:
                driver.watch(pid)
        finally:
            end(pid)
        (pane,) = world.panes
        if nothing:
            return _nothing(pane)
        driver.tally.judge(pane)
        return driver.tally
    finally:
        world.close()


def _nothing(pane: Pane) -> Tally:
    got = pane.got()
    notes = [f"{line!r} was typed into a pane that was not the program's any more" for line in got]
    return Tally(actions=1, garbled=len(got), notes=notes)


def end(pid: int) -> None:
    """Kill a child that is still there, stopped or not."""
    if wait_end(pid, 0.0) is None:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


SCENES = {
    "copy-mode": copy_mode,
    "another-process": another_process,
    "taken-over": taken_over,
    "late-tmux": late_tmux,
}
