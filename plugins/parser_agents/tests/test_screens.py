"""Every labelled screen, with and without its title: what must never be said of it, and what should be."""

from __future__ import annotations

import pytest
from captures import Shot, read, shots, state_of

SCORED = [shot for shot in shots() if shot.label != "-"]
# The same screen has both labels: an error that a person has pressed Escape after is one that he knows of.
ALIKE = {(shot.agent, shot.name) for shot in SCORED if shot.name.startswith("error-escaped")}


def test_there_are_screens_of_every_agent_and_state() -> None:
    assert {shot.agent for shot in SCORED} == {"aider", "claude", "codex", "gemini", "opencode", "qwen"}
    assert {shot.label for shot in SCORED} == {"waiting", "working", "idle", "error", "exited"}
    assert len(SCORED) > 200


@pytest.mark.parametrize("shot", SCORED, ids=lambda shot: shot.id)
@pytest.mark.parametrize("titled", [True, False], ids=["title", "no-title"])
def test_a_screen_is_read_as_what_it_is(shot: Shot, titled: bool) -> None:
    said = state_of(read(shot.rows, shot.agent, shot.title if titled else "", shot.command)).value
    if said == shot.label:
        return
    assert said != "waiting"
    assert not (said == "idle" and shot.label == "working")
    if not titled and shot.label == "working":
        assert shot.agent == "codex"  # nothing but its title tells that text streams
        assert said == "unknown"
    else:
        assert (shot.agent, shot.name) in ALIKE, f"{shot.label} was read as {said}"


@pytest.mark.parametrize("shot", [shot for shot in shots() if shot.label == "-"], ids=lambda shot: shot.id)
def test_nobody_is_called_for_a_menu_that_a_person_has_opened(shot: Shot) -> None:
    assert state_of(read(shot.rows, shot.agent, shot.title, shot.command)).value != "waiting"
