"""Starts a workflow exactly once: what was sent is on disk before it is sent, and an answer that is lost stays lost."""

from __future__ import annotations

import json
from typing import Any

from tmux_sentry import Answer, AnswerLost, CheckRequest, NotSent
from tmux_sentry_check_github import wire
from tmux_sentry_check_github.api import Api, Trouble
from tmux_sentry_check_github.memo import NO_ID
from tmux_sentry_check_github.memory import ACCEPTED, NOT_SENT, SENT, Memory, write
from tmux_sentry_check_github.wanted import Wanted

_DETAILS = "return_run_details"


def dispatch(api: Api, wanted: Wanted, request: CheckRequest, memory: Memory) -> Memory:
    """Send the dispatch, unless it may have been sent before; what is known then.

    With `run_id` the run is known; SENT without one: it may have been started, or not. Raises Trouble where it
    certainly was not, and may be tried again.
    """
    if memory.dispatch in (SENT, ACCEPTED):
        return memory
    if not api.token:
        raise Trouble("dispatch needs GITHUB_TOKEN (permission Actions: write)")
    if request.id == NO_ID:
        raise Trouble("a question without an id starts nothing: it would start it each time")
    ref = wanted.ref or api.get(wanted.url(""), _default_branch, f"the repository {wanted.repository}").data
    memory = _send(api, wanted, request, memory, ref)
    # A GitHub Enterprise Server from before the parameter refuses it by its name; that request has started nothing.
    return _send(api, wanted, request, memory, ref) if memory.dispatch == NOT_SENT else memory


def _send(api: Api, wanted: Wanted, request: CheckRequest, memory: Memory, ref: str) -> Memory:
    """Send it; NOT_SENT comes back only where the same without `return_run_details` may be taken. Raises Trouble."""
    details = {} if memory.plain else {_DETAILS: True}
    body = json.dumps({"ref": ref, "inputs": dict(wanted.inputs), **details}).encode()
    url = wanted.url(f"actions/workflows/{wanted.workflow_key}/dispatches")
    memory = write(request, memory, dispatch=SENT, at=api.now)
    try:
        answer = api.send("POST", url, headers={"Content-Type": "application/json"}, body=body)
    except NotSent as error:
        write(request, memory, dispatch=NOT_SENT)
        raise Trouble(f"not dispatched: {error}") from None
    except AnswerLost:
        return memory
    except Trouble as trouble:
        if trouble.refused:
            write(request, memory, dispatch=NOT_SENT)
            raise Trouble(f"not dispatched: {trouble.detail}", trouble.next_in) from None
        return memory
    if 200 <= answer.status < 300:
        return _accepted(request, memory, answer)
    refusal = api.refusal(answer, f"the dispatch of {wanted.workflow} at {ref}")
    if not refusal.refused:  # 5xx: it may have been started before something broke
        return memory
    if answer.status in (400, 422) and not memory.plain and _DETAILS.encode() in answer.body:
        return write(request, memory, dispatch=NOT_SENT, plain=True)
    write(request, memory, dispatch=NOT_SENT)
    raise Trouble(f"not dispatched: {refusal.detail}", refusal.next_in or 60.0)


def _accepted(request: CheckRequest, memory: Memory, answer: Answer) -> Memory:
    """200 names the run, 204 does not; anything else is no answer of GitHub's, and may be a page of some proxy."""
    data = answer.json() if answer.body else None
    run_id = wire.whole(data, "workflow_run_id") if isinstance(data, dict) else 0
    if run_id:
        return write(request, memory, dispatch=ACCEPTED, run_id=run_id, sure=True)
    return write(request, memory, dispatch=ACCEPTED) if answer.status == 204 else memory


def _default_branch(data: Any) -> str | None:
    return (wire.text(data, "default_branch") or None) if isinstance(data, dict) else None
