"""tmux-sentry beside its peers: how late is a printed line known, what does watching cost, is anything missed?

Every design watches the same loads, one after the other and each on a fresh private tmux server, in one run; see
README.md. The exit status is 0 when all required figures of what was measured are reached, else 1.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from loads import Load, load
from measure import Row, measure
from observers import DESIGNS, Design
from report import Figure, figures, table

LOADS = ("10", "100", "300", "100+busy", "100+flood")
SECONDS = 15
SAVED = Path(__file__).resolve().parents[1] / "build" / "bench.json"


def run(loads: Sequence[Load], designs: Sequence[Design], seconds: int) -> tuple[list[Row], list[Figure]]:
    """Measure and print. Raises TimeoutError or EOFError when an observer fails."""
    rows: list[Row] = []
    print(f"{seconds} s for each row; CPU in seconds a minute; x: times below capture-pane's", flush=True)
    for one in loads:
        rows += [measure(one, design, seconds) for design in designs]
        print(f"\n{table(one, rows[-len(designs) :])}", flush=True)
    wanted = figures({(row.load, row.design): row for row in rows})
    print("", *(figure.text for figure in wanted), sep="\n")
    return rows, wanted


def setting() -> dict[str, Any]:
    """What it was measured on and with."""
    tmux = subprocess.run(["tmux", "-V"], capture_output=True, text=True, check=True).stdout.strip()
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "tmux": tmux.removeprefix("tmux "),
        "python": platform.python_version(),
        "paramiko": version("paramiko"),
        "libtmux": version("libtmux"),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "busy": round(os.getloadavg()[0], 1),  # with other work, when it began
    }


def text(setting: dict[str, Any]) -> str:
    """The setting in one line."""
    names = ("tmux", "python", "paramiko", "libtmux", "cores", "busy")
    return ", ".join(f"{name} {setting[name]}" for name in names)


def save(path: Path, setting: dict[str, Any], seconds: int, rows: Sequence[Row], wanted: Sequence[Figure]) -> None:
    """Everything that was measured, as JSON."""
    report = {
        "setting": setting,
        "seconds": seconds,
        "rows": [asdict(row) for row in rows],
        "figures": [{**asdict(figure), "reached": figure.reached} for figure in wanted],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--loads", default=",".join(LOADS), help="numbers of panes, with +busy or +flood (%(default)s)")
    parser.add_argument("--designs", default=",".join(DESIGNS), help="which watchers (%(default)s)")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="how long each row prints (%(default)s)")
    parser.add_argument("--json", type=Path, default=SAVED, help="where to save the report (build/bench.json)")
    args = parser.parse_args()
    if args.seconds < 1:
        parser.error("--seconds is at least 1")
    if unknown := sorted(set(args.designs.split(",")) - set(DESIGNS)):
        parser.error(f"no such design: {', '.join(unknown)}")
    try:
        loads = [load(name) for name in args.loads.split(",")]
    except ValueError as error:
        parser.error(str(error))
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))  # not without ending the servers
    where = setting()
    print(text(where))
    try:
        rows, wanted = run(loads, [DESIGNS[name] for name in args.designs.split(",")], args.seconds)
    except (EOFError, TimeoutError) as error:
        sys.exit(f"bench: {str(error) or 'an observer ended before its time'}")
    except KeyboardInterrupt:
        return 130
    save(args.json, where, args.seconds, rows, wanted)
    return 0 if all(figure.reached for figure in wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
