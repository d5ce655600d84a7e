"""The key for a dialog in a real tmux: into this dialog and no other, once, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.contracts import AgentState, Choice, Dialog, PaneIdentity, dialog_fingerprint
from tmux_sentry.engine.events import Keys, SendDone, SendHeld, SendMoot
from tmux_sentry.engine.relay import Answers
from tmux_sentry.engine.sending import Job, Ports, carry_out
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock
from tmux_sentry.testing.tmux_server import TmuxServer
from tmux_sentry.tmux.capture import capture
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.tmux.control_client import ControlClient
from tmux_sentry.tmux.model import Capture, PaneInfo
from tmux_sentry.transport.local import LocalTransport

CHOICES = (Choice(label="Yes", key=("1",), meaning="approve"), Choice(label="No", key=("2",), meaning="reject"))
#: A program in raw mode: what it gets stands behind the text that it shows.
SHOW = "stty raw -echo; printf '%s' \"$1\"; exec cat -v"


def named(command: str) -> Dialog:
    return Dialog(
        question="Run?", command=command, choices=CHOICES, fingerprint=dialog_fingerprint("Run?", command, CHOICES)
    )


DIALOG = named("git status")


class Live:
    """The Pane of a send, straight on tmux, on a clock that waiting moves."""

    def __init__(self, server: TmuxServer, pane: str, clock: FakeClock) -> None:
        self.pane_id, self.clock = pane, clock
        self.transport = LocalTransport("here")
        self.client: CommandClient = ControlClient(self.transport, server.address)
        self.client.start()  # type: ignore[attr-defined]
        self.history: list[int | None] = []
        self.waits = 0

    def pane(self, identity: PaneIdentity) -> PaneInfo | None:
        return None

    def capture(self, identity: PaneIdentity, history: int | None = 0) -> Capture:
        self.history.append(history)
        return capture(self.client, identity.pane_id, history)

    def polled(self, identity: PaneIdentity) -> bool:
        return False

    def in_foreground(self, pid: int) -> bool | None:
        return self.transport.in_foreground(pid)

    def wait_change(self, identity: PaneIdentity, timeout: float) -> object:
        self.waits += 1
        self.clock.advance(0.5 if self.waits < 10 else 100.0)
        return None


@dataclass
class Bench:
    """A pane that shows something, and a parser that says what it is told to."""

    server: TmuxServer
    live: Live
    store: Store
    clock: FakeClock
    bars: list[float] = field(default_factory=list)

    def send(self, *seen: Dialog | Callable[[], Dialog | None] | None, dialog: Dialog = DIALOG) -> Any:
        """Answer `dialog`; the captures show what `seen` says, the last one for ever."""
        rest = list(seen)

        def read(pane: PaneIdentity, shown: Capture, bar: float) -> Dialog | None:
            self.bars.append(bar)
            what = rest.pop(0) if len(rest) > 1 else rest[0]
            return what() if callable(what) else what

        ports = Ports(
            watcher=self.live,
            store=self.store,
            clock=self.clock,
            owner=f"{self.store.instance}@here",
            take_over=False,
            announce=lambda job, event, shown: pytest.fail("a dialog's key is no baseline"),
            agent_state=lambda identity: AgentState.WAITING,
            dialog=read,
        )
        identity = capture(self.live.client, self.live.pane_id).info.identity
        job = Job(
            action_id="r/s/1/dialog1",
            pane=identity,
            keys=Keys(keys=("1",), enter=False),
            wait_idle=0.0,
            stopped=threading.Event(),
            answers=Answers(dialog=dialog, bar=0.7),
        )
        return carry_out(job, ports)

    @property
    def screen(self) -> str:
        return self.server.screen(self.live.pane_id)

    def intents(self) -> list[str]:
        return [intent.status for intent in self.store.intents("r/s/1/dialog1")]


@pytest.fixture
def begin(tmux_server: TmuxServer, tmp_path: Path) -> Iterator[Callable[[str], Bench]]:
    closing: list[Any] = []

    def make(text: str) -> Bench:
        script = tmp_path / "show.sh"
        script.write_text(SHOW)
        pane = tmux_server.new_session(command=f"exec sh {script} '{text}'")
        tmux_server.wait(lambda: tmux_server.screen(pane).endswith(text), "the text")
        clock = FakeClock()
        live, store = Live(tmux_server, pane, clock), Store.open(tmp_path / "state.db", clock)
        closing.extend((live.client, live.transport, store))
        return Bench(tmux_server, live, store, clock)

    yield make
    for part in closing:
        part.close()


@pytest.fixture
def bench(begin: Callable[[str], Bench]) -> Bench:
    return begin("Run?")


def test_the_key_is_typed_once_and_journalled(bench: Bench) -> None:
    assert bench.send(DIALOG) == SendDone(action_id="r/s/1/dialog1")
    bench.server.wait(lambda: bench.screen == "Run?1", "the key")
    assert bench.intents() == ["injected"]
    assert set(bench.bars) == {0.7}
    assert len(bench.bars) == 2, "it is read again right before the key"
    assert set(bench.live.history) == {0}, "never out of the text above"


def test_the_same_dialog_may_count_seconds(bench: Bench) -> None:
    counted = Dialog(question="Run? 3 s", command="git status", choices=CHOICES, fingerprint=DIALOG.fingerprint)
    assert isinstance(bench.send(counted), SendDone)


@pytest.mark.parametrize(
    "other",
    [
        named("rm x"),
        Dialog(question="Run?", command="git status", choices=CHOICES, fingerprint="0" * 64),
        Dialog(question="Run?", command="rm x", choices=CHOICES, fingerprint=DIALOG.fingerprint),
        Dialog(question="Run?", command="git status", choices=CHOICES[::-1], fingerprint=DIALOG.fingerprint),
        Dialog(question="Run?", command="git status", choices=CHOICES, fingerprint=DIALOG.fingerprint, truncated=True),
        Dialog(question="Run?", command="git status", choices=CHOICES, fingerprint=DIALOG.fingerprint, cwd="/etc"),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_another_dialog_gets_no_key(bench: Bench, other: Dialog, late: bool) -> None:
    answer = bench.send(*([DIALOG] if late else []), other)
    assert answer == SendMoot(action_id="r/s/1/dialog1", reason="another dialog is there now")
    assert (bench.screen, bench.intents()) == ("Run?", [])
    assert bench.live.waits == 0


@pytest.mark.parametrize("late", [False, True])
def test_a_dialog_that_is_gone_gets_no_key(bench: Bench, late: bool) -> None:
    answer = bench.send(*([DIALOG] if late else []), None)
    assert answer == SendMoot(action_id="r/s/1/dialog1", reason="the dialog is gone")
    assert (bench.screen, bench.intents()) == ("Run?", [])


def test_one_capture_without_it_is_not_the_end(bench: Bench) -> None:
    assert isinstance(bench.send(None, DIALOG), SendDone)
    assert bench.live.waits == 1


def test_what_a_person_has_typed_into_an_input_line_holds_it(begin: Callable[[str], Bench]) -> None:
    bench = begin("> not that")
    assert bench.send(DIALOG) == SendHeld(action_id="r/s/1/dialog1", reason="someone is typing")
    assert (bench.screen, bench.intents()) == ("> not that", [])


def test_the_choice_that_the_cursor_is_on_is_no_such_text(begin: Callable[[str], Bench]) -> None:
    assert isinstance(begin("> Yes").send(DIALOG), SendDone)


def test_nobody_who_moves_in_the_dialog_is_overtaken(bench: Bench) -> None:
    """The cursor is compared once more in the moment of typing."""

    def move() -> Dialog:
        bench.server.send(bench.live.pane_id, "x")
        bench.server.wait(lambda: bench.screen.endswith("x"), "the cursor to move")
        return DIALOG

    assert isinstance(bench.send(DIALOG, move, DIALOG), SendDone)
    assert bench.intents() == ["refused", "injected"]
    bench.server.wait(lambda: bench.screen == "Run?x1", "the key")


def test_while_somebody_reads_in_copy_mode_it_waits_and_is_then_held(bench: Bench) -> None:
    bench.server.run("copy-mode", "-t", bench.live.pane_id)
    assert bench.send(DIALOG) == SendHeld(action_id="r/s/1/dialog1", reason="pane busy: someone reads in copy mode")
    assert bench.intents() == []
