"""The benchmark measures what it says: both observers see the lines, ours each exactly once. No time is judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

LATENCY = Path(__file__).resolve().parents[1] / "benchmarks" / "latency.py"
pytestmark = pytest.mark.slow


def latency(*options: str) -> str:
    done = subprocess.run([sys.executable, LATENCY, *options], capture_output=True, text=True, timeout=100)
    assert done.stderr == ""
    assert done.returncode in (0, 1)  # 1 also where a busy machine was too slow
    return done.stdout


def test_both_observers_see_every_line_and_the_ratios_are_printed() -> None:
    printed = latency("--panes", "2", "--seconds", "3")
    rows = {cells[0]: cells[1:] for cells in map(str.split, printed.splitlines()) if cells}
    counts = dict(zip(("printed", "seen", "missed", "doubled"), map(int, rows["tmux-sentry"][3:7]), strict=True))
    assert counts == {"printed": 6, "seen": 6, "missed": 0, "doubled": 0}
    assert int(rows["capture-pane"][4]) > 0
    assert [word for word in rows["ratios:"] if word.startswith("p")] == ["p50", "p99"]


def test_the_report_is_there_as_json_too() -> None:
    report = json.loads(latency("--panes", "1", "--seconds", "1", "--json"))
    assert (report["ours"]["seen"], report["theirs"]["seen"]) == (1, 1)
    assert report["ratios"]["p50"] == report["theirs"]["p50_ms"] / report["ours"]["p50_ms"]
