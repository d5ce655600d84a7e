"""What the README promises of the parsers, on the labelled screens that are here."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def scorecard() -> ModuleType:
    path = Path(__file__).parent / "scorecard" / "scorecard.py"
    spec = importlib.util.spec_from_file_location("scorecard", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scorecard"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("titled", [True, False])
def test_nobody_is_called_for_nothing_and_no_work_is_taken_for_rest(scorecard: ModuleType, titled: bool) -> None:
    scores = scorecard.score(scorecard.shots(), titled=titled)
    whole = scorecard.total(scores)
    assert set(scores) == {"aider", "claude", "codex", "gemini", "opencode", "qwen"}
    assert (whole.false_waiting, whole.idle_while_working) == (0, 0)
    assert whole.count("waiting", "waiting") >= 0.95 * whole.count("waiting")
    assert whole.count("error", "error") >= 0.8 * whole.count("error")
    assert whole.right >= 0.9 * whole.count()


def test_the_table_has_a_row_for_each_agent(scorecard: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert scorecard.main([]) == 0
    out = capsys.readouterr().out
    assert out.count("\n| ") == 7  # six agents and all of them
    assert "| claude | 100 %" in out
