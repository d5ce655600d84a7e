"""Output that came under a pane's id alone waits until tmux has said whose it is."""

from __future__ import annotations

import queue
from collections.abc import Callable

import pytest

from tmux_sentry.contracts import Emitted, Lines, Observation, Osc, PaneClosed, PaneIdentity, Screen
from tmux_sentry.engine.doubts import Doubts, Seen
from tmux_sentry.errors import Unreachable

PANE = PaneIdentity(host="here", server_pid=100, server_start=1_795_000_000, pane_id="%3", pane_pid=4242)
OTHER = PaneIdentity(host="here", server_pid=100, server_start=1_795_000_000, pane_id="%4", pane_pid=4243)

LINES = Lines(pane=PANE, at=0.0, lines=("one",))
OSC = Osc(pane=PANE, at=0.0, number=133, text="D;0")
EMITTED = Emitted(pane=PANE, at=0.0, text="{}", entry="%3:1:e30")
SCREEN = Screen(pane=PANE, at=0.0, lines=("one",), cursor=(0, 0), resync=False)
CLOSED = PaneClosed(pane=PANE, at=0.0, status=None)


class Loop:
    """What is posted runs when the test says so."""

    def __init__(self, replaced: Callable[[PaneIdentity], bool]) -> None:
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.doubts = Doubts(replaced, self._inbox.put)
        self.answers: list[tuple[bool, list[Observation]]] = []

    def ask(self) -> None:
        def answer(replaced: bool, held: list[Seen]) -> None:
            assert all(signals == () for _, signals in held)
            self.answers.append((replaced, [observation for observation, _ in held]))

        self.doubts.ask(PANE, answer)

    def turn(self) -> None:
        self._inbox.get(timeout=5)()


@pytest.mark.parametrize("observation", [LINES, OSC, EMITTED, SCREEN, CLOSED])
def test_what_tmux_named_together_with_its_process_is_beyond_doubt(observation: Observation) -> None:
    doubts = Loop(lambda pane: False).doubts
    assert doubts.about(observation) is isinstance(observation, (Lines, Osc, Emitted))


@pytest.mark.parametrize("replaced", [False, True])
def test_what_comes_meanwhile_waits_and_only_what_the_pane_itself_says_goes_on(replaced: bool) -> None:
    loop = Loop(lambda pane: replaced)
    assert not loop.doubts.hold(LINES, ())
    loop.ask()
    meanwhile = [LINES, SCREEN, OSC, EMITTED, CLOSED]
    assert all(loop.doubts.hold(observation, ()) for observation in meanwhile)
    assert not loop.doubts.hold(Lines(pane=OTHER, at=0.0, lines=()), ())
    assert loop.answers == []
    loop.turn()
    assert loop.answers == [(replaced, [SCREEN, CLOSED] if replaced else meanwhile)]
    assert not loop.doubts.hold(LINES, ())


def test_what_a_host_said_before_it_was_lost_counts() -> None:
    def lost(pane: PaneIdentity) -> bool:
        raise Unreachable("here: gone")

    loop = Loop(lost)
    loop.ask()
    loop.doubts.hold(LINES, ())
    loop.turn()
    assert loop.answers == [(False, [LINES])]
