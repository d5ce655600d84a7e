"""The Store against a model of plain dictionaries, whatever is done in whatever order, closed and opened in between."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tmux_sentry.contracts import (
    ApprovalRequest,
    Decision,
    Delivery,
    DeliveryResult,
    Level,
    Message,
    PaneIdentity,
)
from tmux_sentry.engine.events import Keys, Send
from tmux_sentry.engine.run import Run
from tmux_sentry.errors import Refused
from tmux_sentry.policy.model import Match, Pipeline
from tmux_sentry.state.records import Rules, RunNames
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock

PANE = PaneIdentity(host="here", server_pid=100, server_start=1_795_000_000, pane_id="%3", pane_pid=4242)
PANES = [PANE, replace(PANE, pane_id="%4"), replace(PANE, pane_pid=4243)]
NAMES = RunNames(session_name="s", window_name="w", window_index=0, pane_index=0)
PIPELINE = Pipeline(name="p", match=Match(), stages=(), digest="pd", source={"name": "p"})

RUNS = st.sampled_from(["r1", "r2", "r3"])
ACTIONS = st.sampled_from(["r1/a/1/1", "r1/a/1/2", "r2/a/1/1"])
STEPS = st.sampled_from(["text", "enter", "line"])
STATUSES = st.sampled_from(["injected", "refused", "unknown", "void"])
QUESTIONS = st.sampled_from(["q1", "q2"])
KEYS = st.sampled_from(["k1", "k2", "k3"])
CHANNELS = ["mail", "chat"]


class _Undone(Exception):
    """Rolls a transaction back."""


class StoreMachine(RuleBasedStateMachine):
    """Rules do something to the Store and to the model; `compare` reads everything back."""

    @initialize()
    def begin(self) -> None:
        self.clock = FakeClock()
        # In memory where there is one: thousands of commits are waited for.
        memory = Path("/dev/shm")
        self.folder = tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None)
        self.path = Path(self.folder.name) / "home" / "state.db"
        self.store = Store.open(self.path, self.clock)
        self.instance = self.store.instance
        self.runs: dict[str, Run] = {}
        self.sends: dict[str, str] = {}  # action -> status
        self.tries: dict[str, list[list[Any]]] = {}  # action -> [step, status, marker], oldest first
        self.fences: dict[str, tuple[int, int]] = {}
        self.questions: dict[str, tuple[str, str]] = {}  # id -> digest, status
        self.messages: dict[tuple[str, str], str] = {}  # channel, key -> status

    def teardown(self) -> None:
        if hasattr(self, "store"):
            try:
                self.compare()
            finally:
                self.store.close()
                self.folder.cleanup()

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = Store.open(self.path, self.clock)
        assert self.store.instance == self.instance
        self.compare()

    @rule(seconds=st.integers(0, 1000))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(float(seconds))

    # ---------------------------------------------------------------------- runs, sends

    @rule(
        run_id=RUNS,
        pane=st.sampled_from(PANES),
        status=st.sampled_from(["open", "open", "succeeded"]),
        fail=st.booleans(),
    )
    def save_run(self, run_id: str, pane: PaneIdentity, status: str, fail: bool) -> None:
        run = Run(id=run_id, pipeline=PIPELINE, pane=pane, pane_name="n", policy_digest="pd", status=status)
        with suppress(_Undone), self.store.transaction() as tx:
            tx.save_run(run, NAMES)
            if fail:
                raise _Undone
        if not fail:
            self.runs[run_id] = run

    @rule(action=ACTIONS, fail=st.booleans())
    def plan_send(self, action: str, fail: bool) -> None:
        run = self.runs.get(action.split("/")[0])
        if run is None:
            return
        send = Send(action_id=action, stage="a", attempt=1, keys=Keys(text="make"), wait_idle=1.0)
        with suppress(_Undone), self.store.transaction() as tx:
            tx.plan_send(run, send, self.clock.now())
            if fail:
                raise _Undone
        if not fail:
            self.sends[action] = "planned"

    @rule(action=ACTIONS, done=st.booleans())
    def end_send(self, action: str, done: bool) -> None:
        with self.store.transaction() as tx:
            tx.finish_send(action) if done else tx.drop_send(action, "not wanted")
        if action in self.sends:
            self.sends[action] = "done" if done else "dropped"
        for one in self.tries.get(action, []) if done else []:
            one[1] = "done" if one[1] == "injected" else one[1]

    # -------------------------------------------------------------------------- journal

    @rule(pane=st.sampled_from(PANES), epoch=st.integers(1, 3), marker=st.integers(0, 5))
    def save_fence(self, pane: PaneIdentity, epoch: int, marker: int) -> None:
        self.store.save_fence(pane.key, epoch, marker)
        known = self.fences.get(pane.key, (0, 0))
        self.fences[pane.key] = (max(known[0], epoch), max(known[1], marker))

    @rule(
        action=ACTIONS, step=STEPS, pane=st.sampled_from(PANES), off=st.sampled_from([(0, 1), (0, 1), (0, 0), (1, 1)])
    )
    def intend(self, action: str, step: Any, pane: PaneIdentity, off: tuple[int, int]) -> None:
        have = self.fences.get(pane.key)
        epoch, marker = (have[0] + off[0], have[1] + off[1]) if have else (1, 1)
        last = next((one for one in reversed(self.tries.get(action, [])) if one[0] == step), None)
        may = self.sends.get(action) != "dropped" and (last is None or last[1] in ("refused", "void"))
        allowed = may and have is not None and off == (0, 1)
        try:
            self.store.intend(
                action, step, pane=pane, epoch=epoch, previous=marker - 1, marker=marker, payload_sha256="",
                command="bash", cursor=(2, 0), expires_at=0.0,
            )  # fmt: skip
        except Refused:
            assert not allowed
        else:
            assert allowed
            self.fences[pane.key] = (epoch, marker)
            self.tries.setdefault(action, []).append([step, "intent", marker])

    @rule(action=ACTIONS, step=STEPS, status=STATUSES)
    def settle(self, action: str, step: Any, status: Any) -> None:
        last = next((one for one in reversed(self.tries.get(action, [])) if one[0] == step), None)
        try:
            self.store.settle(action, step, status)
        except LookupError:
            assert last is None
        else:
            assert last is not None
            last[1] = status

    # ------------------------------------------------------------------------ questions

    @rule(question=QUESTIONS, digest=st.sampled_from(["d1", "d2"]))
    def ask(self, question: str, digest: str) -> None:
        request = ApprovalRequest(
            id=question, run_id="r1", pipeline="p", stage="a", attempt=1, pane=PANE, pane_name="n", keys=("make",),
            digest=digest, created_at=self.clock.now(), expires_at=self.clock.now() + 60.0,
        )  # fmt: skip
        with self.store.transaction() as tx:
            tx.open_approval(request, Rules())
        self.questions.setdefault(question, (digest, "pending"))

    @rule(question=QUESTIONS, digest=st.sampled_from(["d1", "d2"]), approved=st.booleans())
    def decide(self, question: str, digest: str, approved: bool) -> None:
        decision = Decision(request_id=question, approved=approved, by="ann", channel="file", at=self.clock.now())
        if question not in self.questions:
            return
        with self.store.transaction() as tx:
            counted = tx.decide(decision, digest, "ann")
        assert counted == (self.questions[question] == (digest, "pending"))
        if counted:
            self.questions[question] = (digest, "approved" if approved else "rejected")

    @rule(question=QUESTIONS)
    def close(self, question: str) -> None:
        with self.store.transaction() as tx:
            tx.close_approval(question, "expired", self.clock.now())
        if self.questions.get(question, ("", ""))[1] == "pending":
            self.questions[question] = (self.questions[question][0], "expired")

    # --------------------------------------------------------------------------- outbox

    @rule(key=KEYS, channels=st.lists(st.sampled_from(CHANNELS), min_size=1), fail=st.booleans())
    def enqueue(self, key: str, channels: list[str], fail: bool) -> None:
        message = Message(id=key, at=self.clock.now(), level=Level.INFO, event="e", title="t")
        with suppress(_Undone), self.store.transaction() as tx:
            tx.enqueue(message, channels, key)
            if fail:
                raise _Undone
        for channel in [] if fail else channels:
            self.messages.setdefault((channel, key), "pending")

    @rule(channel=st.sampled_from(CHANNELS), outcome=st.sampled_from([Delivery.DELIVERED, Delivery.PERMANENT]))
    def deliver(self, channel: str, outcome: Delivery) -> None:
        for outgoing in self.store.due_messages(channel, 1):
            assert self.messages[channel, outgoing.dedupe_key] == "pending"
            self.store.message_tried(outgoing, DeliveryResult(outcome=outcome))
            self.messages[channel, outgoing.dedupe_key] = "delivered" if outcome is Delivery.DELIVERED else "dead"

    @precondition(lambda self: "dead" in self.messages.values())
    @rule()
    def revive(self) -> None:
        dead = [key for key, status in self.messages.items() if status == "dead"]
        assert self.store.revive_messages() == len(dead)
        self.messages.update(dict.fromkeys(dead, "pending"))

    # ----------------------------------------------------------------------- comparison

    @rule()
    def compare(self) -> None:
        """Not an invariant: after each step it would be most of the time that this takes."""
        self.runs_are_there()
        self.the_journal_says_what_was_done()
        self.fences_never_go_down()
        self.questions_are_answered_once()
        self.messages_are_queued_once()

    def runs_are_there(self) -> None:
        open_ = {run.id for run in self.runs.values() if run.status == "open"}
        assert {stored.id for stored in self.store.open_runs()} == open_
        assert {past.id: past.pane_key for past in self.store.past_runs()} == {
            run.id: run.pane.key for run in self.runs.values()
        }

    def the_journal_says_what_was_done(self) -> None:
        for action, tries in self.tries.items():
            kept = self.store.intents(action)
            assert [[one.step, one.status, one.marker] for one in kept] == tries
        last = {(action, one[0]): one for action, tries in self.tries.items() for one in tries}
        undecided = {key for key, one in last.items() if one[1] in ("intent", "unknown", "injected")}
        undecided = {key for key in undecided if self.sends.get(key[0], "planned") == "planned"}
        assert {(one.action_id, one.step) for one in self.store.open_intents()} == undecided

    def fences_never_go_down(self) -> None:
        for pane in PANES:
            have = self.store.fence(pane.key)
            assert (None if have is None else (have.epoch, have.marker)) == self.fences.get(pane.key)

    def questions_are_answered_once(self) -> None:
        for question, (digest, status) in self.questions.items():
            stored = self.store.approval(question)
            assert stored is not None
            assert (stored.request.digest, stored.status) == (digest, status)
        pending = {question for question, (_, status) in self.questions.items() if status == "pending"}
        assert {stored.request.id for stored in self.store.pending_approvals()} == pending

    def messages_are_queued_once(self) -> None:
        kept = {(one.channel, one.dedupe_key): one.status for one in self.store.messages(100)}
        assert kept == self.messages
        assert len(self.store.messages(100)) == len(kept)


TestStore = StoreMachine.TestCase
TestStore.settings = settings(
    max_examples=50, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
