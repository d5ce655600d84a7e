"""Labelled screens of real agents, and what the rules make of a screen.

A file holds the screens of one agent, version and size, as `capture-pane -p` gave them while the program was driven
against a scripted model. Before each stands a row `=== name | state | foreground command | title`; the state is what
the one who drove it knew it to be, `-` where nobody could say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tmux_sentry import AgentState, Dialog, Origin, PaneFacts, PaneIdentity, Screen, Signal, SignalKind
from tmux_sentry_parser_agents.parser import AgentsParser
from tmux_sentry_parser_agents.rules import load

SCREENS = Path(__file__).parent / "screens"
PANE = PaneIdentity(host="h", server_pid=1, server_start=2, pane_id="%3", pane_pid=4)


@dataclass(frozen=True)
class Shot:
    """One labelled screen."""

    agent: str
    version: str
    size: str
    name: str
    label: str
    command: str
    title: str
    rows: tuple[str, ...]

    @property
    def id(self) -> str:
        """How tests and tables name it."""
        return f"{self.agent}/{self.name}@{self.size}"


@lru_cache(maxsize=1)
def shots() -> tuple[Shot, ...]:
    """All of them."""
    return tuple(shot for path in sorted(SCREENS.glob("*.txt")) for shot in _read(path))


def _read(path: Path) -> list[Shot]:
    agent, version, size = path.stem.split("-")
    found: list[Shot] = []
    rows: list[str] = []
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line.startswith("=== ") and line.count(" | ") >= 3:
            name, label, command, title = line[4:].split(" | ", 3)
            rows = []
            found.append(Shot(agent, version, size, name, label, command, title, ()))
        else:
            rows.append(line)
        found[-1] = Shot(*(getattr(found[-1], key) for key in list(Shot.__annotations__)[:-1]), tuple(rows))
    return found


def shot(agent: str, name: str, size: str = "120x40") -> Shot:
    """One of them."""
    return next(one for one in shots() if (one.agent, one.name, one.size) == (agent, name, size))


def read(
    rows: Sequence[str],
    agent: str,
    title: str = "",
    command: str = "",
    parser: AgentsParser | None = None,
) -> list[Signal]:
    """The Signals of a screen."""
    screen = Screen(pane=PANE, at=0.0, lines=tuple(rows), cursor=(0, 0))
    facts = PaneFacts(identity=PANE, agent=agent, title=title, command=command)
    return (parser or AgentsParser(rules())).parse(screen, facts)


@lru_cache(maxsize=1)
def rules():  # type: ignore[no-untyped-def]
    """The built-in rules, read once."""
    return load(None)


def state_of(signals: list[Signal]) -> AgentState:
    """What they come to: the title's state where it says one, else the screen's."""
    said = {signal.origin: signal.state for signal in signals if signal.kind is SignalKind.STATE}
    title, screen = said.pop(Origin.TITLE, AgentState.UNKNOWN), said.pop(Origin.SCREEN)
    assert not said
    assert title is not None
    assert screen is not None
    return title if title is not AgentState.UNKNOWN else screen


def dialog_of(signals: list[Signal]) -> Dialog | None:
    """The dialog among them."""
    return next((signal.dialog for signal in signals if signal.kind is SignalKind.PROMPT), None)
