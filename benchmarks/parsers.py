"""How long the parsers take for a capture and for a line, beside a detector that tries one regex after the other.

The captures are the labelled screens of real agents; the lines are those of an ordinary log. The peer does what most
detectors do: some dozens of `re` patterns, each searched for in the last rows of a screen, or in the line. All parsers
that are installed run, one after the other, as in the program. Printed are the medians of one pass, and the ratio.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plugins" / "parser_agents" / "tests"))

from captures import PANE, Shot, shots

from tmux_sentry import Lines, PaneFacts, Parser, PluginContext, Screen, TextSource
from tmux_sentry.registry import load_registry

#: What the project promises: seconds for a capture, and for a line.
CAPTURE, LINE = 2e-3, 20e-6
#: Words of detectors that look for one sign after the other.
WORDS = (
    "esc to interrupt", "esc to cancel", "esc interrupt", "Do you want to", "Would you like to", "Allow execution of",
    "Apply this change", "Permission required", r"\(Y\)es/\(N\)o", r"❯ \d+\.", r"› \d+\.", r"● \d+\.", "Working",
    "Thinking", "Waiting for", "API Error", "rate limit", "usage limit", r"^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]", "Press enter",
    "Esc to cancel", "trust this folder", r"\? for shortcuts", "Type your message", "Ask anything", r"error:",
    r"FAILED", r"\d+ passed", r"\d+ failed", "Traceback", "command not found", "npm ERR!", "Killed", r"@@SENTRY",
)  # fmt: skip
PEER = [re.compile(word, re.IGNORECASE) for word in WORDS]
LOG = (
    "2026-11-29 10:00:00 INFO request handled path=/api/items status=200 time=12ms",
    "Compiling serde v1.0.200",
    "  adding: src/main.py (deflated 61%)",
    "drwxr-xr-x 5 dev dev 4096 Nov 29 10:00 packages",
    "Step 4/12 : COPY requirements.txt ./",
    "remote: Counting objects: 100% (12/12), done.",
    "",
    "   1234 |     return [item for item in items if item.name]",
    "GET /static/app.js 304 1ms",
    "Downloading wheels (3.4 MB)",
)


def parsers() -> list[Parser]:
    """Every installed one."""
    records = load_registry().parsers
    return [record.factory(PluginContext()) for record in records.values()]


def median(work: Callable[[], None], passes: int) -> float:
    """Seconds of one pass."""
    times = []
    for _ in range(passes):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def captures(made: Sequence[Parser], screens: Sequence[Shot]) -> None:
    """One pass over the screens."""
    for shot in screens:
        screen = Screen(pane=PANE, at=0.0, lines=shot.rows, rows=shot.rows, cursor=(0, 0))
        facts = PaneFacts(
            identity=PANE, agent=shot.agent, title=shot.title, command=shot.command, source=TextSource.CAPTURE
        )
        for parser in made:
            parser.parse(screen, facts)


def captures_by_peer(screens: Sequence[Shot]) -> None:
    """The same, by the peer."""
    for shot in screens:
        text = "\n".join(shot.rows[-15:])
        for pattern in PEER:
            pattern.search(text)


def lines(made: Sequence[Parser], log: Sequence[str], batch: int) -> None:
    """One pass over the lines, a few at a time, as a stream brings them."""
    facts = PaneFacts(identity=PANE)
    for at in range(0, len(log), batch):
        observation = Lines(pane=PANE, at=0.0, lines=tuple(log[at : at + batch]))
        for parser in made:
            parser.parse(observation, facts)


def lines_by_peer(log: Sequence[str]) -> None:
    """The same, by the peer."""
    for line in log:
        for pattern in PEER:
            pattern.search(line)


def main() -> int:
    """Print the table; ends with 1 if a figure is not reached."""
    parser = argparse.ArgumentParser(description="measure the parsers beside a list of regexes")
    parser.add_argument("--passes", type=int, default=9, help="of which the median is taken (default: 9)")
    passes = parser.parse_args().passes
    made, screens, log = parsers(), shots(), LOG * 200
    rows = []
    per = len(screens)
    ours = median(lambda: captures(made, screens), passes) / per
    rows.append(("capture", ours, median(lambda: captures_by_peer(screens), passes) / per, CAPTURE))
    for batch in (1, 10):
        ours = median(lambda batch=batch: lines(made, log, batch), passes) / len(log)  # type: ignore[misc]
        rows.append((f"line, {batch} at a time", ours, median(lambda: lines_by_peer(log), passes) / len(log), LINE))
    print(f"{len(made)} parsers, {per} captures, {len(log)} lines, median of {passes} passes")
    print(f"{'':22} {'parsers':>10} {'regexes':>10} {'ratio':>7}  wanted")
    for name, mine, theirs, most in rows:
        reached = "reached" if mine < most else "NOT reached"
        times = f"{mine * 1e6:8.1f}us {theirs * 1e6:8.1f}us {mine / theirs:6.2f}x"
        print(f"{name:22} {times}  < {most * 1e6:.0f}us: {reached}")
    return 0 if all(mine < most for _, mine, _, most in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
