"""What every payload that a real agent sent means, and that hostile ones mean nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmux_sentry.agent_hooks.agents import AGENTS
from tmux_sentry.agent_hooks.events import STATES, event_of

PAYLOADS = {
    found["agent"]: found["payloads"]
    for found in (json.loads(path.read_text()) for path in sorted(Path(__file__).parent.glob("payloads/*.json")))
}
TOUCH = "touch made-by-tool.txt && echo hello-from-tool && sleep 3"
#: (agent, payload) -> state, message.
EXPECTED: dict[tuple[str, str], tuple[str, str] | None] = {
    ("claude", "SessionStart"): ("idle", ""),
    ("claude", "SessionEnd"): ("exited", ""),
    ("claude", "UserPromptSubmit"): ("working", ""),
    ("claude", "PreToolUse"): ("working", ""),
    ("claude", "PermissionRequest"): ("waiting", f"Bash: {TOUCH}"),
    ("claude", "PostToolUse"): ("working", ""),
    ("claude", "Stop"): ("idle", ""),
    ("claude", "StopFailure"): ("error", "invalid_request: Prompt is too long"),
    ("claude", "Notification:idle_prompt"): ("idle", ""),
    ("claude", "Notification:permission_prompt"): ("waiting", "Claude needs your permission"),
    ("codex", "SessionStart"): ("idle", ""),
    ("codex", "SessionEnd"): ("exited", ""),
    ("codex", "UserPromptSubmit"): ("working", ""),
    ("codex", "PermissionRequest"): ("waiting", f"Bash: {TOUCH}"),
    ("codex", "PostToolUse"): ("working", ""),
    ("codex", "Stop"): ("idle", ""),
    ("gemini", "SessionStart"): ("idle", ""),
    ("gemini", "SessionEnd"): ("exited", ""),
    ("gemini", "BeforeAgent"): ("working", ""),
    ("gemini", "BeforeTool"): ("working", ""),
    ("gemini", "AfterTool"): ("working", ""),
    ("gemini", "Notification:ToolPermission"): (
        "waiting",
        f"Tool Confirm Shell Command requires execution: {TOUCH}",
    ),
    ("gemini", "AfterAgent"): ("idle", ""),
    ("qwen", "SessionStart"): ("idle", ""),
    ("qwen", "UserPromptSubmit"): ("working", ""),
    ("qwen", "PreToolUse"): ("working", ""),
    ("qwen", "PermissionRequest"): ("waiting", f"run_shell_command: {TOUCH}"),
    ("qwen", "Notification:permission_prompt"): (
        "waiting",
        "Qwen Code needs your permission to use run_shell_command",
    ),
    ("qwen", "Notification:idle_prompt"): ("idle", ""),
    ("qwen", "Stop"): ("idle", ""),
    ("qwen", "StopFailure"): ("error", "invalid_request: [API Error: 400 scripted bad request]"),
    ("opencode", 'session.status:"busy"'): ("working", ""),
    ("opencode", 'session.status:"idle"'): ("idle", ""),
    ("opencode", 'session.status:"retry"'): ("working", "scripted internal server error"),
    ("opencode", 'session.idle:""'): ("idle", ""),
    ("opencode", 'permission.asked:""'): ("waiting", f"bash: {TOUCH}"),
    ("opencode", 'permission.replied:""'): ("working", ""),
    ("opencode", 'question.asked:""'): ("waiting", "Which database should the project use?"),
    ("opencode", 'question.replied:""'): ("working", ""),
    ("opencode", 'session.error:""'): None,  # a person pressed Escape
}


def test_every_payload_has_its_meaning_here() -> None:
    assert set(EXPECTED) == {(agent, name) for agent, payloads in PAYLOADS.items() for name in payloads}


@pytest.mark.parametrize(("agent", "name"), EXPECTED, ids=[" ".join(one) for one in EXPECTED])
def test_a_real_payload(agent: str, name: str) -> None:
    event = event_of(agent, PAYLOADS[agent][name])
    expected = EXPECTED[agent, name]
    if expected is None:
        assert event is None
        return
    assert event is not None
    assert (event["type"], event["state"], event.get("message", "")) == ("STATE", *expected)
    assert event["data"]["agent"] == agent
    assert event["data"]["hook"] == name.split(":")[0]
    assert len(event["data"]["session"]) > 20
    assert "choices" not in json.dumps(event)


def test_every_state_is_one_that_is_known() -> None:
    from tmux_sentry import AgentState

    known = {state.value for state in AgentState}
    assert {state for states in STATES.values() for state in states.values() if state is not None} <= known


@pytest.mark.parametrize(
    ("payload", "state"),
    [
        ({"hook_event_name": "SessionStart", "source": "resume"}, "idle"),
        # In the middle of a turn, after a compaction.
        ({"hook_event_name": "SessionStart", "source": "compact"}, None),
        ({"hook_event_name": "SessionStart"}, None),
        # /clear ends a session and not the program.
        ({"hook_event_name": "SessionEnd", "reason": "clear"}, None),
        ({"hook_event_name": "SubagentStop"}, None),
        ({"hook_event_name": "Notification", "notification_type": "auth_success"}, None),
        ({"hook_event_name": "Notification"}, None),
        ({"hook_event_name": "StopFailure", "error": "rate_limit", "error_details": "429"}, "limited"),
        ({"hook_event_name": "StopFailure", "error": "overloaded"}, "error"),
        ({"hook_event_name": "StopFailure"}, "error"),
        ({"hook_event_name": "PreToolUse", "tool_name": "AskUserQuestion"}, "waiting"),
        ({"hook_event_name": "PreToolUse", "tool_name": "Bash"}, "working"),
        ({"hook_event_name": "Tomorrow"}, None),
    ],
)
def test_what_only_looks_alike(payload: dict[str, Any], state: str | None) -> None:
    event = event_of("claude", payload)
    assert (event["state"] if event else None) == state


def test_a_question_is_told_without_its_choices() -> None:
    asked = {"questions": [{"question": "Which one?", "options": [{"label": "SQLite"}]}]}
    event = event_of("claude", {"hook_event_name": "PreToolUse", "tool_name": "AskUserQuestion", "tool_input": asked})
    assert event is not None
    assert event["message"] == "Which one?"
    assert "SQLite" not in json.dumps(event)


def test_aider_says_no_state() -> None:
    event = event_of("aider", None)
    assert event is not None
    assert event["type"] == "PROGRESS"
    assert "state" not in event


@pytest.mark.parametrize("agent", [*AGENTS, "nobody"])
@pytest.mark.parametrize("payload", [None, 1, "Stop", [], [{}], {"hook_event_name": ["Stop"]}, {"type": {}}])
def test_what_is_no_payload_means_nothing(agent: str, payload: object) -> None:
    event = event_of(agent, payload)
    assert event is None or agent == "aider"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(categories=None), max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = (
    "tool_input",
    "details",
    "questions",
    "message",
    "tool_name",
    "session_id",
    "error",
    "last_assistant_message",
)


@settings(max_examples=40)
@given(hook=st.sampled_from(sorted(STATES["claude"] | STATES["gemini"])), fields=st.data())
def test_a_hostile_payload_yields_a_small_clean_event(hook: str, fields: st.DataObject) -> None:
    name, _, which = hook.partition(":")
    hostile = {key: fields.draw(_JSON) for key in _FIELDS}
    payload = {**hostile, "hook_event_name": name, "source": which, "notification_type": which, "reason": which}
    for agent in ("claude", "gemini"):
        event = event_of(agent, payload)
        if event is not None:
            text = json.dumps(event, ensure_ascii=False)
            assert len(text.encode("utf-8")) < 4096  # no lone surrogate, and within what a SENTRY event may be
            assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e]", text)


def test_a_huge_payload_yields_a_small_event() -> None:
    huge = "\x1b[31m\ud800‮" * 100_000
    payload = {"hook_event_name": "PermissionRequest", "tool_name": huge, "tool_input": {"command": huge}}
    event = event_of("claude", {**payload, "session_id": huge})
    assert event is not None
    assert len(json.dumps(event, ensure_ascii=False).encode("utf-8")) < 4096


@pytest.mark.parametrize("agent", [name for name in AGENTS if name != "aider"])
def test_every_hook_that_is_installed_has_a_meaning(agent: str) -> None:
    states = STATES[agent]
    for hook in AGENTS[agent].hooks:
        meant = {state for name, state in states.items() if name == hook.event or name.startswith(f"{hook.event}:")}
        assert meant - {None}
        # What a hook says where nobody reads the payload is one of the things that it can mean.
        assert not hook.plain or hook.plain in meant
