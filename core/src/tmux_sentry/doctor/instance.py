"""Whether `run` is running, and what waits for a person."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tmux_sentry.control.client import NotRunning, ask
from tmux_sentry.doctor.finding import Finding, count, note, of_error, ok, problem
from tmux_sentry.doctor.known import Known
from tmux_sentry.errors import SentryError, UsageError

_LOCKS = Path("/proc/locks")
_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """What was seen of a running one. `locked` is None where the system does not tell without taking the lock."""

    answers: bool = False
    locked: bool | None = None
    holder: str = ""  # what it wrote into the lock file
    error: SentryError | None = None  # why it does not answer, other than that nobody listens

    @property
    def running(self) -> bool:
        """Whether somebody answers or holds the lock."""
        return self.answers or bool(self.locked)


def look(home: Path) -> Instance:
    """Ask the control socket of `home`, and look at its lock without touching it."""
    lock = home / "sentry.lock"
    locked = _locked(lock)
    holder = _holder(lock)
    try:
        ask(home / "control.sock", "doctor", {}, timeout=_TIMEOUT)
    except NotRunning:
        return Instance(locked=locked, holder=holder)
    except UsageError as error:
        # The word is none of its orders: whoever says so is alive. But a path that is too long is refused here.
        if not (home / "control.sock").exists():
            return Instance(locked=locked, holder=holder, error=error)
        return Instance(answers=True, locked=locked, holder=holder)
    except SentryError as error:
        return Instance(locked=locked, holder=holder, error=error)
    return Instance(answers=True, locked=locked, holder=holder)


def judge(instance: Instance) -> Iterator[Finding]:
    """Whether it runs and answers."""
    if instance.error is not None:
        yield from of_error("run", instance.error, "stop that `tmux-sentry run` and start it again")
    elif instance.answers:
        yield ok("run", f"`tmux-sentry run` is running ({instance.holder or 'it does not say who'})")
    elif instance.locked:
        what = f"somebody holds the lock and does not answer ({instance.holder or 'it does not say who'})"
        yield problem("run", what, "look again: it may just start or end; else end that process by its pid")
    else:
        yield note("run", "no `tmux-sentry run` is running", "tmux-sentry run")


def waiting(known: Known) -> Iterator[Finding]:
    """What the database holds for a person."""
    if known.observe_only is not None:
        what = f"the database is in observe-only mode, nothing is typed: {known.observe_only}"
        fix = "look at the panes and at `tmux-sentry runs list`, then: tmux-sentry runs resume --all"
        yield problem("database", what, fix)
    if known.approvals:
        yield note("approvals", f"{count(known.approvals, 'approval')} waiting", "tmux-sentry approvals")
    if known.held_runs:
        fix = "see tmux-sentry status and tmux-sentry runs list, then: tmux-sentry runs resume RUN"
        yield note("runs", f"{count(known.held_runs, 'run')} held until a person says go", fix)
    for name in known.newer_agents:
        fix = "upgrade the parsers, or look with `tmux-sentry explain --pane ID` whether its screens are read right"
        yield note("agents", f"an agent is newer than what is known of its screens: {name}", fix)


def held_by(locks: str, device: int, inode: int) -> bool:
    """Whether the kernel's table of locks has a flock on that file."""
    place = f"{os.major(device):02x}:{os.minor(device):02x}:{inode}"
    rows = (line.split() for line in locks.splitlines())
    return any("FLOCK" in row and place in row and "->" not in row for row in rows)


def _locked(lock: Path) -> bool | None:
    try:
        info = lock.stat()
    except OSError:
        return False
    try:
        return held_by(_LOCKS.read_text(), info.st_dev, info.st_ino)
    except OSError:
        return None


def _holder(lock: Path) -> str:
    try:
        with lock.open("rb") as file:
            return file.read(300).decode("utf-8", "replace").strip()
    except OSError:
        return ""
