"""How these tests look at the parser: lines or rows in, Signals out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tmux_sentry import Lines, PaneFacts, PaneIdentity, Screen, Signal, TextSource
from tmux_sentry_parser_sentry import SentryParser

PANE = PaneIdentity(host="here", server_pid=100, server_start=1, pane_id="%1", pane_pid=200)

Read = Callable[..., list[Signal]]


@pytest.fixture
def stream() -> Read:
    """stream("line", ..., before=[...], typed=[...]): what a shell's output lines say."""

    def read(*lines: str, before: Sequence[str] = (), typed: Sequence[str] = ()) -> list[Signal]:
        facts = PaneFacts(identity=PANE, command="bash", typed=tuple(typed))
        return SentryParser().parse(Lines(pane=PANE, at=5.0, lines=lines, before=tuple(before)), facts)

    return read


@pytest.fixture
def screen() -> Read:
    """screen("row", ..., agent="claude", typed=[...]): what a captured screen says."""

    def read(*rows: str, agent: str = "claude", typed: Sequence[str] = ()) -> list[Signal]:
        facts = PaneFacts(identity=PANE, agent=agent, source=TextSource.CAPTURE, typed=tuple(typed))
        return SentryParser().parse(Screen(pane=PANE, at=5.0, lines=rows, cursor=(0, 0)), facts)

    return read
