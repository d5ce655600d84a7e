"""What a committed step wants is carried out beside the loop; what goes wrong there holds one stage."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.clock import SystemClock
from tmux_sentry.engine.conductor import Step
from tmux_sentry.engine.effects import Effects, owner
from tmux_sentry.engine.events import AboutToSend, Event, Keys, Send, SendDone, SendHeld, StopSend
from tmux_sentry.engine.panes import Panes
from tmux_sentry.engine.perception import Perception
from tmux_sentry.engine.run import Run
from tmux_sentry.errors import Unreachable
from tmux_sentry.state.store import Store
from tmux_sentry.testing.tmux_server import TmuxServer
from tmux_sentry.transport.local import LocalTransport
from tmux_sentry.watch.watcher import Watcher

STAGE = {"name": "a", "actions_on_start": [{"send_keys": "make"}]}
NewRun = Callable[..., Run]


class Broken:
    """A host whose watcher does what it should not."""

    def __init__(self, what: Callable[[], Any]) -> None:
        self._what = what

    def pane(self, identity: Any) -> None:
        return None

    def capture(self, identity: Any, history: int | None = 0) -> Any:
        return self._what()

    def polled(self, identity: Any) -> bool:
        return False

    def in_foreground(self, pid: int) -> None:
        return None

    def wait_change(self, identity: Any, timeout: float) -> None:
        return None


class Room:
    def __init__(self, store: Store, watchers: dict[str, Any], *, dry_run: bool = False) -> None:
        self.given: queue.Queue[tuple[str, Event, bool]] = queue.Queue()
        nobody: Any = None
        self.checks = Nothing()
        self.effects = Effects(
            watchers=watchers, prompts={}, store=store, clock=SystemClock(), panes=Panes(),
            perception=Perception({}, lambda *seen: None), checks=self.checks, clerk=nobody, outbox=nobody,  # type: ignore[arg-type]
            give=lambda run_id, event, wait: self.given.put((run_id, event, wait)), take_over=False, dry_run=dry_run,
        )  # fmt: skip

    def send(self, run: Run, text: str = "make") -> Send:
        send = Send(action_id=f"{run.id}/a/1/1", stage="a", attempt=1, keys=Keys(text=text), wait_idle=300.0)
        self.effects.carry_out(Step(before=None, run=run, event=None, effects=(send,)))
        return send

    def next(self) -> Event:
        return self.given.get(timeout=10.0)[1]


class Nothing:
    def close(self) -> None:
        pass


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "state.db", SystemClock()) as opened:
        yield opened


def fail() -> None:
    raise RuntimeError("a defect")


def away() -> None:
    raise Unreachable("here: its tmux server is not reached now")


def sending() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "send"]


def test_a_defect_in_a_send_holds_its_stage(store: Store, new_run: NewRun) -> None:
    room = Room(store, {"here": Broken(fail)})
    room.send(new_run(STAGE))
    assert room.next() == SendHeld(action_id="r1/a/1/1", reason="RuntimeError: a defect")


def test_a_host_that_nobody_watches_holds_the_stage(store: Store, new_run: NewRun) -> None:
    room = Room(store, {})
    room.send(new_run(STAGE))
    held = room.next()
    assert isinstance(held, SendHeld)
    assert "no host here is watched" in held.reason


def test_a_dry_run_sends_nothing(store: Store, new_run: NewRun) -> None:
    room = Room(store, {"here": Broken(fail)}, dry_run=True)
    room.send(new_run(STAGE))
    assert sending() == []
    assert room.given.empty()


def test_a_send_that_is_not_wanted_any_more_ends_without_a_word(store: Store, new_run: NewRun) -> None:
    room, run = Room(store, {"here": Broken(away)}), new_run(STAGE)
    send = room.send(run)
    [thread] = sending()
    assert thread.daemon
    room.effects.carry_out(Step(before=run, run=run, event=None, effects=(StopSend(action_id=send.action_id),)))
    thread.join(10.0)
    assert not thread.is_alive()
    assert room.given.empty()


def test_a_send_that_is_handed_out_twice_is_carried_out_once(store: Store, new_run: NewRun) -> None:
    room = Room(store, {"here": Broken(away)})
    run = new_run(STAGE)
    before = len(sending())
    room.send(run)
    room.effects.send(run, room.send(run))
    assert len(sending()) == before + 1
    room.effects.stop()


def test_stopping_waits_for_no_send_that_hangs(store: Store, new_run: NewRun) -> None:
    never = threading.Event()
    room = Room(store, {"here": Broken(never.wait)})
    for number in range(3):
        room.send(new_run(STAGE, run={"id": f"r{number}"}))
    began = time.monotonic()
    room.effects.stop()
    assert time.monotonic() - began < 4.0
    never.set()


def test_many_sends_at_once_all_answer(store: Store, new_run: NewRun) -> None:
    room = Room(store, {"here": Broken(fail)})
    for number in range(50):
        room.send(new_run(STAGE, run={"id": f"r{number}"}))
    assert {room.next().action_id for _ in range(50)} == {f"r{number}/a/1/1" for number in range(50)}  # type: ignore[union-attr]


def test_the_baseline_is_committed_and_then_it_is_typed(
    store: Store, new_run: NewRun, tmux_server: TmuxServer, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    pane = tmux_server.new_session()
    tmux_server.wait_prompt(pane)
    transport = LocalTransport("here")
    watcher = Watcher("here", transport, tmux_server.address, lambda record: None, SystemClock())
    watcher.start()
    try:
        [info] = watcher.wait_inventory(10.0)
        room = Room(store, {"here": watcher})
        room.send(new_run(STAGE, run={"pane": info.identity}), f"echo ran >> {out}")
        run_id, about, waited = room.given.get(timeout=10.0)
        assert isinstance(about, AboutToSend)
        assert (run_id, waited, about.lines) == ("r1", True, ("$",))
        assert room.next() == SendDone(action_id="r1/a/1/1")
        tmux_server.wait(out.exists, "the command")
    finally:
        watcher.stop()
        transport.close()


def test_the_owner_is_a_word_that_tmux_can_hold(store: Store) -> None:
    assert owner(store, "näs 1;rm #{x}") == f"{store.instance}@n-s-1-rm---x-"
