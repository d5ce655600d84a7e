"""What processes cost, from Linux's /proc. On other systems nothing is known of it, and None says so."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def cpu_seconds(pid: int) -> float | None:
    """User and system time of one process, without its children."""
    fields = _stat(pid)
    return _seconds(fields[11:13]) if fields else None


def cpu_seconds_of_all(pids: Iterable[int]) -> float | None:
    """User and system time of these processes, of whatever they started, and of what of that has ended since."""
    stats = {int(path.name): _stat(int(path.name)) for path in _PROC.glob("[0-9]*")}
    family = set(pids) & set(stats)
    while more := {pid for pid, fields in stats.items() if fields and int(fields[1]) in family} - family:
        family |= more
    return sum(_seconds(stats[pid][11:15]) for pid in family) if family else None


def peak_megabytes(pid: int) -> float | None:
    """The most memory that the process has had resident."""
    with suppress(OSError):
        for line in (_PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return None


def _stat(pid: int) -> list[str]:
    """The fields from the process's state on (proc(5) counts it as the third); [] when it is gone."""
    with suppress(OSError):
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return []


def _seconds(ticks: Iterable[str]) -> float:
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
