"""Our hooks in the JSON that Claude Code, Codex, Gemini CLI and Qwen Code read: event -> groups -> hooks.

    {"hooks": {"Stop": [{"matcher": "*", "hooks": [{"type": "command", "command": "...", "timeout": 5}]}]}}

Ours are the hooks whose command ends with the mark; each is in a group of its own, the last of its event, because Codex
knows by their number which hooks the user has trusted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tmux_sentry.agent_hooks import jsontext
from tmux_sentry.agent_hooks.agents import Agent, Hook
from tmux_sentry.agent_hooks.commands import MARK, program_command, shell_command
from tmux_sentry.agent_hooks.jsontext import NotStrict, Path

Wanted = dict[str, dict[str, Any]]


def wanted(agent: Agent, *, shell: bool = False) -> Wanted:
    """The group for each event, with the command of this installation or, for `shell`, without the program."""
    return {
        hook.event: {
            **({} if hook.matcher is None else {"matcher": hook.matcher}),
            "hooks": [{"type": "command", "command": _command(agent, hook, shell), "timeout": agent.timeout}],
        }
        for hook in agent.hooks
        if hook.plain or not shell
    }


def snippet(groups: Wanted) -> str:
    """What a person pastes."""
    return json.dumps({"hooks": {event: [group] for event, group in groups.items()}}, indent=2)


def ours(text: str) -> dict[Path, dict[str, Any]]:
    """Where hooks of ours are, and the group that each is in. Raises NotStrict."""
    return dict(_ours(_checked(text)))


def add(text: str, groups: Wanted) -> str:
    """`text` with exactly `groups` of ours in it. Raises NotStrict."""
    if is_complete(text, groups):
        return text
    text = without(text)
    for event, group in groups.items():
        value = _checked(text)
        if "hooks" not in value:
            text = jsontext.append(text, (), "hooks", {event: [group]})
        elif event not in value["hooks"]:
            text = jsontext.append(text, ("hooks",), event, [group])
        else:
            text = jsontext.append(text, ("hooks", event), None, group)
    return text


def is_complete(text: str, groups: Wanted) -> bool:
    """Whether what is there of ours is what `groups` says. Raises NotStrict."""
    there = [(path[1], group) for path, group in ours(text).items()]
    return len(there) == len(groups) and all(groups.get(str(event)) == group for event, group in there)


def without(text: str) -> str:
    """`text` with nothing of ours, nor of what would be empty without it. Raises NotStrict."""
    text = _filled(text)
    # From the end: what is taken out moves only what comes after it.
    for path in sorted(ours(text), key=lambda path: (path[1], path[2], path[4]), reverse=True):
        text = jsontext.remove(text, path)
        for inside in (path[:4], path[:2], path[:1]):
            if jsontext.children(text, jsontext.find(text, inside)):
                break
            text = jsontext.remove(text, inside[:3])
    return text


def is_off(text: str, agent: Agent) -> bool:
    """Whether a setting keeps the agent from running any hook. Raises NotStrict."""
    if agent.off is None:
        return False
    path, value = agent.off
    at: Any = _checked(text)
    for step in path:
        at = at.get(step) if isinstance(at, dict) else None
    return at is value


def _command(agent: Agent, hook: Hook, shell: bool) -> str:
    return shell_command(agent.name, hook.event, hook.plain) if shell else program_command(agent.name)


def _filled(text: str) -> str:
    """An empty file is one without settings."""
    return text if text.strip() else "{}\n"


def _checked(text: str) -> dict[str, Any]:
    """The settings, their hooks known to have the shape that we add to."""
    text = _filled(text)
    value = jsontext.load(text)
    if not isinstance(value, dict):
        raise NotStrict("it holds no mapping", *jsontext.place(text, ()))
    hooks = value.get("hooks", {})
    if not isinstance(hooks, dict):
        raise NotStrict("hooks is not a mapping", *jsontext.place(text, ("hooks",)))
    for event, groups in hooks.items():
        if not isinstance(groups, list) and event not in ("enabled", "disabled"):
            raise NotStrict(f"hooks.{event} is not a list", *jsontext.place(text, ("hooks", event)))
    return value


def _ours(value: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    for event, groups in value.get("hooks", {}).items():
        for number, group in enumerate(groups if isinstance(groups, list) else []):
            hooks = group.get("hooks") if isinstance(group, dict) else None
            for index, hook in enumerate(hooks if isinstance(hooks, list) else []):
                command = hook.get("command") if isinstance(hook, dict) else None
                if isinstance(command, str) and command.endswith(MARK):
                    yield ("hooks", event, number, "hooks", index), group
