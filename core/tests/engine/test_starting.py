"""When a Run begins, begins again, goes on after a restart, and when `--once` is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.contracts import AgentState, PaneIdentity, Signal, SignalKind, Trust
from tmux_sentry.engine import plan, resume
from tmux_sentry.engine.conductor import Conductor
from tmux_sentry.engine.events import Order, Send, SendDone
from tmux_sentry.engine.herald import Herald
from tmux_sentry.engine.limited import LimitNotice
from tmux_sentry.engine.panes import KnownPane, Panes
from tmux_sentry.engine.quarantine import Quarantine
from tmux_sentry.engine.starting import Starter
from tmux_sentry.errors import SentryError, UsageError
from tmux_sentry.policy.build import build_pipeline
from tmux_sentry.policy.model import Policy
from tmux_sentry.policy.variables import substitute_message
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock
from tmux_sentry.tmux.model import PaneInfo

PANE = PaneIdentity(host="here", server_pid=100, server_start=1_795_000_000, pane_id="%3", pane_pid=4242)
TYPES = {"name": "a", "actions_on_start": [{"send_keys": "make"}]}


def info(identity: PaneIdentity = PANE, **changes: Any) -> PaneInfo:
    values: dict[str, Any] = dict.fromkeys(("session_name", "path", "title"), "x")
    values |= dict.fromkeys(("window_index", "pane_index"), 0)
    values |= dict.fromkeys(("dead", "in_mode", "alternate", "input_off", "synchronized", "hold"), False)
    values |= dict.fromkeys(("epoch", "marker", "owner"), "")
    values |= {"session_id": "$0", "window_id": "@0", "window_name": "w", "command": "bash"}
    values |= {"width": 80, "height": 24, "cursor": (2, 0), "dead_status": None}
    return PaneInfo(**{**values, "identity": identity, **changes})


def signal(kind: SignalKind, confidence: float = 1.0, **fields: Any) -> Signal:
    return Signal(kind=kind, parser="p", trust=Trust.PRINTED, confidence=confidence, digest="d", at=1.0, **fields)


def said(pane: KnownPane) -> tuple[LimitNotice, ...]:
    """What its LIMITs say."""
    return tuple(LimitNotice(digest=one.digest, text="", confidence=1.0, until=5.0) for one in pane.limits)


class Room:
    """One process: a Starter and a Conductor on a database that outlives them."""

    def __init__(self, store: Store, *stages: dict[str, Any], hosts: Sequence[str] = (), **pipeline: Any) -> None:
        source = {"name": "ci", "match": {"window_name": "^w$"}, "stages": list(stages or (TYPES,)), **pipeline}
        self.panes, clock = Panes(), FakeClock()
        self.conductor = Conductor(store, clock, Herald(), lambda step: self.starter.stepped(step.run))
        policy = Policy(pipelines=(build_pipeline(source),))
        quarantine = Quarantine(clock, lambda name: None)
        self.starter = Starter(policy, store, clock, self.conductor, self.panes, {}, quarantine, said, hosts=hosts)

    def see(self, pane: PaneInfo | None = None) -> Room:
        pane = pane or info()
        self.panes.see(pane)
        self.panes.mark_ready(pane.identity)
        self.starter.inventoried(pane.identity.host)
        return self

    def begun(self) -> list[str]:
        return [run.id for run in self.starter.start()]

    def cancel(self, run_id: str) -> None:
        self.conductor.order(run_id, Order(verb="cancel", by="ann"))

    def resume(self) -> Room:
        for run in self.conductor.load({}):
            self.starter.resumed(run)
        return self


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "state.db", FakeClock()) as opened:
        yield opened


def test_a_pane_runs_a_pipeline_once(store: Store) -> None:
    room = Room(store).see()
    [run_id] = room.begun()
    assert room.begun() == []
    room.cancel(run_id)
    assert room.begun() == []
    assert Room(store).see().begun() == []  # nor after a restart


def test_what_a_pane_is_can_be_told_and_typed(store: Store) -> None:
    text = "${pane.pane_title}, ${pane.command}, ${pane.path}, ${pane.agent}"
    send = {"send_keys": {"text": text, "untrusted": {"max_chars": 9}}}
    room = Room(store, {"name": "a", "actions_on_start": [{"notify": text}, send]})
    room.see(info(title="✳ a\x1b[1m topic", command="claude", path="/srv/x"))
    [run_id] = room.begun()
    run = room.conductor.runs[run_id]
    assert run.attempt is not None
    typed = resume.send_in_hand(run)
    assert isinstance(typed, Send)
    assert typed.keys.text == "✳ a topic, claude, /srv/x, claude"
    assert substitute_message(text, plan.values(run, "a", run.attempt)) == "✳ a topic, claude, /srv/x, claude"


def test_a_run_begins_with_the_limit_that_stands_there(store: Store) -> None:
    room = Room(store, {"name": "a", "on_limit": {"resume": True}, "actions_on_start": [{"wait": "1h"}]})
    room.see()
    room.panes.hear(PANE, [signal(SignalKind.LIMIT, live=False)], screen=True, now=0.0)
    [run_id] = room.begun()
    limit = room.conductor.runs[run_id].limit
    assert limit is not None
    assert limit.until == 5.0


def test_a_pane_that_was_not_looked_at_yet_waits(store: Store) -> None:
    room = Room(store)
    room.panes.see(info())
    assert room.begun() == []


@pytest.mark.parametrize(
    ("rerun", "news", "became", "expected"),
    [
        ("never", signal(SignalKind.STATUS, ok=True), None, False),
        ("on_signal", signal(SignalKind.STATUS, ok=True), None, True),
        ("on_signal", signal(SignalKind.STATUS, ok=True, live=False), None, True),  # an agent's, read from a capture
        ("on_signal", signal(SignalKind.STATUS, 0.5, ok=True), None, False),
        ("on_signal", replace(signal(SignalKind.STATUS, ok=True), trust=Trust.GUESSED), None, False),
        ("on_signal", signal(SignalKind.STATE, state=AgentState.IDLE), AgentState.IDLE, False),
        ("on_idle", signal(SignalKind.STATE, state=AgentState.IDLE), AgentState.IDLE, True),
        ("on_idle", signal(SignalKind.STATE, state=AgentState.IDLE), None, False),  # not believed, or it was idle
        ("on_idle", signal(SignalKind.STATE, state=AgentState.WORKING), AgentState.WORKING, False),
    ],
)
def test_rerun_lets_it_begin_once_more(
    store: Store, rerun: str, news: Signal, became: AgentState | None, expected: bool
) -> None:
    room = Room(store, rerun=rerun).see()
    room.cancel(*room.begun())
    assert room.starter.heard(PANE, [news], became) is expected
    assert len(room.begun()) == expected
    assert room.begun() == []


def test_a_guess_lets_it_begin_once_more_where_a_stage_acts_on_guesses(store: Store) -> None:
    room = Room(store, {**TYPES, "min_trust": "guessed"}, rerun="on_signal").see()
    room.cancel(*room.begun())
    assert room.starter.heard(PANE, [replace(signal(SignalKind.STATUS, ok=True), trust=Trust.GUESSED)])


def test_a_pane_with_an_open_run_gets_no_second_one_by_hand(store: Store) -> None:
    room = Room(store).see()
    [run_id] = room.begun()
    known = room.panes.get(PANE)
    assert known is not None
    with pytest.raises(UsageError, match="has an open run"):
        room.starter.begin("ci", known)
    room.cancel(run_id)
    assert room.starter.begin("ci", known).attempt is not None  # as it is after its first step


def test_a_run_that_could_not_be_written_down_may_begin_later(store: Store) -> None:
    room = Room(store).see()
    add = room.conductor.add

    def full(run: Any, names: Any) -> Any:
        raise SentryError("disk full")

    broken: Any = room.conductor
    broken.add = full
    with pytest.raises(SentryError, match="disk full"):
        room.starter.start()
    broken.add = add
    assert len(room.begun()) == 1


# ------------------------------------------------------------------------------- --once


def test_once_is_over_when_the_runs_of_the_start_have_ended(store: Store) -> None:
    room = Room(store)
    assert not room.starter.all_over(["here"])
    room.see()
    assert not room.starter.all_over(["here"])  # it is about to begin
    [run_id] = room.begun()
    assert not room.starter.all_over(["here"])
    room.conductor.step(run_id, SendDone(action_id=f"{run_id}/a/1/1"))
    assert not room.starter.all_over(["here"])
    room.cancel(run_id)
    assert room.starter.all_over(["here"])
    assert not room.starter.all_succeeded()


def test_once_does_not_wait_for_what_came_later(store: Store) -> None:
    room = Room(store).see()
    [run_id] = room.begun()
    assert not room.starter.all_over(["here"])
    room.see(info(replace(PANE, pane_id="%4"), window_id="@1"))
    assert len(room.begun()) == 1
    room.cancel(run_id)
    assert room.starter.all_over(["here"])


def test_once_with_a_run_that_succeeds_at_once(store: Store) -> None:
    room = Room(store, {"name": "a", "success_when": [{"not": {"log_regex": "x"}}]}).see()
    room.begun()
    assert room.starter.all_over(["here"])
    assert room.starter.all_succeeded()


def test_once_waits_for_every_host(store: Store) -> None:
    room = Room(store).see()
    room.cancel(*room.begun())
    assert not room.starter.all_over(["here", "nas"])
    room.starter.lost("nas")
    assert room.starter.all_over(["here", "nas"])


# ---------------------------------------------------------------------- after a restart


def test_a_resumed_run_keeps_its_own_policy(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    [run_id] = Room(store).see().begun()
    room = Room(store, {**TYPES, "actions_on_start": [{"send_keys": "rm"}]}).see().resume()
    run = room.conductor.runs[run_id]
    assert run.held is None
    assert run.pipeline.source["stages"][0]["actions_on_start"] == [{"send_keys": "make"}]
    assert "the policy has changed since" in caplog.text
    assert room.starter.is_resumed(run)
    assert room.begun() == []


@pytest.mark.parametrize("change", ["stage", "pipeline"])
def test_a_resumed_run_whose_stage_is_gone_waits_for_a_person(store: Store, change: str) -> None:
    [run_id] = Room(store).see().begun()
    renamed: Callable[[], Room] = {
        "stage": lambda: Room(store, {**TYPES, "name": "b"}),
        "pipeline": lambda: Room(store, name="other"),
    }[change]
    room = renamed().see().resume()
    # Not before it is known whether its keys were typed: a person who says --send would have them typed again.
    assert room.conductor.runs[run_id].held is None
    room.starter.caught_up(room.conductor.runs[run_id])
    assert "is gone" in (room.conductor.runs[run_id].held or "")
    assert not room.starter.all_over(["here"])
    room.conductor.order(run_id, Order(verb="send", by="ann"))
    assert room.conductor.runs[run_id].held is None


def test_how_much_a_panes_text_is_needed(store: Store) -> None:
    other = info(replace(PANE, pane_id="%4"), window_name="other")
    room = Room(store).see(other)
    room.panes.see(info())  # not ready: a run would start once it is read
    assert room.begun() == []
    assert [room.starter.need(one) for one in (info(), other)] == [2, 0]
    (run_id,) = room.see().begun()
    room.see(info(window_name="renamed")).begun()
    assert room.starter.need(info()) == 2  # the run goes on, whatever its pane is called now
    room.see().cancel(run_id)
    room.begun()
    assert room.starter.need(info()) == 1  # matched, and done


# ------------------------------------------------------- one tmux server under two names


def twin(host: str) -> PaneInfo:
    return info(replace(PANE, host=host), server_at="box:/tmp/tmux-0/default")


@pytest.mark.parametrize("order", [("here", "nas"), ("nas", "here")])
def test_a_server_with_two_names_gets_each_run_once(store: Store, caplog: Any, order: tuple[str, str]) -> None:
    """The host that comes up first begins; the other one does nothing anew, whichever is followed then."""
    room = Room(store, hosts=("here", "nas"))
    for host in order:
        room.see(twin(host))
        room.begun()
    (run,) = room.conductor.runs.values()
    assert run.pane.host == order[0]
    room.starter.inventoried("nas")
    told = [record.getMessage() for record in caplog.records if "the same tmux server" in record.getMessage()]
    assert told == ["nas and here are the same tmux server: its panes are followed as those of here, the first named"]
    room.cancel(run.id)
    assert room.begun() == []
    assert {candidate.verdict for candidate in room.starter.candidates()} == {"done"}
    assert room.starter.all_over(["here"])


def test_by_hand_a_run_starts_under_the_first_name_only(store: Store) -> None:
    room = Room(store, hosts=("here", "nas"))
    known = {host: room.see(twin(host)).panes.get(twin(host).identity) for host in ("nas", "here")}
    assert known["nas"] is not None
    assert known["here"] is not None
    with pytest.raises(UsageError, match="nas and here are the same tmux server"):
        room.starter.begin("ci", known["nas"])
    room.starter.begin("ci", known["here"])
    with pytest.raises(UsageError, match="has an open run"):
        room.starter.begin("ci", known["here"])
