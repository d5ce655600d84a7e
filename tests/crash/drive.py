"""Lives and deaths of the program in a World, and the person who looks after what it holds."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from tally import Tally
from world import World

#: Seconds without any progress after which the actions that are missing count as lost.
PATIENCE = 30.0
#: How often a person looks while it runs.
LOOK = 0.6
#: How long a life lasts at most, in seconds.
SPANS = (0.3, 0.6, 0.8, 1.6)
#: The share of lives in a fresh interpreter, and the seconds that it takes to come as far as a fork.
FRESH, IMPORTS = 0.1, 0.5
#: Points that only the start after another death passes: it is died first.
AFTER = {"recovery.before": "intend.committed", "recovery.settled": "guard.block"}
#: How many times a point is passed before the program dies there, at most; for the others, FEW.
OFTEN = {"command.written": 60, "guard.block": 12, "guard.answered": 12, "recovery.before": 1, "recovery.settled": 1}
FEW = 6
#: Points that only the pane with text and Enter as two steps reaches.
TWO_STEPS = ("enter.before", "enter.seen")


class Driver:
    """Kills and restarts; `tally` has what came of it."""

    def __init__(
        self,
        world: World,
        chance: random.Random,
        *,
        patience: float = PATIENCE,
        mutant: str = "",
        clock: bool = False,
    ) -> None:
        self.world = world
        self.tally = Tally()
        self.reached: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.chance = chance
        self._patience = patience
        self.env = {"TMUX_SENTRY_CRASH_MUTANT": mutant} if mutant else {}
        if clock:
            self.env["TMUX_SENTRY_CRASH_CLOCK"] = "1"

    # ----------------------------------------------------------------------- modes

    def kill_at_random(self, kills: int) -> None:
        """So many kills, at moments between the start and long after."""
        while self.tally.kills < kills:
            # Soon after the start it recovers; later it types, and the program with an input line needs longest.
            fresh = self.chance.random() < FRESH
            self.life(self.chance.uniform(0.0, self.chance.choice(SPANS)) + fresh * IMPORTS, fresh=fresh)
        self.finish()

    def kill_at(self, name: str, times: int, nth: int | None = None) -> None:
        """Die at one failpoint, so many times; at the `nth` time that it is reached, or at a random one."""
        tries = 0
        while self.reached[name] < times and tries < 4 * times:
            tries += 1
            if name in AFTER:
                self._die_at(f"{AFTER[name]}:{self.chance.randint(1, FEW)}")
            few = 2 if name in TWO_STEPS else OFTEN.get(name, FEW)
            if self._die_at(f"{name}:{nth or self.chance.randint(1, few)}"):
                self.reached[name] += 1

    def _die_at(self, point: str) -> bool:
        return self.life(8.0, TMUX_SENTRY_FAILPOINT=point)

    # ----------------------------------------------------------------------- lives

    def life(self, seconds: float, *, fresh: bool = False, **env: str) -> bool:
        """One life of at most so many seconds; whether it was killed at the point that `env` names."""
        if not self.world.panes:
            self.world.open_round()
        self.world.wait_alone()
        pid = self.world.live(fresh=fresh, **env, **self.env)
        status, left = None, seconds
        while status is None and left > 0:
            status = wait_end(pid, min(left, LOOK))
            left -= LOOK
            if status is None and left > 0:
                self.look_after()  # a stage that is held may be the one that the point is in
        if status is None:
            self.kill(pid)
            return False
        if status == -signal.SIGKILL:
            self._died()
            return True
        self.ended(status)
        return False

    def kill(self, pid: int) -> None:
        """Kill a life with its whole process group."""
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:  # so young that it has no group yet
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self._died()

    def _died(self) -> None:
        self.tally.kills += 1
        self.look_after()

    def finish(self) -> None:
        """Let the round end by itself, and judge it."""
        if self.world.panes:
            self.world.wait_alone()
            pid = self.world.live(**self.env)
            status = self.watch(pid)
            self.ended(status)
        self.tally.add(self.world.judge_messages())

    def watch(self, pid: int) -> int:
        """Wait for the end of a life and look after it; it ends when nothing moves any more."""
        seen, since = "", time.monotonic()
        while (status := wait_end(pid, 0.2)) is None:
            self.look_after()
            now = str([len(pane.got()) for pane in self.world.panes])
            if now != seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > self._patience:
                os.killpg(pid, signal.SIGKILL)
                self.tally.fail(f"no progress for {self._patience:g} s")
                return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return status

    def ended(self, status: int) -> None:
        """The round's runs have ended: judge it."""
        judged = self.world.close_round()
        if status != 0:
            judged.fail(f"the program ended with {status}:\n{self.world.tail()}")
        self.tally.add(judged)

    # ---------------------------------------------------------------------- a person

    def look_after(self) -> None:
        """Do what a person does who finds a stage held: look at the pane, finish the line, say what is so."""
        for run, pane_id, reason, action in self.world.held():
            pane = next((pane for pane in self.world.panes if pane.id == pane_id), None)
            if pane is None:
                continue
            self.tally.held += 1
            self.reasons[reason] += 1
            (keys,) = self.world.rows("SELECT keys FROM sends WHERE action_id = ?", action)[0]
            text = json.loads(keys)["text"]
            stands = self.world.server.screen(pane.id).splitlines()[-1].endswith(text)
            verb = "--skip" if stands or text in pane.got() else "--send"
            self.world.order("runs", "resume", run, verb)
            # An order that meets the program's death may have been done or not: then it is given by the next look.
            if stands and run not in [still for still, *_ in self.world.held()]:
                self.world.server.send(pane.id, "", "Enter")


def wait_end(pid: int, seconds: float) -> int | None:
    """The exit status of a child, -9 for a kill; None when it still lives after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            done, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            return 0  # it was waited for before
        if done:
            return os.waitstatus_to_exitcode(status)
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        time.sleep(min(0.004, left))


def wait_stop(pid: int, seconds: float = 10.0) -> bool:
    """Whether a child has stopped (SIGSTOP) within so many seconds, rather than ended or gone on."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
        if done:
            return os.WIFSTOPPED(status)
        time.sleep(0.004)
    return False


def each_point(driver: Driver, names: Sequence[str], times: int) -> Iterator[str]:
    """Go through the failpoints; yields those that were not reached as often as wanted."""
    for name in names:
        driver.kill_at(name, times)
        if driver.reached[name] < times:
            yield name
    driver.finish()
