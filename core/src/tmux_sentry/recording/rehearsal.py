"""A policy over a recording: the real engine on a database in memory, whose effects are told and not carried out."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, cast

from tmux_sentry.contracts import (
    CheckStatus,
    Decision,
    Emitted,
    Lines,
    Observation,
    Osc,
    PaneClosed,
    PaneIdentity,
    Parser,
    Screen,
    Signal,
    Title,
)
from tmux_sentry.engine.checking import Checks
from tmux_sentry.engine.conductor import Conductor, Step, Unseal
from tmux_sentry.engine.doubts import Doubts
from tmux_sentry.engine.effects import Effects
from tmux_sentry.engine.events import (
    AboutToSend,
    Ask,
    AskCheck,
    CheckReported,
    Send,
    SendDone,
    StartCheck,
    StopSend,
)
from tmux_sentry.engine.herald import Herald
from tmux_sentry.engine.intake import Intake
from tmux_sentry.engine.isolation import Isolation, pane_name
from tmux_sentry.engine.panes import Panes
from tmux_sentry.engine.patterns import Patterns
from tmux_sentry.engine.perception import Perception
from tmux_sentry.engine.quarantine import Quarantine
from tmux_sentry.engine.run import Run
from tmux_sentry.engine.sending import BASELINE_HISTORY
from tmux_sentry.engine.starting import Starter
from tmux_sentry.engine.table import PaneTable
from tmux_sentry.engine.tails import Tails
from tmux_sentry.limits.zones import Zones
from tmux_sentry.policy.model import Policy
from tmux_sentry.recording.stage import Stage, VirtualClock
from tmux_sentry.recording.telling import News, signal_line, step_lines
from tmux_sentry.security.redact import Redactor
from tmux_sentry.security.trust import PaneKeys
from tmux_sentry.state.store import Store
from tmux_sentry.tmux.model import PaneInfo
from tmux_sentry.watch import events as watched

#: Takes one line of the replay: `at` in seconds since the beginning, `kind`, and what belongs to it.
Tell = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What happens besides what was recorded. `approve` are ids or stages of requests that get a yes, or "all";
    `checks` are the answers of outside checks by stage; `sent` are the keys that `run` typed, in their order."""

    approve: Collection[str] = ()
    checks: Mapping[str, Literal["success", "failure"]] = field(default_factory=dict)
    sent: Collection[str] = ()
    pipeline: str = ""  # to be started whatever it matches


class _Nothing:
    """Stands where the outside would be: nothing is sent, asked, or in doubt."""

    def send(self, run: Run, effect: Send) -> None: ...

    def wake_outbox(self) -> None: ...

    def start(self, run_id: str, host: str, effect: StartCheck) -> None: ...

    def about(self, observation: Observation) -> bool:
        return False

    def hold(self, observation: Observation, signals: tuple[Signal, ...]) -> bool:
        return False


class Rehearsal:
    """A `recording.stage.Audience`. `sink` is for the Stage, which is given to `on` before it plays."""

    def __init__(
        self,
        policy: Policy,
        parsers: Mapping[str, Parser],
        store: Store,
        clock: VirtualClock,
        script: Script,
        tell: Tell,
        *,
        env: Mapping[str, str],
        redact: Redactor,
        unseal: Unseal = lambda source: source,
    ) -> None:
        self._clock, self._script, self._tell, self._redact = clock, script, tell, redact
        self._inbox: deque[Callable[[], object]] = deque()
        self._typed: dict[str, tuple[str, ...]] = {}
        self._sends: dict[str, tuple[str, Send]] = {}  # by action, until they are typed
        self._sent = deque(script.sent)  # that are still to come
        self._stage: Stage | None = None
        self._ids = 0
        self._news = News()
        self.runs: dict[str, Run] = {}
        nothing: Any = _Nothing()
        isolation = Isolation(lambda: self._conductor, clock, lambda: None, self._inbox.append)
        self._quarantine = Quarantine(clock, isolation.isolated)
        self._perception = Perception(parsers, lambda *_: None)
        self._panes = Panes()
        self._patterns = Patterns(clock, isolation.pattern)
        self._conductor = Conductor(store, clock, Herald(redact=redact), self._let_out, unseal, self._patterns.search)
        self._starter = Starter(
            policy, store, clock, self._conductor, self._panes, env, self._quarantine, new_id=self._new_id
        )
        self._table = PaneTable(store, clock, self._panes)
        self._intake = Intake(
            store=store,
            clock=clock,
            conductor=self._conductor,
            starter=self._starter,
            panes=self._panes,
            table=self._table,
            effects=cast(Effects, nothing),
            checks=cast(Checks, nothing),
            doubts=cast(Doubts, nothing),
            tails=Tails(),
            keys=PaneKeys(store.pane_secret, store.save_pane_secret),
            tell_states={},
            zones=Zones({}, {}, policy.timezone, clock, lambda host: None),
            taken=lambda observation: None,
        )

    def on(self, stage: Stage) -> None:
        """What the captures before a send are taken of."""
        self._stage = stage

    def close(self) -> None:
        """End the threads of parsers."""
        self._perception.close()

    @property
    def waiting(self) -> list[str]:
        """Keys that were to be typed where the recording knows of them, and it has ended before."""
        return [effect.keys.shown() for _, effect in self._sends.values()]

    def sink(self, record: watched.WatchRecord) -> None:
        """What the pane says; dealt with by `work`, as the loop of `run` does."""
        if isinstance(record, watched.AgentSeen):
            self._inbox.append(lambda: self._panes.recognise(record.pane, record.agent))
        elif isinstance(record, (Lines, Screen, Title, Osc, Emitted, PaneClosed)):
            self._inbox.append(lambda: self._observe(record))
        else:
            self._inbox.append(lambda: self._intake.record(record))
            self._inbox.append(self._begin)

    # ------------------------------------------------------------------------- audience

    def begins(self, info: PaneInfo) -> None:
        """The pane is there."""
        self._panes.see(info)
        self._inventory(info)

    def changed(self, info: PaneInfo) -> None:
        """Something else is known of it."""
        self._inventory(info)

    def sent(self, keys: str) -> None:
        """Here these keys were typed."""
        if keys in self._sent:
            self._sent.remove(keys)
        found = next((a for a, (_, send) in self._sends.items() if self._redact(send.keys.shown()) == keys), None)
        if found is not None:
            self._type(*self._sends.pop(found))

    def due(self) -> float | None:
        """When a deadline of a Run comes, or a state has lasted, seconds since the beginning."""
        at, calm = self._conductor.due(self._contain), self._panes.due()
        times = [] if at is None else [max(at - self._clock.now(), 0.0) + self._clock.monotonic()]
        return min([*times, *([] if calm is None else [calm])], default=None)

    def work(self) -> None:
        """Whatever the inbox holds, and what comes of it."""
        self._conductor.due(self._contain)
        self._intake.settle()
        while self._inbox:
            self._inbox.popleft()()

    # -------------------------------------------------------------------------- the engine

    def _contain(self, run: Run, work: Callable[[], object]) -> object:
        return self._quarantine.contain(pane_name(run.pane.key), work)

    def _inventory(self, info: PaneInfo) -> None:
        one = info.identity
        record = watched.Inventoried(
            host=one.host,
            at=self._clock.now(),
            server_pid=one.server_pid,
            server_start=one.server_start,
            panes=(info,),
        )
        self._inbox.append(lambda: self._intake.record(record))
        self._inbox.append(self._begin)

    def _begin(self) -> None:
        """Start the pipeline that was named, once the pane was looked at."""
        known = next(iter(self._panes.all()), None)
        if self._script.pipeline and known is not None and known.ready and not self.runs:
            self._starter.begin(self._script.pipeline, known)

    def _observe(self, observation: Observation) -> None:
        pane = observation.pane
        if isinstance(observation, Title):
            self._panes.retitle(pane, observation.title)
        facts = self._panes.facts(pane, self._typed.get(pane.key, ()))
        signals = self._perception.read_here(observation, facts)
        for signal in self._news.of(observation, signals):
            self._say("signal", signal_line(signal))
        self._quarantine.contain(pane_name(pane.key), lambda: self._intake.observation(observation, signals))
        self._begin()

    def _let_out(self, step: Step) -> None:
        self.runs[step.run.id] = step.run
        for kind, line in step_lines(step):
            self._say(kind, line)
        attempt = step.run.attempt
        if step.run.open and attempt is not None:
            self._typed[step.run.pane.key] = attempt.typed
        pipeline = step.run.pipeline.name if step.run.open else ""
        self._table.assign(step.run.pane, pipeline, attempt.stage if attempt else "")
        for effect in step.effects:
            match effect:
                case Send():
                    self._inbox.append(partial(self._send, step.run.id, effect))
                case StopSend():
                    self._sends.pop(effect.action_id, None)
                case Ask():
                    self._inbox.append(partial(self._approve, effect))
                case StartCheck():
                    stage = attempt.stage if attempt else ""
                    self._inbox.append(partial(self._check, step.run.id, effect, stage))
                case AskCheck():
                    self._inbox.append(partial(self._no_news, step.run.id, effect.action_id))
                case _:
                    pass

    # ------------------------------------------------------------------------- the outside

    def _send(self, run_id: str, effect: Send) -> None:
        """Typed where the recording says so, else at once."""
        if self._redact(effect.keys.shown()) in self._sent:
            self._sends[effect.action_id] = (run_id, effect)
        else:
            self._type(run_id, effect)

    def _type(self, run_id: str, effect: Send) -> None:
        if run_id not in self._conductor.runs:
            return
        if effect.answers is None:
            self._conductor.step(run_id, self._baseline(effect.action_id, self.runs[run_id].pane))
        if run_id in self._conductor.runs:
            self._conductor.step(run_id, SendDone(action_id=effect.action_id))

    def _baseline(self, action_id: str, pane: PaneIdentity) -> AboutToSend:
        assert self._stage is not None
        taken = self._stage.look(BASELINE_HISTORY)
        screen = Screen(pane=pane, at=self._clock.now(), lines=taken.lines, cursor=taken.cursor)
        signals = self._perception.read_here(screen, self._panes.facts(pane, ()))
        digests = tuple(signal.digest for signal in signals)
        return AboutToSend(action_id=action_id, lines=taken.lines, digests=digests)

    def _approve(self, ask: Ask) -> None:
        if not {"all", ask.approval_id, ask.stage} & set(self._script.approve):
            return
        people = ask.rules.approvers or tuple(f"replay-{number}" for number in range(1, ask.rules.required + 1))
        for person in people[: ask.rules.required]:
            decision = Decision(
                request_id=ask.approval_id,
                approved=True,
                by=person,
                channel="terminal",
                at=self._clock.now(),
                digest=ask.digest,
            )
            self._conductor.decide(decision)

    def _check(self, run_id: str, check: StartCheck, stage: str) -> None:
        answer = self._script.checks.get(stage)
        if answer is not None and run_id in self._conductor.runs:
            status = CheckStatus.SUCCESS if answer == "success" else CheckStatus.FAILURE
            self._conductor.step(run_id, CheckReported(action_id=check.action_id, status=status, detail="replay"))

    def _no_news(self, run_id: str, action_id: str) -> None:
        if run_id in self._conductor.runs:
            self._conductor.step(run_id, CheckReported(action_id=action_id, status=CheckStatus.PENDING))

    def _new_id(self, now: float) -> str:
        """Always the same for the same recording."""
        self._ids += 1
        return f"{int(now * 1000):011x}{hashlib.sha256(str(self._ids).encode()).hexdigest()[:8]}"

    def _say(self, kind: str, line: Mapping[str, Any]) -> None:
        self._tell({"at": round(self._clock.monotonic(), 3), "kind": kind, **line})
