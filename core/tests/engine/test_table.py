"""`pane_states` says what is there now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.contracts import AgentState, PaneIdentity, Signal, SignalKind, Trust
from tmux_sentry.engine.panes import Panes
from tmux_sentry.engine.table import PaneTable
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock
from tmux_sentry.tmux.model import PaneInfo

PANE = PaneIdentity(host="here", server_pid=100, server_start=1_795_000_000, pane_id="%3", pane_pid=4242)


def info(identity: PaneIdentity = PANE, **changes: Any) -> PaneInfo:
    values: dict[str, Any] = dict.fromkeys(("session_name", "window_name", "path", "title"), "x")
    values |= dict.fromkeys(("window_index", "pane_index"), 0)
    values |= dict.fromkeys(("dead", "in_mode", "alternate", "input_off", "synchronized", "hold"), False)
    values |= dict.fromkeys(("epoch", "marker", "owner"), "")
    values |= {"session_id": "$0", "window_id": "@0", "command": "bash", "width": 80, "height": 24, "cursor": (2, 0)}
    return PaneInfo(**{**values, "identity": identity, "dead_status": None, **changes})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "state.db", FakeClock()) as opened:
        yield opened


def new(store: Store) -> tuple[PaneTable, Panes]:
    panes = Panes()
    return PaneTable(store, FakeClock(), panes), panes


def rows(store: Store) -> list[tuple[str, str]]:
    return [(row["pane_id"], row["state"]) for row in store.pane_states()]


def test_a_pane_has_a_row_while_it_is_there(store: Store) -> None:
    table, panes = new(store)
    panes.see(info())
    table.write()
    assert rows(store) == [("%3", "idle")]
    panes.see(info(command="make"))
    table.write()
    assert rows(store) == [("%3", "unknown")]
    table.closed(PANE)
    table.write()
    assert rows(store) == []


def test_a_respawned_pane_keeps_its_row(store: Store) -> None:
    """The new process is seen, and even written, before the end of the old one is heard."""
    table, panes = new(store)
    panes.see(info())
    table.write()
    panes.see(info(replace(PANE, pane_pid=7)))
    table.write()
    table.closed(PANE)
    table.write()
    assert rows(store) == [("%3", "idle")]


def test_rows_of_panes_that_closed_while_nobody_watched_go(store: Store) -> None:
    table, panes = new(store)
    for number in (3, 4):
        panes.see(info(replace(PANE, pane_id=f"%{number}")))
    panes.see(info(replace(PANE, host="nas")))
    table.write()
    table, panes = new(store)
    panes.see(info())
    table.inventoried("here", [info()])
    table.write()
    assert sorted(row["host"] + row["pane_id"] for row in store.pane_states()) == ["here%3", "nas%3"]


def test_nothing_is_written_when_nothing_has_changed(store: Store) -> None:
    table, panes = new(store)
    panes.see(info())
    table.write()
    before = store.pane_states()
    panes.see(info(cursor=(9, 9)))
    table.write()
    assert store.pane_states() == before


def test_what_one_program_said_of_itself_is_void_for_the_next(store: Store) -> None:
    table, panes = new(store)
    panes.see(info(command="claude"))
    said = Signal(
        kind=SignalKind.STATE,
        parser="p",
        trust=Trust.PRINTED,
        confidence=1.0,
        digest="d",
        at=1.0,
        state=AgentState.IDLE,
    )
    table.hear(PANE, [said], screen=False)
    known = panes.get(PANE)
    assert known is not None
    assert known.state is AgentState.IDLE
    assert panes.see(info(command="python3")).state is AgentState.UNKNOWN
