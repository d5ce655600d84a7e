"""After a start: every row of the recovery table, over a real journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.contracts import PaneIdentity
from tmux_sentry.engine import resume
from tmux_sentry.engine.events import Keys, Send, SendDone, SendHeld
from tmux_sentry.engine.machine import step
from tmux_sentry.engine.run import Run, from_json, to_json
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock
from tmux_sentry.tmux.model import PaneInfo

PANE = PaneIdentity(host="here", server_pid=100, server_start=1_795_000_000, pane_id="%3", pane_pid=4242)
SEND = Send(action_id="r1/a/1/1", stage="a", attempt=1, keys=Keys(text="make"), wait_idle=300.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "state.db", FakeClock()) as opened:
        opened.save_fence(PANE.key, 1, 4)
        yield opened


def pane(store: Store, marker: str, epoch: str = "1", **identity: Any) -> PaneInfo:
    values: dict[str, Any] = dict.fromkeys(("session_name", "window_name", "path", "title"), "x")
    values |= dict.fromkeys(("window_index", "pane_index"), 0)
    values |= dict.fromkeys(("dead", "in_mode", "alternate", "input_off", "synchronized", "hold"), False)
    values |= {"session_id": "$0", "window_id": "@0", "command": "bash", "width": 80, "height": 24, "cursor": (2, 0)}
    values |= {"dead_status": None, "epoch": epoch, "marker": marker, "owner": f"{store.instance}@here"}
    return PaneInfo(identity=replace(PANE, **identity), **values)


def journal(store: Store, *rows: tuple[str, str]) -> None:
    """(step, status) with markers 5, 6, ... over 4, 5, ..."""
    for number, (one, status) in enumerate(rows, 5):
        store.intend(
            SEND.action_id, one, pane=PANE, epoch=1, previous=number - 1, marker=number,
            payload_sha256="", command="bash", cursor=(2, 0), expires_at=0.0,
        )  # type: ignore[arg-type]  # fmt: skip
        if status != "intent":
            store.settle(SEND.action_id, one, status)  # type: ignore[arg-type]


LINE, TEXT, ENTER = "line", "text", "enter"


@pytest.mark.parametrize(
    ("rows", "marker", "expected", "words"),
    [
        ([], "4", Send, ""),
        ([], "", Send, ""),
        ([], "9", SendHeld, "newer than the journal"),
        ([(LINE, "refused")], "4", Send, ""),
        ([(LINE, "refused")], "9", SendHeld, "newer than the journal"),
        ([(LINE, "intent")], "4", Send, ""),
        ([(LINE, "intent")], "5", SendDone, ""),
        ([(LINE, "unknown")], "5", SendDone, ""),
        ([(LINE, "unknown")], "4", Send, ""),
        ([(LINE, "intent")], "3", SendHeld, "expected 4 or 5"),
        ([(LINE, "intent")], "", SendHeld, "cannot be known"),
        ([(LINE, "intent")], "9", SendHeld, "newer than the journal"),
        ([(LINE, "injected")], "4", SendDone, ""),
        ([(LINE, "void")], "4", SendHeld, ""),
        ([(TEXT, "intent")], "4", Send, ""),
        ([(TEXT, "intent")], "5", SendHeld, "not submitted"),
        ([(TEXT, "injected")], "5", SendHeld, "not submitted"),
        ([(TEXT, "injected"), (ENTER, "intent")], "5", SendHeld, "not submitted"),
        ([(TEXT, "injected"), (ENTER, "refused")], "5", SendHeld, "not submitted"),
        ([(TEXT, "injected"), (ENTER, "unknown")], "5", SendHeld, "not submitted"),
        ([(TEXT, "injected"), (ENTER, "intent")], "6", SendDone, ""),
        ([(TEXT, "injected"), (ENTER, "injected")], "6", SendDone, ""),
    ],
)
def test_what_becomes_of_a_send(
    store: Store, rows: list[tuple[str, str]], marker: str, expected: type[Any], words: str
) -> None:
    journal(store, *rows)
    answer = resume.settle(store, SEND, pane(store, marker))
    assert type(answer) is expected
    assert words in getattr(answer, "reason", "")
    if not isinstance(answer, SendHeld):
        assert store.open_intents() == [] or isinstance(answer, SendDone)


def test_another_epoch_or_pane_is_never_typed_into(store: Store) -> None:
    journal(store, (LINE, "intent"))
    assert isinstance(resume.settle(store, SEND, pane(store, "4", epoch="2")), SendHeld)
    assert isinstance(resume.settle(store, SEND, pane(store, "4", pane_pid=1)), SendHeld)


def restarted(run: Run, env: dict[str, str]) -> Run:
    return from_json(to_json(run), run.pipeline, env)


def begun(new_run: Callable[..., Run], env: dict[str, str], **stage: Any) -> Run:
    from tmux_sentry.engine.events import Ask, Decided, Started

    stage = {"name": "a", "actions_on_start": [{"send_keys": "make ${env.TARGET}"}], **stage}
    run, effects = step(new_run(stage, allow_env=["TARGET"], run={"env": env}), Started(), 0.0)
    for ask in [effect for effect in effects if isinstance(effect, Ask)]:
        run, _ = step(run, Decided(approval_id=ask.approval_id, approved=True, by="ann", digest=ask.digest), 1.0)
    return run


def test_the_send_in_hand_is_the_one_that_was_handed_out(new_run: Callable[..., Run]) -> None:
    env = {"TARGET": "all"}
    send = resume.send_in_hand(restarted(begun(new_run, env), env))
    assert isinstance(send, Send)
    assert (send.action_id, send.keys.text) == ("r1/a/1/1", "make all")


def test_what_was_approved_before_the_restart_is_all_that_is_typed_after_it(new_run: Callable[..., Run]) -> None:
    run = begun(new_run, {"TARGET": "all"}, require_approval=True)
    assert isinstance(resume.send_in_hand(restarted(run, {"TARGET": "all"})), Send)
    changed = resume.send_in_hand(restarted(run, {"TARGET": "; rm"}))
    assert isinstance(changed, SendHeld)
    assert "not what was approved" in changed.reason


def test_a_variable_that_is_gone_holds_the_stage(store: Store, new_run: Callable[..., Run]) -> None:
    send = resume.send_in_hand(restarted(begun(new_run, {"TARGET": "all"}), {}))
    assert isinstance(send, SendHeld)
    assert resume.settle(store, send, pane(store, "4")) is send
