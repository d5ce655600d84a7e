"""A try whose reply was lost, and others' keys behind it: the marker does not tell any more, so a person decides."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tmux_sentry.contracts import PaneIdentity
from tmux_sentry.engine import recovery
from tmux_sentry.engine.guarded import late, overtaken
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock
from tmux_sentry.tmux.fence import Adopted

PANE = PaneIdentity(host="here", server_pid=100, server_start=1_795_000_000, pane_id="%3", pane_pid=4242)


@pytest.mark.parametrize(
    ("reason", "epoch", "marker", "expected"),
    [
        (recovery.NOT_REACHED, 5, 21, False),  # nothing has moved: the next try makes the lost one void
        (recovery.NOT_REACHED, 7, 21, False),  # taken over and back, and nothing was typed
        (recovery.PROVEN, 5, 23, True),  # a send by hand, perhaps behind the late one
        (recovery.NOT_REACHED, 7, 22, True),  # the late one, or the other instance's send of the same number
        (recovery.NOT_REACHED, 7, 26, True),
        ("someone is typing or the screen moved", 7, 26, False),  # tmux itself said that it did not type
    ],
)
def test_what_the_marker_still_tells(tmp_path: Path, reason: str, epoch: int, marker: int, expected: bool) -> None:
    with Store.open(tmp_path / "state.db", FakeClock()) as store:
        store.save_fence(PANE.key, 5, 21)
        store.intend(
            "r1/a/1/1", "line", pane=PANE, epoch=5, previous=21, marker=22, payload_sha256="", command="bash",
            cursor=(2, 0), expires_at=0.0,
        )  # fmt: skip
        store.settle("r1/a/1/1", "line", "refused", reason)
        job: Any = SimpleNamespace(action_id="r1/a/1/1", pane=PANE)
        ports: Any = SimpleNamespace(store=store)
        fence = Adopted(epoch=epoch, marker=marker)
        assert late(job, ports, fence) is None
        assert overtaken(job, ports, fence) is expected
