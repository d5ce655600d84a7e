"""Rules files: mistakes are told with their place, and a user's own rules go before the built-in ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from captures import read, shot, state_of

from tmux_sentry import AgentState
from tmux_sentry.errors import InvalidConfig
from tmux_sentry_parser_agents.parser import AgentsParser
from tmux_sentry_parser_agents.rules import load

HEAD = "agent: claude\nrules:\n"
ASKS = "rules:\n  - {id: asks, state: waiting, confidence: 0.9, priority: 99, in: bottom, match: '^bash'}\n"


def write(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "own.yaml").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        (
            f"{HEAD}  - id: a\n    state: sleeping\n    confidence: 1\n    in: title\n",
            (4, 12),
            "sleeping",
        ),
        (f"{HEAD}  - {{id: a, state: idle, confidence: 2, in: title}}\n", (3, 38), "2"),
        (
            f"{HEAD}  - {{id: a, state: idle, confidence: 1, in: title, match: '(?=x)'}}\n",
            (3, 59),
            "lookahead",
        ),
        (f"{HEAD}  - {{id: a, state: idle, confidence: 1, in: nowhere}}\n", (3, 45), "nowhere"),
        ("agent: claude\nrulez: []\n", (2, 1), "rulez"),
        ("rules: []\n", (1, 1), "agent"),
        ("agent: claude\nrules: [\n", (3, 1), ""),
        ("agent: claude\ndialogs:\n  - {id: a}\n", (3, 5), "confidence"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, place: tuple[int, int], what: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        load(write(tmp_path / "agents", text))
    first = caught.value.diagnostics[0]
    assert (first.line, first.column) == place
    assert first.file.endswith("own.yaml")
    assert what in f"{first.what} {first.where}"


def test_a_rule_of_the_user_is_added_and_one_with_a_known_id_takes_its_place(tmp_path: Path) -> None:
    rows = shot("claude", "exited-1").rows
    parser = AgentsParser(load(write(tmp_path / "agents", "agent: claude\n" + ASKS)))
    assert state_of(read(rows, "claude", parser=parser)) is AgentState.WAITING
    own = "agent: claude\nrules:\n  - {id: esc-to-interrupt, drop: true}\n  - {id: spinner, drop: true}\n"
    parser = AgentsParser(load(write(tmp_path / "agents", own)))
    assert state_of(read(shot("claude", "working-1").rows, "claude", parser=parser)) is AgentState.IDLE
    assert state_of(read(shot("claude", "working-1").rows, "claude")) is AgentState.WORKING


def test_an_agent_that_nobody_has_described_can_be(tmp_path: Path) -> None:
    folder = write(tmp_path / "agents", "agent: own\n" + ASKS)
    assert state_of(read(("bash-5.2# x",), "own", parser=AgentsParser(load(folder)))) is AgentState.WAITING


def test_without_a_folder_there_are_the_built_in_ones(tmp_path: Path) -> None:
    assert set(load(tmp_path / "none")) == {"aider", "claude", "codex", "gemini", "generic", "opencode", "qwen"}
