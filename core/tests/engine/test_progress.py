"""How far a check is, as people and as the pane's table get it."""

from __future__ import annotations

import pytest

from tmux_sentry.contracts import CheckStatus, SignalKind, Trust
from tmux_sentry.engine.events import CheckReported, StartCheck
from tmux_sentry.engine.progress import progress, signal_of

CHECK = {"name": "a", "actions_on_start": [{"external_check": {"type": "ci"}}], "on_success": [{"wait": 60}]}


def report(w, status, **more):
    return w.give(CheckReported(action_id=w.last(StartCheck).action_id, status=status, **more))


@pytest.mark.parametrize(
    ("status", "more", "words"),
    [
        (CheckStatus.PENDING, {}, "pending"),
        (CheckStatus.PENDING, {"percent": 42.6, "detail": "step 3 of 7"}, "43% step 3 of 7"),
        (CheckStatus.ATTENTION, {"detail": "review"}, "needs attention review"),
        (CheckStatus.UNKNOWN, {"detail": "HTTP 502"}, "unknown HTTP 502"),
    ],
)
def test_an_open_check_has_progress(world, status, more, words):
    assert str(progress(report(world(CHECK), status, **more).run)) == words


def test_a_check_that_is_answered_has_none(world):
    w = world(CHECK)
    assert progress(w.run) is not None
    assert progress(report(w, CheckStatus.SUCCESS).run) is None
    assert signal_of(w.run, 1.0) is None
    assert progress(world({"name": "a", "actions_on_start": [{"wait": 5}]}).run) is None


def test_its_signal_says_more_than_a_pane_could(world):
    w = report(world(CHECK), CheckStatus.PENDING, percent=43.0, detail="step 3")
    signal = signal_of(w.run, 7.0)
    assert (signal.kind, signal.percent, signal.stage, signal.trust) == (SignalKind.PROGRESS, 43.0, "a", Trust.EMITTED)
    other = signal_of(report(w, CheckStatus.PENDING, percent=44.0).run, 7.0)
    assert signal.digest != other.digest
