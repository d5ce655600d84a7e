"""The crash harness: the real program, a real tmux and a real SQLite file, killed again and again.

    python tests/crash/crash.py                       1,000 kills at random moments, then every failpoint 25 times
    python tests/crash/crash.py --kills 100           kills at random moments only
    python tests/crash/crash.py --kills 100 --clock   the same while the wall clock jumps by an hour all the time
    python tests/crash/crash.py --failpoints --times 3
    python tests/crash/crash.py --stop 12             stopped for longer than the program waits for tmux, then let go on
    python tests/crash/crash.py --scenes              stopped before it types, while somebody else does something
    python tests/crash/crash.py --messages 1000       messages through a provider that fails, with kills in between
    python tests/crash/crash.py --mutant forget       one guarantee taken out: has to end with 1

Each prints a result line and ends with 1 if any action was lost, doubled or garbled, if a message is missing, or if
a failpoint was not reached.
"Held" is what the program itself left to a person; the harness then does what a person does, and counts the action.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import child
import messages
from drive import Driver, each_point
from mutants import MUTANTS
from pauses import stop_and_go
from scenes import SCENES
from tally import Tally
from world import World

from tmux_sentry import failpoints

#: How each mutant is caught: the failpoint to die at, or the scene to play.
CATCH = {
    "blind-resend": "guard.answered",
    "forget": "guard.before",
    "settle-first": "guard.before",
    "marker-after": "guard.answered",
    "two-steps": "enter.before",
    "any-answer": "copy-mode",
    "no-process": "another-process",
    "no-epoch": "taken-over",
}
#: A mutant's loss shows as a stage in which nothing happens.
SOON = 2.0


def main() -> int:
    """Run what the command line names."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that the worlds are closed
    print(f"seed {options.seed}", flush=True)
    child.warm()
    red = False
    for name, work in _chosen(options):
        began = time.monotonic()
        tally = _in_parallel(work, options.jobs)
        for note in tally.notes:
            print(f"  {note}")
        print(f"{name}: {tally.line()} ({time.monotonic() - began:.0f} s)", flush=True)
        red = red or tally.red
    if options.messages:
        line, wrong = messages.run(options.messages, options.seed)
        print(line, flush=True)
        red = red or wrong
    return 1 if red else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, metavar="N", help="kill N times at random moments")
    parser.add_argument("--clock", action="store_true", help="with --kills: let the wall clock jump by an hour")
    parser.add_argument("--failpoints", action="store_true", help="die at each named failpoint")
    parser.add_argument("--times", type=int, default=25, metavar="N", help="how often at each (25)")
    parser.add_argument("--stop", type=int, metavar="N", help="stop it N times for longer than it waits for tmux")
    parser.add_argument("--scenes", action="store_true", help="stop it before it types and change the pane")
    parser.add_argument("--messages", type=int, metavar="N", help="deliver N messages, with kills in between")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), help="take one guarantee out")
    parser.add_argument(
        "--seed", default=str(random.SystemRandom().randrange(10**9)), help="repeat the moments of a run"
    )
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="worlds side by side (2)")
    options = parser.parse_args()
    options.everything = not any(
        (options.kills, options.failpoints, options.stop, options.scenes, options.messages, options.mutant)
    )
    if options.everything:
        options.messages = 10_000
    return options


Work = Callable[[int, int], Tally]  # worker's number, how many there are


def _chosen(options: argparse.Namespace) -> list[tuple[str, Work]]:
    seed, times, clock = options.seed, options.times, options.clock
    if options.mutant:
        return [(options.mutant, lambda number, of: _mutant(options.mutant, seed) if number == 0 else Tally())]
    everything = options.everything
    chosen: list[tuple[str, Work]] = []
    if options.kills or everything:
        kills = options.kills or 1000
        chosen.append(("kills", lambda number, of: _kills(len(range(number, kills, of)), f"{seed}/{number}", clock)))
    if options.failpoints or everything:
        chosen.append(("failpoints", lambda number, of: _points(failpoints.NAMES[number::of], times, seed)))
    if options.stop:
        stops = options.stop
        chosen.append(("stops", lambda number, of: _stops(len(range(number, stops, of)), f"{seed}/{number}")))
    if options.scenes:
        chosen.append(("scenes", lambda number, of: _scenes(list(SCENES)[number::of])))
    return chosen


# ---------------------------------------------------------------------------- one worker's share


def _kills(count: int, seed: str, clock: bool) -> Tally:
    return _drive(World(shell=20, agent=4, panes=4), seed, lambda driver: driver.kill_at_random(count), clock=clock)


def _points(names: Sequence[str], times: int, seed: str) -> Tally:
    def work(driver: Driver) -> None:
        for name in each_point(driver, names, times):
            driver.tally.fail(f"failpoint {name} was reached {driver.reached[name]} times, wanted {times}")

    return _drive(World(shell=15, agent=3, panes=3), f"{seed}/{names[:1]}", work)


def _stops(count: int, seed: str) -> Tally:
    return _drive(World(shell=30, agent=6, panes=4), seed, lambda driver: stop_and_go(driver, count))


def _scenes(names: Sequence[str]) -> Tally:
    whole = Tally()
    for name in names:
        whole.add(SCENES[name]())
    return whole


def _mutant(name: str, seed: str) -> Tally:
    catch = CATCH[name]
    if catch in SCENES:
        return SCENES[catch](name, SOON)
    two_steps = catch.startswith("enter.")
    world = World(shell=0 if two_steps else 4, agent=2 if two_steps else 0, panes=1)

    def work(driver: Driver) -> None:
        driver.kill_at(catch, 1, nth=1)
        driver.finish()

    return _drive(world, seed, work, patience=SOON, mutant=name)


def _drive(world: World, seed: str, work: Callable[[Driver], None], **options: Any) -> Tally:
    driver = Driver(world, random.Random(seed), **options)
    try:
        work(driver)
    except subprocess.CalledProcessError as error:  # tmux says no: the pane is gone, or the whole server
        driver.tally.fail(f"{error} {error.stderr}\n{world.state()}\n{world.tail(40)}")
    finally:
        world.close()
    if driver.reasons:
        said = "; ".join(f"{count} x {reason}" for reason, count in driver.reasons.most_common())
        driver.tally.notes.append(f"held: {said}")
    return driver.tally


# ---------------------------------------------------------------------------------- workers


def _in_parallel(work: Work, jobs: int) -> Tally:
    """Each worker has a world of its own; nothing is shared but the processor."""
    started = [_start(work, number, jobs) for number in range(jobs)]
    whole = Tally()
    try:
        for _, pipe in started:
            with os.fdopen(pipe) as answer:
                said = answer.read()
            if said:
                whole.add(Tally(**json.loads(said)))
            else:
                whole.fail("a worker failed, see above")
    finally:
        for pid, _ in started:
            if os.waitpid(pid, os.WNOHANG)[0] == 0:  # it has said what it had to, or nobody listens any more
                os.kill(pid, signal.SIGTERM)
                os.waitpid(pid, 0)
    return whole


def _start(work: Work, number: int, jobs: int) -> tuple[int, int]:
    receive, give = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        os.close(give)
        return pid, receive
    status = 1
    try:
        os.close(receive)
        os.set_inheritable(give, False)
        tally = work(number, jobs)
        os.write(give, json.dumps(asdict(tally)).encode())
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
