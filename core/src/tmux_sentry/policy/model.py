"""A policy as the engine sees it: frozen, validated, with every default filled in.

Built by `policy.load`; nothing here reads files. Durations are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tmux_sentry.contracts import AgentState, Level, Trust
from tmux_sentry.policy.allowed import Allowed

# ------------------------------------------------------------------------- actions


@dataclass(frozen=True, slots=True, kw_only=True)
class SendKeys:
    """Type `text` (then Enter unless told otherwise), or press named `keys` ("C-c", "Escape").

    `wait_idle` is how long to wait for the pane to become idle; 0 does not wait.
    `untrusted` is the greatest number of characters that an outside `${...}` may bring in; None forbids it.
    """

    text: str = ""
    keys: tuple[str, ...] = ()
    enter: bool = True
    wait_idle: float = 300.0
    report_exit: bool = False
    untrusted: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalCheck:
    """Start an external check; `config` is the action's own keys as the checker's schema took them."""

    type: str
    config: Mapping[str, Any] = field(default_factory=dict)
    max_wait: float | None = None
    accept_rerun: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyAction:
    """Tell people. Empty `channels` means the configured ones."""

    message: str
    title: str = ""
    level: Level = Level.INFO
    channels: tuple[str, ...] = ()
    include_output: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitAction:
    """Do nothing for a while."""

    seconds: float


Action = SendKeys | ExternalCheck | NotifyAction | WaitAction

# ---------------------------------------------------------------------- conditions


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRegex:
    """A line of output newer than the stage's own keys matches (search). `regex` backtracks, with a time limit."""

    pattern: str
    engine: Literal["re2", "regex"] = "re2"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentryEvent:
    """A SENTRY event arrived for the stage; None matches anything."""

    type: str | None = None
    stage: str | None = None
    ok: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalStatus:
    """The stage's external check says `status` ("success", "failure")."""

    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStateIs:
    """The agent in the pane is in one of `states`."""

    states: tuple[AgentState, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitCode:
    """The command's exit status was observed and is one of `codes`."""

    codes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleFor:
    """The pane has printed nothing for `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf:
    """At least one holds."""

    of: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AllOf:
    """All hold."""

    of: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """It does not hold. Unknown stays unknown."""

    of: Condition


Condition = LogRegex | SentryEvent | ExternalStatus | AgentStateIs | ExitCode | IdleFor | AnyOf | AllOf | Not

# ------------------------------------------------------------------------ triggers


@dataclass(frozen=True, slots=True, kw_only=True)
class AfterStages:
    """All of `stages` ended: with success, or (`outcome="failure"`) failed, timed out or rejected."""

    stages: tuple[str, ...]
    outcome: Literal["success", "failure"] = "success"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnSignal:
    """A SENTRY event that matches `event` arrives while the Run is open."""

    event: SentryEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class OnState:
    """The agent enters one of `states`."""

    states: tuple[AgentState, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manual:
    """Only `tmux-sentry stage start RUN STAGE` makes the stage ready."""


Trigger = AfterStages | OnSignal | OnState | Manual

# ------------------------------------------------------------------------ pipelines


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """When nobody has decided `after` so many seconds: who else is told, and (of an approval) who else may decide."""

    after: float
    channels: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalSpec:
    """How a person is asked before a stage's actions."""

    timeout: float = 86400.0
    approvers: tuple[str, ...] = ()
    risk: str = "normal"
    on_timeout: Literal["hold", "reject"] = "hold"
    remind_after: float | None = None
    required: int = 1  # how many different people must say yes
    any_reject: bool = True  # one no is enough
    reason: str = ""  # shown with the question
    escalate: Escalation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRule:
    """What to do when the agent waits with a dialog. `answer`: by itself for the commands of `allow`, else `otherwise`.

    At most `max_count` answers in an attempt, and none later than `within` seconds after its first action.
    """

    otherwise: Literal["ask", "notify", "ignore"] = "notify"
    answer: Literal["approve", "reject"] | None = None
    allow: tuple[Allowed, ...] = ()
    max_count: int = 20
    within: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRule:
    """What to do when the agent is at its usage limit. `resume`: type `message` `slack` seconds after its reset time.

    After `max_tries` in vain a person has to see to it, as for a limit that lasts longer than `max_wait` seconds, or
    of which no end is known and `retry_every` (seconds between the tries then) is None.
    """

    resume: bool = False
    message: str = "continue"
    max_tries: int = 3
    slack: float = 60.0
    max_wait: float = 691200.0
    retry_every: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of a pipeline."""

    name: str
    triggers: tuple[Trigger, ...] = ()
    require_approval: ApprovalSpec | None = None
    actions_on_start: tuple[Action, ...] = ()
    success_when: tuple[Condition, ...] = ()  # all
    failure_when: tuple[Condition, ...] = ()  # any
    timeout: float = 1800.0
    retries: int = 0
    retry_delay: float = 0.0
    on_success: tuple[Action, ...] = ()
    on_failure: tuple[Action, ...] = ()
    on_timeout: tuple[Action, ...] | None = None  # None: on_failure
    min_confidence: float = 0.8
    min_trust: Trust = Trust.PRINTED
    on_prompt: PromptRule = PromptRule()
    on_limit: LimitRule = LimitRule()


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which panes a pipeline takes: RE2 patterns, searched; every given one must match."""

    host: str | None = None
    session_name: str | None = None
    window_name: str | None = None
    pane_title: str | None = None
    pane_index: str | None = None
    command: str | None = None
    path: str | None = None
    agent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Stages for the panes that match.

    `source` is the pipeline as the file has it (plain JSON types), from which it can be built again;
    `digest` is the sha256 (hex) of its canonical JSON.
    """

    name: str
    match: Match
    stages: tuple[Stage, ...]
    panes: Literal["one", "each"] = "one"
    rerun: Literal["never", "on_signal", "on_idle"] = "never"
    vars: Mapping[str, str] = field(default_factory=dict)
    allow_env: tuple[str, ...] = ()
    on_prompt: PromptRule = PromptRule()  # while no stage is active
    on_limit: LimitRule = LimitRule()  # the same
    min_confidence: float = 0.8  # the same
    digest: str = ""
    source: Mapping[str, Any] = field(default_factory=dict)

    def stage(self, name: str) -> Stage | None:
        """The stage of that name, if there is one."""
        return next((stage for stage in self.stages if stage.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which messages go to which channels; empty means all of them."""

    channels: tuple[str, ...]
    min_level: Level = Level.INFO
    events: tuple[str, ...] = ()  # this and the next two: shell patterns
    pipelines: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    include_output: bool = False  # of the pane, its last lines
    quiet_hours: str = ""  # "22:00-07:00"
    repeat: float | None = None  # seconds
    escalate: Escalation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All pipelines of all policy files, in file order."""

    pipelines: tuple[Pipeline, ...] = ()
    routes: tuple[Route, ...] = ()
    timezone: str | None = None
    required_plugins: tuple[str, ...] = ()

    def pipeline(self, name: str) -> Pipeline | None:
        """The pipeline of that name, if there is one."""
        return next((pipeline for pipeline in self.pipelines if pipeline.name == name), None)
