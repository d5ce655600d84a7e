"""The check `http`: asks a URL, and says what the answer means."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tmux_sentry import Answer, CheckRequest, CheckResult, CheckStatus, HttpError, clean
from tmux_sentry_check_http import belonging, expressions
from tmux_sentry_check_http.addresses import Resolve, resolve
from tmux_sentry_check_http.expressions import BadExpression
from tmux_sentry_check_http.fetch import NotFollowed, fetch, target
from tmux_sentry_check_http.http_config import Action, BadAction, shown
from tmux_sentry_check_http.reading import NotJson, read_json
from tmux_sentry_check_http.verdict import Verdict

#: What to do about a status that is not the expected one.
_ADVICE = {
    401: "the service wants a token: set headers",
    403: "the token in headers may not read this",
    404: "not there, or not for this token: is the url right?",
    405: "the service does not take this method",
    429: "too many requests: it is asked again when the service says",
}
#: Characters of a service's own words.
_WORDS = 300


class HttpChecker:
    """Keeps nothing between two questions but what is remembered; so any number may be asked at once."""

    def __init__(self, resolve: Resolve = resolve) -> None:
        self._resolve = resolve

    def check(self, request: CheckRequest) -> CheckResult:
        try:
            action = Action.of(request.config)
        except (BadAction, BadExpression) as error:
            return CheckResult(status=CheckStatus.UNKNOWN, detail=clean(f"{error}; correct the policy"))
        result, known = self._asked(action, request)
        if action.consecutive > 1:
            result, hits = _counted(result, action.consecutive, request.memory)
            known = {**known, **hits}
        if known != request.memory:
            request.remember(known)
        return replace(result, url=shown(action.url))

    def _asked(self, action: Action, request: CheckRequest) -> tuple[CheckResult, Mapping[str, Any]]:
        """What the service says, and what is known of what it says it about."""
        answer = self._fetched(action, request)
        if isinstance(answer, CheckResult):
            return answer, belonging.known(action, request.memory)
        return judged(action, answer, request)

    def _fetched(self, action: Action, request: CheckRequest) -> Answer | CheckResult:
        """An answer with a good status, or why there is none."""
        if action.ca_file:
            action = replace(action, ca_file=os.path.expanduser(action.ca_file))
            if "\x00" in action.ca_file or not os.access(action.ca_file, os.R_OK):
                return _unknown("ca_file cannot be read: is the path right?")
        try:
            answer = fetch(action, self._resolve)
        except HttpError as error:
            return _unknown(f"no answer: {error}")
        except NotFollowed as error:
            return _unknown(str(error))
        if not action.takes(answer.status):
            why = _unexpected(_for_people(action, answer))
            return replace(_unknown(why), next_in=answer.retry_after(request.now) or None)
        return answer


def judged(action: Action, answer: Answer, request: CheckRequest) -> tuple[CheckResult, Mapping[str, Any]]:
    """What an answer with a good status means, and what to remember of what it is about."""
    data = _read(action, answer)
    if isinstance(data, CheckResult):
        return data, belonging.known(action, request.memory)
    verdict, known = belonging.judged(action, data, request)
    if verdict is not None:
        return CheckResult(status=verdict.status, detail=clean(verdict.why, _WORDS)), known
    verdict = action.conditions.decide(data)
    if action.conditions.none:
        verdict = Verdict(status=CheckStatus.SUCCESS, why=f"HTTP {answer.status}")
    detail, percent = _detail(action, data, verdict), _percent(action, data)
    return CheckResult(status=verdict.status, detail=detail, percent=percent), known


def _read(action: Action, answer: Answer) -> Any:
    """The JSON of an answer, None where there need not be any; a CheckResult where it cannot be read."""
    try:
        return read_json(answer.body)
    except NotJson as error:
        if action.any_body:
            return None
        if answer.cut:
            return _unknown(f"the answer is longer than {action.max_bytes} bytes: raise max_bytes")
        return _unknown(f"the answer is {error}: {_for_people(action, answer).words(100)}")


def _detail(action: Action, data: Any, verdict: Verdict) -> str:
    found = expressions.value(action.detail, data) if action.detail else None
    if isinstance(found, (int, float)):
        found = json.dumps(found)
    said = clean(action.masked(found), _WORDS) if isinstance(found, str) else ""
    why = clean(action.masked(verdict.why), _WORDS)
    if verdict.status is CheckStatus.UNKNOWN:  # why nobody can tell comes before what the service says
        return f"{why} ({said})" if said else why
    return said or why


def _percent(action: Action, data: Any) -> float | None:
    found = expressions.value(action.percent, data) if action.percent else None
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not 0 <= found <= 100:
        return None
    return float(found)


def _counted(result: CheckResult, wanted: int, memory: Mapping[str, Any]) -> tuple[CheckResult, Mapping[str, Any]]:
    """`result`, final only when it is the same for the last of `wanted` times in a row; and what to remember of it."""
    if not result.status.final:
        return result, {}
    hits = 1
    if memory.get("hit") == result.status.value:
        before = memory.get("count")
        hits += before if isinstance(before, int) and not isinstance(before, bool) and before > 0 else 0
    hit = {"hit": result.status.value, "count": min(hits, wanted)}
    if hits >= wanted:
        return result, hit
    detail = f"{result.status.value} {hits} of {wanted} times in a row: {result.detail}"
    return replace(result, status=CheckStatus.PENDING, detail=detail), hit


def _for_people(action: Action, answer: Answer) -> Answer:
    """The answer without our own secrets: a service may well repeat what it was sent."""
    return replace(answer, body=action.masked(answer.body.decode("utf-8", "replace")).encode())


def _unexpected(answer: Answer) -> str:
    if 300 <= answer.status < 400:
        host = target(answer.headers.get("location", ""))
        return f"HTTP {answer.status}: a redirect{f' to {host}' if host else ''}; `redirects` says how many to follow"
    advice = _ADVICE.get(answer.status, "")
    return answer.words(_WORDS) + (f" ({advice})" if advice else "")


def _unknown(why: str) -> CheckResult:
    return CheckResult(status=CheckStatus.UNKNOWN, detail=clean(why, 2 * _WORDS))
