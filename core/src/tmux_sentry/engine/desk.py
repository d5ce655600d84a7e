"""What a person may ask of a running instance, or of the database while none runs: one method an order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from tmux_sentry.clock import Clock
from tmux_sentry.contracts import Decision
from tmux_sentry.control.person import signed
from tmux_sentry.engine.conductor import Conductor
from tmux_sentry.engine.events import Order
from tmux_sentry.engine.naming import pane_called
from tmux_sentry.engine.panes import KnownPane, Panes
from tmux_sentry.engine.run import Run
from tmux_sentry.engine.starting import Starter
from tmux_sentry.errors import UsageError
from tmux_sentry.notify.by_hand import NotifyOrders
from tmux_sentry.security.sanitize import clean
from tmux_sentry.state.observe import sentence
from tmux_sentry.state.store import Store
from tmux_sentry.state.transaction import COMMENT

log = logging.getLogger(__name__)


class Desk:
    """The thread that owns the Conductor calls it."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        conductor: Conductor,
        starter: Starter,
        panes: Panes,
        env: Mapping[str, str],
        told: Callable[[], None] = lambda: None,
        language: str = "en",
        further: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        """`told` is called when a message may be due now; `language` is that of messages; `further` are more orders."""
        self._store = store
        self._clock = clock
        self._conductor = conductor
        self._starter = starter
        self.panes = panes
        self._env = env
        self._verbs: dict[str, Callable[..., Any]] = {
            "decide": self.decide,
            "order": self.order,
            "start": self.start,
            "resume_all": self.resume_all,
            **NotifyOrders(store, clock, told, language).verbs,
            **(further or {}),
        }

    def handle(self, verb: str, args: Mapping[str, Any], by: str) -> Any:
        """Carry out one order of the user `by`. Raises SentryError; unknown words are a UsageError.

        Who it is comes from the system: a `by` among the arguments is dropped.
        """
        method = self._verbs.get(verb)
        if method is None:
            raise UsageError(f"the running instance does not know {clean(verb, 40)}", "it may be another version")
        try:
            return method(**signed(verb, args, by))
        except TypeError as error:
            raise UsageError(f"bad arguments for {clean(verb, 40)}", clean(str(error))) from error

    def decide(self, id: str, approved: bool, by: str, comment: str = "") -> dict[str, Any]:
        """Approve or reject a request (a unique start of its id is enough)."""
        if len(comment) > COMMENT:
            why = f"it has {len(comment)} characters, {COMMENT} can be kept"
            raise UsageError("the comment is too long", why, "make it shorter; nothing was decided")
        pending = [stored.request.id for stored in self._store.pending_approvals()]
        found = [full for full in pending if full.startswith(id)] if id else []
        if len(found) > 1:
            raise UsageError(f"{clean(id, 40)} could be any of {', '.join(found)}")
        decision = Decision(
            request_id=found[0] if found else id,
            approved=approved,
            by=clean(by, 100),
            channel="terminal",
            at=self._clock.now(),
            comment=comment,
            known="user of this machine",
        )
        answer = self._conductor.decide(decision)
        return {"id": decision.request_id, "outcome": answer.words, "counted": answer.counted}

    def order(self, run: str, verb: str, by: str, stage: str | None = None) -> dict[str, Any]:
        """retry, cancel, start a stage, or resume what is held."""
        run_id = self._store.find_run(run).id
        self._conductor.revive(run_id, self._env)
        return _shown(self._conductor.order(run_id, Order(verb=verb, stage=stage, by=clean(by, 100))))  # type: ignore[arg-type]

    def resume_all(self, verb: str | None, by: str) -> dict[str, Any]:
        """Go on after observing only, and resume every held Run; one that cannot be says why and keeps no other.

        Without a verb the held ones stay held: they are listed. Then there has to be something to go on from.
        """
        was = self._store.observing
        if was is None and verb is None:
            raise UsageError("say what becomes of the held runs: --send, --skip or --abort")
        if was is not None:
            self._store.go_on()
            log.warning("going on, by %s, after %s", clean(by, 100), sentence(was).partition(" Look")[0])
        answers = []
        for run in [run for run in self._conductor.runs.values() if run.held is not None]:
            try:
                answers.append(_shown(run) if verb is None else self.order(run.id, verb, by))
            except UsageError as error:
                answers.append(_shown(run) | {"held": f"{run.held} ({error.what}: {error.why})"})
        if was is not None:
            self._starter.start()  # what was kept from it
        return {"went_on": was is not None, "runs": answers}

    def start(self, pipeline: str, pane: str, host: str | None = None) -> dict[str, Any]:
        """Start a pipeline on a pane by hand, also where it ran before."""
        return _shown(self._starter.begin(pipeline, self.find_pane(pane, host)))

    def find_pane(self, pane: str, host: str | None) -> KnownPane:
        """The pane called `%3`, or `session:window.index`; it must be the only one. Raises as `pane_called` does."""
        known = {one.info.identity.key: one for one in self.panes.all()}
        found = pane_called(pane, host, [one.info for one in known.values()], self.panes.unlisted)
        return known[found.identity.key]


def _shown(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "pipeline": run.pipeline.name,
        "host": run.pane.host,
        "status": run.status,
        "stage": run.attempt.stage if run.attempt else None,
        "held": run.held,
    }
