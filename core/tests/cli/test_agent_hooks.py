"""`tmux-sentry hooks`, as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tmux_sentry.agent_hooks.agents import AGENTS
from tmux_sentry.cli.agent_hooks import NAMES
from tmux_sentry.cli.main import main


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with Claude Code and Gemini CLI in it, of which the second has comments, and nothing else."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "QWEN_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, text in ((".claude", '{"a": 1}'), (".gemini", '{\n  // mine\n  "b": 2\n}\n')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "settings.json").write_text(text)
    return tmp_path


def test_all_that_are_here_get_hooks_and_the_rest_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hooks", "install"]) == 3
    out, err = capsys.readouterr()
    assert f"tmux-sentry: {home}/.gemini/settings.json:2:3: it has comments, which cannot be kept" in err
    assert f"skipped: neither {home}/.codex nor a program codex is there" in out
    assert "a copy of what was there is in" in out
    # What a person can add by hand is whole and valid.
    pasted = json.loads(out[out.index("{\n") :])
    assert "AfterAgent" in pasted["hooks"]
    assert "Stop" in json.loads((home / ".claude/settings.json").read_text())["hooks"]
    assert (home / ".gemini/settings.json").read_text() == '{\n  // mine\n  "b": 2\n}\n'
    assert main(["hooks", "remove", "--agent", "claude"]) == 0
    assert (home / ".claude/settings.json").read_text() == '{"a": 1}'


def test_json_has_one_row_for_each(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hooks", "install", "--agent", "claude", "--agent", "gemini", "--json"]) == 3
    claude, gemini = json.loads(capsys.readouterr().out)
    assert (claude["state"], claude["changed"], claude["snippet"]) == ("installed", True, None)
    assert (gemini["state"], gemini["changed"]) == ("broken", False)
    assert "AfterAgent" in gemini["snippet"]
    assert main(["hooks", "status", "--json"]) == 0
    rows = {row["agent"]: row for row in json.loads(capsys.readouterr().out)}
    assert {name: row["state"] for name, row in rows.items()} == {
        "claude": "installed",
        "codex": "not found",
        "gemini": "broken",
        "qwen": "not found",
        "opencode": "not found",
        "aider": "not found",
    }
    assert ":2:3: " in rows["gemini"]["note"]


def test_every_agent_can_be_named() -> None:
    assert tuple(AGENTS) == NAMES  # the command's own list spares its --help an import


@pytest.mark.parametrize("agent", NAMES)
def test_print_changes_nothing(agent: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(home.rglob("*"))
    assert main(["hooks", "install", "--print", "--agent", agent]) == 0
    out = capsys.readouterr().out
    assert "@sentry_q" in out
    assert "hooks report" not in out
    assert sorted(home.rglob("*")) == before


@pytest.mark.parametrize("arguments", [["--print"], ["--print", "--agent", "codex", "--json"], ["--agent", "vim"]])
def test_bad_usage(arguments: list[str], home: Path) -> None:
    assert main(["hooks", "install", *arguments]) == 2
