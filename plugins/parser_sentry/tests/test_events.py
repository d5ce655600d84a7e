"""What each type of event says, and which JSON is not an event at all."""

from __future__ import annotations

import hashlib
import json

import pytest

from tmux_sentry import AgentState, SignalKind, Trust


def test_a_status_line_becomes_a_signal_with_everything_it_said(stream):
    text = '{"ok":false,"type":"status","stage":"test","message":"3 fail\\u001b[31med","id":7,"run":"r1","seq":2}'
    (signal,) = stream(f"### SENTRY {text}")
    assert (signal.kind, signal.event_type, signal.stage, signal.ok) == (SignalKind.STATUS, "STATUS", "test", False)
    assert (signal.event_id, signal.run, signal.data) == ("7", "r1", {"seq": 2})
    assert (signal.trust, signal.parser, signal.at) == (Trust.PRINTED, "sentry", 5.0)
    assert signal.message == "3 failed"
    assert signal.evidence.startswith('### SENTRY {"ok":false')


def test_the_evidence_is_short_and_shows_what_it_is(stream):
    (signal,) = stream('@@SENTRY {"type":"DONE","x":"\u202e' + "a" * 300 + '"}')
    assert len(signal.evidence) == 200
    assert "\u202e" not in signal.evidence


def test_the_digest_is_of_the_content_and_not_of_its_spelling(stream):
    text = '{"a":"\u00e9","type":"DONE"}'
    one, two = stream(f"@@SENTRY {text}", '### SENTRY {"type": "DONE",  "a": "\\u00e9"}')
    assert one.digest == two.digest
    assert one.digest == hashlib.sha256(b'{"a":"\\u00e9","type":"DONE"}').hexdigest()


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"type": "STATUS"}, {"kind": SignalKind.STATUS, "ok": None, "stage": None}),
        ({"type": "STATUS", "stage": ""}, {"stage": None}),
        ({"type": "DONE"}, {"kind": SignalKind.STATUS, "ok": True, "event_type": "DONE"}),
        ({"type": "Done", "ok": False}, {"ok": False}),
        ({"type": "PROGRESS", "percent": 40}, {"kind": SignalKind.PROGRESS, "percent": 40.0, "ok": None}),
        ({"type": "PROGRESS", "percent": 1e308}, {"percent": 100.0}),
        ({"type": "PROGRESS", "percent": -3}, {"percent": 0.0}),
        ({"type": "PROGRESS", "done": 1, "total": 4}, {"percent": 25.0}),
        ({"type": "PROGRESS", "done": 1e308, "total": 1e-308}, {"percent": 100.0}),
        ({"type": "PROGRESS", "done": 1, "total": 0}, {"percent": None}),
        ({"type": "PROGRESS", "message": "half"}, {"percent": None, "message": "half"}),
        ({"type": "STATE", "state": "Working"}, {"kind": SignalKind.STATE, "state": AgentState.WORKING}),
        ({"type": "STATE", "state": "dreaming"}, {"state": AgentState.UNKNOWN}),
        (
            {"type": "ASK", "question": "Which?", "choices": ["a", "b"]},
            {"kind": SignalKind.PROMPT, "message": "Which?", "choices": ("a", "b")},
        ),
        ({"type": "ERROR", "message": "no disk"}, {"kind": SignalKind.ERROR, "message": "no disk", "ok": None}),
        ({"type": "STATUS", "message": 5}, {"message": ""}),
        ({"type": "STATUS", "id": 0}, {"event_id": "0"}),
        ({"type": "STATUS", "stage": "s" * 128}, {"stage": "s" * 128}),
    ],
)
def test_each_type_says_its_own(stream, event, expected):
    (signal,) = stream(f"@@SENTRY {json.dumps(event)}")
    assert {name: getattr(signal, name) for name in expected} == expected


@pytest.mark.parametrize(
    "event",
    [
        '{"type":"HELLO"}', '{"type":7}', '{"type":null}', '{"type":"\u017fTATUS"}', '{"Type":"STATUS"}',
        '{"type":"STATUS","ok":"true"}', '{"type":"STATUS","ok":1}', '{"type":"STATUS","ok":null}',
        '{"type":"DONE","ok":0}',
        '{"type":"STATUS","stage":5}', '{"type":"STATUS","stage":["a"]}', '{"type":"STATUS","id":true}',
        '{"type":"STATUS","id":1.5}', '{"type":"STATUS","run":{}}', f'{{"type":"STATUS","stage":"{"s" * 129}"}}',
        '{"type":"STATUS","stage":"a\\u0000b"}', '{"type":"STATUS","id":"a\\u202eb"}', '{"type":"STATUS","id":"a\\nb"}',
        '{"type":"PROGRESS","percent":"50"}', '{"type":"PROGRESS","percent":true}',
        '{"type":"PROGRESS","done":[],"total":1}', '{"type":"STATE"}', '{"type":"STATE","state":1}',
        '{"type":"ASK","choices":"ab"}', '{"type":"ASK","choices":[1]}',
    ],
)  # fmt: skip
def test_an_unknown_type_or_a_wrong_field_decides_nothing(stream, event):
    assert stream(f"@@SENTRY {event}") == []


@pytest.mark.parametrize(
    "event",
    [
        '{"type":"DONE","type":"DONE"}', '{"type":"DONE","data":{"a":1,"a":1}}',
        '{"type":"DONE","x":NaN}', '{"type":"DONE","x":Infinity}', '{"type":"DONE","x":-Infinity}',
        '{"type":"DONE","x":1e999}',
        '{"type":"DONE","x":9223372036854775808}', f'{{"type":"DONE","x":{"9" * 4000}}}',
        '{"type":"DONE","x":"\\ud800"}', '{"type":"DONE","\\udfff":1}', '{"type":"DONE","x":"\ud800"}',
        '{"type":"DONE","x":"a\tb"}', '{"type":"DONE",\t"x":1}', '{"type":"DONE","x":"\x1b"}',
        '{"type":"DONE","x":"\x85"}',
        '{"type":"DONE","x":01}', '{"type":"DONE",}', "{'type':'DONE'}", '{"type":"DONE","x":+1}',
        '{"type":"DONE"//\n}',
        '{"type":"DONE","x":{"a":[{"b":[{"c":[{"d":{}}]}]}]}}', '{"type":"DONE","x":' + "[" * 1500 + "]" * 1500 + "}",
        f'{{"type":"DONE","x":"{"a" * 4066}"}}', f'{{"type":"DONE","x":"{"é" * 2033}"}}',
    ],
)  # fmt: skip
def test_json_that_readers_disagree_about_is_not_an_event(stream, screen, event):
    assert stream(f"@@SENTRY {event}") == []
    assert screen(f"@@SENTRY {event}") == []


@pytest.mark.parametrize(
    "event",
    [
        '{"type":"DONE","x":{"a":[{"b":[{"c":[{}]}]}]}}',  # eight deep
        '{"type":"DONE","x":9223372036854775807,"y":1e308,"z":"\\ud83d\\ude00"}',
        f'{{"type":"DONE","x":"{"a" * 4065}"}}',  # 4,096 bytes with its marker
    ],
)
def test_what_is_just_within_the_limits_is_an_event(stream, event):
    assert [s.ok for s in stream(f"@@SENTRY {event}")] == [True]
