"""How these tests look at the parser: lines or rows in, Signals out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tmux_sentry import Lines, Osc, PaneFacts, PaneIdentity, Screen, Signal, TextSource
from tmux_sentry_parser_heuristic.parser import HeuristicParser

PANE = PaneIdentity(host="here", server_pid=100, server_start=1, pane_id="%1", pane_pid=200)

Read = Callable[..., list[Signal]]


@pytest.fixture(scope="session")
def parser() -> HeuristicParser:
    return HeuristicParser()


@pytest.fixture
def stream(parser: HeuristicParser) -> Read:
    """stream("line", ..., before=[...], typed=[...], at=5.0): what a shell's output lines say."""

    def read(
        *lines: str, before: Sequence[str] = (), typed: Sequence[str] = (), at: float = 5.0, agent: str = ""
    ) -> list[Signal]:
        facts = PaneFacts(identity=PANE, agent=agent, command="bash", typed=tuple(typed))
        return parser.parse(Lines(pane=PANE, at=at, lines=lines, before=tuple(before)), facts)

    return read


@pytest.fixture
def screen(parser: HeuristicParser) -> Read:
    """screen("row", ..., agent="", resync=False): what a captured screen says."""

    def read(*rows: str, agent: str = "", resync: bool = False, at: float = 5.0) -> list[Signal]:
        facts = PaneFacts(identity=PANE, agent=agent, source=TextSource.CAPTURE)
        return parser.parse(Screen(pane=PANE, at=at, lines=rows, cursor=(0, 0), resync=resync), facts)

    return read


@pytest.fixture
def osc(parser: HeuristicParser) -> Read:
    """osc("D;1", number=133): what a control sequence of the shell says."""

    def read(text: str, **fields: Any) -> list[Signal]:
        return parser.parse(Osc(pane=PANE, at=5.0, **{"number": 133, **fields}, text=text), PaneFacts(identity=PANE))

    return read
