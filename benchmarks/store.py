"""How long a commit of the store takes, beside the least that SQLite can do on the same disk.

    python benchmarks/store.py [--commits 2000] [--directory DIR]

A commit of ours is one send: its intent, then what became of it. The peer is one row and a commit through Python's own
sqlite3 with the same settings (WAL, synchronous=FULL), so the ratio is what the store adds.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tmux_sentry.clock import SystemClock
from tmux_sentry.contracts import PaneIdentity
from tmux_sentry.state.store import Store

PANE = PaneIdentity(host="here", server_pid=1, server_start=1, pane_id="%0", pane_pid=2)


def timed(work: Callable[[int], object], times: int) -> list[float]:
    """Milliseconds of each call."""
    took = []
    for number in range(times):
        began = time.perf_counter()
        work(number)
        took.append((time.perf_counter() - began) * 1e3)
    return sorted(took)


def ours(directory: Path, commits: int) -> list[float]:
    """Intents and their outcomes, one commit each."""
    with Store.open(directory / "ours" / "state.db", SystemClock()) as store:
        store.save_fence(PANE.key, 1, 0)

        def commit(number: int) -> None:
            action, marker = f"run/stage/1/{number // 2}", number // 2 + 1
            if number % 2:
                store.settle(action, "line", "injected")
                return
            store.intend(
                action, "line", pane=PANE, epoch=1, previous=marker - 1, marker=marker,
                payload_sha256="0" * 64, command="bash", cursor=(2, 0), expires_at=0.0,
            )  # fmt: skip

        return timed(commit, commits)


def plain(directory: Path, commits: int) -> list[float]:
    """One row and a commit."""
    with closing(sqlite3.connect(directory / "plain.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, text TEXT)")

        def commit(number: int) -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO events (text) VALUES (?)", ("0" * 200,))
            connection.execute("COMMIT")

        return timed(commit, commits)


DESIGNS: dict[str, Callable[[Path, int], list[float]]] = {"tmux-sentry": ours, "plain sqlite3": plain}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--commits", type=int, default=2000, help="of each (%(default)s)")
    parser.add_argument("--directory", type=Path, help="on which disk (the temporary directory's)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.directory) as directory:
        rows = {
            "tmux-sentry": ours(Path(directory), args.commits),
            "plain sqlite3": plain(Path(directory), args.commits),
        }
    peer = rows["plain sqlite3"]
    print(f"{'':14} {'p50 ms':>8} {'p99 ms':>8} {'a second':>9} {'p50 x':>6} {'p99 x':>6}")
    for name, took in rows.items():
        p50, p99 = statistics.median(took), took[len(took) * 99 // 100]
        ratios = p50 / statistics.median(peer), p99 / peer[len(peer) * 99 // 100]
        rate = len(took) / sum(took) * 1e3
        print(f"{name:14} {p50:8.2f} {p99:8.2f} {rate:9.0f} {ratios[0]:6.1f} {ratios[1]:6.1f}")


if __name__ == "__main__":
    main()
