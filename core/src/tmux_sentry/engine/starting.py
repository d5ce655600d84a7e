"""Starts Runs on panes that match, tells about those that do not start, and knows when `--once` is over."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from tmux_sentry.clock import Clock
from tmux_sentry.contracts import AgentState, PaneIdentity, Signal, SignalKind, Trust
from tmux_sentry.engine.chain import BELIEVED
from tmux_sentry.engine.conductor import Conductor
from tmux_sentry.engine.events import Order
from tmux_sentry.engine.limited import LimitNotice
from tmux_sentry.engine.matching import MEANING, Candidate, Earlier, preview
from tmux_sentry.engine.observing import hold_reason
from tmux_sentry.engine.orders import refusal
from tmux_sentry.engine.panes import KnownPane, Panes
from tmux_sentry.engine.quarantine import Quarantine
from tmux_sentry.engine.relay import Sight
from tmux_sentry.engine.run import Run
from tmux_sentry.engine.twins import Twins, find_twins
from tmux_sentry.engine.twins import sentence as sentence_of_twins
from tmux_sentry.errors import Refused, UsageError
from tmux_sentry.policy.model import Pipeline, Policy
from tmux_sentry.security.sanitize import clean
from tmux_sentry.state.observe import sentence
from tmux_sentry.state.records import PastRun, RunNames
from tmux_sentry.state.store import Store
from tmux_sentry.tmux.model import PaneInfo
from tmux_sentry.watch.reading import URGENT

log = logging.getLogger(__name__)


class Starter:
    """One thread owns it."""

    def __init__(
        self,
        policy: Policy,
        store: Store,
        clock: Clock,
        conductor: Conductor,
        panes: Panes,
        env: Mapping[str, str],
        quarantine: Quarantine,
        limits: Callable[[KnownPane], tuple[LimitNotice, ...]] = lambda pane: (),
        new_id: Callable[[float], str] | None = None,
        hosts: Sequence[str] = (),
    ) -> None:
        """`limits` reads what a pane says of usage limits; `new_id(now)` names a new Run: the same ids again make a
        replay that says the same again. `hosts` are in the order of their file: a tmux server that several of them
        lead to is followed as the first."""
        self._limits = limits
        self._new_id = new_id or _run_id
        self._order = tuple(hosts)
        self._same: set[tuple[str, str]] = set()  # hosts of which was told that they are one server
        self._quarantine = quarantine
        self._policy = policy
        self._store = store
        self._clock = clock
        self._conductor = conductor
        self._panes = panes
        self._env = env
        past = store.past_runs()
        self._earlier = [earlier_of(run) for run in past]
        self._ended = {run.id: run.status for run in past if run.status != "open"}
        self._told: set[tuple[str, str, str]] = set()
        self._hosts: set[str] = set()  # inventoried since they came up
        self._lost: set[str] = set()  # hosts that cannot be watched now
        self._resumed: set[str] = set()  # Runs of an earlier process that are not caught up yet
        self._to_hold: dict[str, str] = {}  # resumed Runs that a person has to look at, and why
        self._first: dict[str, str] = {}  # for --once: Runs of the start, and how they stand
        self._begun = False  # what matched at the start has started
        self._again: set[tuple[str, str]] = set()  # (pipeline, pane key) that `rerun` allows
        self._needs: Mapping[str, int] = {}  # pane key -> how much its text is needed

    # ------------------------------------------------------------------------- starting

    def start(self) -> list[Run]:
        """Start what may start now; returns the new Runs."""
        candidates = self.candidates()
        self._needs = self._weigh(candidates)
        if self._store.observing is not None:
            return []
        started: list[Run] = []
        for candidate in candidates:
            if candidate.verdict != "start":
                self._tell(candidate)
                continue
            known = self._panes.get(candidate.pane.identity)
            if known is not None and known.ready:
                self._quarantine.contain(
                    f"pipeline {candidate.pipeline}", partial(self._begin, candidate, known, started)
                )
        return started

    def _begin(self, candidate: Candidate, pane: KnownPane, started: list[Run]) -> None:
        started.append(self.begin(candidate.pipeline, pane))

    def need(self, pane: PaneInfo) -> int:
        """How much the pane's text is needed, as the watchers take it; any thread may ask."""
        return self._needs.get(pane.identity.key, 0)

    def _weigh(self, candidates: Iterable[Candidate]) -> dict[str, int]:
        needs: dict[str, int] = {}
        for candidate in candidates:
            key = candidate.pane.identity.key
            needs[key] = max(needs.get(key, 1), URGENT if candidate.verdict in ("start", "running") else 1)
        return needs | {run.pane.key: URGENT for run in self._conductor.runs.values() if run.open}

    def candidates(self) -> list[Candidate]:
        """Every pipeline and pane that match now."""
        twins = self._twins()
        known = [pane for pane in self._panes.all() if pane.info.identity.host not in twins.of]
        earlier = [run for run in self._runs(twins) if (run.pipeline, run.pane_key) not in self._again]
        earlier = [replace(run, open=run.run_id in self._conductor.runs) for run in earlier]
        agents = {pane.info.identity.key: pane.agent for pane in known}
        return preview(self._policy.pipelines, [pane.info for pane in known], earlier, agents)

    def begin(self, name: str, pane: KnownPane) -> Run:
        """Start a Run of the pipeline `name` on a pane. Raises UsageError when it cannot, Refused while observing."""
        if self._store.observing is not None:
            raise Refused("no run is started now", sentence(self._store.observing))
        pipeline = self._policy.pipeline(name)
        if pipeline is None:
            what = f"the policy has no pipeline {clean(name, 60)}"
            raise UsageError(what, "", "see: tmux-sentry check --policy FILE")
        twins, identity = self._twins(), pane.info.identity
        if (leader := twins.of.get(identity.host)) is not None:
            raise UsageError(sentence_of_twins(identity.host, leader), "", f"name the pane with --host {leader}")
        runs = [run.run_id for run in self._runs(twins) if run.pane_key == identity.key]
        if any(run in self._conductor.runs for run in runs) or self._conductor.of_pane(identity.key) is not None:
            raise UsageError(f"pane {pane.info.identity.pane_id} has an open run", "", "see: tmux-sentry runs list")
        info = pane.info
        run = Run(
            id=self._new_id(self._clock.now()),
            pipeline=pipeline,
            pane=info.identity,
            pane_name=clean(info.name, 200),
            pane_facts=_facts(pane),
            policy_digest=pipeline.digest,
            env={name: self._env[name] for name in pipeline.allow_env if name in self._env},
            started_at=self._clock.now(),
            on_screen=pane.digests,
            agent_state=pane.state,
            last_output_at=self._clock.now(),
            sight=Sight(prompts=pane.prompts, folder=info.path),
            notice=next((one for one in self._limits(pane)[::-1] if one.confidence >= pipeline.min_confidence), None),
        )
        names = RunNames(
            session_name=info.session_name,
            window_name=info.window_name,
            window_index=info.window_index,
            pane_index=info.pane_index,
        )
        run = self._conductor.add(run, names)
        self._again.discard((name, info.identity.key))
        self._earlier.append(_started(run, names))
        if not self._begun:
            self._first[run.id] = run.status
        self._told.add((name, info.identity.key, "done"))  # no news: it was told how the run ended
        return run

    def heard(self, pane: PaneIdentity, signals: Iterable[Signal], became: AgentState | None = None) -> bool:
        """News of a pane without an open Run, and the state that its agent has entered; True when `rerun` now allows
        its pipeline once more."""
        believed = [signal for signal in signals if signal.confidence >= BELIEVED]
        status = max((signal.trust for signal in believed if signal.kind is SignalKind.STATUS), default=None)
        idle = became is AgentState.IDLE
        if status is None and not idle:
            return False
        ran = {run.pipeline for run in self._runs(self._twins()) if run.pane_key == pane.key}
        again = {
            (one.name, pane.key)
            for one in self._policy.pipelines
            if one.name in ran
            and ((one.rerun == "on_idle" and idle) or (one.rerun == "on_signal" and _trusted(one, status)))
        }
        self._again |= again
        return bool(again)

    # -------------------------------------------------------- earlier Runs, and --once

    def resumed(self, run: Run) -> None:
        """An open Run of an earlier process. It keeps its own policy; a person is told where that differs."""
        self._resumed.add(run.id)
        self._told.add((run.pipeline.name, run.pane.key, "done"))
        self._first[run.id] = run.status
        if self._store.observing is not None:
            self._hold_back(run, hold_reason(self._store.observing, run.id))
            return
        now = self._policy.pipeline(run.pipeline.name)
        if now is not None and now.digest == run.policy_digest:
            return
        gone = _missing_stage(run, now)
        if gone is None:
            log.warning(
                "run %s of %s goes on with the policy it was started with (%s); the policy has changed since",
                run.id, run.pipeline.name, run.policy_digest[:12],
            )  # fmt: skip
            return
        resume = f"resume it with: tmux-sentry runs resume {run.id} --send|--abort"
        self._hold_back(run, f"the policy has changed: {gone}; {resume}")

    def _hold_back(self, run: Run, reason: str) -> None:
        self._to_hold[run.id] = reason
        answering = run.relay is not None and run.relay.action_id is not None
        if run.attempt is not None and run.attempt.action_id is None and not answering:
            self._hold(run)

    def is_resumed(self, run: Run) -> bool:
        """Whether the Run comes from an earlier process and was not caught up yet."""
        return run.id in self._resumed

    def caught_up(self, run: Run) -> Run:
        """What became of the keys in hand is known; only now may a hold give them up."""
        self._resumed.discard(run.id)
        return self._hold(run)

    def _hold(self, run: Run) -> Run:
        reason = self._to_hold.pop(run.id, None)
        if reason is None or not run.open:
            return run
        order = Order(verb="hold", reason=reason)
        return run if refusal(run, order) else self._conductor.order(run.id, order)

    def inventoried(self, host: str) -> None:
        """The host's panes are known."""
        self._hosts.add(host)
        self._lost.discard(host)
        for pair in self._twins().of.items() - self._same:
            self._same.add(pair)
            log.warning("%s", clean(sentence_of_twins(*pair), 400))

    def is_for_twin(self, pane: PaneIdentity) -> bool:
        """Whether what is handed over in the pane is for a Run that is open on it under the name of another host."""
        others = [run.pane for run in self._conductor.runs.values() if run.open and run.pane.host != pane.host]
        same = [one for one in others if replace(one, host=pane.host) == pane]
        of = self._twins().of if same else {}
        return any(of.get(one.host, one.host) == of.get(pane.host, pane.host) for one in same)

    def _twins(self) -> Twins:
        return find_twins(self._order, (pane.info for pane in self._panes.all()))

    def _runs(self, twins: Twins) -> list[Earlier]:
        """What ran, on the panes that are followed."""
        return [twins.followed(run) for run in self._earlier]

    def lost(self, host: str) -> None:
        """The host cannot be watched: there is nothing to wait for there."""
        self._hosts.add(host)
        self._lost.add(host)

    def stepped(self, run: Run) -> None:
        """A Run moved."""
        if run.id in self._first:
            self._first[run.id] = run.status

    def all_begun(self, hosts: Iterable[str]) -> bool:
        """Whether every host was looked at and nothing is about to start."""
        if self._begun:
            return True
        candidates = self.candidates()
        if not self._hosts >= set(hosts) or any(candidate.verdict == "start" for candidate in candidates):
            return False
        self._begun = True
        for candidate in candidates:
            if candidate.verdict == "done":
                self._count_ended(candidate)
        if not self._first and not self._lost:
            log.warning("no pane starts a run; compare `match` in the policy with the panes in: tmux-sentry status")
        return True

    def _count_ended(self, candidate: Candidate) -> None:
        """A Run that had ended before counts too: after a kill at any moment, the same command says the same."""
        key = candidate.pane.identity.key
        runs = self._runs(self._twins())
        last = [run.run_id for run in runs if (run.pipeline, run.pane_key) == (candidate.pipeline, key)][-1]
        self._first.setdefault(last, self._ended.get(last, "open"))

    def all_over(self, hosts: Iterable[str]) -> bool:
        """Whether, besides, every Run of the start has ended."""
        return self.all_begun(hosts) and all(status != "open" for status in self._first.values())

    def nothing_reached(self) -> bool:
        """Whether no Run was seen, and some host could not be watched."""
        return not self._first and bool(self._lost)

    def all_succeeded(self) -> bool:
        """Whether every Run that was seen succeeded, and there was one."""
        return bool(self._first) and all(status == "succeeded" for status in self._first.values())

    def _tell(self, candidate: Candidate) -> None:
        key = (candidate.pipeline, candidate.pane.identity.key, candidate.verdict)
        if candidate.verdict == "running" or key in self._told:
            return
        self._told.add(key)
        by = f" ({candidate.by})" if candidate.by else ""
        level = logging.WARNING if candidate.verdict in ("ambiguous", "waits") else logging.INFO
        pane = candidate.pane
        name = f"{candidate.pipeline} ({pane.identity.host} {pane.name} {pane.identity.pane_id})"
        log.log(level, "%s: %s%s", clean(name, 200), MEANING[candidate.verdict], by)


def _facts(pane: KnownPane) -> dict[str, str]:
    """What `${pane...}` can say, by name."""
    info = pane.info
    return {
        "session_name": clean(info.session_name),
        "window_name": clean(info.window_name),
        "pane_index": str(info.pane_index),
        "pane_title": clean(info.title),
        "command": clean(info.command),
        "path": clean(info.path),
        "agent": pane.agent,
    }


def _missing_stage(run: Run, now: Pipeline | None) -> str | None:
    if now is None:
        return f"pipeline {run.pipeline.name} is gone"
    ahead = [*([run.attempt.stage] if run.attempt else []), *run.queue]
    missing = [name for name in ahead if now.stage(name) is None]
    return f"stage {missing[0]} is gone" if missing else None


def _run_id(now: float) -> str:
    """Sorts by time and is never the same twice: milliseconds, then chance, in hex."""
    return f"{int(now * 1000):011x}{secrets.token_hex(4)}"


def _trusted(pipeline: Pipeline, trust: Trust | None) -> bool:
    """Whether a STATUS of this trust would count for one of the stages: a guess begins nothing anew by default."""
    return trust is not None and any(trust >= stage.min_trust for stage in pipeline.stages)


def earlier_of(run: PastRun) -> Earlier:
    """A Run of the database, as matching needs it."""
    return Earlier(
        run_id=run.id,
        pipeline=run.pipeline,
        host=run.host,
        session_name=run.names.session_name,
        window_name=run.names.window_name,
        pane_index=run.names.pane_index,
        server=run.server,
        pane_key=run.pane_key,
        open=run.status == "open",
    )


def _started(run: Run, names: RunNames) -> Earlier:
    return Earlier(
        run_id=run.id,
        pipeline=run.pipeline.name,
        host=run.pane.host,
        session_name=names.session_name,
        window_name=names.window_name,
        pane_index=names.pane_index,
        server=run.pane.server,
        pane_key=run.pane.key,
        open=True,
    )
