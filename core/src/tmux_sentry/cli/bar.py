"""The line at the bottom of `run` on a terminal: how far the external checks are."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from tmux_sentry.engine.conductor import Step
from tmux_sentry.engine.progress import Progress, progress

#: Columns of a bar, and what one is drawn with.
WIDTH = 20
FULL, EMPTY = "█", "░"


class Bar:
    """`show(text)` puts a line there until the next one; "" takes it away. The loop's thread owns it."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._open: dict[str, tuple[str, Progress]] = {}
        self._shown = ""

    def step(self, step: Step) -> None:
        """Take in a committed step."""
        found, run = progress(step.run), step.run
        if found is None or run.attempt is None:
            self._open.pop(run.id, None)
        else:
            self._open[run.id] = (f"{run.pipeline.name} {run.attempt.stage}", found)
        text = line(list(self._open.values()), shutil.get_terminal_size().columns - 1)
        if text != self._shown:
            self._show(text)
            self._shown = text


def line(checks: list[tuple[str, Progress]], columns: int) -> str:
    """One check with its bar and what it says; of several each one's percent."""
    if not checks:
        return ""
    if len(checks) == 1:
        (name, found) = checks[0]
        text = f"{name} {_bar(found.percent)} {found}"
    else:
        text = "   ".join(f"{name} {_short(found)}" for name, found in checks)
    return text if len(text) <= columns else text[: max(columns - 1, 0)] + "…"


def _bar(percent: float | None) -> str:
    full = round((percent or 0.0) / 100.0 * WIDTH)
    return FULL * full + EMPTY * (WIDTH - full)


def _short(found: Progress) -> str:
    return found.status.value.replace("_", " ") if found.percent is None else f"{found.percent:.0f}%"
