"""A policy over a recording: the real engine and the real terminal, and nothing happens but in the telling."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.contracts import AgentState, Lines, Observation, Origin, PaneFacts, Screen, Signal, SignalKind, Trust
from tmux_sentry.policy.build import build_pipeline
from tmux_sentry.policy.model import Policy
from tmux_sentry.recording import facts
from tmux_sentry.recording.asciicast import open_cast
from tmux_sentry.recording.rehearsal import Rehearsal, Script
from tmux_sentry.recording.sent import sent_in
from tmux_sentry.recording.stage import Stage, VirtualClock, start_of
from tmux_sentry.recording.terminal import Terminal, running
from tmux_sentry.security.redact import Redactor
from tmux_sentry.state.store import Store

HEADER = {"version": 2, "width": 60, "height": 10}
OWN = {
    **HEADER,
    "tmux_sentry": {"started": 1_700_000_000.5, "host": "nas", "pane_id": "%7", "pane": {"command": "bash"}},
}
CI = {
    "name": "ci",
    "match": {"command": "^bash$"},
    "stages": [
        {
            "name": "lint",
            "actions_on_start": [{"send_keys": "make lint"}],
            "success_when": [{"log_regex": "0 problems"}],
        },
        {
            "name": "ship",
            "triggers": [{"after_stage_success": "lint"}],
            "require_approval": True,
            "actions_on_start": [{"send_keys": "make ship"}, {"external_check": {"type": "ci", "max_wait": 600}}],
            "success_when": [{"external_status": "success"}],
        },
    ],
}  # fmt: skip
SHOWN = [[0.1, "o", "$ "], [1.0, "o", "make lint\r\n"], [2.0, "o", "0 problems\r\n$ "], [9.0, "o", "make ship\r\n"]]


@pytest.fixture(scope="module")
def terminal() -> Iterator[Terminal]:
    with running(60, 10) as made:
        yield made


class Say:
    """A parser: `SAY word` on a line or a screen is the state of the agent."""

    def parse(self, observation: Observation, pane: PaneFacts) -> Iterable[Signal]:
        if isinstance(observation, (Lines, Screen)):
            for line in observation.lines:
                if line.startswith("SAY "):
                    yield Signal(
                        kind=SignalKind.STATE, parser="say", rule="word", trust=Trust.GUESSED, confidence=0.9,
                        digest=line, at=observation.at, state=AgentState(line[4:]), evidence=line,
                        origin=Origin.SCREEN, live=isinstance(observation, Lines),
                    )  # fmt: skip


Play = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def play(terminal: Terminal, tmp_path: Path) -> Play:
    """`play(events, ...)`: the lines of a replay."""

    def run(
        events: list[Any], *, header: Any = HEADER, pipeline: Any = CI, name: str = "", **script: Any
    ) -> list[dict[str, Any]]:
        path = tmp_path / "a.cast"
        path.write_text("".join(json.dumps(line) + "\n" for line in (header, *events)))
        told: list[dict[str, Any]] = []
        terminal.write(b"\x1b[?1049l\x1b[H\x1b[2J\x1b[3J")
        with open_cast(path) as cast:
            clock = VirtualClock(start_of(cast))
            with Store.open(None, clock) as store:
                rehearsal = Rehearsal(
                    Policy(pipelines=(build_pipeline(pipeline),)), {"say": Say()}, store, clock,
                    Script(sent=sent_in(path), pipeline=name, **script), lambda line: told.append(dict(line)),
                    env={}, redact=Redactor(),
                )  # fmt: skip
                stage = Stage(cast, terminal, facts.first(cast.header), clock, rehearsal.sink)
                rehearsal.on(stage)
                stage.play(rehearsal)
                rehearsal.close()
        return told

    return run


def moves(lines: list[dict[str, Any]]) -> list[tuple[float, str, str]]:
    return [
        (line["at"], line.get("stage", "run"), line["status"])
        for line in lines
        if line["kind"] == "transition" and line["status"] != "pending"
    ]


def effects(lines: list[dict[str, Any]], *kinds: str) -> list[tuple[float, str]]:
    return [(line["at"], line["effect"]) for line in lines if line.get("effect") in kinds]


def test_it_goes_as_far_as_it_would_without_a_person(play: Play) -> None:
    lines = play(SHOWN)
    assert moves(lines) == [
        (0.0, "run", "started"), (0.0, "lint", "running"),
        (2.0, "lint", "succeeded"), (2.0, "ship", "waiting_approval"),
    ]  # fmt: skip
    assert effects(lines, "send", "ask") == [(0.0, "send"), (2.0, "ask")]
    (ask,) = [line for line in lines if line.get("effect") == "ask"]
    assert ask["keys"] == ["make ship<Enter>"]
    assert play(SHOWN) == lines


@pytest.mark.parametrize("answer", ["success", "failure"])
def test_a_virtual_yes_and_a_virtual_answer_take_it_to_its_end(play: Play, answer: str) -> None:
    asked = next(line["id"] for line in play(SHOWN) if line.get("effect") == "ask")
    for word in ("all", "ship", asked):
        lines = play(SHOWN, approve=[word], checks={"ship": answer})
        end = "succeeded" if answer == "success" else "failed"
        assert moves(lines)[-2:] == [(2.0, "ship", end), (2.0, "run", end)]
    assert moves(play(SHOWN, approve=["lint", "0"]))[-1][2] == "waiting_approval"


def test_a_check_without_an_answer_runs_out_of_its_time_and_an_hour_takes_no_time(play: Play) -> None:
    lines = play([*SHOWN, [3700.0, "o", "late\r\n"]], approve=["all"])
    assert moves(lines)[-1] == (602.0, "run", "failed")


def test_keys_are_typed_where_the_run_typed_them(play: Play) -> None:
    """What was printed before counts for nothing, however alike it is."""
    events = [
        [0.0, "x-whole", ""],
        [0.1, "o", "$ old\r\n0 problems\r\n"],
        [5.0, "x-sent", json.dumps({"keys": "make lint<Enter>"})],
        [5.1, "o", "$ make lint\r\n0 problems\r\n"],
    ]
    lines = play(events, header=OWN)
    assert [at for at, stage, status in moves(lines) if stage == "lint"] == [5.0, 5.1]
    assert effects(lines, "send") == [(0.0, "send")]
    # A recording of another policy knows nothing of these keys: they count as typed at once; no echo comes.
    events[2] = [5.0, "x-sent", json.dumps({"keys": "make all<Enter>"})]
    assert [at for at, stage, status in moves(play(events, header=OWN)) if stage == "lint"] == [0.0, 3.1]


def test_what_stood_there_when_the_recording_began_is_no_news(play: Play) -> None:
    picture = {"lines": ["0 problems", "$"], "rows": ["0 problems", "$"], "cursor": [2, 1], "alternate": False}
    events = [
        [0.0, "x-gap", ""],
        [0.01, "x-screen", json.dumps(picture)],
        [3.0, "o", "make lint\r\n"],
        [4.0, "o", "3 problems\r\n"],
    ]
    assert moves(play(events, header=OWN))[-1] == (0.01, "lint", "running")
    assert (5.0, "lint", "succeeded") in moves(play([*events, [5.0, "o", "0 problems\r\n"]], header=OWN))


def test_full_screen_programs_are_read_off_their_screen_once_each(play: Play) -> None:
    screen = "\x1b[?1049h\x1b[HSAY working"
    events = [[1.0, "o", screen], *([1.5 + n, "o", "\x1b[5;1H."] for n in range(5)), [9.0, "o", "\x1b[HSAY idle\x1b[K"]]
    lines = [line for line in play(events) if line["kind"] == "signal"]
    assert [(round(line["at"]), line["signal"], line["state"]) for line in lines] == [
        (1, "state", "working"), (9, "state", "idle"),
    ]  # fmt: skip
    assert lines[0]["parser"] == "say"
    assert lines[0]["evidence"] == "SAY working"


def test_a_recorded_picture_is_what_later_output_is_drawn_on(play: Play) -> None:
    """Else the state would be gone after the next output, and news again with the next picture."""
    picture = {"lines": ["SAY working"], "rows": ["SAY working"], "cursor": [0, 5], "alternate": True}
    events = [
        [0.0, "x-gap", ""],
        [0.01, "x-screen", json.dumps(picture)],
        [1.0, "o", "\x1b[5;1H."],
        [5.0, "x-gap", ""],
        [5.01, "x-screen", json.dumps(picture)],
    ]
    header = {**OWN, "tmux_sentry": {**OWN["tmux_sentry"], "pane": {"alternate": True}}}  # type: ignore[dict-item]
    assert [line["at"] for line in play(events, header=header) if line["kind"] == "signal"] == [0.01]


def test_a_closed_pane_and_an_emitted_event_are_played(play: Play) -> None:
    events = [
        [0.0, "x-whole", ""],
        [1.0, "x-emitted", json.dumps({"text": "{}", "entry": "e"})],
        [2.0, "x-closed", '{"status": 3}'],
    ]
    ends = [(at, stage) for at, stage, status in moves(play(events, header=OWN)) if status == "failed"]
    assert ends == [(2.0, "lint"), (2.0, "run")]


def test_a_pipeline_that_matches_nothing_starts_when_it_is_named(play: Play) -> None:
    other = {**CI, "match": {"window_name": "^elsewhere$"}}
    assert play(SHOWN, pipeline=other) == []
    assert moves(play(SHOWN, pipeline=other, name="ci"))[0] == (0.0, "run", "started")


HOSTILE = [
    "\x1b]0;" + "t" * 100_000 + "\x07",
    "\x1b[" + "9" * 50_000 + "A",
    "\x1b" * 20_000,
    "\x1bPtmux;\x1b\x1b]52;c;aGk=\x07\x1b\\",
    "\x1b[?1049h" * 500 + "\x1b[?1049l" * 499,
    "\ud800\udfff\x00\x7f\x9b31m#{pane_pid}$(id)`id`",
    "e\u0301" * 30_000,
]


def test_hostile_output_ends_nothing(play: Play) -> None:
    events = [[float(number), "o", text] for number, text in enumerate(HOSTILE)]
    lines = play([*events, [60.0, "o", "\x1b[?1049l\x1b\\\r\n0 problems\r\n"]])
    assert moves(lines)[1] == (0.0, "lint", "running")


@pytest.mark.parametrize(
    "event", ['"x-screen", "[]"', '"x-sent", "7"', '"x-pane", "{"', '"x-closed", "' + "[" * 9000 + '"']
)
def test_our_own_events_are_checked_too(play: Play, event: str) -> None:
    from tmux_sentry.errors import UsageError

    with pytest.raises(UsageError, match=r"a\.cast:2: "):
        play([json.loads(f"[1, {event}]")], header=OWN)
