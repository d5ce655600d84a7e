"""What a Run remembers, and how it is written down as JSON and read back.

Fields marked volatile do not count as a change: they are not worth a commit, and start anew after a restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from tmux_sentry.contracts import AgentState, PaneIdentity
from tmux_sentry.engine import limited
from tmux_sentry.engine import relay as relays
from tmux_sentry.engine.limited import Limited, LimitNotice
from tmux_sentry.engine.relay import Relay, Sight
from tmux_sentry.policy.model import Pipeline

#: Statuses of a stage (contract of the `stage_history` table).
PENDING, WAITING_APPROVAL, RUNNING, SUCCEEDED, FAILED = "pending", "waiting_approval", "running", "succeeded", "failed"
TIMED_OUT, REJECTED, HELD, SKIPPED, CANCELLED = "timed_out", "rejected", "held", "skipped", "cancelled"
FINAL = frozenset({SUCCEEDED, FAILED, TIMED_OUT, REJECTED, SKIPPED, CANCELLED})
FAILURES = frozenset({FAILED, TIMED_OUT, REJECTED})

#: How many event identities a Run remembers, newest last; far more than a screen and its history show.
REMEMBERED = 1000


class Phase(str, Enum):
    """Where an Attempt is."""

    APPROVING = "approving"  # a person was asked
    ACTING = "acting"  # carrying out actions_on_start
    WATCHING = "watching"  # waiting for its conditions
    ENDING = "ending"  # decided; carrying out on_success, on_failure or on_timeout
    RESTING = "resting"  # waiting to try again

    @property
    def decided(self) -> bool:
        """Whether the attempt has its outcome."""
        return self in (Phase.ENDING, Phase.RESTING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a stage. Times are epoch seconds."""

    stage: str
    number: int
    phase: Phase
    first: int = 1  # the number that `retries` counts from
    last: bool = False  # a person said: no other try
    action: int = 0  # the next action of the list in hand
    action_id: str | None = None  # the send that is being carried out
    sends: int = 0  # sends handed out so far; makes each action id new
    sent: bool = False  # one of them is in the pane
    wait_until: float | None = None  # for `wait` and for resting
    started_at: float | None = None  # the first action ran
    deadline: float | None = None
    armed: bool = False  # output and events count from here on
    state_old: bool = False  # the agent's state is still that of before the keys
    state_before: str = ""  # which that was, where it was known
    asked: int = 0  # how many requests this attempt has made
    approval_id: str | None = None
    approval_digest: str = ""
    approval_expires: float | None = None
    remind_at: float | None = None
    escalate_at: float | None = None
    approved_by: str = ""
    held: str | None = None  # why a person must decide
    held_at: float | None = None
    outcome: str | None = None  # decided, while ENDING
    reason: str = ""
    matched: frozenset[str] = frozenset()  # conditions that were met once (keys of conditions.leaf_key)
    unsearched: frozenset[str] = frozenset()  # those whose pattern could not be searched for in some line
    status_ok: bool | None = None  # what a STATUS said
    exit_code: int | None = None
    checks: Mapping[str, str] = field(default_factory=dict)  # action id -> CheckStatus value
    check_deadlines: Mapping[str, float] = field(default_factory=dict)
    check_memory: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # what the checker remembered
    check_reruns: Mapping[str, float] = field(default_factory=dict)  # failed, and until when a re-run counts
    blind: bool = False  # a person said: type also where the exit status cannot be seen
    check_last: Mapping[str, float] = field(default_factory=dict)  # out of time: until when the last answer may come
    check_told: str = ""  # what a check last said that a person has to do
    check_silent: int = 0  # answers in a row that said nothing
    check_percent: float | None = None
    check_detail: str = ""
    check_url: str = ""
    check_log_tail: str = ""
    counted: tuple[str, ...] = ()  # digests of events without an id that counted in this attempt
    baseline: frozenset[str] = frozenset()  # digests that were visible when it started
    #: Fingerprints of the lines that were visible when it started. None: not known; the next capture tells.
    baseline_lines: frozenset[int] | None = frozenset()
    typed: tuple[str, ...] = ()
    echo: str | None = None  # the typed text whose echo has not come yet
    withheld: tuple[str, ...] = ()  # lines that may still turn out to be that echo
    echo_until: float | None = None  # when they are taken for output
    dialogs: int = 0  # how many questions and answers about dialogs; makes each of their ids new
    answers: int = 0  # how many dialogs the policy's rule has answered
    resumes: int = 0  # how many messages after a usage limit; makes each of their ids new

    @property
    def rest_before(self) -> AgentState:
        """The state that says nothing about what the keys did."""
        return AgentState(self.state_before) if self.state_before else AgentState.IDLE


@dataclass(frozen=True, slots=True, kw_only=True)
class StageState:
    """What became of a stage so far."""

    status: str = PENDING
    attempts: int = 0
    queued: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One pipeline on one pane."""

    id: str
    pipeline: Pipeline = field(compare=False)
    pane: PaneIdentity
    pane_name: str
    policy_digest: str
    #: What tmux said of the pane when the Run started: session_name, window_name, pane_index, pane_title, command, ...
    pane_facts: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict, compare=False)  # allowed names only; never written down
    status: str = "open"  # open, succeeded, failed, cancelled
    started_at: float = 0.0
    finished_at: float | None = None
    stages: Mapping[str, StageState] = field(default_factory=dict)
    queue: tuple[str, ...] = ()
    attempt: Attempt | None = None
    ids: tuple[str, ...] = ()  # identities of events that were counted or were there before
    digests: tuple[str, ...] = ()  # the same for events without one
    gone: str | None = None  # why the pane is gone
    agent_state: AgentState = AgentState.UNKNOWN
    followed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # action id -> a check's type and memory
    relay: Relay | None = None  # the dialog in hand
    limit: Limited | None = None  # the usage limit that the agent is at, or was at last
    # volatile from here on
    away_since: float | None = field(default=None, compare=False)  # its host cannot be watched
    on_screen: frozenset[str] = field(default=frozenset(), compare=False)  # digests on the last capture
    seen: tuple[int, ...] | None = field(default=None, compare=False)  # output.remember; None before any capture
    last_output_at: float | None = field(default=None, compare=False)  # printed, or was typed into
    looked_at: float | None = field(default=None, compare=False)  # the last `Due`
    sight: Sight | None = field(default=None, compare=False)  # dialogs on the last capture; None before any capture
    notice: LimitNotice | None = field(default=None, compare=False)  # what was last seen to say of a limit

    @property
    def open(self) -> bool:
        """Whether the Run can still do something."""
        return self.status == "open"

    @property
    def unreachable(self) -> bool:
        """Whether its host cannot be watched now."""
        return self.away_since is not None

    @property
    def limited(self) -> bool:
        """Whether its agent is at its usage limit: the clocks of its stage stand."""
        return self.limit is not None and self.limit.stands

    @property
    def held(self) -> str | None:
        """Why a person must decide, if so."""
        return self.attempt.held if self.attempt else None


_SETS = {"matched", "unsearched", "baseline", "baseline_lines"}
_TUPLES = {"counted", "typed", "withheld"}


def remembered(known: tuple[str, ...], new: Iterable[str]) -> tuple[str, ...]:
    """`known` with what is new at its end; the oldest are forgotten."""
    return (*known, *(one for one in dict.fromkeys(new) if one not in known))[-REMEMBERED:]


def to_json(run: Run) -> dict[str, Any]:
    """The durable part of a Run as plain JSON types; the pipeline's source travels beside it."""
    attempt = run.attempt
    return {
        "id": run.id,
        "pane": asdict(run.pane),
        "pane_name": run.pane_name,
        "pane_facts": dict(run.pane_facts),
        "policy_digest": run.policy_digest,
        "status": run.status,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "stages": {n: {"status": s.status, "attempts": s.attempts, "queued": s.queued} for n, s in run.stages.items()},
        "queue": list(run.queue),
        "attempt": None if attempt is None else _attempt_json(attempt),
        "ids": list(run.ids),
        "digests": list(run.digests),
        "agent_state": run.agent_state.value,
        "gone": run.gone,
        "followed": dict(run.followed),
        "relay": None if run.relay is None else relays.to_json(run.relay),
        "limit": None if run.limit is None else limited.to_json(run.limit),
    }


def from_json(data: Mapping[str, Any], pipeline: Pipeline, env: Mapping[str, str]) -> Run:
    """The Run that `to_json` wrote, with its pipeline and environment given back."""
    attempt, relay, limit = data["attempt"], data.get("relay"), data.get("limit")  # earlier versions wrote fewer
    return Run(
        id=data["id"],
        pipeline=pipeline,
        env=env,
        pane=PaneIdentity(**data["pane"]),
        pane_name=data["pane_name"],
        pane_facts=data["pane_facts"],
        policy_digest=data["policy_digest"],
        status=data["status"],
        started_at=data["started_at"],
        finished_at=data["finished_at"],
        stages={name: StageState(**state) for name, state in data["stages"].items()},
        queue=tuple(data["queue"]),
        attempt=None if attempt is None else _attempt(attempt),
        ids=tuple(data["ids"]),
        digests=tuple(data["digests"]),
        agent_state=AgentState(data["agent_state"]),
        gone=data["gone"],
        followed=data.get("followed", {}),
        relay=None if relay is None else relays.from_json(relay),
        limit=None if limit is None else limited.from_json(limit),
    )


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name in Attempt.__slots__:
        value = getattr(attempt, name)
        if name in _SETS and value is not None:
            value = sorted(value)
        elif name in _TUPLES:
            value = list(value)
        elif isinstance(value, Mapping):
            value = dict(value)
        elif isinstance(value, Phase):
            value = value.value
        out[name] = value
    return out


def _attempt(data: Mapping[str, Any]) -> Attempt:
    values = dict(data)
    for name in _SETS & set(values):  # an earlier version did not write all of them
        values[name] = None if values[name] is None else frozenset(values[name])
    for name in _TUPLES:
        values[name] = tuple(values[name])
    values["phase"] = Phase(values["phase"])
    return Attempt(**values)
