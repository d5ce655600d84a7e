"""Reading recordings: what is accepted, and where each kind of damage is said to be."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tmux_sentry.errors import UsageError
from tmux_sentry.recording.asciicast import LINE_LIMIT, CastEvent, Header, open_cast

HEADER = '{"version": 2, "width": 80, "height": 24}'


def written(folder: Path, *lines: str, end: str = "\n") -> Path:
    path = folder / "a.cast"
    path.write_text("\n".join(lines) + end)
    return path


def read(path: Path) -> tuple[Header, list[CastEvent], bool]:
    with open_cast(path) as cast:
        return cast.header, list(cast.events()), cast.torn


def test_the_events_that_matter_come_in_order(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '{"version": 2, "width": 80, "height": 24, "timestamp": 1795333083, "title": "t", "theme": {"fg": "#fff"}}',
        '[0.5, "o", "\\u001b[1mhi"]',
        '[0.5, "i", "typed"]',
        '[1, "m", ""]',
        "",
        '[2.25, "r", "100x30"]',
        '[3, "x-gap", ""]',
    )
    header, events, torn = read(path)
    assert (header.width, header.height, header.timestamp, header.title, dict(header.own)) == (
        80, 24, 1795333083.0, "t", {},
    )  # fmt: skip
    assert [(e.at, e.code, e.text, e.line, e.size) for e in events] == [
        (0.5, "o", "\x1b[1mhi", 2, (0, 0)),
        (2.25, "r", "100x30", 6, (100, 30)),
        (3.0, "x-gap", "", 7, (0, 0)),
    ]
    assert not torn


def test_gzip_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "any.name"
    path.write_bytes(gzip.compress(f'{HEADER}\n[1, "o", "x"]\n'.encode()))
    assert [event.text for event in read(path)[1]] == ["x"]


def test_a_last_line_that_was_never_finished_ends_the_recording(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, '[1, "o", "x"]', '[2, "o", "y', end="")
    _, events, torn = read(path)
    assert [event.text for event in events] == ["x"]
    assert torn


BAD_HEADERS = {
    "": "the file is empty",
    "{": "the header is no JSON",
    "[]": "the header is no JSON object",
    '{"version": 1}': "no asciicast v2",
    '{"version": 3, "term": {"cols": 80, "rows": 24}}': "no asciicast v2",
    '{"version": 2, "width": 80}': "width and height are whole numbers",
    '{"version": 2, "width": true, "height": 24}': "width and height are whole numbers",
    '{"version": 2, "width": 100000, "height": 100000}': "from 1x1 to 1000x500",
    '{"version": 2, "width": 0, "height": 24}': "from 1x1 to 1000x500",
    '{"version": 2, "width": 80, "height": 24, "timestamp": -1}': "the timestamp is out of range",
    '{"version": 2, "width": 80, "height": 24, "timestamp": NaN}': "NaN is no JSON",
    "[" * 200_000: "the header is no JSON",
}


@pytest.mark.parametrize("header", BAD_HEADERS, ids=range(len(BAD_HEADERS)))
def test_a_bad_header_is_named(tmp_path: Path, header: str) -> None:
    path = written(tmp_path, header, end="\n" if header else "")
    with pytest.raises(UsageError) as caught:
        read(path)
    assert caught.value.what.startswith(f"{path}:1: ")
    assert BAD_HEADERS[header] in caught.value.what
    assert caught.value.exit_code == 2


BAD_EVENTS = {
    "x": "this is no event",
    '{"a": 1}': "an event is [seconds, code, text]",
    '[1, "o"]': "an event is [seconds, code, text]",
    '[1, 7, "x"]': "an event's code is text",
    '[1, "o", 7]': "what comes with 'o' is no text",
    '["1", "o", "x"]': "the time is no number",
    '[true, "o", "x"]': "the time is no number",
    '[1e999, "o", "x"]': "the time is no number",
    '[-1, "o", "x"]': "the time is out of range",
    f'[{"9" * 400}, "o", "x"]': "the time is out of range",
    f'[{"9" * 5000}, "o", "x"]': "this is no event",
    '[0.1, "o", "x"]': "time runs backwards, from 0.500 s to 0.100 s",
    '[1, "r", "80"]': "a resize is COLUMNSxROWS",
    '[1, "r", "100000x100000"]': "from 1x1 to 1000x500",
    '[1, "r", "0x0"]': "from 1x1 to 1000x500",
    "[" * 100_000: "this is no event",
}


@pytest.mark.parametrize("event", BAD_EVENTS, ids=range(len(BAD_EVENTS)))
def test_a_bad_event_is_named_with_its_line(tmp_path: Path, event: str) -> None:
    path = written(tmp_path, HEADER, '[0.5, "o", "fine"]', event)
    with pytest.raises(UsageError) as caught:
        read(path)
    assert caught.value.what.startswith(f"{path}:3: ")
    assert BAD_EVENTS[event] in caught.value.what
    assert len(caught.value.what) < 400


def test_a_line_has_a_limit(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, json.dumps([1, "o", "x" * (10 << 20)]))
    with pytest.raises(UsageError, match=r":2: a line is longer than 4 MB"):
        read(path)
    fits = written(tmp_path, HEADER, json.dumps([1, "o", "x" * (LINE_LIMIT - 100)]))
    assert len(read(fits)[1][0].text) == LINE_LIMIT - 100


def test_a_recording_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.cast.gz"
    blank = b" " * (LINE_LIMIT - 1) + b"\n"
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(HEADER.encode() + b"\n")
        for _ in range(4):
            stream.write(blank)
    with pytest.raises(UsageError, match=":4: the recording is larger than 10 MB"), open_cast(path, 10 << 20) as cast:
        list(cast.events())


def test_a_torn_gzip_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.cast.gz"
    path.write_bytes(gzip.compress(f'{HEADER}\n[1, "o", "x"]\n'.encode())[:-12])
    with pytest.raises(UsageError, match=r":[123]: it cannot be read"):
        read(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere", Path("/dev/zero")):
        with pytest.raises(UsageError):
            read(path)
