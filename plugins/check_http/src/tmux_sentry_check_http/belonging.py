"""Whether an answer is about what the stage has done: by a time in it, or by a value that has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tmux_sentry import CheckRequest, CheckStatus, clean
from tmux_sentry_check_http import expressions
from tmux_sentry_check_http.http_config import Action
from tmux_sentry_check_http.moments import is_before, moment
from tmux_sentry_check_http.verdict import Verdict

#: What is remembered: of which question, the value at its first answer, and the time and the value of what it follows.
KEYS = ("about", "first", "since", "changed")


def known(action: Action, memory: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a check remembers of this question."""
    if not (action.since or action.changed) or memory.get("about") != _about(action):
        return {}
    return {key: memory[key] for key in KEYS if key in memory}


def judged(action: Action, data: Any, request: CheckRequest) -> tuple[Verdict | None, Mapping[str, Any]]:
    """Why an answer does not count (yet), None when it does; and what to remember."""
    if not (action.since or action.changed):
        return None, {}
    about = _about(action)
    now: dict[str, Any] = {"about": about, **known(action, request.memory)}
    none: Mapping[str, Any] = {}
    before = next((one for one in reversed(request.earlier) if one.get("about") == about), none)
    at, found = (expressions.value(text, data) if text else None for text in (action.since, action.changed))
    if found is not None and not isinstance(now.get("first"), str):
        now["first"] = _mark(found)
    for verdict in (
        _since(action, at, request.started_at, before) if action.since else None,
        _changed(action, found, now["first"] if found is not None else "", before) if action.changed else None,
    ):
        if verdict is not None:
            return verdict, now
    if action.since:
        now["since"] = moment(at)
    if action.changed:
        now["changed"] = _mark(found)
    return None, now


def _since(action: Action, value: Any, began: float, before: Mapping[str, Any]) -> Verdict | None:
    at, last = moment(value), before.get("since")
    if at is None:
        return _unknown(f"since: {_path(action.since)} is no time with a zone, and no epoch seconds")
    if is_before(at, began):
        return _pending(f"the answer is from before the stage began: {_path(action.since)} is {_text(action, value)}")
    if isinstance(last, (int, float)) and at <= last:
        return _pending(
            f"an earlier check of this run has followed it: {_path(action.since)} is {_text(action, value)}"
        )
    return None


def _changed(action: Action, value: Any, first: str, before: Mapping[str, Any]) -> Verdict | None:
    if value is None:
        return _unknown(f"changed: {_path(action.changed)} is missing or null")
    if _mark(value) == first:
        return _pending(f"{_path(action.changed)} is {_text(action, value)} as at the first answer")
    if _mark(value) == before.get("changed"):
        return _pending(
            f"an earlier check of this run has followed it: {_path(action.changed)} is {_text(action, value)}"
        )
    return None


def _about(action: Action) -> str:
    return _mark([action.url, action.since, action.changed])


def _mark(value: Any) -> str:
    """A value in few characters that tell nobody what it is."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def _path(text: str) -> str:
    return expressions.shown(expressions.read(text))


def _text(action: Action, value: Any) -> str:
    return clean(action.masked(value if isinstance(value, str) else json.dumps(value)), 60)


def _pending(why: str) -> Verdict:
    return Verdict(status=CheckStatus.PENDING, why=why)


def _unknown(why: str) -> Verdict:
    return Verdict(status=CheckStatus.UNKNOWN, why=why)
