"""The agents that have hooks: how they are found, where their configuration is, which hooks are put there.

A new agent is a row here and its states in events.py. All hooks are ones that the real programs ran.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One of an agent's hooks. `plain` is its state where nobody reads the payload; "": it has no single meaning."""

    event: str
    matcher: str | None = None
    plain: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """An agent. `timeout` is in its own unit, and `off` the settings (path, value) that turn all its hooks off.

    `directory` is below the home directory; the first of `variables` that is set names another, which `below` goes on.
    """

    name: str
    title: str
    kind: Literal["settings", "plugin", "lines"]
    directory: str
    file: str
    variables: tuple[str, ...] = ()
    below: str = ""
    hooks: tuple[Hook, ...] = ()
    timeout: int | None = None
    off: tuple[tuple[str, ...], bool] | None = None
    trusts: bool = False  # it asks once whether it may run new hooks

    def file_in(self, environ: Mapping[str, str], home: Path) -> Path:
        """Its configuration file; variables that name no absolute path are ignored, as agents do or should."""
        for name in self.variables:
            value = environ.get(name, "")
            if Path(value).is_absolute():
                return Path(value) / (self.below if name == self.variables[-1] else "") / self.file
        return home / self.directory / self.file


def _both(before: str, after: str) -> tuple[Hook, ...]:
    """The hooks around a tool; the matcher is for all tools."""
    return Hook(event=before, matcher="*", plain="working"), Hook(event=after, matcher="*", plain="working")


_SESSION = (Hook(event="SessionStart"), Hook(event="SessionEnd"))
_TURN = (Hook(event="UserPromptSubmit", plain="working"), Hook(event="Stop", plain="idle"))
_FAILURE = Hook(event="StopFailure", plain="error")
_PERMISSION = Hook(event="PermissionRequest", matcher="*", plain="waiting")

AGENTS: dict[str, Agent] = {
    agent.name: agent
    for agent in (
        Agent(
            name="claude",
            title="Claude Code",
            kind="settings",
            directory=".claude",
            file="settings.json",
            variables=("CLAUDE_CONFIG_DIR",),
            # No SubagentStop: a helper's end is not the end of the turn.
            hooks=(
                *_SESSION,
                *_TURN,
                *_both("PreToolUse", "PostToolUse"),
                _PERMISSION,
                Hook(event="Notification"),
                _FAILURE,
            ),
            timeout=5,
            off=(("disableAllHooks",), True),
        ),
        Agent(
            name="codex",
            title="Codex",
            kind="settings",
            directory=".codex",
            file="hooks.json",
            variables=("CODEX_HOME",),
            # Its `notify` would also fire for the hidden turns in which it makes up a title.
            # Its SessionEnd came only when its own daemon ended the session, long after the program had left the pane.
            hooks=(
                Hook(event="SessionStart"),
                *_TURN,
                Hook(event="PreToolUse", plain="working"),
                Hook(event="PostToolUse", plain="working"),
                Hook(event="PermissionRequest", plain="waiting"),
            ),
            timeout=5,
            trusts=True,
        ),
        Agent(
            name="gemini",
            title="Gemini CLI",
            kind="settings",
            directory=".gemini",
            file="settings.json",
            variables=("GEMINI_CLI_HOME",),  # stands for the home directory
            below=".gemini",
            hooks=(
                *_SESSION,
                Hook(event="BeforeAgent", plain="working"),
                Hook(event="AfterAgent", plain="idle"),
                *_both("BeforeTool", "AfterTool"),
                Hook(event="Notification", matcher="*", plain="waiting"),
            ),
            timeout=5000,
            off=(("hooksConfig", "enabled"), False),
        ),
        Agent(
            name="qwen",
            title="Qwen Code",
            kind="settings",
            directory=".qwen",
            file="settings.json",
            variables=("QWEN_HOME",),
            hooks=(
                *_SESSION,
                *_TURN,
                *_both("PreToolUse", "PostToolUse"),
                _PERMISSION,
                Hook(event="Notification", matcher=""),
                _FAILURE,
            ),
            timeout=5000,
            off=(("disableAllHooks",), True),
        ),
        Agent(
            name="opencode",
            title="opencode",
            kind="plugin",
            directory=".config/opencode",
            file="plugin/tmux-sentry.js",
            variables=("OPENCODE_CONFIG_DIR", "XDG_CONFIG_HOME"),
            below="opencode",
            hooks=(
                Hook(event="session.status:busy", plain="working"),
                Hook(event="session.status:retry", plain="working"),
                Hook(event="session.status:idle", plain="idle"),
                Hook(event="session.error", plain="error"),
                Hook(event="permission.asked", plain="waiting"),
                Hook(event="permission.replied", plain="working"),
                Hook(event="question.asked", plain="waiting"),
                Hook(event="question.replied", plain="working"),
            ),
        ),
        Agent(name="aider", title="aider", kind="lines", directory="", file=".aider.conf.yml"),
    )
}
