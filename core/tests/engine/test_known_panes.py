"""What a parser is told of a pane is what the last inventory showed, whatever was heard in between."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from tmux_sentry.contracts import AgentState, Origin, PaneFacts, Signal, SignalKind, TextSource, Trust
from tmux_sentry.engine.panes import Panes
from tmux_sentry.testing.samples import AT, PANE
from tmux_sentry.tmux.model import PaneInfo

INFO = PaneInfo(
    identity=PANE, session_id="$0", session_name="work", window_id="@0", window_name="sh", window_index=0,
    pane_index=0, command="bash", path="/", title="host", width=80, height=24, cursor=(0, 0), dead=False,
    dead_status=None, in_mode=False, alternate=False, input_off=False, synchronized=False, epoch="", marker="",
    owner="", hold=False,
)  # fmt: skip
SIGNAL = Signal(kind=SignalKind.STATUS, parser="x", trust=Trust.PRINTED, confidence=1.0, digest="d", at=AT)


def test_facts_follow_the_inventory() -> None:
    panes = Panes()
    assert panes.facts(PANE, ("ls",)) == PaneFacts(identity=PANE, typed=("ls",))
    panes.see(INFO)
    panes.hear(PANE, [SIGNAL], screen=True, now=0.0)
    shell = PaneFacts(identity=PANE, command="bash", title="host")
    assert panes.facts(PANE, ()) == shell
    assert panes.facts(PANE, ("ls",)) == replace(shell, typed=("ls",))
    assert panes.facts(PANE, ()) == shell
    panes.see(replace(INFO, command="claude", title="✳ task", width=120, alternate=True))
    panes.assign(PANE, "pipeline", "stage")
    assert panes.facts(PANE, ()) == PaneFacts(
        identity=PANE, agent="claude", command="claude", title="✳ task", width=120, source=TextSource.CAPTURE
    )
    panes.close(PANE)
    assert panes.facts(PANE, ()) == PaneFacts(identity=PANE)


def test_a_pane_keeps_its_key_to_itself() -> None:
    again = replace(PANE)
    assert PANE.key == again.key == "here/100-1700000000/%1/200"
    assert asdict(PANE) == asdict(again) == {
        "host": "here", "server_pid": 100, "server_start": 1_700_000_000, "pane_id": "%1", "pane_pid": 200
    }  # fmt: skip
    assert again == PANE
    assert hash(replace(again)) == hash(PANE)
    assert replace(PANE, pane_pid=201).key == "here/100-1700000000/%1/201"


LIMIT = replace(SIGNAL, kind=SignalKind.LIMIT, digest="limit", live=False, origin=Origin.SCREEN)


def state(word: str, **more: object) -> Signal:
    return replace(
        SIGNAL, kind=SignalKind.STATE, digest=word, live=False, origin=Origin.SCREEN, state=AgentState(word), **more
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("captures", "at_the_end"),
    [
        ([[LIMIT]], "limited"),
        ([[state("idle"), LIMIT]], "limited"),
        ([[state("error"), LIMIT]], "limited"),
        ([[state("working"), LIMIT]], "working"),
        ([[state("waiting"), LIMIT]], "waiting"),
        ([[state("working", confidence=0.5), LIMIT]], "limited"),
        ([[replace(LIMIT, confidence=0.5)]], "unknown"),
        # The notice stays: idle as before is still the limit; idle after work is not.
        ([[state("idle"), LIMIT], [state("idle"), LIMIT]], "limited"),
        ([[state("idle"), LIMIT], [state("working"), LIMIT], [state("idle"), LIMIT]], "idle"),
        ([[state("idle"), LIMIT], [state("idle")]], "idle"),
        ([[LIMIT], [state("working")], [state("idle")], [state("idle"), LIMIT]], "limited"),
        ([[state("limited")], [state("idle")]], "idle"),
    ],
)
def test_a_limit_makes_an_agent_limited_until_it_goes_on(captures: list[list[Signal]], at_the_end: str) -> None:
    panes = Panes()
    panes.see(INFO)
    for number, capture in enumerate(captures):
        panes.hear(PANE, capture, screen=True, now=number * 10.0)
        panes.settle(number * 10.0 + 9.0)  # whatever it is, it lasts
    known = panes.get(PANE)
    assert known is not None
    assert known.state.value == at_the_end
