"""A validated pipeline's plain JSON to the model, every default filled in. Pure: no YAML, no files, no plugins."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from tmux_sentry.config.formats import parse_duration
from tmux_sentry.contracts import AgentState, Level, Trust
from tmux_sentry.policy.allowed import Allowed, parse_allowed
from tmux_sentry.policy.model import (
    Action,
    AfterStages,
    AgentStateIs,
    AllOf,
    AnyOf,
    ApprovalSpec,
    Condition,
    Escalation,
    ExitCode,
    ExternalCheck,
    ExternalStatus,
    IdleFor,
    LimitRule,
    LogRegex,
    Manual,
    Match,
    Not,
    NotifyAction,
    OnSignal,
    OnState,
    Pipeline,
    PromptRule,
    Route,
    SendKeys,
    SentryEvent,
    Stage,
    Trigger,
    WaitAction,
)

#: Seconds that a stage may take where nothing else is said.
TIMEOUT = 1800
_WAIT_IDLE = 300.0
_ESCALATE = 600.0


def digest(value: Any) -> str:
    """The sha256 (hex) of the canonical JSON of `value`."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def build_pipeline(source: Mapping[str, Any], written: Mapping[str, Any] | None = None) -> Pipeline:
    """The Pipeline of a validated `source`. `written` is the same with its encrypted values still encrypted.

    `Pipeline.source` is what was written; opened, it builds the same Pipeline again. The digest is that of the opened
    one: another key changes nothing of what a person approved.
    """
    return Pipeline(
        name=source["name"],
        match=_match(source["match"]),
        stages=tuple(_stage(stage, source) for stage in source["stages"]),
        panes=source.get("panes", "one"),
        rerun=source.get("rerun", "never"),
        vars={name: str(value) for name, value in source.get("vars", {}).items()},
        allow_env=tuple(source.get("allow_env", ())),
        on_prompt=_on_prompt(source.get("on_prompt", "notify")),
        on_limit=_on_limit(source.get("on_limit")),
        min_confidence=float(source.get("min_confidence", 0.8)),
        digest=digest(source),
        source=source if written is None else written,
    )


def build_route(source: Mapping[str, Any]) -> Route:
    """A notification route."""
    return Route(
        channels=tuple(source["channels"]),
        min_level=level(source.get("min_level", source.get("level", "info"))),
        events=tuple(source.get("events", ())),
        pipelines=tuple(source.get("pipelines", ())),
        hosts=tuple(source.get("hosts", ())),
        include_output=source.get("include_output", False),
        quiet_hours=source.get("quiet_hours", ""),
        repeat=parse_duration(source["repeat_interval"]) if "repeat_interval" in source else None,
        escalate=_escalation(source.get("escalate")),
    )


def _match(source: Mapping[str, Any]) -> Match:
    index = source.get("pane_index")
    exact = {"pane_index": f"^{index}$"} if isinstance(index, int) else {}
    return Match(**{**source, **exact})


def _stage(source: Mapping[str, Any], pipeline: Mapping[str, Any]) -> Stage:
    def bar(key: str, default: Any) -> Any:
        return source.get(key, pipeline.get(key, default))

    on_timeout = source.get("on_timeout")
    return Stage(
        name=source["name"],
        triggers=tuple(_trigger(trigger) for trigger in source.get("triggers", ())),
        require_approval=_approval(source.get("require_approval", False)),
        actions_on_start=_actions(source.get("actions_on_start", ())),
        success_when=_conditions(source.get("success_when", ())),
        failure_when=_conditions(source.get("failure_when", ())),
        timeout=parse_duration(source.get("timeout", TIMEOUT)),
        retries=source.get("retries", 0),
        retry_delay=parse_duration(source.get("retry_delay", 0)),
        on_success=_actions(source.get("on_success", ())),
        on_failure=_actions(source.get("on_failure", ())),
        on_timeout=None if on_timeout is None else _actions(on_timeout),
        min_confidence=float(bar("min_confidence", 0.8)),
        min_trust=Trust[bar("min_trust", "printed").upper()],
        on_prompt=_on_prompt(bar("on_prompt", "notify")),
        on_limit=_on_limit(bar("on_limit", None)),
    )


def _on_prompt(source: str | Mapping[str, Any]) -> PromptRule:
    if not isinstance(source, Mapping):
        return PromptRule(otherwise=source)  # type: ignore[arg-type]  # the schema knows the words
    return PromptRule(
        answer=source["answer"],
        allow=tuple(_allowed(source["allow"])),
        otherwise=source.get("otherwise", "ask"),
        max_count=source.get("max_count", 20),
        within=parse_duration(source.get("within", 3600)),
    )


def _on_limit(source: Mapping[str, Any] | None) -> LimitRule:
    if source is None:
        return LimitRule()
    retry = source.get("retry_every")
    return LimitRule(
        resume=source["resume"],
        message=source.get("message", "continue"),
        max_tries=source.get("max_tries", 3),
        slack=parse_duration(source.get("slack", 60)),
        max_wait=parse_duration(source.get("max_wait", "8d")),
        retry_every=None if retry is None else parse_duration(retry),
    )


def _allowed(entries: Iterable[str]) -> Iterator[Allowed]:
    """`check` refuses an entry that no command can match; in the policy of an old Run it matches none."""
    for entry in entries:
        with suppress(ValueError):
            yield parse_allowed(entry)


def _approval(source: bool | Mapping[str, Any]) -> ApprovalSpec | None:
    if source is False:
        return None
    if source is True:
        return ApprovalSpec()
    remind = source.get("remind_after")
    return ApprovalSpec(
        timeout=parse_duration(source.get("timeout", 86400)),
        approvers=tuple(source.get("approvers", ())),
        risk=source.get("risk", "normal"),
        on_timeout=source.get("on_timeout", "hold"),
        remind_after=None if remind is None else parse_duration(remind),
        required=source.get("required", 1),
        any_reject=source.get("any_reject", True),
        reason=source.get("reason", ""),
        escalate=_escalation(source.get("escalate")),
    )


def _escalation(source: Mapping[str, Any] | None) -> Escalation | None:
    if source is None:
        return None
    return Escalation(
        after=parse_duration(source.get("after", _ESCALATE)),
        channels=tuple(source.get("channels", ())),
        approvers=tuple(source.get("approvers", ())),
    )


def _trigger(source: str | Mapping[str, Any]) -> Trigger:
    if isinstance(source, str):
        return Manual()
    kind, value = next(iter(source.items()))
    if kind == "after_stage_success":
        return AfterStages(stages=_words(value))
    if kind == "after_stage_failure":
        return AfterStages(stages=_words(value), outcome="failure")
    if kind == "on_signal":
        return OnSignal(event=SentryEvent(**value))
    if kind == "on_state":
        return OnState(states=_states(value))
    return Manual()


def _actions(source: Sequence[Mapping[str, Any]]) -> tuple[Action, ...]:
    return tuple(_action(*next(iter(action.items()))) for action in source)


def _action(kind: str, value: Any) -> Action:
    if kind == "send_keys":
        return _send(value)
    if kind == "external_check":
        return build_check(value)
    if kind == "notify":
        return _notify(value)
    return WaitAction(seconds=parse_duration(value))


def _send(source: str | Mapping[str, Any]) -> SendKeys:
    if isinstance(source, str):
        return SendKeys(text=source)
    wait = source.get("wait_idle", True)
    keys = tuple(source.get("keys", ()))
    untrusted = source.get("untrusted")
    return SendKeys(
        text=source.get("text", ""),
        keys=keys,
        enter=source.get("enter", True) and not keys,
        wait_idle=(_WAIT_IDLE if wait else 0.0) if isinstance(wait, bool) else parse_duration(wait),
        report_exit=source.get("report_exit", False),
        untrusted=untrusted["max_chars"] if untrusted else None,
    )


def build_check(source: Mapping[str, Any]) -> ExternalCheck:
    """An `external_check` action that the schema has accepted."""
    max_wait = source.get("max_wait")
    return ExternalCheck(
        type=source["type"],
        config={key: value for key, value in source.items() if key not in ("type", "max_wait", "accept_rerun")},
        max_wait=None if max_wait is None else parse_duration(max_wait),
        accept_rerun=parse_duration(source.get("accept_rerun", 0)),
    )


def _notify(source: str | Mapping[str, Any]) -> NotifyAction:
    if isinstance(source, str):
        return NotifyAction(message=source)
    return NotifyAction(
        message=source["message"],
        title=source.get("title", ""),
        level=level(source.get("level", "info")),
        channels=tuple(source.get("channels", ())),
        include_output=source.get("include_output", False),
    )


def _conditions(source: Sequence[Mapping[str, Any]]) -> tuple[Condition, ...]:
    return tuple(_condition(condition) for condition in source)


def _condition(source: Mapping[str, Any]) -> Condition:
    kind, value = next(iter(source.items()))
    if kind == "log_regex":
        return LogRegex(pattern=value) if isinstance(value, str) else LogRegex(**value)
    if kind == "sentry":
        return SentryEvent(**value)
    if kind == "external_status":
        return ExternalStatus(status=value)
    if kind == "agent_state":
        return AgentStateIs(states=_states(value))
    if kind == "exit_code":
        return ExitCode(codes=(value,) if isinstance(value, int) else tuple(value))
    if kind == "idle_for":
        return IdleFor(seconds=parse_duration(value))
    if kind == "any_of":
        return AnyOf(of=_conditions(value))
    if kind == "all_of":
        return AllOf(of=_conditions(value))
    return Not(of=_condition(value))


def _words(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _states(value: str | Sequence[str]) -> tuple[AgentState, ...]:
    return tuple(AgentState(word) for word in _words(value))


def level(word: str) -> Level:
    """The level of a word of the policy. Raises KeyError."""
    return Level.ERROR if word == "failure" else Level[word.upper()]
