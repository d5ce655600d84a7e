"""Which pane a person means, with hosts that are not reached."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tmux_sentry.engine.naming import pane_called
from tmux_sentry.engine.panes import Panes
from tmux_sentry.errors import SentryError
from tmux_sentry.testing.samples import PANE
from tmux_sentry.tmux.model import PaneInfo

INFO = PaneInfo(
    identity=PANE, session_id="$0", session_name="work", window_id="@0", window_name="job", window_index=0,
    pane_index=0, command="bash", path="/", title="host", width=80, height=24, cursor=(0, 0), dead=False,
    dead_status=None, in_mode=False, alternate=False, input_off=False, synchronized=False, epoch="", marker="",
    owner="", hold=False,
)  # fmt: skip


def on(host: str) -> PaneInfo:
    return replace(INFO, identity=replace(PANE, host=host))


#: hosts that have the pane, hosts that are down, `--host` -> whose it is, or exit status and what is said
MEANT: dict[str, tuple[str, str, str | None, str | tuple[int, str]]] = {
    "the only one": ("prod", "", None, "prod"),
    "none": ("", "", None, (2, "no pane work:job.0 is there")),
    "two": ("prod nas", "", None, (2, "work:job.0 could be any of prod %1, nas %1")),
    "two, one named": ("prod nas", "", "nas", "nas"),
    "perhaps another": ("prod", "nas", None, (3, "which work:job.0 is meant is not sure")),
    "perhaps another, but one is named": ("prod", "nas", "prod", "prod"),
    "perhaps where it is down": ("", "nas", None, (4, "no pane work:job.0 on a host that is reached")),
    "on the one that is down": ("prod", "nas", "nas", (4, "no pane work:job.0 on a host that is reached")),
    "none on the named one": ("", "nas", "prod", (2, "no pane work:job.0 is there")),
    "known from before its host was lost": ("nas", "nas", None, "nas"),
}


@pytest.mark.parametrize(("having", "down", "host", "expected"), MEANT.values(), ids=MEANT)
def test_which_pane_is_meant(having: str, down: str, host: str | None, expected: str | tuple[int, str]) -> None:
    unlisted = {one: f"{one}: it is down" for one in down.split()}
    answer: str | tuple[int, str]
    try:
        answer = pane_called("work:job.0", host, map(on, having.split()), unlisted).identity.host
    except SentryError as error:
        answer = error.exit_code, error.what
    assert answer == expected


def test_panes_of_a_host_are_known_once_they_were_listed_and_until_it_is_lost() -> None:
    panes = Panes(["prod", "nas"])
    assert sorted(panes.unlisted) == ["nas", "prod"]
    panes.listed("prod")
    panes.listed("nas")
    assert panes.unlisted == {}
    panes.lost("nas", "nas: it is down")
    assert panes.unlisted == {"nas": "nas: it is down"}
