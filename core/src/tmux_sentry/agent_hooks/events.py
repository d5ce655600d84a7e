"""What a hook's payload means: one SENTRY event, or nothing. Tables, and no I/O.

The names are those that the real agents sent: Claude Code 2.1, Codex 0.169, Gemini CLI 0.61, Qwen Code 0.15,
opencode 1.18. What stands in no table says nothing: unknown is better than a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tmux_sentry.security.sanitize import clean

_LONGEST_MESSAGE = 200
_LONGEST_NAME = 128

#: Hook, or hook:which -> state. The longer name is looked up first; None says that it means nothing.
#: Claude starts a new session in the middle of a turn when it compacts the old one, and ends one for /clear.
_SESSIONS: dict[str, str | None] = {
    "SessionStart:startup": "idle",
    "SessionStart:resume": "idle",
    "SessionStart:clear": "idle",
    "SessionEnd": "exited",
    "SessionEnd:clear": None,
    "SessionEnd:resume": None,
}
_CLAUDE: dict[str, str | None] = {
    **_SESSIONS,
    "UserPromptSubmit": "working",
    "PreToolUse": "working",
    # This tool is a dialog: the agent waits for a person until it returns.
    "PreToolUse:AskUserQuestion": "waiting",
    "PostToolUse": "working",
    "PermissionRequest": "waiting",
    "Notification:permission_prompt": "waiting",
    "Notification:idle_prompt": "idle",
    "Stop": "idle",
    "StopFailure": "error",
    "StopFailure:rate_limit": "limited",
}
_GEMINI: dict[str, str | None] = {
    **_SESSIONS,
    "BeforeAgent": "working",
    "BeforeTool": "working",
    "AfterTool": "working",
    "Notification:ToolPermission": "waiting",
    "AfterAgent": "idle",
}
_OPENCODE: dict[str, str | None] = {
    "session.status:busy": "working",
    "session.status:retry": "working",
    "session.status:idle": "idle",
    "session.idle": "idle",
    "permission.asked": "waiting",
    "permission.replied": "working",
    "question.asked": "waiting",
    "question.replied": "working",
    "session.error": "error",
    # A person pressed Escape, which is no error; that the session is idle comes as an event of its own.
    "session.error:MessageAbortedError": None,
}
STATES: dict[str, dict[str, str | None]] = {
    "claude": _CLAUDE,
    "codex": _CLAUDE,
    "qwen": _CLAUDE,
    "gemini": _GEMINI,
    "opencode": _OPENCODE,
}
#: Where a payload says which one of its hook it is.
_WHICH = {
    "SessionStart": "source",
    "SessionEnd": "reason",
    "PreToolUse": "tool_name",
    "Notification": "notification_type",
    "StopFailure": "error",
}


def event_of(agent: str, payload: object) -> dict[str, Any] | None:
    """The STATE event for what a hook of `agent` was given; None for what says nothing of the agent's state.

    `payload` is decoded JSON of any shape, hostile; nothing is raised. aider gives none, and gets a PROGRESS.
    """
    if agent == "aider":
        # It runs the command when its answer is there and also when it asks (Y)es or (N)o, and does not say which.
        # A state would be wrong half of the time, so this tells people and leaves the state to the screen.
        message = "aider has answered, or asks something"
        return {"type": "PROGRESS", "message": message, "data": {"agent": agent, "hook": "notifications"}}
    if not isinstance(payload, Mapping):
        return None
    opencode = agent == "opencode"
    hook = _text(payload, "type" if opencode else "hook_event_name", _LONGEST_NAME)
    inner = _mapping(payload, "properties") if opencode else payload
    which = _text(_mapping(inner, "status"), "type", 50) or _text(_mapping(inner, "error"), "name", 50)
    if not opencode:
        which = _text(inner, _WHICH.get(hook, ""), 50)
    states = STATES.get(agent, {})
    state = states.get(f"{hook}:{which}", states.get(hook))
    if state is None:
        return None
    event: dict[str, Any] = {"type": "STATE", "state": state}
    message = _message(state, inner, opencode)
    if message:
        event["message"] = message
    session = _text(inner, "sessionID" if opencode else "session_id", _LONGEST_NAME)
    return {**event, "data": {"agent": agent, "hook": hook, **({"session": session} if session else {})}}


def _message(state: str, payload: Mapping[str, Any], opencode: bool) -> str:
    """What is asked, or what went wrong."""
    if state == "waiting":
        return clean(_asked(payload), _LONGEST_MESSAGE)
    if opencode:
        error = _mapping(payload, "error")
        said = _text(_mapping(error, "data"), "message") or _text(error, "name")
        return clean(said or _text(_mapping(payload, "status"), "message"), _LONGEST_MESSAGE)
    if state in ("error", "limited"):
        said = _text(payload, "last_assistant_message") or _text(payload, "error_details")
        return clean(": ".join(part for part in (_text(payload, "error", 50), said) if part), _LONGEST_MESSAGE)
    return ""


def _asked(payload: Mapping[str, Any]) -> str:
    """Which tool wants to do what. Never the choices: an answer belongs to the dialog that is on the screen."""
    questions = payload.get("questions") or _mapping(payload, "tool_input").get("questions")
    if isinstance(questions, list) and questions and isinstance(questions[0], Mapping):
        return _text(questions[0], "question")
    tool = _text(payload, "tool_name") or _text(payload, "permission")
    for part in ("tool_input", "details", "metadata"):
        given = _mapping(payload, part)
        what = next(filter(None, (_text(given, key) for key in ("command", "file_path", "filePath", "url"))), "")
        if what:
            return f"{tool or _text(payload, 'message', 100)}: {what}"
    return _text(payload, "message") or tool


def _text(of: Mapping[str, Any], key: str, limit: int = 4000) -> str:
    """A text of `of`, bounded before anything looks at it; "" for anything else."""
    value = of.get(key)
    return clean(value, limit) if isinstance(value, str) else ""


def _mapping(of: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = of.get(key)
    return value if isinstance(value, Mapping) else {}
