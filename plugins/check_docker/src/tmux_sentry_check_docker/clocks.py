"""Whether another machine's clock is our own."""

from __future__ import annotations

from pathlib import Path

from tmux_sentry import HostAccess

#: Linux: another text at each start of a kernel, the same for everything that runs on it, containers too.
BOOT = "/proc/sys/kernel/random/boot_id"
_PATIENCE = 5.0


def is_ours(machine: HostAccess) -> bool:
    """Whether `machine` runs on our kernel, so that its times need no allowance; False where nobody can tell."""
    try:
        ours, theirs = Path(BOOT).read_bytes(), machine.run(["cat", BOOT], timeout=_PATIENCE)
    except OSError:
        return False
    return theirs.status == 0 and bool(ours) and theirs.stdout == ours
