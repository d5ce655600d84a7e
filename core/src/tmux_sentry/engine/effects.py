"""Carries out what committed steps want: sends and checks on threads of their own, questions through the broker."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from tmux_sentry.approvals.clerk import Clerk
from tmux_sentry.clock import Clock
from tmux_sentry.contracts import AgentState, Dialog, PaneIdentity, Screen, Signal
from tmux_sentry.engine import by_hand
from tmux_sentry.engine.checking import Checks
from tmux_sentry.engine.conductor import Step
from tmux_sentry.engine.events import (
    AboutToSend,
    Ask,
    AskCheck,
    CloseAsk,
    Event,
    Keys,
    Notify,
    Send,
    SendHeld,
    StartCheck,
    StopCheck,
    StopSend,
)
from tmux_sentry.engine.panes import Panes
from tmux_sentry.engine.perception import Perception
from tmux_sentry.engine.relay import prompts, shown
from tmux_sentry.engine.run import Run
from tmux_sentry.engine.sending import Job, Ports, carry_out
from tmux_sentry.errors import SentryError
from tmux_sentry.failpoints import reach
from tmux_sentry.notify.outbox import Outbox
from tmux_sentry.security.sanitize import clean
from tmux_sentry.state.store import Store
from tmux_sentry.tmux.model import Capture, PaneInfo
from tmux_sentry.watch.watcher import Watcher

log = logging.getLogger(__name__)

#: Seconds that a send in hand gets at the end; the journal and the marker tell the next start the rest.
SETTLE = 2.0

#: Hands an event for a Run to the loop; with `wait`, returns only after it was committed.
Give = Callable[[str, Event, bool], None]


class Effects:
    """One for a Runner. `give` may be called from any thread."""

    def __init__(
        self,
        *,
        watchers: Mapping[str, Watcher],
        prompts: Mapping[str, str | None],
        store: Store,
        clock: Clock,
        panes: Panes,
        perception: Perception,
        checks: Checks,
        clerk: Clerk,
        outbox: Outbox,
        give: Give,
        take_over: bool,
        dry_run: bool,
    ) -> None:
        self._watchers = watchers
        self._prompts = prompts
        self._store = store
        self._clock = clock
        self._panes = panes
        self._perception = perception
        self._checks = checks
        self._clerk = clerk
        self._outbox = outbox
        self._give = give
        self._take_over = take_over
        self._dry_run = dry_run
        self._jobs: dict[str, Job] = {}
        self._threads: list[threading.Thread] = []

    def carry_out(self, step: Step) -> None:
        """Start every effect of a committed step; none of them is waited for."""
        for effect in step.effects:
            match effect:
                case Send():
                    reach("plan.committed")
                    self.send(step.run, effect)
                case StopSend():
                    self._stop_send(effect.action_id)
                case Ask() if not self._dry_run:
                    self.show(effect.approval_id)
                case CloseAsk() if not self._dry_run:
                    self._close(effect)
                case StartCheck() if not self._dry_run:
                    self._checks.start(step.run.id, step.run.pane.host, effect)
                case AskCheck():
                    self._checks.ask_now(effect.action_id)
                case StopCheck():
                    self._checks.stop(effect.action_id)
                case Notify():
                    self._outbox.wake()
                case _:
                    pass

    def send(self, run: Run, effect: Send) -> None:
        """Carry a send out on a thread of its own."""
        watcher = self._watchers.get(run.pane.host)
        if self._dry_run or effect.action_id in self._jobs:
            return
        if watcher is None:
            self._give(
                run.id, SendHeld(action_id=effect.action_id, reason=f"no host {run.pane.host} is watched"), False
            )
            return
        job = Job(
            action_id=effect.action_id,
            pane=run.pane,
            keys=effect.keys,
            wait_idle=effect.wait_idle,
            stopped=threading.Event(),
            answers=effect.answers,
            resumes=effect.resumes,
            needs_exit=effect.needs_exit,
        )
        self._jobs[job.action_id] = job
        thread = threading.Thread(target=self._send, args=(run.id, job, watcher), name="send", daemon=True)
        self._threads.append(thread)
        thread.start()

    def ports(self, watcher: Watcher, host: str, run_id: str | None) -> Ports:
        """The outside of a send; without a Run there is no baseline to commit."""

        def announce(job: Job, event: AboutToSend, capture: Capture) -> None:
            if run_id is not None:
                self._give(run_id, self._with_digests(job.pane, event, capture), True)

        return Ports(
            watcher=watcher,
            store=self._store,
            clock=self._clock,
            owner=owner(self._store, host),
            take_over=self._take_over,
            announce=announce,
            agent_state=self._agent_state,
            dialog=self._dialog,
            prompt=self._prompts.get(host),
        )

    def show(self, approval_id: str) -> None:
        """Put a question before people."""
        stored = self._store.approval(approval_id)
        if stored is not None:
            self._clerk.show(stored.request)

    def send_by_hand(self, pane: PaneInfo, keys: Keys, wait_idle: float, token: str) -> dict[str, Any]:
        """Carry out a send that a person orders, on the caller's thread; `call_off` ends its waiting."""
        ports = self.ports(self._watchers[pane.identity.host], pane.identity.host, None)
        job = by_hand.job(pane, keys, wait_idle, token)
        self._jobs[job.action_id] = job
        try:
            return by_hand.send(pane, job, ports)
        finally:
            self._jobs.pop(job.action_id, None)

    def call_off(self, action_id: str) -> None:
        """Nobody waits for this send any more."""
        self._stop_send(action_id)

    def wake_outbox(self) -> None:
        """A message may be due."""
        self._outbox.wake()

    def stop(self) -> None:
        """Stop every check and every send that has typed nothing yet; one that is typing gets a moment to settle."""
        for action_id in list(self._jobs):
            self._stop_send(action_id)
        self._checks.close()
        deadline = time.monotonic() + SETTLE
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _send(self, run_id: str, job: Job, watcher: Watcher) -> None:
        try:
            answer = carry_out(job, self.ports(watcher, job.pane.host, run_id))
        except SentryError as error:  # the database refused, or the loop has ended: nothing was typed
            log.warning("send %s: %s", job.action_id, clean("; ".join(error.lines())))
            answer = SendHeld(action_id=job.action_id, reason=clean(error.what))
        except Exception as error:  # a defect here must hold one stage, not stop the rest
            log.exception("send %s failed", job.action_id)
            answer = SendHeld(action_id=job.action_id, reason=f"{type(error).__name__}: {error}")
        self._jobs.pop(job.action_id, None)
        self._threads.remove(threading.current_thread())
        if answer is not None:
            reach("done.before")
            self._give(run_id, answer, False)

    def _stop_send(self, action_id: str) -> None:
        job = self._jobs.get(action_id)
        if job is not None:
            job.stopped.set()

    def _close(self, effect: CloseAsk) -> None:
        stored = self._store.approval(effect.approval_id)
        if stored is not None:
            self._clerk.close(stored.request, effect.outcome)

    def _with_digests(self, pane: PaneIdentity, event: AboutToSend, capture: Capture) -> AboutToSend:
        digests = tuple(signal.digest for signal in self._parsed(pane, capture))
        return AboutToSend(action_id=event.action_id, lines=event.lines, digests=digests)

    def _dialog(self, pane: PaneIdentity, capture: Capture, bar: float) -> Dialog | None:
        return shown(prompts(self._parsed(pane, capture)), bar)

    def _parsed(self, pane: PaneIdentity, capture: Capture) -> tuple[Signal, ...]:
        screen = Screen(pane=pane, at=self._clock.now(), lines=capture.lines, cursor=capture.cursor)
        return self._perception.read(screen, self._panes.facts(pane, ()))

    def _agent_state(self, pane: PaneIdentity) -> AgentState:
        known = self._panes.get(pane)
        return known.state if known else AgentState.UNKNOWN


def owner(store: Store, host: str) -> str:
    """The name under which this database claims panes: a tmux option shows it to people and to other instances."""
    name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in host)[:64]
    return f"{store.instance}@{name or 'host'}"
