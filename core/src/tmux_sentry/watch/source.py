"""Which program a pane shows, and where its text is therefore read from."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tmux_sentry.contracts import TextSource
from tmux_sentry.tmux.model import PaneInfo

_COMMANDS = frozenset({"aider", "claude", "codex", "gemini", "opencode", "qwen"})

# Title shapes of Claude Code 2.1, Codex 0.169, Gemini CLI 0.61, Qwen Code 0.15 and opencode 1.18 (2026-11). Each of
# them resets the title when it ends. They count whatever the process is called: that can be `node`, a version
# number, a shell (a wrapper script) or an ssh client.
_TITLES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("claude", re.compile("[✳⠂⠐] .")),
    ("codex", re.compile(r"\[ [!.] \] Action Required \| ")),
    ("gemini", re.compile(r"(◇  Ready|✦  Working…|✋  Action Required) \(")),
    ("qwen", re.compile(r"Qwen - ")),
    ("opencode", re.compile(r"OC \| |OpenCode\Z")),
)
# Any program may show this spinner, so the process has to fit.
_CODEX_WORKING = re.compile("[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] .")
_CODEX_HOSTS = frozenset({"node", "bun"})


# What they print when they start, for those of which neither process nor title may tell.
_BANNERS = (("codex", ">_ OpenAI Codex (v"), ("qwen", ">_ Qwen Code (v"))
_AIDER = "Aider v"


def agent_of(command: str, title: str) -> str:
    """The known agent behind a process name and a title (both hostile text), or "".

    The title is the better evidence, so it wins.
    """
    for agent, shape in _TITLES:
        if shape.match(title):
            return agent
    if command in _CODEX_HOSTS and _CODEX_WORKING.match(title):
        return "codex"
    return command if command in _COMMANDS else ""


def agent_now(info: PaneInfo, previous: str, previous_command: str) -> str:
    """`agent_of` with a memory: an idle Codex shows only a folder's name, so an agent stays as long as its process."""
    seen = agent_of(info.command, info.title)
    if not seen and previous and info.command == previous_command and not info.is_shell:
        return previous
    return seen


def agent_on(lines: Sequence[str], info: PaneInfo) -> str:
    """The agent that has introduced itself in these lines (hostile text), or "".

    Whoever shows another program's banner is read with that one's rules, and nothing more.
    """
    if info.is_shell:
        return ""
    if any(line.startswith(_AIDER) for line in lines):
        return "aider"
    return next((agent for agent, banner in _BANNERS if any(banner in line for line in lines)), "")


def text_source(info: PaneInfo, agent: str | None = None) -> TextSource:
    """CAPTURE for known agents and the alternate screen, which redraw; STREAM for everything else.

    `agent` is what `agent_now` said; without it `agent_of` is asked.
    """
    if agent is None:
        agent = agent_of(info.command, info.title)
    return TextSource.CAPTURE if info.alternate or agent else TextSource.STREAM
