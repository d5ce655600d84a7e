"""Which program a pane shows decides where its text is read from."""

from __future__ import annotations

from typing import Any

import pytest

from tmux_sentry.contracts import TextSource
from tmux_sentry.watch.source import agent_now, agent_of, text_source


@pytest.mark.parametrize(
    ("command", "title", "agent"),
    [
        ("claude", "vm", "claude"),
        ("2.1.197", "✳ Claude Code", "claude"),
        ("ssh", "⠂ Scripted title", "claude"),
        ("bash", "⠐ topic", "claude"),  # a wrapper script
        ("node", "⠹ codex", "codex"),
        ("bun", "⠋ my dir", "codex"),
        ("node", "[ ! ] Action Required | codex", "codex"),
        ("node", "[ . ] Action Required | codex", "codex"),
        ("codex", "dir", "codex"),
        ("node", "◇  Ready (gemini)      ", "gemini"),
        ("node", "✦  Working… (x)", "gemini"),
        ("node", "✋  Action Required (x)", "gemini"),
        ("node", "Qwen - qwen", "qwen"),
        ("opencode", "OpenCode", "opencode"),
        ("node", "OC | topic", "opencode"),
        ("claude", "Qwen - dir", "qwen"),
        ("aider", "vm", "aider"),
        ("node", "codex", ""),
        ("npm", "⠹ installing", ""),
        ("python", "vm", ""),
        ("bash", "vim ✳ notes", ""),
        ("bash", "OpenCode notes", ""),
        ("vim", "claude", ""),
        ("bash", "", ""),
    ],
)
def test_an_agent_is_known_by_its_title_or_its_process(command: str, title: str, agent: str) -> None:
    assert agent_of(command, title) == agent


def test_an_agent_stays_while_its_process_stays(info: Any) -> None:
    def now(command: str, title: str, *before: str) -> str:
        return agent_now(info(command=command, title=title), *before)

    assert now("node", "codex", "codex", "node") == "codex"
    assert now("bash", "", "codex", "node") == ""
    assert now("bash", "", "claude", "bash") == ""
    assert now("node", "codex", "", "node") == ""
    assert now("node", "Qwen - x", "codex", "node") == "qwen"


@pytest.mark.parametrize(
    ("pane", "source"),
    [
        ({}, TextSource.STREAM),
        ({"command": "npm"}, TextSource.STREAM),
        ({"command": "less", "alternate": True}, TextSource.CAPTURE),
        ({"command": "claude"}, TextSource.CAPTURE),
        ({"command": "node", "title": "Qwen - x"}, TextSource.CAPTURE),
    ],
)
def test_agents_and_full_screens_are_read_from_captures(info: Any, pane: dict[str, Any], source: TextSource) -> None:
    assert text_source(info(**pane)) is source


def test_a_remembered_agent_counts(info: Any) -> None:
    assert text_source(info(command="node", title="codex"), "codex") is TextSource.CAPTURE
