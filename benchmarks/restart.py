"""How long a restart takes until the first pane was read, with a large database and many panes.

    python benchmarks/restart.py [--megabytes 200] [--panes 200] [--times 3]

The real program is started on a private tmux server; the time runs from the start of its process to the line that says
that a run has started, which needs the checked database, the inventory and the first capture of that pane. The peer is
the same program with an empty database and one pane.
"""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

from tmux_sentry.clock import SystemClock
from tmux_sentry.state.store import Store
from tmux_sentry.testing.tmux_server import TmuxServer, running_server

IN_A_SESSION = 20
POLICY = """\
pipelines:
  - name: first
    match: {window_name: "^main$"}
    stages:
      - name: wait
        triggers: [manual]
"""


def fill(path: Path, megabytes: int) -> None:
    """Give a database so much history, all of it recent."""
    with Store.open(path, SystemClock()):
        pass
    now, reason = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z"), "x" * 900
    insert = (
        "INSERT INTO stage_history (run_id, host, pane_id, pipeline, stage, attempt, status, reason, started_at,"
        " finished_at) VALUES (?, 'here', '%1', 'old', 'stage', 1, 'succeeded', ?, ?, ?)"
    )
    with closing(sqlite3.connect(path)) as connection:
        for start in range(0, megabytes * 1000, 10_000):
            rows = ((f"r{number}", reason, now, now) for number in range(start, min(start + 10_000, megabytes * 1000)))
            connection.executemany(insert, rows)
            connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def panes(server: TmuxServer, number: int) -> None:
    """One session with the pane that a run starts on, and the others idle."""
    server.new_session("work", "main")
    for start in range(1, number, IN_A_SESSION):
        session = f"s{start}"
        server.new_session(session, "idle", "sleep 100000")
        for _ in range(min(IN_A_SESSION, number - start) - 1):
            server.run("new-window", "-d", "-n", "idle", "-t", f"{session}:", "sleep 100000")


def start(server: TmuxServer, home: Path) -> float:
    """Seconds until the run has started; the process is ended then."""
    policy, hosts = server.directory / "policy.yaml", server.directory / "hosts.yaml"
    policy.write_text(POLICY)
    hosts.write_text(
        f"hosts: [{{name: here, transport: local, tmux: {{socket_path: {server.address.socket_path}}}}}]\n"
    )
    hosts.chmod(0o600)
    command = [sys.executable, "-m", "tmux_sentry", "run", "--hosts", str(hosts), "--policy", str(policy)]
    began = time.monotonic()
    process = subprocess.Popen(
        command, env={**os.environ, "TMUX_SENTRY_HOME": str(home)}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if " started" in line:
                return time.monotonic() - began
        sys.exit(f"restart: it ended with {process.wait()}")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()


def measure(megabytes: int, number: int, times: int) -> list[float]:
    """Seconds of each start; every one on panes that have not run it."""
    took = []
    for _ in range(times):
        with running_server() as server:
            home = server.directory / "home"
            home.mkdir(mode=0o700)
            fill(home / "state.db", megabytes)
            panes(server, number)
            took.append(start(server, home))
    return took


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=200, help="of history (%(default)s)")
    parser.add_argument("--panes", type=int, default=200, help="%(default)s")
    parser.add_argument("--times", type=int, default=3, help="%(default)s")
    args = parser.parse_args()
    large, small = measure(args.megabytes, args.panes, args.times), measure(0, 1, args.times)
    print(f"{args.megabytes} MB, {args.panes} panes: {statistics.median(large):.2f} s (at most 3 s are wanted)")
    print(
        f"empty, 1 pane: {statistics.median(small):.2f} s; {statistics.median(large) / statistics.median(small):.1f} x"
    )


if __name__ == "__main__":
    main()
