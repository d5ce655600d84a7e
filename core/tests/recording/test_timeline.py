"""The states of a recording as time goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from tmux_sentry.contracts import (
    AgentState,
    Lines,
    Observation,
    Origin,
    Osc,
    PaneFacts,
    Screen,
    Signal,
    SignalKind,
    Title,
    Trust,
)
from tmux_sentry.recording import facts
from tmux_sentry.recording.asciicast import open_cast
from tmux_sentry.recording.stage import Stage, VirtualClock, start_of
from tmux_sentry.recording.terminal import running
from tmux_sentry.recording.timeline import Timeline

#: Claude Code 2.1.197 in a pane of 120x40.
CLAUDE = Path(__file__).parent / "casts" / "claude-2.1.197-120.cast.gz"


class Look:
    """A parser of a title, a sequence and a dialog; it fails at a line that says so."""

    def parse(self, observation: Observation, pane: PaneFacts) -> Iterable[Signal]:
        match observation:
            case Title():
                mark = {"✳": AgentState.IDLE, "⠂": AgentState.WORKING, "⠐": AgentState.WORKING}
                if state := mark.get(observation.title[:1]):
                    yield self.state(state, "title", Origin.TITLE)
            case Osc(number=7501) if "working" in observation.text:
                yield self.state(AgentState.WORKING, "osc", Origin.OSC)
            case Screen() if any("Do you want to proceed?" in row for row in observation.rows):
                yield self.state(AgentState.WAITING, "dialog", Origin.OSC)
            case Lines() if "fail" in observation.lines:
                raise ValueError("as told")
            case Lines():
                yield Signal(
                    kind=SignalKind.STATUS, parser="look", trust=Trust.PRINTED, confidence=1.0,
                    digest=observation.lines[-1], at=observation.at, evidence=observation.lines[-1],
                )  # fmt: skip
            case _:
                pass

    def state(self, state: AgentState, rule: str, origin: Origin) -> Signal:
        return Signal(
            kind=SignalKind.STATE, parser="look", rule=rule, trust=Trust.GUESSED, confidence=0.9, digest=rule,
            at=0.0, state=state, origin=origin,
        )  # fmt: skip


def timeline(path: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    told: list[dict[str, Any]] = []
    with open_cast(path) as cast, running(cast.header.width, cast.header.height) as terminal:
        clock = VirtualClock(start_of(cast))
        line = Timeline({"look": Look()}, clock, lambda point: told.append(dict(point)))
        Stage(cast, terminal, facts.first(cast.header), clock, line.sink).play(line)
    return told, line.broken


def test_a_real_session_shows_its_titles_and_its_dialogs_when_they_are_there() -> None:
    told, broken = timeline(CLAUDE)
    assert broken == {}
    states = [point["state"] for point in told if point["kind"] == "state"]
    assert "waiting" in states
    assert {"idle", "working"} <= set(states)
    assert all(one != other for one, other in pairwise(states))
    first = next(point for point in told if point["kind"] == "state")
    assert first["winner"] == "look/title"
    assert first["agent"] == "claude"
    titles = [point["title"] for point in told if point["kind"] == "title"]
    assert "✳ Claude Code" in titles
    # A spinner that turns is one title.
    assert not any(one[:1] in "⠂⠐" and other[:1] in "⠂⠐" and one[1:] == other[1:] for one, other in pairwise(titles))
    assert [point["at"] for point in told] == sorted(point["at"] for point in told)


def test_sequences_and_events_are_points_too_and_a_broken_parser_ends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    events = [
        [1.0, "o", "\x1b]7501;state=working:app=codex\x07"],
        [2.0, "o", "one\r\n"],
        [3.0, "o", "one\r\n"],
        [4.0, "o", "two\r\n"],
        [5.0, "o", "fail\r\n"],
        [6.0, "o", "three\r\n"],
    ]
    path.write_text("".join(f"{json.dumps(one)}\n" for one in ({"version": 2, "width": 40, "height": 5}, *events)))
    told, broken = timeline(path)
    assert [(point["at"], point["kind"], point.get("evidence", point.get("state", ""))) for point in told] == [
        (1.0, "osc", ""), (1.0, "state", "working"), (2.0, "event", "one"), (4.0, "event", "two"),
    ]  # fmt: skip
    assert broken == {"look": "ValueError: as told"}


def test_another_size_is_no_other_title(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    events = [[1.0, "o", "\x1b]2;mine\x07"], [2.0, "r", "50x8"], [3.0, "o", "x" * 45 + "\r\n"]]
    path.write_text("".join(f"{json.dumps(one)}\n" for one in ({"version": 2, "width": 40, "height": 5}, *events)))
    told, _ = timeline(path)
    assert [(point["at"], point["kind"]) for point in told] == [(1.0, "title"), (3.0, "event")]
