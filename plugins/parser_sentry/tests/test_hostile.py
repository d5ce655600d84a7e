"""Whatever a pane prints, the parser never raises, and nothing corrupted becomes an event."""

from __future__ import annotations

import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from tmux_sentry import Lines, PaneFacts, PaneIdentity, Screen, SignalKind
from tmux_sentry_parser_sentry import SentryParser

PANE = PaneIdentity(host="here", server_pid=100, server_start=1, pane_id="%1", pane_pid=200)
FACTS = PaneFacts(identity=PANE, agent="claude", typed=('say ### SENTRY {"type":"DONE"} then',))
VALID = [
    '### SENTRY {"type":"STATUS","stage":"build","ok":true,"id":"a1","message":"caf\\u00e9 \\"x\\""}',
    '@@SENTRY {"type":"PROGRESS","percent":4.5e1,"data":{"a":[1,-2,{"b":null}]}}',
    '  ● SENTRY {"type":"ASK","question":"Which?","choices":["a","b"],"run":"r"}',
    '│ ### SENTRY {"type":"DONE","ok":false} │',
]
PIECES = [
    '"', "\\", "{", "}", "[", "]", ":", ",", "\ud800", "\x00", "\x1b[2J", "\\ud800", "\\u", "NaN", "1e999", "9" * 400,
    "true", " ", "\n", "│", "SENTRY", "### ", "@@", "…", "'", "$ ", "> ", "构", "\u202e", '"type":"DONE",', "-",
]  # fmt: skip
ROW = st.lists(st.sampled_from([*PIECES, *VALID]) | st.text(max_size=8), max_size=8).map("".join)


def read(*rows):
    return [
        *SentryParser().parse(Lines(pane=PANE, at=0.0, lines=rows, before=rows[:4]), FACTS),
        *SentryParser().parse(Screen(pane=PANE, at=0.0, lines=rows, cursor=(0, 0)), FACTS),
    ]


def mutate(rng: random.Random, line: str) -> str:
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        at, length = rng.randrange(len(line) + 1), rng.choice((0, 0, 1, 1, 4))
        piece = rng.choice(["", *PIECES, chr(rng.randrange(0x2FFF))])
        line = line[:at] + piece + line[at + length :]
    return line


def test_ten_thousand_corrupted_lines_give_no_event_that_strict_readers_would_not_read():
    rng = random.Random(20261122)
    accepted = 0
    for _ in range(10_000):
        line = mutate(rng, rng.choice(VALID))
        for signal in read(line):
            accepted += 1
            value = json.loads(line[line.index("{") :].rstrip(" │┃|║"))  # raises, and so fails, on what is not JSON
            assert value["type"].upper() == signal.event_type
            assert "ok" not in value or signal.ok is value["ok"] or signal.kind is not SignalKind.STATUS
            signal.evidence.encode()
            json.dumps(dict(signal.data), ensure_ascii=False).encode()
    assert accepted > 100  # mutations that leave valid JSON exist, so the check above has run


@settings(max_examples=300, deadline=None)
@given(st.lists(ROW, max_size=16))
def test_any_screen_at_all_is_read_without_an_error(rows):
    read(*rows)


def test_a_flood_of_half_events_costs_linear_time():
    row = '@@SENTRY {"type":"DONE","a":[' + '{"b":"\\\\' * 6
    screens = [(row, *["x" * 300] * 12) * 40, ("@@SENTRY " + "{" * 4000,) * 500, (" " * 100_000 + "SENTRY {",) * 50]
    for rows in screens:  # anything worse than linear runs into the limit that every test has
        assert read(*rows) == []
