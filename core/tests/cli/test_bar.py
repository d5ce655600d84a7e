"""The line at the bottom of `run`: one check with its bar, several with their percents, none without a trace."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tmux_sentry.cli import bar
from tmux_sentry.cli.bar import Bar, line
from tmux_sentry.contracts import CheckStatus
from tmux_sentry.engine.progress import Progress


def found(percent: float | None = None, detail: str = "", status: CheckStatus = CheckStatus.PENDING) -> Progress:
    return Progress(status=status, percent=percent, detail=detail)


@pytest.mark.parametrize(("percent", "full"), [(None, 0), (0.0, 0), (50.0, 10), (100.0, 20), (2.0, 0), (98.0, 20)])
def test_one_check_has_a_bar_of_one_width(percent: float | None, full: int) -> None:
    shown = line([("ci deploy", found(percent, "step 3"))], 200)
    assert f"ci deploy {bar.FULL * full}{bar.EMPTY * (bar.WIDTH - full)} " in shown
    assert shown.endswith("step 3")


def test_what_a_check_waits_for_is_said() -> None:
    assert line([("ci", found(status=CheckStatus.ATTENTION, detail="review"))], 200).endswith("needs attention review")
    assert line([("ci", found())], 200).endswith(" pending")


def test_several_checks_share_the_line() -> None:
    both = [("a x", found(43.0)), ("b y", found(status=CheckStatus.UNKNOWN))]
    assert line(both, 200) == "a x 43%   b y unknown"


def test_a_narrow_terminal_gets_a_shorter_line() -> None:
    assert line([("ci deploy", found(43.0, "x" * 500))], 40)[-1] == "…"
    assert len(line([("ci deploy", found(43.0, "x" * 500))], 40)) == 40


def test_the_line_is_drawn_when_it_changes_and_goes_with_the_last_check(monkeypatch: pytest.MonkeyPatch) -> None:
    states: dict[str, Progress | None] = {}
    monkeypatch.setattr(bar, "progress", lambda run: states[run.id])
    drawn: list[str] = []
    shown = Bar(drawn.append)

    def step(id_: str, state: Progress | None) -> None:
        states[id_] = state
        run: Any = SimpleNamespace(id=id_, pipeline=SimpleNamespace(name=id_), attempt=SimpleNamespace(stage="s"))
        shown.step(SimpleNamespace(run=run))  # type: ignore[arg-type]

    step("a", None)
    assert drawn == []
    step("a", found(43.0))
    step("a", found(43.0))
    step("b", found(1.0))
    step("a", None)
    step("b", None)
    assert [text.partition(" ")[0] for text in drawn] == ["a", "a", "b", ""]
    assert drawn[1] == "a s 43%   b s 1%"
