"""The open Runs and the one way to move them: step, commit, and only then let the effects out.

Used by `run`, and by the commands that change something while no `run` is there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tmux_sentry.approvals.tally import weigh
from tmux_sentry.clock import Clock
from tmux_sentry.contracts import ApprovalRequest, Decision, VoteAnswer
from tmux_sentry.engine import herald, orders
from tmux_sentry.engine.conditions import Search, matches_line
from tmux_sentry.engine.events import (
    Ask,
    CloseAsk,
    Decided,
    Due,
    Effect,
    Event,
    Notify,
    Order,
    Record,
    Send,
    SendDone,
    Started,
    StopSend,
)
from tmux_sentry.engine.herald import Herald
from tmux_sentry.engine.machine import next_due, step
from tmux_sentry.engine.run import Run, from_json
from tmux_sentry.errors import SentryError, UsageError
from tmux_sentry.failpoints import reach
from tmux_sentry.policy.build import build_pipeline
from tmux_sentry.security.redact import Redactor
from tmux_sentry.security.sanitize import clean
from tmux_sentry.state.records import RunNames, StoredApproval, StoredRun
from tmux_sentry.state.requests import PENDING
from tmux_sentry.state.store import Store
from tmux_sentry.state.transaction import COMMENT, Transaction

log = logging.getLogger(__name__)

#: Opens the encrypted values of a pipeline as it was written down.
Unseal = Callable[[Mapping[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One committed step: what the caller carries out, and what observers see."""

    before: Run | None
    run: Run
    event: Event | None
    effects: tuple[Effect, ...]


_USED = "this link has been used"


class Conductor:
    """Not thread-safe: one thread owns it. `let_out` carries out a committed step's effects."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        herald: Herald,
        let_out: Callable[[Step], None],
        unseal: Unseal = lambda source: source,
        search: Search = matches_line,
    ) -> None:
        """`search` is what the machine searches lines with."""
        self._search = search
        self._store = store
        self._clock = clock
        self._herald = herald
        self._let_out = let_out
        self._unseal = unseal
        self._names: dict[str, RunNames] = {}
        self.runs: dict[str, Run] = {}

    # ------------------------------------------------------------------ opening runs

    def load(self, env: Mapping[str, str]) -> list[Run]:
        """The open Runs of the database, with the policy each started with. They watch nothing yet."""
        for stored in self._store.open_runs():
            self._take(stored, env)
        return list(self.runs.values())

    def add(self, run: Run, names: RunNames) -> Run:
        """Take a new Run in, written down with its first step, `Started`; returns it as it is then."""
        started, effects = step(run, Started(), self._clock.now(), self._search)
        self._names[run.id] = names
        with self._store.transaction() as tx:
            self._write(tx, None, started, effects, Started())
        self._after(None, started, effects, Started())
        return started

    def of_pane(self, key: str) -> Run | None:
        """The open Run of a pane."""
        return next((run for run in self.runs.values() if run.pane.key == key and run.open), None)

    # ------------------------------------------------------------------------ moving

    def step(self, run_id: str, event: Event) -> Run:
        """Step a Run, commit what changed, let the effects out."""
        before = self.runs[run_id]
        run, effects = step(before, event, self._clock.now(), self._search)
        self._commit(before, run, effects, event)
        return run

    def try_step(self, run_id: str, event: Event) -> Run | None:
        """`step`, if it has no effect on the world; else None, and nothing has happened."""
        before = self.runs[run_id]
        run, effects = step(before, event, self._clock.now(), self._search)
        if effects:
            return None
        self._commit(before, run, effects, event)
        return run

    def decide(self, decision: Decision, use: Callable[[Transaction], bool] = lambda tx: True) -> VoteAnswer:
        """Take a person's answer; returns what became of it, for that person. Whatever it is, it is written down.

        `use` uses up what the answer came by, in the same transaction, once it counts; False: it was used up before.
        """
        stored = self._store.approval(decision.request_id)
        if stored is None:
            raise UsageError(f"no approval request {clean(decision.request_id, 40)}", "", "see: tmux-sentry approvals")
        decision = replace(decision, at=self._clock.now(), comment=clean(decision.comment, COMMENT))
        before = self.runs.get(stored.request.run_id)
        with self._store.transaction() as tx:
            answer, moved = self._take_answer(tx, stored, before, decision, use)
        if before is not None and moved is not None:
            self._after(before, *moved)
        return answer

    def _take_answer(
        self,
        tx: Transaction,
        stored: StoredApproval,
        before: Run | None,
        decision: Decision,
        use: Callable[[Transaction], bool],
    ) -> tuple[VoteAnswer, tuple[Run, tuple[Effect, ...], Event] | None]:
        """What the answer does, in the transaction that it is written down in, and the step that it makes."""
        digest = stored.request.digest

        def refused(status: str, words: str) -> VoteAnswer:
            tx.vote(decision, digest, counted=False)
            return VoteAnswer(counted=False, status=status, words=words)

        if stored.status != PENDING:
            by = f" by {clean(stored.decided_by, 100)}" if stored.decided_by else ""
            return refused(stored.status, f"too late: the request is already {stored.status}{by}"), None
        if before is None:
            tx.close_approval(decision.request_id, "cancelled", decision.at)
            return refused("cancelled", "too late: its run has ended"), None
        if decision.digest not in ("", digest):
            return refused(PENDING, "does not count: something else was shown"), None
        weighed = weigh(stored.rules, tx.votes(decision.request_id), decision)
        if not weighed.counts:
            return refused(PENDING, f"does not count: {clean(weighed.why, 200)}"), None
        if weighed.standing == PENDING:
            if not use(tx):
                return refused(PENDING, _USED), None
            tx.vote(decision, digest, counted=True)
            self._herald.tell(tx, herald.voted(before, stored, decision, len(weighed.yes)), before, decision.at)
            words = f"noted: {len(weighed.yes)} of {stored.rules.required} have said yes"
            return VoteAnswer(counted=True, status=PENDING, words=words), None
        by = ", ".join(weighed.yes) if weighed.standing == "approved" else decision.by
        event = Decided(
            approval_id=decision.request_id,
            approved=weighed.standing == "approved",
            by=by,
            digest=digest,
            comment=decision.comment,
        )
        run, effects = step(before, event, decision.at, self._search)
        if CloseAsk(approval_id=decision.request_id, outcome=weighed.standing) not in effects:
            # The Run would do something else now than what was shown.
            self._write(tx, before, run, effects, event)
            tx.close_approval(decision.request_id, "superseded", decision.at)
            words = "does not count: what would be done has changed since it was asked"
            return refused("superseded", words), (run, effects, event)
        if not use(tx):
            return refused(PENDING, _USED), None
        if not tx.decide(replace(decision, approved=event.approved), digest, by):
            return refused(stored.status, "too late: its time is over"), None
        tx.vote(decision, digest, counted=True)
        self._write(tx, before, run, effects, event)
        return VoteAnswer(counted=True, status=weighed.standing, words=weighed.standing), (run, effects, event)

    def order(self, run_id: str, order: Order) -> Run:
        """Carry out a person's order, or raise UsageError saying why it makes no sense."""
        run = self.runs.get(run_id)
        if run is None:
            raise UsageError(f"no open run {clean(run_id, 40)}", "", "see: tmux-sentry runs list")
        why = orders.refusal(run, order)
        other = self.of_pane(run.pane.key)
        if why is None and not run.open and other is not None:
            why = f"its pane has another open run: {other.id}"
        if why is not None:
            if not run.open:
                self.forget(run)  # it was only revived for this
            raise UsageError(f"cannot {order.verb} run {run.id}", why)
        return self.step(run_id, order)

    def revive(self, run_id: str, env: Mapping[str, str]) -> Run:
        """Bring an ended Run back into hand, for `runs retry` and `stage start`."""
        if run_id not in self.runs:
            stored = self._store.run(run_id)
            if stored is None:
                raise UsageError(f"no run {clean(run_id, 40)}", "", "see: tmux-sentry runs list")
            self._take(stored, env)
        return self.runs[run_id]

    def announce(self, notice: Notify) -> None:
        """Tell people something that belongs to no Run."""
        with self._store.transaction() as tx:
            self._herald.tell(tx, notice, None, self._clock.now())

    def ask_again(self, stored: StoredApproval, channel: str) -> None:
        """Tell people of a request once more, by one channel."""
        run, now = self.runs.get(stored.request.run_id), self._clock.now()
        with self._store.transaction() as tx:
            self._herald.tell(tx, herald.asked_again(stored, channel, now), run, now)

    def due(self, contain: Callable[[Run, Callable[[], object]], object] = lambda run, work: work()) -> float | None:
        """Step every Run whose time has come; returns when to call again (epoch seconds).

        `contain(run, work)` does the work for that Run.
        """
        now = self._clock.now()
        for run in list(self.runs.values()):
            at = next_due(run, now)
            if at is not None and at <= now:
                contain(run, partial(self.step, run.id, Due()))
        times = [at for run in self.runs.values() if (at := next_due(run, now)) is not None]
        return min(times, default=None)

    # -------------------------------------------------------------------- committing

    def _commit(self, before: Run, run: Run, effects: tuple[Effect, ...], event: Event) -> None:
        if run == before and not effects:
            self.runs[run.id] = run  # only volatile fields moved
            return
        with self._store.transaction() as tx:
            self._write(tx, before, run, effects, event)
        self._after(before, run, effects, event)

    def _take(self, stored: StoredRun, env: Mapping[str, str]) -> None:
        run = revive(stored, env, self._unseal)
        self.runs[run.id] = run
        self._names[run.id] = stored.names

    def _after(self, before: Run | None, run: Run, effects: tuple[Effect, ...], event: Event) -> None:
        self.runs[run.id] = run
        if isinstance(event, SendDone):
            reach("done.committed")
        self._let_out(Step(before=before, run=run, event=event, effects=effects))
        if not run.open:
            self.forget(run)

    def forget(self, run: Run) -> None:
        """Take a Run out of hand as it is in the database: nothing moves it until the next start."""
        self.runs.pop(run.id, None)
        self._names.pop(run.id, None)

    def _write(self, tx: Transaction, before: Run | None, run: Run, effects: tuple[Effect, ...], event: Event) -> None:
        now = self._clock.now()
        if run != before:
            tx.save_run(run, self._names[run.id])
        if isinstance(event, SendDone):
            reach("done.taken")
            tx.finish_send(event.action_id)
            reach("done.written")
        for effect in effects:
            match effect:
                case Record():
                    tx.record(run, effect)
                case Send():
                    tx.plan_send(run, effect, now)
                    reach("plan.written")
                case StopSend():
                    tx.drop_send(effect.action_id, "no longer wanted")
                case Ask():
                    tx.open_approval(request_of(run, effect, now, self._herald.redact), effect.rules)
                case CloseAsk():
                    tx.close_approval(effect.approval_id, effect.outcome, now)
                    by = event.by if isinstance(event, Decided) else ""
                    notice = herald.closed(before or run, effect.approval_id, effect.outcome, by)
                    self._herald.end(tx, herald.approval_matter(effect.approval_id), notice, run, now)
                case Notify():
                    self._herald.tell(tx, effect, run, now)
                case _:
                    pass  # checks are part of the Run itself
        was = before.attempt if before is not None and before.held is not None else None
        if was is not None and (run.held is None or not run.open):
            self._herald.end(tx, herald.held_matter(run), herald.resumed(run, was.stage, was.held_at), run, now)


def request_of(run: Run, ask: Ask, now: float, redact: Redactor) -> ApprovalRequest:
    """The question as people see it: it holds no secret. Its digest is of the exact keys."""
    return ApprovalRequest(
        id=ask.approval_id,
        run_id=run.id,
        pipeline=run.pipeline.name,
        stage=ask.stage,
        attempt=ask.attempt,
        pane=run.pane,
        pane_name=redact(run.pane_name),
        keys=tuple(redact(send.shown()) for send in ask.sends),
        digest=ask.digest,
        created_at=now,
        expires_at=ask.expires_at,
        risk=ask.risk,
        reason=redact(ask.reason),
        about=tuple(redact(line) for line in ask.about),
        approvers=ask.rules.approvers,
        required=ask.rules.required,
    )


def revive(stored: StoredRun, env: Mapping[str, str], unseal: Unseal) -> Run:
    """A Run as it was written down, with the pipeline it was started with."""
    try:
        pipeline = build_pipeline(unseal(stored.source), stored.source)
        allowed = {name: env[name] for name in pipeline.allow_env if name in env}
        return from_json(stored.state, pipeline, allowed)
    except (KeyError, TypeError, ValueError) as error:
        raise SentryError(
            f"run {stored.state.get('id')} cannot be read from the database",
            f"{type(error).__name__}: {error}",
            "cancel it with the version that wrote it, or restore a backup",
        ) from error
