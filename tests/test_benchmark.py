"""The benchmark measures what it says: every design sees the lines, ours each exactly once. No time is judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[1] / "benchmarks" / "bench.py"
pytestmark = pytest.mark.slow


def bench(tmp_path: Path, *options: str) -> tuple[str, dict[str, Any]]:
    """What it printed, and what it saved."""
    saved = tmp_path / "saved" / "bench.json"
    argv = [sys.executable, BENCH, "--json", saved, *options]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=110)
    assert done.stderr == ""
    report: dict[str, Any] = json.loads(saved.read_text())
    assert done.returncode == (0 if all(figure["reached"] for figure in report["figures"]) else 1)
    return done.stdout, report


def test_every_design_sees_the_lines_and_ours_each_exactly_once(tmp_path: Path) -> None:
    printed, report = bench(tmp_path, "--loads", "2", "--seconds", "2")
    found = {row["design"]: row["found"] for row in report["rows"]}
    assert set(found) == {"none", "local", "ssh", "subprocess", "libtmux"}
    assert found.pop("none") is None
    for design in ("local", "ssh"):
        assert [found[design][name] for name in ("seen", "missed", "doubled")] == [4, 0, 0]
    assert all(row["seen"] > 0 and row["p50_ms"] <= row["p99_ms"] for row in found.values())
    assert {row["printed"] for row in report["rows"]} == {4}
    for words in ("no watcher", "tmux-sentry", "tmux-sentry, sshd", "capture-pane, 1 s", "libtmux, 1 s"):
        assert f"\n{words} " in printed


@pytest.mark.skipif(sys.platform != "linux", reason="what processes cost is read from /proc")
def test_costs_are_in_the_report(tmp_path: Path) -> None:
    _, report = bench(tmp_path, "--loads", "1", "--seconds", "1", "--designs", "none,ssh")
    nobody, ours = report["rows"]
    assert [nobody["cpu"]["watcher"], nobody["cpu"]["sshd"], nobody["peak_mb"]] == [None, None, None]
    assert nobody["cpu"]["tmux"] >= 0
    assert all(cost >= 0 for cost in ours["cpu"].values())
    assert 10 < ours["peak_mb"] < 150


def test_busy_panes_and_a_flood_hide_nothing(tmp_path: Path) -> None:
    printed, report = bench(tmp_path, "--loads", "2+busy,2+flood", "--seconds", "2", "--designs", "local")
    assert [(row["load"], row["found"]["missed"], row["found"]["doubled"]) for row in report["rows"]] == [
        ("2+busy", 0, 0),
        ("2+flood", 0, 0),
    ]
    assert printed.count("\nreached ") == 2


@pytest.mark.parametrize("options", [("--loads", "no"), ("--loads", "0"), ("--designs", "no"), ("--seconds", "0")])
def test_wrong_options_are_refused(options: tuple[str, str]) -> None:
    done = subprocess.run([sys.executable, BENCH, *options], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert options[0][2:-1] in done.stderr.splitlines()[-1]


def test_what_a_check_costs_is_printed_beside_the_plain_loop() -> None:
    argv = [sys.executable, BENCH.with_name("checks.py")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=110)
    assert (done.returncode, done.stderr) == (0, "")
    ours, plain, ratio = (line.split() for line in done.stdout.splitlines()[2:5])
    assert plain[-6:-4] == ["120", "120"]
    requests, primary = map(int, ours[-6:-4])
    assert primary < requests < 120  # the others were 304
    assert float(ours[-4]) < float(ours[-2]) < 37  # seconds: the longest wait, with what is added so that checks part
    assert ratio[0] == "ratio"
    assert "to the stage's transition, soon after a change: median" in done.stdout
    assert "from the answer to the transition: median" in done.stdout
