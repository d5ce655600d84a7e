"""Which pane a pipeline takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tmux_sentry.contracts import PaneIdentity
from tmux_sentry.engine.matching import MEANING, Earlier, preview
from tmux_sentry.policy.build import build_pipeline
from tmux_sentry.tmux.model import PaneInfo


def pane(number=1, *, server=100, host="here", **changes):
    identity = PaneIdentity(
        host=host, server_pid=server, server_start=1, pane_id=f"%{number}", pane_pid=1000 * server + number
    )
    info = PaneInfo(
        identity=identity,
        session_id="$0",
        session_name="work",
        window_id=f"@{number}",
        window_name="agent:ci",
        window_index=1,
        pane_index=0,
        command="bash",
        path="/srv/app",
        title="title",
        width=80,
        height=24,
        cursor=(0, 0),
        dead=False,
        dead_status=None,
        in_mode=False,
        alternate=False,
        input_off=False,
        synchronized=False,
        epoch="",
        marker="",
        owner="",
        hold=False,
    )
    return replace(info, **changes)


def pipeline(name="ci", **more):
    match = more.pop("match", {"window_name": "^agent:ci$"})
    return build_pipeline({"name": name, "match": match, "stages": [{"name": "a"}], **more})


def ran(info, name="ci", *, open=False):
    return Earlier(
        run_id="r",
        pipeline=name,
        host=info.identity.host,
        session_name=info.session_name,
        window_name=info.window_name,
        pane_index=info.pane_index,
        server=info.identity.server,
        pane_key=info.identity.key,
        open=open,
    )


def verdicts(pipelines, panes, earlier=(), agents=None):
    return [(c.pipeline, c.pane.identity.pane_id, c.verdict) for c in preview(pipelines, panes, earlier, agents)]


def verdict(found, earlier=(), /, **more):
    return [c.verdict for c in preview([pipeline(**more)], found, earlier)]


def test_a_pane_that_matches_starts():
    assert verdict([pane()]) == ["start"]


@pytest.mark.parametrize(
    ("match", "found"),
    [
        ({"host": "^here$"}, True),
        ({"session_name": "wor"}, True),
        ({"window_name": "^ci"}, False),
        ({"pane_title": "^title$"}, True),
        ({"pane_index": 0}, True),
        ({"pane_index": 1}, False),
        ({"command": "zsh|bash"}, True),
        ({"path": "^/srv"}, True),
        ({"agent": "claude"}, True),
        ({"agent": "codex"}, False),
        ({"command": "bash", "path": "/tmp"}, False),  # all given must match
    ],
)
def test_what_a_pattern_looks_at(match, found):
    one = pane()
    assert bool(preview([pipeline(match=match)], [one], (), {one.identity.key: "claude"})) is found


def test_a_hostile_name_stops_nobody():
    assert verdict([pane(title="\udcff"), pane(2)], match={"pane_title": "title"}) == ["start"]


def test_a_dead_pane_matches_nothing():
    assert verdict([pane(dead=True)]) == []


def test_a_pane_with_an_open_run_of_the_pipeline_is_running():
    assert verdict([pane()], [ran(pane(), open=True)]) == ["running"]


def test_the_first_pipeline_in_the_file_takes_the_pane():
    (first, second) = preview([pipeline("one"), pipeline("two")], [pane()])
    assert (first.verdict, second.verdict, second.by) == ("start", "shadowed", "one")


def test_an_open_run_shadows_even_an_earlier_pipeline():
    found = preview([pipeline("one"), pipeline("two")], [pane()], [ran(pane(), "two", open=True)])
    assert [(c.verdict, c.by) for c in found] == [("shadowed", "two"), ("running", "")]


def test_a_pane_runs_a_pipeline_once():
    assert verdict([pane()], [ran(pane())]) == ["done"]


def test_once_is_by_identity_and_not_by_name():
    assert verdict([pane(2)], [ran(pane(1))]) == ["start"]
    respawned = pane(1)
    respawned = replace(respawned, identity=replace(respawned.identity, pane_pid=7))
    assert verdict([respawned], [ran(pane(1))]) == ["start"]


def test_a_renamed_window_does_not_run_it_again():
    assert verdict([pane(session_name="other", window_index=9)], [ran(pane())]) == ["done"]


def test_after_a_restart_of_the_tmux_server_the_pane_of_that_name_waits():
    assert verdict([pane(server=200)], [ran(pane(server=100))]) == ["waits"]
    assert verdict([pane(server=200)], [ran(pane(server=100), open=True)]) == ["waits"]


@pytest.mark.parametrize(
    "changes", [{"host": "nas"}, {"session_name": "x"}, {"pane_index": 3}, {"window_name": "agent:ci2"}]
)
def test_a_pane_of_another_name_on_the_new_server_starts(changes):
    assert verdict([pane(server=200, **changes)], [ran(pane())], match={"window_name": "agent"}) == ["start"]


def test_a_run_of_another_pipeline_makes_nobody_wait():
    assert verdict([pane(server=200)], [ran(pane(server=100), "other")]) == ["start"]


def test_started_by_hand_on_the_new_server_it_is_done_there():
    assert verdict([pane(server=200)], [ran(pane(server=100)), ran(pane(server=200))]) == ["done"]


SPLIT = [pane(1, window_id="@7"), pane(2, window_id="@7", pane_index=1, command="claude")]


def test_several_panes_of_a_window_are_ambiguous():
    assert verdict(SPLIT) == ["ambiguous", "ambiguous"]


def test_something_that_tells_them_apart_starts_one():
    assert verdict(SPLIT, match={"window_name": "ci", "command": "claude"}) == ["start"]
    assert verdict(SPLIT, match={"window_name": "ci", "pane_index": 0}) == ["start"]


def test_panes_each_starts_all():
    assert verdict(SPLIT, panes="each") == ["start", "start"]


def test_a_split_beside_a_running_pane_starts_nothing():
    assert verdict(SPLIT, [ran(SPLIT[0], open=True)]) == ["running", "ambiguous"]


def test_panes_of_different_windows_and_servers_are_not_ambiguous():
    other = pane(2, server=300, host="nas", window_id="@1")
    assert verdict([pane(1), other, pane(3)]) == ["start", "start", "start"]


def test_a_pane_listed_twice_is_one_pane():
    linked = [pane(1), pane(1, session_name="group", window_index=4)]
    assert verdicts([pipeline(), pipeline("two")], linked) == [("ci", "%1", "start"), ("two", "%1", "shadowed")]
    assert verdict(linked, match={"session_name": "group"}) == ["start"]


def test_every_verdict_has_words_for_people():
    assert set(MEANING) == {"start", "running", "shadowed", "ambiguous", "done", "waits"}
