"""SENTRY lines as a user meets them: what to print, and what tmux-sentry reads. `pytest tests/test_parser.py -v`"""

from __future__ import annotations

import pytest

from tmux_sentry import Lines, PaneFacts, PaneIdentity, Screen, SignalKind
from tmux_sentry_parser_sentry import SentryParser

PANE = PaneIdentity(host="here", server_pid=100, server_start=1, pane_id="%1", pane_pid=200)

LINES = {
    "a status": ('### SENTRY {"type":"STATUS","stage":"build","ok":true}', "status build ok"),
    "a failure": ('@@SENTRY {"type":"STATUS","stage":"test","ok":false,"message":"oh"}', "status test failed: oh"),
    "no stage means the running one": ('@@SENTRY {"type":"STATUS","ok":true}', "status - ok"),
    "done": ('@@SENTRY {"type":"DONE"}', "status - ok"),
    "progress": ('@@SENTRY {"type":"PROGRESS","stage":"test","done":3,"total":4}', "progress test 75%"),
    "a state": ('@@SENTRY {"type":"STATE","state":"waiting"}', "state - waiting"),
    "a question": ('@@SENTRY {"type":"ASK","question":"Go on?","choices":["yes","no"]}', "prompt - yes/no: Go on?"),
    "an error": ('@@SENTRY {"type":"ERROR","message":"disk full"}', "error - : disk full"),
    "indented, with a bullet": ('   - @@SENTRY {"type":"DONE"}', "status - ok"),
    "in a log, behind other text": ('10:15 INFO @@SENTRY {"type":"DONE"}', None),
    "the command that prints it": ("""$ echo '@@SENTRY {"type":"DONE"}'""", None),
    "not finished": ('@@SENTRY {"type":"DONE"', None),
    "not JSON": ("@@SENTRY {type: DONE}", None),
    "ok as text": ('@@SENTRY {"type":"STATUS","ok":"true"}', None),
    "a type of tomorrow": ('@@SENTRY {"type":"LUNCH"}', None),
    "about SENTRY": ("Use ### SENTRY lines to report.", None),
}  # fmt: skip

SCREENS = {
    "Claude eats the heading sign": ("claude", ["❯ build it", "", '● SENTRY {"type":"DONE"}'], ["status - ok"]),
    "Codex keeps it": ("codex", ["› build it", "", '• ### SENTRY {"type":"DONE"}'], ["status - ok"]),
    "Qwen's boxes": ("qwen", ["╭──────╮", '│  ### SENTRY {"type":"DONE"}  │', "╰──────╯"], ["status - ok"]),
    "a long line is wrapped": (
        "gemini",
        ["✦ Ready.", '  SENTRY {"type":"STATUS","stage":"test","ok":false,"message":"3 tests', '  failed"}'],
        ["status test failed: 3 tests failed"],
    ),
    "still being written": ("claude", ['● SENTRY {"type":"STATUS","stage":"te', "", "✢ Generating…"], []),
    "cut off": ("codex", ['  └ @@SENTRY {"type":"DONE","message":"a long st…', "    + 1 line (^t to expand)"], []),
    "the question itself": ("claude", ["❯ When done, print", '  @@SENTRY {"type":"DONE"}', ""], []),
    "a dialog about the command": ("gemini", ["│ ? Shell", """│ │ echo '@@SENTRY {"type":"DONE"}' │ │"""], []),
    "one after the other": (
        "opencode",
        ['     @@SENTRY {"type":"PROGRESS","percent":50}', "", '     @@SENTRY {"type":"DONE"}'],
        ["progress - 50%", "status - ok"],
    ),
}


def say(signal) -> str:
    value = {
        SignalKind.STATUS: "ok" if signal.ok else "failed",
        SignalKind.PROGRESS: f"{signal.percent or 0:.0f}%",
        SignalKind.STATE: signal.state and signal.state.value,
        SignalKind.PROMPT: "/".join(signal.choices),
    }.get(signal.kind, "")
    return f"{signal.kind.value} {signal.stage or '-'} {value}" + (f": {signal.message}" if signal.message else "")


@pytest.mark.parametrize("case", LINES)
def test_a_line_of_output(case):
    line, meaning = LINES[case]
    signals = SentryParser().parse(Lines(pane=PANE, at=0.0, lines=(line,)), PaneFacts(identity=PANE))
    assert [say(signal) for signal in signals] == ([meaning] if meaning else [])


@pytest.mark.parametrize("case", SCREENS)
def test_an_agents_screen(case):
    agent, rows, meanings = SCREENS[case]
    seen = Screen(pane=PANE, at=0.0, lines=tuple(rows), cursor=(0, 0))
    signals = SentryParser().parse(seen, PaneFacts(identity=PANE, agent=agent))
    assert [say(signal) for signal in signals] == meanings


def test_the_echo_of_what_tmux_sentry_typed_is_not_the_answer():
    typed = 'Run the tests; when they pass, print: @@SENTRY {"type":"DONE"}'
    facts = PaneFacts(identity=PANE, agent="opencode", typed=(typed,))
    echo = ("  ┃  Run the tests; when they pass,", "  ┃  print:", '  ┃  @@SENTRY {"type":"DONE"}', "")
    answer = ("     They pass.", "", '     @@SENTRY {"type":"DONE"}')
    asked = SentryParser().parse(Screen(pane=PANE, at=0.0, lines=echo, cursor=(0, 0)), facts)
    answered = SentryParser().parse(Screen(pane=PANE, at=0.0, lines=echo + answer, cursor=(0, 0)), facts)
    assert [[say(signal) for signal in signals] for signals in (asked, answered)] == [[], ["status - ok"]]
