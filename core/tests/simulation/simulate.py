"""Run the simulation: `python core/tests/simulation/simulate.py --seed 7 --size day [--trace]`.

The same seed and size do the same, to the last key: what a failure prints replays it.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from types import SimpleNamespace
from unittest.mock import patch

from simulated.ledger import Broken
from simulated.world import SIZES, Result, World

COMMAND = "python core/tests/simulation/simulate.py --seed {seed} --size {size} --trace"


class SimulationFailed(AssertionError):
    """A promise was broken, or the product raised what it must not; the text says how to see it again."""


def simulate(seed: int, size: str = "small", say: Callable[[str], None] | None = None) -> Result:
    """One run. Raises SimulationFailed."""
    with _seeded(seed):
        world = World(seed, SIZES[size], say)
        try:
            return world.run()
        except (Broken, Exception) as error:
            at = world.schedule.monotonic()
            again = COMMAND.format(seed=seed, size=size)
            what = f"{type(error).__name__}: {error}"
            raise SimulationFailed(f"{what}\n  seed {seed}, size {size}, {at:.1f} virtual s; again: {again}") from error
        finally:
            for worker in world.workers:
                worker.database.close()


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Nonces and names are chosen by the seed too, and what the product logs goes nowhere."""
    random = Random(f"words of {seed}")
    words = SimpleNamespace(token_hex=lambda size: f"{random.getrandbits(8 * size):0{2 * size}x}", choice=random.choice)
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with ExitStack() as stack:
            for module in ("tmux_sentry.tmux.quoting", "tmux_sentry.state.store"):
                stack.enter_context(patch(f"{module}.secrets", words))
            yield
    finally:
        logging.disable(level)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="simulate tmux-sentry: virtual time, two instances, injected faults")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many, one after the other")
    parser.add_argument("--size", choices=sorted(SIZES), default="small")
    parser.add_argument("--trace", action="store_true", help="print everything that happens")
    options = parser.parse_args()
    failed = 0
    for seed in range(options.seed, options.seed + options.seeds):
        began = time.monotonic()
        try:
            result = simulate(seed, options.size, print if options.trace else None)
        except SimulationFailed as error:
            failed += 1
            print(f"seed {seed}: {error}", flush=True)
            continue
        print(f"seed {seed}: {time.monotonic() - began:.1f} s, {result}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
