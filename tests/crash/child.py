"""One life of the real program: the command line's own `main`, with a failpoint and a mutant put in before.

Run as a script it is a fresh interpreter. The harness also forks itself into it, which saves the imports: more lives
in the same time. The production code knows nothing of mutants; the environment variable is read only here.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import mutants

from tmux_sentry import failpoints
from tmux_sentry.cli.main import main
from tmux_sentry.clock import SystemClock

#: Names one of `mutants.MUTANTS`.
MUTANT = "TMUX_SENTRY_CRASH_MUTANT"
#: Set to have the failpoint stop the program instead of killing it: the harness then changes the world around it.
PAUSE = "TMUX_SENTRY_CRASH_PAUSE"
#: Set to have the wall clock jump by an hour, forward and back, several times a second.
CLOCK = "TMUX_SENTRY_CRASH_CLOCK"


def arm(env: Mapping[str, str]) -> None:
    """Put in what the environment asks for."""
    point = env.get("TMUX_SENTRY_FAILPOINT")
    failpoints._wanted = failpoints._parse(point) if point else None
    failpoints._reached = 0
    if env.get(PAUSE):
        # To this very thread: the process's own signal may let it go on for a moment.
        failpoints._die = lambda: signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
    if env.get(CLOCK):
        _shake_clock()
    if env.get(MUTANT):
        mutants.MUTANTS[env[MUTANT]]()


def _shake_clock() -> None:
    chance = random.Random(os.getpid())
    jumps = [chance.choice((-3600.0, 0.0, 3600.0)) for _ in range(100)]
    SystemClock.now = lambda clock: time.time() + jumps[int(time.monotonic() / 0.2) % 100]  # type: ignore[method-assign]


def warm() -> None:
    """Import what a life imports. Nothing is started, so that a fork has no thread and no connection."""
    for module in (
        "cli.run",
        "cli.runs",
        "cli.assemble",
        "cli.parts",
        "registry",
        "transport.target",
        "policy.load",
        "engine.runner",
        "control.server",
    ):
        importlib.import_module(f"tmux_sentry.{module}")
    importlib.import_module("packaging.requirements")
    for entry in importlib.metadata.entry_points(group="tmux_sentry"):
        entry.load()


def fork(argv: Sequence[str], directory: Path, env: Mapping[str, str], out: Path, *, fresh: bool) -> int:
    """Live once in a fork of the harness, or in a fresh interpreter; its process id, also that of its group."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.setsid()
        os.chdir(directory)
        nothing = os.open(os.devnull, os.O_RDONLY)
        log = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.closerange(3, 256)
        if fresh:
            os.execve(sys.executable, [sys.executable, __file__, *argv], dict(env))
        os.environ.clear()
        os.environ.update(env)
        sys.argv = ["tmux-sentry", *argv]
        arm(env)
        status = main(list(argv)) or 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    arm(os.environ)
    sys.exit(main())
