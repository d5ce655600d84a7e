"""Warnings: what is valid and may still not do what its author thinks."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from tmux_sentry.config.backtracking import TooSlow, search_bounded
from tmux_sentry.config.diagnostics import did_you_mean
from tmux_sentry.config.formats import parse_duration
from tmux_sentry.config.regex import compile_regex
from tmux_sentry.contracts import AgentState
from tmux_sentry.policy.allowed import parse_allowed
from tmux_sentry.policy.build import TIMEOUT
from tmux_sentry.policy.model import ApprovalSpec
from tmux_sentry.policy.shape import Finding, Named, items, mapping, named, stage_actions, stage_conditions
from tmux_sentry.policy.variables import is_outside, variables

EVENT_TYPES = ("STATUS", "PROGRESS", "STATE", "ASK", "ERROR", "DONE")
#: Programs that run what their arguments say: to allow any arguments is to allow anything.
_RUNNERS = frozenset(
    {"bash", "bun", "dash", "deno", "doas", "env", "eval", "exec", "find", "fish", "ksh", "node", "nohup", "perl"}
    | {"php", "python", "python3", "ruby", "sh", "ssh", "sudo", "time", "timeout", "xargs", "zsh"}
)
#: What people are told of; `agent.` is followed by each state.
EVENTS = (
    *(f"stage.{word}" for word in ("succeeded", "failed", "timed_out", "rejected", "held", "resumed")),
    *(f"run.{word}" for word in ("succeeded", "failed", "cancelled")),
    *(
        f"approval.{word}"
        for word in ("asked", "reminder", "escalated", "timeout", "voted", "approved", "rejected", "closed")
    ),
    *(f"check.{word}" for word in ("needs_attention", "failed", "unknown")),
    *(f"agent.{state.value}" for state in AgentState),
    "agent.prompt",
    "limit.reached",
    *(f"channel.{word}" for word in ("off", "failing", "recovered")),
    "policy.notify",
    "database.restored",
    "quarantined",
)


def advise(policy: Mapping[str, Any], env: Mapping[str, str]) -> Iterator[Finding]:
    """Warnings about one valid file."""
    for index, route in enumerate(policy.get("notifications", ())):
        for number, pattern in enumerate(route.get("events", ())):
            if not any(fnmatchcase(name, pattern) for name in EVENTS):
                yield _warn(
                    ("notifications", index, "events", number),
                    f"no event is named '{pattern[:40]}'",
                    did_you_mean(pattern, EVENTS) or "",
                )
    for pipeline in named(policy.get("pipelines"), ("pipelines",)):
        yield from _unsaid(pipeline)
        yield from _broad(pipeline)
        for index, name in enumerate(pipeline.body.get("allow_env", ())):
            if name not in env:
                yield _warn(
                    (*pipeline.where, "allow_env", index),
                    f"{name} is not set here",
                    "a stage that uses it cannot start without it",
                )
        for stage in named(pipeline.body["stages"], (*pipeline.where, "stages")):
            yield from _unsaid(stage)
            yield from _broad(stage)
            yield from _conditions(stage, agent="agent" in pipeline.body["match"])
            yield from _decided(stage)
            yield from _times(stage)
            yield from _asked(stage)
            yield from _untrusted(stage, agent="agent" in pipeline.body["match"])


def _unsaid(owner: Named) -> Iterator[Finding]:
    rule = mapping(owner.body.get("on_limit"))
    if rule.get("resume") is False and len(rule) > 1:
        yield _warn((*owner.where, "on_limit", "resume"), "with resume: false nothing is typed, whatever else it says")


def _broad(owner: Named) -> Iterator[Finding]:
    for place, entry in items(mapping(owner.body.get("on_prompt")).get("allow"), (*owner.where, "on_prompt", "allow")):
        allowed = parse_allowed(entry)
        program = posixpath.basename(allowed.words[0])
        if allowed.more and program in _RUNNERS and all(word.startswith("-") for word in allowed.words[1:]):
            yield _warn(place, f"with any arguments {program} runs anything", "write the whole command without ...")


def _conditions(stage: Named, agent: bool) -> Iterator[Finding]:
    reported = _reports_exit(stage)
    for where, kind, value, _ in stage_conditions(stage):
        if kind == "log_regex" and agent:
            yield _warn(
                where,
                "an agent redraws its screen and rewraps text, so a log_regex may miss or repeat",
                _SENTRY,
                key=True,
            )
        if kind == "log_regex" and _matches_nothing(value):
            yield _warn(where, "matches an empty line, so any output will do")
        if kind == "exit_code" and not reported:
            yield _warn(
                where,
                "the exit status may not be observable",
                "write send_keys: {text: ..., report_exit: true}",
                key=True,
            )
        if kind == "sentry" and value.get("type", "STATUS") not in EVENT_TYPES:
            near = did_you_mean(value["type"], EVENT_TYPES)
            if near:
                yield _warn((*where, "type"), f"no event of ours has the type '{value['type'][:40]}'", near)


def _matches_nothing(value: str | Mapping[str, str]) -> bool:
    """Whether a valid pattern matches an empty line."""
    if isinstance(value, str):
        return compile_regex(value).search("") is not None
    if value.get("engine") != "regex":
        return compile_regex(value["pattern"]).search("") is not None
    try:
        return search_bounded(value["pattern"], "")
    except TooSlow:
        return False


_SENTRY = "have the agent print a SENTRY STATUS instead"


def _decided(stage: Named) -> Iterator[Finding]:
    kinds = {kind for _, _, kind, _ in stage_actions(stage)}
    if not stage.body.get("success_when") and not _reports_exit(stage):
        what = "no success_when: decided by a SENTRY STATUS (or an observed exit status); otherwise it times out"
        yield _warn((*stage.where, "name"), what)
    elif "external_check" in kinds and not any(kind == "external_status" for _, kind, _, _ in stage_conditions(stage)):
        yield _warn(
            (*stage.where, "name"),
            "the check's success decides nothing here",
            "add external_status: success to success_when",
        )


def _times(stage: Named) -> Iterator[Finding]:
    timeout = parse_duration(stage.body.get("timeout", TIMEOUT))
    for _, where, kind, value in stage_actions(stage):
        check = mapping(value)
        if kind != "external_check" or "max_wait" not in check:
            continue
        longest = parse_duration(check["max_wait"])
        if longest > timeout:
            what = f"the stage's timeout, {timeout:g} s, is over before it"
            yield _warn((*where, "max_wait"), what, "set the stage's timeout too")
        if parse_duration(check.get("accept_rerun", 0)) > longest:
            yield _warn((*where, "accept_rerun"), "longer than max_wait, which ends the time for a re-run too")


def _asked(stage: Named) -> Iterator[Finding]:
    """An approval whose voices may be one person's, or whose reminder or second group comes too late."""
    where, spec = (*stage.where, "require_approval"), mapping(stage.body.get("require_approval"))
    if spec.get("required", 1) > 1 and "approvers" not in spec:
        what = "without approvers they may be one person, by a link and at the terminal"
        yield _warn((*where, "required"), what, "name the approvers, each person by one name")
    timeout = parse_duration(spec.get("timeout", ApprovalSpec().timeout))
    late = {
        ("remind_after",): spec.get("remind_after"),
        ("escalate", "after"): mapping(spec.get("escalate")).get("after"),
    }
    for place, after in late.items():
        if after is not None and parse_duration(after) >= timeout:
            what = f"not before the approval's timeout, {timeout:g} s"
            yield _warn((*where, *place), what, "make it shorter than the timeout")


def _untrusted(stage: Named, agent: bool) -> Iterator[Finding]:
    for _, where, kind, value in stage_actions(stage):
        send = mapping(value)
        if kind == "send_keys" and not agent and any(is_outside(name) for name in variables(send.get("text", ""))):
            what = "text from outside is typed into a pane that may be a shell, which would run it"
            yield _warn((*where, "text"), what, "add agent: to the pipeline's match")


def _reports_exit(stage: Named) -> bool:
    return any(
        mapping(value).get("report_exit") is True for _, _, kind, value in stage_actions(stage) if kind == "send_keys"
    )


def _warn(where: tuple[str | int, ...], what: str, help: str = "", key: bool = False) -> Finding:
    return Finding(where=where, what=what, help=help, key=key, warning=True)
