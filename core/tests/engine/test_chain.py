"""Who decides what an agent is doing, and how soon it is believed."""

from __future__ import annotations

import pytest

from tmux_sentry.contracts import AgentState, Origin, Signal, SignalKind, Trust
from tmux_sentry.engine import chain
from tmux_sentry.engine.chain import CALM, OVERRULED, Opinion

IDLE, WORKING, WAITING = AgentState.IDLE, AgentState.WORKING, AgentState.WAITING
ERROR, EXITED, UNKNOWN = AgentState.ERROR, AgentState.EXITED, AgentState.UNKNOWN


def says(
    state: AgentState, origin: Origin = Origin.SCREEN, *, trust: Trust | None = None, sure: float = 0.95
) -> Signal:
    worth = Trust.EMITTED if origin is Origin.EVENT else Trust.PRINTED
    return Signal(
        kind=SignalKind.STATE,
        parser="p",
        trust=worth if trust is None else trust,
        confidence=sure,
        digest="d",
        at=0.0,
        state=state,
        origin=origin,
        rule=f"{origin.name.lower()}-{state.value}",
    )


def told(*steps: tuple[float, Signal]) -> Opinion:
    opinion = Opinion()
    for at, signal in steps:
        opinion = chain.hear(opinion, [signal], at)
    return opinion


@pytest.mark.parametrize(
    ("higher", "lower"),
    [
        (says(WORKING, Origin.EVENT), says(IDLE, Origin.OSC)),
        (says(WORKING, Origin.EVENT, trust=Trust.SIGNED), says(IDLE, Origin.OSC)),
        (says(WORKING, Origin.OSC), says(IDLE, Origin.TITLE)),
        (says(WORKING, Origin.TITLE), says(IDLE, Origin.EVENT, trust=Trust.PRINTED)),
        (says(WORKING, Origin.EVENT, trust=Trust.PRINTED), says(IDLE, Origin.SCREEN)),
        (says(WORKING, Origin.SCREEN), says(IDLE, Origin.LOG)),
    ],
)
@pytest.mark.parametrize("first", ["higher", "lower"])
def test_the_highest_place_decides_whoever_spoke_first(higher: Signal, lower: Signal, first: str) -> None:
    order = (higher, lower) if first == "higher" else (lower, higher)
    opinion = told((0.0, order[0]), (0.1, order[1]))
    assert opinion.now.state is WORKING
    assert opinion.now.winner == f"p/{higher.rule}"
    assert chain.conclude(order).state is WORKING


@pytest.mark.parametrize("origin", [Origin.OSC, Origin.TITLE, Origin.SCREEN])
def test_who_shows_something_has_started(origin: Origin) -> None:
    starts = says(AgentState.STARTING, Origin.EVENT, trust=Trust.SIGNED)
    assert told((0.0, starts)).now.state is AgentState.STARTING
    opinion = told((0.0, starts), (0.1, says(IDLE, origin)))
    assert (opinion.now.state, chain.due(opinion)) == (IDLE, None)
    assert told((0.0, starts), (0.1, says(WORKING, Origin.EVENT)), (0.2, says(IDLE, origin))).now.state is WORKING


def test_what_is_not_sure_is_shown_and_not_believed() -> None:
    assert told((0.0, says(IDLE, sure=0.79))).now.state is UNKNOWN
    conclusion = chain.conclude([says(IDLE, sure=0.79)])
    assert conclusion.state is UNKNOWN
    assert "not surely enough" in conclusion.why


def test_nothing_is_unknown_and_never_idle() -> None:
    assert Opinion().now.state is UNKNOWN
    assert chain.conclude([]).state is UNKNOWN


def test_a_place_that_does_not_know_is_passed_over() -> None:
    opinion = told((0.0, says(WORKING, Origin.TITLE)), (0.1, says(ERROR)), (0.2, says(UNKNOWN, Origin.TITLE)))
    assert opinion.now.state is ERROR


@pytest.mark.parametrize("state", [WAITING, ERROR, EXITED, AgentState.LIMITED])
def test_what_needs_a_person_is_believed_at_once(state: AgentState) -> None:
    assert told((0.0, says(WORKING)), (0.1, says(state))).now.state is state


def test_work_is_over_only_when_it_has_looked_so_for_a_while() -> None:
    opinion = told((0.0, says(WORKING)), (1.0, says(IDLE)))
    assert opinion.now.state is WORKING
    assert not opinion.settled
    assert chain.due(opinion) == 1.0 + CALM
    assert chain.settle(opinion, 1.0 + CALM - 0.01).now.state is WORKING
    assert chain.settle(opinion, 1.0 + CALM).now.state is IDLE


def test_a_moment_of_rest_between_two_pieces_of_work_is_none() -> None:
    opinion = told((0.0, says(WORKING)), (1.0, says(IDLE)), (1.5, says(WORKING)), (2.0, says(IDLE)))
    assert chain.settle(opinion, 2.0 + CALM - 0.01).now.state is WORKING
    assert chain.due(told((0.0, says(WORKING)), (1.0, says(IDLE)), (1.5, says(WORKING)))) is None


def test_a_screen_that_is_half_drawn_forgets_nothing() -> None:
    opinion = told((0.0, says(WAITING)), (1.0, says(UNKNOWN)))
    assert opinion.now.state is WAITING
    assert chain.settle(opinion, 1.0 + CALM).now.state is UNKNOWN


def test_what_an_agent_says_itself_needs_no_agreement() -> None:
    for origin in (Origin.EVENT, Origin.OSC):
        assert told((0.0, says(WORKING, origin)), (0.1, says(IDLE, origin))).now.state is IDLE


@pytest.mark.parametrize("origin", [Origin.EVENT, Origin.OSC, Origin.TITLE])
def test_a_hook_that_never_came_is_overruled_by_the_screen(origin: Origin) -> None:
    """No agent tells that a person pressed Escape."""
    opinion = told((0.0, says(WORKING, origin)), (0.5, says(WORKING)), (10.0, says(IDLE)))
    assert chain.settle(opinion, 10.0 + OVERRULED - 0.01).now.state is WORKING
    due = chain.due(opinion)
    assert due == 10.0 + OVERRULED
    opinion = chain.settle(opinion, due)
    later = chain.due(opinion)
    assert later is not None
    opinion = chain.settle(opinion, later)
    assert opinion.now.state is IDLE
    # It is dropped for good, until it speaks again.
    assert chain.hear(opinion, [says(WORKING, origin)], 20.0).now.state is WORKING


def test_a_screen_that_was_there_before_contradicts_nothing() -> None:
    opinion = told((0.0, says(IDLE)), (100.0, says(WORKING, Origin.EVENT)))
    assert opinion.now.state is WORKING
    assert chain.settle(opinion, 100.0 + OVERRULED - 0.01).now.state is WORKING


def test_a_dialog_that_stands_there_is_believed_sooner() -> None:
    opinion = told((0.0, says(WORKING, Origin.EVENT)), (5.0, says(WAITING)))
    assert opinion.now.state is WORKING
    assert chain.settle(opinion, 5.0 + CALM).now.state is WAITING


def test_a_dialog_that_was_just_answered_calls_nobody_again() -> None:
    opinion = told((0.0, says(WAITING)), (5.0, says(WORKING, Origin.OSC)))
    assert opinion.now.state is WORKING
    assert chain.settle(opinion, 5.0 + CALM).now.state is WORKING
    assert chain.settle(opinion, 5.0 + OVERRULED).now.state is WAITING


def test_the_same_event_again_is_a_new_moment() -> None:
    opinion = told((0.0, says(WORKING, Origin.EVENT)), (1.0, says(IDLE)), (3.5, says(WORKING, Origin.EVENT)))
    opinion = chain.settle(opinion, 1.0 + OVERRULED)
    assert chain.settle(opinion, 1.0 + OVERRULED + CALM).now.state is WORKING
