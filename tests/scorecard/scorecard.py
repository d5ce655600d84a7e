"""How well the parsers read the labelled screens of real agents: `make scorecard`.

All installed parsers look at each screen, as in the program, and what they conclude is compared with what the one who
drove the agent knew. Ends with 1 where a person would be called for nothing, or work taken for rest.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "plugins" / "parser_agents" / "tests"))

from captures import PANE, Shot, shots

from tmux_sentry import PaneFacts, PluginContext, Screen, TextSource
from tmux_sentry.engine.explaining import explain
from tmux_sentry.registry import load_registry

STATES = ("waiting", "working", "idle", "error", "exited")


@dataclass
class Score:
    """What was said, by what it was: `said[label, state]`."""

    said: Counter[tuple[str, str]] = field(default_factory=Counter)

    def count(self, label: str | None = None, state: str | None = None) -> int:
        """Screens with this label that were read as this state; None is any."""
        return sum(number for (a, b), number in self.said.items() if label in (None, a) and state in (None, b))

    @property
    def right(self) -> int:
        """Screens that were read as what they are."""
        return sum(number for (label, state), number in self.said.items() if label == state)

    @property
    def false_waiting(self) -> int:
        """Screens for which a person would be called for nothing."""
        return self.count(state="waiting") - self.count("waiting", "waiting")

    @property
    def idle_while_working(self) -> int:
        """Work that was taken for rest."""
        return self.count("working", "idle")


def score(screens: Sequence[Shot], *, titled: bool = True) -> dict[str, Score]:
    """The scores by agent; `titled`: whether the parsers see the pane's title."""
    parsers = {name: record.factory(PluginContext()) for name, record in load_registry().parsers.items()}
    scores: dict[str, Score] = {}
    for shot in screens:
        if shot.label == "-":
            continue
        screen = Screen(pane=PANE, at=0.0, lines=shot.rows, rows=shot.rows, cursor=(0, 0))
        facts = PaneFacts(
            identity=PANE,
            agent=shot.agent,
            command=shot.command,
            title=shot.title if titled else "",
            source=TextSource.CAPTURE,
        )
        state = explain(parsers, [screen], facts).conclusion.state.value
        scores.setdefault(shot.agent, Score()).said[shot.label, state] += 1
    return scores


def total(scores: dict[str, Score]) -> Score:
    """All agents together."""
    whole = Score()
    for one in scores.values():
        whole.said.update(one.said)
    return whole


def table(scores: dict[str, Score]) -> list[str]:
    """Markdown: for each agent and state how many screens there are, recall and precision."""
    lines = ["| agent | " + " | ".join(STATES) + " | unknown | false waiting | idle while working |"]
    lines.append("|---" * (len(STATES) + 4) + "|")
    for agent, one in [*sorted(scores.items()), ("all", total(scores))]:
        cells = [f"{_percent(one, state)}" for state in STATES]
        more = (one.count(state="unknown"), one.false_waiting, one.idle_while_working)
        lines.append(f"| {agent} | " + " | ".join([*cells, *map(str, more)]) + " |")
    return lines


def _percent(one: Score, state: str) -> str:
    """ "97 % of 31, 100 % right": how many of a state were found, and of those called so how many were."""
    there, called, both = one.count(state), one.count(state=state), one.count(state, state)
    if not there:
        return "-"
    return f"{100 * both / there:.0f} % of {there}, {100 * both / called if called else 0:.0f} % right"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="score the parsers on labelled screens")
    parser.add_argument("--no-title", action="store_true", help="as if no pane had a title")
    titled = not parser.parse_args(arguments).no_title
    scores = score(shots(), titled=titled)
    whole = total(scores)
    print("\n".join(table(scores)))
    share = 100 * whole.right / whole.count()
    print(f"\n{whole.right} of {whole.count()} screens were read as what they are: {share:.1f} %")
    return 1 if whole.false_waiting or whole.idle_while_working else 0


if __name__ == "__main__":
    sys.exit(main())
