"""No keys without a committed intent, and no intent that could type twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tmux_sentry import PaneIdentity
from tmux_sentry.engine.events import Keys, Send
from tmux_sentry.engine.run import Run
from tmux_sentry.errors import Refused
from tmux_sentry.state.records import Fence
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock

Intend = Callable[..., None]


@pytest.fixture
def intend(store: Store, pane: PaneIdentity) -> Intend:
    def do(action_id: str = "a1", step: str = "text", *, marker: int = 1, epoch: int = 1, **more: object) -> None:
        values = {
            "pane": pane,
            "epoch": epoch,
            "previous": marker - 1,
            "marker": marker,
            "payload_sha256": "f" * 64,
            "command": "codex",
            "cursor": (4, 7),
            "expires_at": 1e10,
        }
        store.intend(action_id, step, **(values | more))  # type: ignore[arg-type]

    store.save_fence(pane.key, 1, 0)
    return do


def test_an_intent_is_on_disk_before_intend_returns(
    store: Store, path: Path, clock: FakeClock, pane: PaneIdentity, intend: Intend
) -> None:
    intend()
    with Store.open_readonly(path, clock) as other:
        (found,) = other.open_intents()
        assert other.fence(pane.key) == Fence(epoch=1, marker=1)
    assert (found.action_id, found.step, found.number, found.status) == ("a1", "text", 1, "intent")
    assert (found.pane, found.epoch, found.previous, found.marker) == (pane, 1, 0, 1)
    assert (found.command, found.cursor, found.expires_at) == ("codex", (4, 7), 1e10)


@pytest.mark.parametrize("status", ["intent", "injected", "unknown", "done"])
def test_a_step_that_may_have_been_typed_is_not_intended_again(store: Store, intend: Intend, status: str) -> None:
    intend()
    if status != "intent":
        store.settle("a1", "text", status)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="may have been typed already"):
        intend(marker=2)
    assert len(store.intents("a1")) == 1


@pytest.mark.parametrize("status", ["refused", "void"])
def test_a_step_that_was_not_typed_may_be_tried_again(store: Store, intend: Intend, status: str) -> None:
    intend()
    store.settle("a1", "text", status, "someone is typing")  # type: ignore[arg-type]
    assert store.open_intents() == []
    intend(marker=2)
    assert [(i.number, i.status, i.reason) for i in store.intents("a1")] == [
        (1, status, "someone is typing"),
        (2, "intent", ""),
    ]
    assert [i.number for i in store.open_intents()] == [2]


@pytest.mark.parametrize(
    "numbers", [{"marker": 5}, {"marker": 4}, {"marker": 6, "epoch": 2}, {"marker": 6, "epoch": 0}]
)
def test_a_number_that_was_used_or_a_foreign_epoch_is_refused(
    store: Store, pane: PaneIdentity, intend: Intend, numbers: dict[str, int]
) -> None:
    store.save_fence(pane.key, 1, 5)
    with pytest.raises(Refused, match="not the next one"):
        intend(**numbers)
    assert store.open_intents() == []
    assert store.fence(pane.key) == Fence(epoch=1, marker=5)


def test_a_pane_that_was_never_adopted_gets_no_intent(store: Store, pane: PaneIdentity, intend: Intend) -> None:
    with pytest.raises(Refused, match="not the next one"):
        intend(pane=replace(pane, pane_pid=1))


def test_a_respawned_pane_is_known_by_its_place(store: Store, pane: PaneIdentity) -> None:
    assert store.fence_before_respawn(pane) is None
    store.save_fence(replace(pane, pane_pid=pane.pane_pid + 1).key, 2, 7)
    store.save_fence(replace(pane, pane_pid=pane.pane_pid + 2).key, 2, 9)
    store.save_fence(replace(pane, pane_id=f"{pane.pane_id}0").key, 5, 50)
    store.save_fence(replace(pane, server_start=pane.server_start + 1).key, 5, 50)
    assert store.fence_before_respawn(pane) == Fence(epoch=2, marker=9)


def test_a_fence_never_goes_down(store: Store, pane: PaneIdentity) -> None:
    assert store.fence(pane.key) is None
    store.save_fence(pane.key, 3, 40)
    store.save_fence(pane.key, 2, 50)
    store.save_fence(pane.key, 4, 10)
    assert store.fence(pane.key) == Fence(epoch=4, marker=50)


def test_settling_what_was_never_intended_is_a_mistake(store: Store) -> None:
    with pytest.raises(LookupError):
        store.settle("a1", "enter", "injected")


def test_a_send_that_was_finished_or_dropped_is_not_recovered(
    store: Store, intend: Intend, make_run: Callable[..., Run]
) -> None:
    send = Send(action_id="a1", stage="build", attempt=1, keys=Keys(text="npm test"), wait_idle=0.0)
    for number, action_id in enumerate(("a1", "a2", "a3"), start=1):
        with store.transaction() as step:
            step.plan_send(make_run(), replace(send, action_id=action_id), 0.0)
        intend(action_id, marker=number)
        store.settle(action_id, "text", "injected")
    assert [i.action_id for i in store.open_intents()] == ["a1", "a2", "a3"]
    with store.transaction() as step:
        step.finish_send("a1")
        step.drop_send("a2", "a person skipped it")
    assert [i.action_id for i in store.open_intents()] == ["a3"]
    assert [store.intents(a)[0].status for a in ("a1", "a2")] == ["done", "injected"]


COMMITS = """
import sys
from pathlib import Path
from tmux_sentry import PaneIdentity
from tmux_sentry.clock import SystemClock
from tmux_sentry.state.store import Store
store = Store.open(Path(sys.argv[1]), SystemClock())
pane = PaneIdentity(host="h", server_pid=1, server_start=2, pane_id="%0", pane_pid=3)
store.save_fence(pane.key, 1, 0)
marker = store.fence(pane.key).marker
while True:
    marker += 1
    store.intend(f"a{marker}", "text", pane=pane, epoch=1, previous=marker - 1, marker=marker,
                 payload_sha256="", command="sh", cursor=(0, 0), expires_at=0.0)
    sys.stdout.write(f"{marker}\\n")
    sys.stdout.flush()
"""


def test_kill_9_loses_no_committed_intent(path: Path) -> None:
    promised = 0
    for kill in range(5):
        with subprocess.Popen([sys.executable, "-c", COMMITS, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(5 + 17 * kill):
                promised = int(writer.stdout.readline())
            os.kill(writer.pid, signal.SIGKILL)
            rest = writer.stdout.read().split(b"\n")
            promised = int(rest[-2]) if len(rest) > 1 else promised  # the last whole line
        with Store.open(path, FakeClock()) as store:
            kept = [intent.marker for intent in store.open_intents()]
        # One more than promised can be there: committed, and killed before it was said.
        assert kept == list(range(1, len(kept) + 1))
        assert len(kept) in (promised, promised + 1)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
