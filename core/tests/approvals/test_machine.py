"""Anybody answers anything at any time, by any way, over restarts: nothing is typed that was not approved as it is."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tmux_sentry.approvals.digest import approval_digest
from tmux_sentry.approvals.tokens import Tokens
from tmux_sentry.approvals.window import Ports, Window
from tmux_sentry.contracts import Decision, LinkRefused, PaneIdentity
from tmux_sentry.engine.conductor import Conductor, Step
from tmux_sentry.engine.events import Ask, CloseAsk, Order, Send
from tmux_sentry.engine.herald import Herald
from tmux_sentry.engine.run import Run
from tmux_sentry.policy.build import build_pipeline
from tmux_sentry.security.redact import Redactor
from tmux_sentry.state.records import Link, RunNames
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock

PANE = PaneIdentity(host="nas", server_pid=100, server_start=1_795_000_000, pane_id="%3", pane_pid=4242)
NAMES = RunNames(session_name="work", window_name="w", window_index=0, pane_index=0)
PEOPLE = st.sampled_from(["ann", "bob", "eve"])
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "approvers": st.sampled_from([["ann"], ["ann", "bob"]]),
        "required": st.integers(1, 2),
        "any_reject": st.booleans(),
        "timeout": st.just("100s"),
        "on_timeout": st.sampled_from(["hold", "reject"]),
        "risk": st.sampled_from(["normal", "high"]),
        "escalate": st.just({"after": "40s", "approvers": ["eve"]}),
    },
)


class Approvals(RuleBasedStateMachine):
    """Every way of answering, against a record of what was really said."""

    def __init__(self) -> None:
        super().__init__()
        # In memory where there is one: thousands of commits are waited for.
        memory = Path("/dev/shm")
        self.folder = tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None)
        self.clock = FakeClock(1000.0)
        self.store = Store.open(Path(self.folder.name) / "state.db", self.clock)
        self.tokens = Tokens(["k" * 32])
        self.env = {"TARGET": "one"}
        self.runs = 0
        self.asks: dict[str, Ask] = {}
        self.closed: dict[str, list[str]] = {}
        self.sends: list[tuple[str, Send]] = []
        self.links: list[tuple[str, str, str]] = []  # token, request, person
        self.sessions: dict[str, str] = {}
        self.answers = 0

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @initialize()
    def start(self) -> None:
        """The process begins; after a kill, again."""
        self.conductor = Conductor(self.store, self.clock, Herald(), self.let_out)
        self.conductor.load(self.env)
        ports = Ports(
            store=self.store,
            clock=self.clock,
            on_loop=lambda what: what(),
            decide=self.conductor.decide,
            screen=lambda pane: [],
            resend=lambda stored, channel: None,
            redact=Redactor(),
        )
        self.window = Window(ports, self.tokens)

    def let_out(self, step: Step) -> None:
        for effect in step.effects:
            if isinstance(effect, Ask):
                self.asks[effect.approval_id] = effect
            elif isinstance(effect, CloseAsk):
                self.closed.setdefault(effect.approval_id, []).append(effect.outcome)
            elif isinstance(effect, Send):
                self.sends.append((step.run.id, effect))

    # ----------------------------------------------------------------- what happens

    @rule(spec=SPECS, retries=st.integers(0, 1))
    def ask(self, spec: dict[str, Any], retries: int) -> None:
        self.runs += 1
        stage = {
            "name": "a",
            "require_approval": spec or True,
            "actions_on_start": [{"send_keys": "make ${env.TARGET}"}, {"send_keys": "make more"}],
            "retries": retries,
        }
        source = {"name": "ci", "match": {"window_name": "w"}, "allow_env": ["TARGET"], "stages": [stage]}
        built = build_pipeline(source)
        run = Run(
            id=f"r{self.runs}", pipeline=built, pane=PANE, pane_name="w", policy_digest=built.digest, env=dict(self.env)
        )
        self.conductor.add(run, NAMES)

    @rule(person=PEOPLE, data=st.data())
    @precondition(lambda self: self.asks)
    def send_link(self, person: str, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(sorted(self.asks)))
        text, token = self.tokens.make("link", self.clock.now() + 60)
        link = Link(
            hash=token.hash, kind="link", approval_id=request, channel="slack", recipient=person,
            created_at=self.clock.now(), expires_at=token.expires,
        )  # fmt: skip
        with self.store.transaction() as tx:
            tx.add_link(link)
        self.links.append((text, request, person))

    @rule(person=PEOPLE)
    def log_in(self, person: str) -> None:
        self.sessions[person] = self.window.login(self.window.invite(person))

    @rule(approved=st.booleans(), code=st.booleans(), data=st.data())
    @precondition(lambda self: self.links)
    def vote_by_link(self, approved: bool, code: bool, data: st.DataObject) -> None:
        token, request, _ = data.draw(st.sampled_from(self.links))
        digest = data.draw(st.sampled_from(sorted({ask.digest for ask in self.asks.values()})))
        genuine = self.tokens.read(token)
        assert genuine is not None
        try:
            answer = self.window.vote(
                token, approved=approved, digest=digest, code=self.tokens.code(genuine) if code else "000"
            )
        except LinkRefused:
            return
        if answer.counted:
            assert digest == self.asks[request].digest
            assert code or self.asks[request].risk != "high"

    @rule(approved=st.booleans(), data=st.data())
    @precondition(lambda self: self.sessions and self.asks)
    def vote_in_a_session(self, approved: bool, data: st.DataObject) -> None:
        person = data.draw(st.sampled_from(sorted(self.sessions)))
        request = data.draw(st.sampled_from(sorted(self.asks)))
        try:
            self.window.vote(
                self.sessions[person], approved=approved, digest=self.asks[request].digest, request_id=request
            )
        except LinkRefused:
            return

    @rule(person=PEOPLE, approved=st.booleans(), data=st.data())
    @precondition(lambda self: self.asks)
    def vote_at_the_terminal(self, person: str, approved: bool, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(sorted(self.asks)))
        self.conductor.decide(
            Decision(request_id=request, approved=approved, by=person, channel="terminal", at=self.clock.now())
        )

    @rule(seconds=st.sampled_from([1.0, 30.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.conductor.due()

    @rule(seconds=st.sampled_from([1.0, 120.0]))
    def time_passes_and_nobody_looks(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(value=st.sampled_from(["one", "two"]))
    def restart(self, value: str) -> None:
        """Killed, and started again in another environment."""
        self.env = {"TARGET": value}
        self.start()

    @rule(data=st.data(), verb=st.sampled_from(["cancel", "send", "abort"]))
    @precondition(lambda self: self.conductor.runs)
    def order(self, data: st.DataObject, verb: Any) -> None:
        run_id = data.draw(st.sampled_from(sorted(self.conductor.runs)))
        run = self.conductor.runs[run_id]
        if verb == "cancel" or run.held:
            try:
                self.conductor.order(run_id, Order(verb=verb, by="ann"))
            except Exception as error:
                assert "cannot" in str(error)  # noqa: PT017 - what makes no sense is refused

    @rule(data=st.data())
    @precondition(lambda self: self.asks)
    def revoke(self, data: st.DataObject) -> None:
        with self.store.transaction() as tx:
            tx.revoke_links(approval_id=data.draw(st.sampled_from(sorted(self.asks))))

    # --------------------------------------------------------------- what always holds

    @invariant()
    def nothing_is_typed_that_was_not_approved_as_it_is(self) -> None:
        for run_id, send in self.sends:
            covering = [
                ask
                for ask in self.asks.values()
                if ask.digest == self.digest(run_id, ask) and send.keys in ask.sends and ask.attempt == send.attempt
            ]
            approved = [ask for ask in covering if self.store.approval(ask.approval_id).status == "approved"]  # type: ignore[union-attr]
            assert approved, send
            assert any(self.was_really_said(ask) for ask in approved)

    def digest(self, run_id: str, ask: Ask) -> str:
        policy = next(one.state["policy_digest"] for one in [self.store.run(run_id)] if one is not None)
        return approval_digest(run_id, ask.stage, ask.attempt, PANE.key, ask.sends, policy)

    def was_really_said(self, ask: Ask) -> bool:
        """By enough different people who may, each in time, and by nobody's no where one is enough."""
        rules = ask.rules
        counted = [vote for vote in self.store.votes(ask.approval_id) if vote.counted]
        last = {vote.by: vote for vote in counted}
        yes = [vote for vote in last.values() if vote.approved]
        assert all(rules.may(vote.by, vote.at) for vote in counted)
        assert all(rules.until is None or vote.at < rules.until for vote in counted)
        return len(yes) >= rules.required and not (rules.any_reject and len(yes) < len(last))

    @invariant()
    def each_request_is_decided_once(self) -> None:
        for request, outcomes in self.closed.items():
            assert len(outcomes) == 1, (request, outcomes)
        for request in self.asks:
            stored = self.store.approval(request)
            assert stored is not None
            decided = [vote for vote in self.store.votes(request) if vote.counted]
            if stored.status == "approved":
                assert stored.decided_by == ", ".join(dict.fromkeys(v.by for v in decided if v.approved))
            per_person = Counter(vote.by for vote in decided)
            assert all(count <= 2 for count in per_person.values())  # a yes, and a no that takes it back


Approvals.TestCase.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestApprovals = Approvals.TestCase
