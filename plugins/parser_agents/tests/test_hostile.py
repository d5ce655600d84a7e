"""Screens that mean harm: nothing raises, nothing takes long, nothing waits."""

from __future__ import annotations

import pytest
from captures import read, state_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tmux_sentry import AgentState

PIECES = ("❯ ", "› ", "─" * 40, "1. Yes", "  2. No", "Esc to cancel", "│ ● 1. a │", "╰──", "(Y)es/(N)o [Yes]: ")
AGENTS = ("claude", "codex", "gemini", "qwen", "opencode", "aider", "", "someone")


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize(
    "rows",
    [
        ["x" * 10_000_000],
        ["❯ " * 4_000_000],
        ["─" * 100_000] * 300,
        ["\u202e❯ 1. Yes\u202c"] * 200,
        ["\ud800 ❯ 1. Yes"] * 50,
        ["\x1b]0;x\x07", "\x00" * 1000, "\x9b31m"],
        [""] * 100_000,
        ["a" * 5000 + "\u0301" * 5000],
        [],
    ],
    ids=["long", "marks", "rules", "bidi", "surrogates", "controls", "empty", "combining", "nothing"],
)
def test_nothing_raises_and_nobody_waits(agent: str, rows: list[str]) -> None:
    assert state_of(read(rows, agent)) is not AgentState.WAITING


@settings(max_examples=60, deadline=None)
@given(
    agent=st.sampled_from(AGENTS),
    rows=st.lists(
        st.one_of(
            st.text(max_size=60),
            st.sampled_from(PIECES),
        ),
        max_size=30,
    ),
)
def test_any_rows_give_one_state(agent: str, rows: list[str]) -> None:
    state_of(read(rows, agent))
