"""What a schema cannot say about a policy: names, triggers, variables, actions that do not fit. Errors only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tmux_sentry.approvals.names import folded
from tmux_sentry.config.source import Where, dotted
from tmux_sentry.policy.allowed import parse_allowed
from tmux_sentry.policy.graph import check_triggers
from tmux_sentry.policy.plugins import RegistryView, missing_plugin
from tmux_sentry.policy.shape import (
    Finding,
    Named,
    items,
    mapping,
    named,
    stage_actions,
    stage_conditions,
    words,
)
from tmux_sentry.policy.variables import OUTSIDE, OWN, check_text
from tmux_sentry.security.sanitize import clean

MAX_CONDITION_DEPTH = 8
#: Keys of an external_check that are no business of its checker.
OURS = frozenset({"type", "max_wait", "accept_rerun"})
_SEND_WITH_KEYS = ("wait_idle", "keys")


def check_policy(policy: Any, line_of: Callable[[Where], int]) -> Iterator[Finding]:
    """Every finding of one file; `line_of` tells the line of a place, to name the first of two."""
    top = mapping(policy)
    pipelines = named(top.get("pipelines"), ("pipelines",))
    yield from _duplicates(pipelines, "pipeline", line_of)
    for pipeline in pipelines:
        stages = named(pipeline.body.get("stages"), (*pipeline.where, "stages"))
        yield from _duplicates(stages, "stage", line_of)
        yield from check_triggers(stages)
        yield from _check_prompt((*pipeline.where, "on_prompt"), mapping(pipeline.body.get("on_prompt")))
        own = _own_variables(pipeline.body)
        yield from _check_limit((*pipeline.where, "on_limit"), mapping(pipeline.body.get("on_limit")), own)
        for stage in stages:
            yield from _check_stage(stage, own)
    for where, route in items(top.get("notifications"), ("notifications",)):
        if {"level", "min_level"} <= set(mapping(route)):
            yield Finding(
                where=(*where, "level"), what="level and min_level mean the same; write one of them", key=True
            )


def check_required(policy: Any, view: RegistryView, installed: Collection[str]) -> Iterator[Finding]:
    """A finding for each of `required_plugins` that is not there."""
    for where, wanted in items(mapping(policy).get("required_plugins"), ("required_plugins",)):
        help = missing_plugin(view, wanted, installed) if isinstance(wanted, str) else ""
        if help:
            yield Finding(where=where, what=f"the required plugin '{clean(wanted, 60)}' is not there", help=help)


def check_actions(policy: Any, view: RegistryView, wrong: Collection[str]) -> Iterator[Finding]:
    """What the checkers themselves find wrong with actions that their schema takes; `wrong` are the places, as
    diagnostics have them, where a schema does not."""
    for pipeline in named(mapping(policy).get("pipelines"), ("pipelines",)):
        for stage in named(pipeline.body.get("stages"), (*pipeline.where, "stages")):
            for _, where, kind, value in stage_actions(stage):
                here = dotted(where)
                sound = not any(one == here or one.startswith((f"{here}.", f"{here}[")) for one in wrong)
                if kind == "external_check" and sound and isinstance(name := mapping(value).get("type"), str):
                    config = {key: item for key, item in value.items() if key not in OURS}
                    for key, what in view.mistakes(name, config):
                        yield Finding(where=(*where, key) if key in config else where, what=what)


def _duplicates(found: Sequence[Named], kind: str, line_of: Callable[[Where], int]) -> Iterator[Finding]:
    first: dict[str, Where] = {}
    for one in found:
        place = (*one.where, "name")
        if one.name in first:
            yield Finding(
                where=place, what=f"a second {kind} is named '{one.name}' (first in line {line_of(first[one.name])})"
            )
        first.setdefault(one.name, place)


def _own_variables(pipeline: Mapping[str, Any]) -> frozenset[str]:
    """Variables that may be typed: ours, the pipeline's, and the allowed environment's."""
    declared = {f"vars.{name}" for name in mapping(pipeline.get("vars"))}
    return OWN | declared | {f"env.{name}" for name in words(pipeline.get("allow_env"))}


def _check_stage(stage: Named, own: Collection[str]) -> Iterator[Finding]:
    checks = 0
    for actions, where, kind, value in stage_actions(stage):
        if kind == "send_keys":
            yield from _check_send(where, value, own)
        elif kind == "notify":
            texts = (
                {"": value}
                if isinstance(value, str)
                else {key: mapping(value).get(key) for key in ("title", "message")}
            )
            for key, text in texts.items():
                yield from _check_text((*where, key) if key else where, text, own, OUTSIDE)
        elif kind == "external_check":
            checks += actions == "actions_on_start"
            if actions != "actions_on_start":
                what = f"nothing waits for a check in {actions}; it belongs in actions_on_start"
                yield Finding(where=where, what=what, key=True)
            yield from _check_strings(where, value, own)
    yield from _check_approval((*stage.where, "require_approval"), mapping(stage.body.get("require_approval")))
    yield from _check_prompt((*stage.where, "on_prompt"), mapping(stage.body.get("on_prompt")))
    yield from _check_limit((*stage.where, "on_limit"), mapping(stage.body.get("on_limit")), own)
    if checks > 1:
        yield Finding(where=(*stage.where, "actions_on_start"), what="a stage has at most one external_check", key=True)
    for where, kind, _, depth in stage_conditions(stage):
        if depth == MAX_CONDITION_DEPTH + 1:
            yield Finding(where=where, what=f"conditions nest at most {MAX_CONDITION_DEPTH} deep", key=True)
        if kind == "external_status" and not checks:
            help = "add an external_check to actions_on_start"
            yield Finding(where=where, what="the stage has no external_check that could say so", help=help, key=True)


def _check_approval(where: Where, approval: Mapping[str, Any]) -> Iterator[Finding]:
    """That a yes is possible at all."""
    required, second = approval.get("required", 1), words(mapping(approval.get("escalate")).get("approvers"))
    people = {folded(name) for name in (*words(approval.get("approvers")), *second)}
    if approval.get("approvers") and isinstance(required, int) and required > len(people):
        what = f"{required} different people must say yes, and only {len(people)} may"
        yield Finding(where=(*where, "required"), what=what)
    if second and not approval.get("approvers"):
        what = "anybody may decide from the beginning; name the approvers who are asked first"
        yield Finding(where=(*where, "escalate", "approvers"), what=what, key=True)


def _check_prompt(where: Where, rule: Mapping[str, Any]) -> Iterator[Finding]:
    """That each entry of the list can match a command."""
    for place, entry in items(rule.get("allow"), (*where, "allow")):
        try:
            parse_allowed(str(entry))
        except ValueError as error:
            help = "write the words of one plain command, with ... behind them for any further arguments"
            yield Finding(where=place, what=f"no command can match this: {error}", help=help)


def _check_limit(where: Where, rule: Mapping[str, Any], own: Collection[str]) -> Iterator[Finding]:
    """The variables of the message: nothing from outside is typed after a limit."""
    for found in _check_text((*where, "message"), rule.get("message"), own, ()):
        yield replace(found, help="") if "untrusted" in found.help else found


def _check_send(where: Where, value: Any, own: Collection[str]) -> Iterator[Finding]:
    if isinstance(value, str):
        yield from _check_text(where, value, own, ())
        return
    send = mapping(value)
    if ("text" in send) == ("keys" in send):
        yield Finding(where=where, what="needs either text or keys", help="text is typed, keys are pressed", key=True)
    elif "keys" in send:
        for key in send:
            if key not in _SEND_WITH_KEYS:
                yield Finding(where=(*where, key), what=f"'{key[:60]}' goes with text, not with keys", key=True)
    elif send.get("report_exit") is True and send.get("enter") is False:
        yield Finding(where=(*where, "report_exit"), what="there is no exit status without Enter", key=True)
    yield from _check_text((*where, "text"), send.get("text"), own, OUTSIDE if "untrusted" in send else ())


def _check_text(where: Where, text: Any, own: Collection[str], outside: Collection[str]) -> Iterator[Finding]:
    if isinstance(text, str):
        yield from (Finding(where=where, what=what, help=help) for what, help in check_text(text, own, outside))


def _check_strings(where: Where, value: Any, own: Collection[str]) -> Iterator[Finding]:
    """Variables in every text of a check's configuration."""
    yield from _check_text(where, value, own, ())
    for place, inner in items(value, where):
        yield from _check_strings(place, inner, own)
    for key, inner in mapping(value).items():
        yield from _check_strings((*where, key), inner, own)
