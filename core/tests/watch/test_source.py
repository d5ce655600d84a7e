"""Which program a pane shows decides where its text is read from."""

from __future__ import annotations

from typing import Any

import pytest

from tmux_sentry.contracts import PaneIdentity, TextSource
from tmux_sentry.tmux.model import PaneInfo
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


def info(command: str = "bash", title: str = "", alternate: bool = False) -> PaneInfo:
    values: dict[str, Any] = {
        "identity": PaneIdentity(host="h", server_pid=1, server_start=2, pane_id="%1", pane_pid=3), "session_id": "$0",
        "session_name": "s", "window_id": "@0", "window_name": "w", "window_index": 0, "pane_index": 0, "path": "/", "width": 80,
        "height": 24, "cursor": (0, 0), "dead": False, "dead_status": None, "in_mode": False, "input_off": False,
        "synchronized": False, "epoch": "", "marker": "", "owner": "", "hold": False,
    }  # fmt: skip
    return PaneInfo(**values, command=command, title=title, alternate=alternate)


def test_an_agent_stays_while_its_process_stays() -> None:
    assert agent_now(info("node", "codex"), "codex", "node") == "codex"
    assert agent_now(info("bash", ""), "codex", "node") == ""
    assert agent_now(info("bash", ""), "claude", "bash") == ""
    assert agent_now(info("node", "codex"), "", "node") == ""
    assert agent_now(info("node", "Qwen - x"), "codex", "node") == "qwen"


@pytest.mark.parametrize(
    ("pane", "source"),
    [
        (info(), TextSource.STREAM),
        (info("npm"), TextSource.STREAM),
        (info("less", alternate=True), TextSource.CAPTURE),
        (info("claude"), TextSource.CAPTURE),
        (info("node", "Qwen - x"), TextSource.CAPTURE),
    ],
)
def test_agents_and_full_screens_are_read_from_captures(pane: PaneInfo, source: TextSource) -> None:
    assert text_source(pane) is source


def test_a_remembered_agent_counts() -> None:
    assert text_source(info("node", "codex"), "codex") is TextSource.CAPTURE
