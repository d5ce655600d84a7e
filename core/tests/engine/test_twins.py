"""Which hosts are one tmux server, and which of them is followed."""

from __future__ import annotations

from typing import Any

import pytest

from tmux_sentry.contracts import PaneIdentity
from tmux_sentry.engine.matching import Earlier
from tmux_sentry.engine.twins import find_twins
from tmux_sentry.tmux.model import PaneInfo

ORDER = ("here", "nas", "far")


def pane(host: str, pid: int = 100, at: str = "box:/tmp/tmux-0/default", start: int = 5) -> PaneInfo:
    values: dict[str, Any] = dict.fromkeys(("session_name", "path", "title", "command", "window_name"), "x")
    values |= dict.fromkeys(("window_index", "pane_index"), 0)
    values |= dict.fromkeys(("dead", "in_mode", "alternate", "input_off", "synchronized", "hold"), False)
    values |= dict.fromkeys(("epoch", "marker", "owner"), "")
    values |= {"session_id": "$0", "window_id": "@0", "width": 80, "height": 24, "cursor": (0, 0), "dead_status": None}
    identity = PaneIdentity(host=host, server_pid=pid, server_start=start, pane_id="%0", pane_pid=7)
    return PaneInfo(identity=identity, server_at=at, **values)


def ran(host: str, server: str = "100-5") -> Earlier:
    names = {"session_name": "x", "window_name": "x", "pane_index": 0}
    own = f"{host}/{server}"
    return Earlier(run_id="r", pipeline="p", host=host, server=own, pane_key=f"{own}/%0/7", open=True, **names)


@pytest.mark.parametrize(
    ("panes", "expected"),
    [
        ([], {}),
        ([pane("here")], {}),
        ([pane("here"), pane("nas")], {"nas": "here"}),
        ([pane("nas"), pane("here")], {"nas": "here"}),  # by the order of the file, not of coming up
        ([pane("far"), pane("nas")], {"far": "nas"}),
        ([pane("here"), pane("nas"), pane("far")], {"nas": "here", "far": "here"}),
        ([pane("unknown"), pane("far")], {"unknown": "far"}),
        ([pane("here"), pane("nas", pid=101)], {}),
        ([pane("here"), pane("nas", start=6)], {}),
        ([pane("here"), pane("nas", at="other:/tmp/tmux-0/default")], {}),
        ([pane("here"), pane("nas", at="box:/tmp/tmux-0/second")], {}),
        ([pane("here", at=""), pane("nas", at="")], {}),  # nothing is known of where they are
    ],
)
def test_what_is_one_server(panes: list[PaneInfo], expected: dict[str, str]) -> None:
    assert find_twins(ORDER, panes).of == expected


@pytest.mark.parametrize(
    ("panes", "run", "host"),
    [
        ([pane("here"), pane("nas")], ran("nas"), "here"),
        ([pane("here"), pane("nas")], ran("here"), "here"),
        ([pane("here"), pane("nas")], ran("nas", "99-4"), "nas"),  # of an earlier tmux server
        ([pane("here")], ran("nas"), "here"),  # not seen yet: a pane that ran it runs it no second time
        ([pane("here"), pane("nas", at="other:/s")], ran("nas"), "nas"),
        ([], ran("nas"), "nas"),
    ],
)
def test_as_which_pane_a_run_counts(panes: list[PaneInfo], run: Earlier, host: str) -> None:
    followed = find_twins(ORDER, panes).followed(run)
    server = run.server.partition("/")[2]
    assert (followed.host, followed.server, followed.pane_key) == (host, f"{host}/{server}", f"{host}/{server}/%0/7")
