"""Every labelled screen, with and without its title: what must never be said of it, and what should be."""

from __future__ import annotations

import pytest
from captures import Shot, dialog_of, read, shots, state_of

SCORED = [shot for shot in shots() if shot.label != "-"]
# The same screen has both labels: an error that a person has pressed Escape after is one that he knows of.
ALIKE = {(shot.agent, shot.name) for shot in SCORED if shot.name.startswith("error-escaped")}


def test_there_are_screens_of_every_agent_and_state() -> None:
    assert {shot.agent for shot in SCORED} == {"aider", "claude", "codex", "gemini", "opencode", "qwen"}
    assert {shot.label for shot in SCORED} == {"waiting", "working", "idle", "error", "exited"}
    assert len(SCORED) > 200


FILES = sorted({(shot.agent, shot.size) for shot in SCORED})


@pytest.mark.parametrize("file", FILES, ids="-".join)
@pytest.mark.parametrize("titled", [True, False], ids=["title", "no-title"])
def test_a_screen_is_read_as_what_it_is(file: tuple[str, str], titled: bool) -> None:
    wrong = []
    for shot in SCORED:
        if (shot.agent, shot.size) == file:
            said = state_of(read(shot.rows, shot.agent, shot.title if titled else "", shot.command)).value
            if said != shot.label and not _forgivable(shot, said, titled):
                wrong.append(f"{shot.id} is {shot.label} and was read as {said}")
    assert wrong == []


def _forgivable(shot: Shot, said: str, titled: bool) -> bool:
    if said == "waiting" or (said == "idle" and shot.label == "working"):
        return False
    # Nothing but its title tells that text streams in Codex.
    streams = not titled and (shot.agent, shot.label, said) == ("codex", "working", "unknown")
    # Without a cursor, a draft in aider may be what was sent a moment ago.
    draft = (shot.agent, said) == ("aider", "working") and shot.name.startswith(("draft", "exit"))
    return streams or draft or (shot.agent, shot.name) in ALIKE


def test_nobody_is_called_for_a_menu_that_a_person_has_opened() -> None:
    menus = [shot for shot in shots() if shot.name.startswith("menu")]
    called = [shot.id for shot in menus if state_of(read(shot.rows, shot.agent, shot.title)).value == "waiting"]
    assert len(menus) > 20
    assert called == []


def framed(*rows: str) -> list[str]:
    return ["╭" + "─" * 78 + "╮", *(f"│ {row:76} │" for row in rows), "╰" + "─" * 78 + "╯"]


CLAUDE_ASKS = framed("Bash command", "", "  npm test", "", "Do you want to proceed?", "❯ 1. Yes", "  2. No (esc)")
GEMINI_ASKS = framed("?  Shell ls", "", "Allow execution of: 'ls'?", "", "● 1. Yes, allow once", "  2. No (esc)")
GEMINI_BOX = [
    *framed(">   Type your message or @path/to/file"),
    "~/shop   no sandbox   gemini-2.5-pro (99% left)",
]


@pytest.mark.parametrize(
    ("agent", "rows", "state"),
    [
        ("claude", ["● Bash(npm test)", "", *CLAUDE_ASKS], "waiting"),
        ("claude", ["● Done.", "", *framed("> "), "  ? for shortcuts"], "idle"),
        ("claude", ["✻ Thinking… (3s · esc to interrupt)", "", *framed("> "), "  ? for shortcuts"], "working"),
        ("claude", ["● It asked:", *CLAUDE_ASKS, *framed("> "), "  ? for shortcuts"], "idle"),
        ("gemini", GEMINI_ASKS, "waiting"),
        ("gemini", ["✦ Done.", "", *GEMINI_BOX], "idle"),
        ("gemini", ["✦ So", "", " ⠏ Thinking (esc to cancel, 3s)", "", *GEMINI_BOX], "working"),
        ("gemini", ["✦ It asked:", *GEMINI_ASKS, *GEMINI_BOX], "idle"),
    ],
)
def test_the_frames_of_earlier_versions_are_known(agent: str, rows: list[str], state: str) -> None:
    """Written by hand, after what these agents drew a year before."""
    signals = read(rows, agent)
    assert state_of(signals).value == state
    assert (dialog_of(signals) is not None) == (state == "waiting")
