"""Most events are read without the machinery for wrapped rows and hostile text: these give the same result."""

from __future__ import annotations

import json
import math
import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tmux_sentry_parser_sentry import strictjson
from tmux_sentry_parser_sentry.grammar import Found, on_one_row
from tmux_sentry_parser_sentry.picture import quoted
from tmux_sentry_parser_sentry.unwrap import MAX_CHARS, MAX_DEPTH, Row, join

PIECES = [
    "{", "}", "[", "]", ":", ",", '"', "\\", " ", '{"a":1}', '{"type":"DONE"}', '"a":', '"a":1,', '"b":[{}]', "{}",
    '"\\u00e9"', '"\\ud800"', '"\\ud83d\\ude00"', '"\\\\ud800"', '"\ud800"', '"é"', '"\u202e"', "\x00", "\t", "\n",
    "\x1b[31m", "\x85", "\xa0", "NaN", "-Infinity", "1e999", "1.5", "-0", "9" * 19, "9223372036854775808", "null",
    "true", "'", " │", "…",
]  # fmt: skip
ANY = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=14).map("".join)
# Valid JSON, so that not nearly all examples are refused: with surrogates, escaped or not, and too deep ones.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.builds(
    lambda value, ascii, after: json.dumps(value, ensure_ascii=ascii) + after,
    st.dictionaries(st.text(max_size=3), VALUES, max_size=4),
    st.booleans(),
    st.sampled_from(["", " ", "}", " │", "\t", "'"]),
)


def unique(pairs):
    assert len({key for key, _ in pairs}) == len(pairs)
    return dict(pairs)


def numbers(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for item in value for number in numbers(item)]
    return [value] if isinstance(value, (int, float)) else []


def plainly(text):
    """What `strictjson.read` accepts, in so many words."""
    if re.search(r"[\x00-\x1f\x7f-\x9f]", text):
        return None
    try:
        value = json.loads(text, object_pairs_hook=unique)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError, AssertionError):
        return None
    fine = all(math.isfinite(n) if isinstance(n, float) else -(2**63) <= n < 2**63 for n in numbers(value))
    return value if fine and isinstance(value, dict) else None


@settings(max_examples=1000, deadline=None)
@given(ANY | OBJECTS)
@example('{"a":1,"a":1}')
@example('{"a":"\\ud800"}')
@example('{"a":"\ud800"}')
@example('{"a":NaN}')
@example(" {} ")
def test_strict_json_is_what_it_says(text):
    assert strictjson.read(text) == plainly(text)


@settings(max_examples=1000, deadline=None)
@given(ANY | OBJECTS)
@example('{"a":' + "[" * 7 + "]" * 7 + "}")
@example('{"a":' + "[" * 8 + "]" * 8 + "}")
@example('{"a":"' + "{" * 9 + '"}')
@example('{"a":"' + "x" * (MAX_CHARS - 8) + '"}')
@example('{"a":"' + "x" * (MAX_CHARS - 7) + '"}')
@example('{"a":"é"} {"b":"\ud800"}')
@example("{} }")
@example("\xa0{}")
def test_an_object_on_one_row_is_what_joining_rows_would_find(text):
    joined = join([Row(text=text, end=len(text))])
    value = strictjson.read(joined.text) if joined else None
    expected = (value, len(joined.text)) if joined and value is not None else None
    many = len(text) > MAX_CHARS or text.count("{") + text.count("[") > MAX_DEPTH
    assert on_one_row(text) == (None if many else expected)


QUOTES = re.compile(r"(?:^|[\s(=])['\"`](?:###)?$")
HEREDOC = re.compile(r"<<-? ?['\"\\]?([A-Z][A-Z_]{2,})\b")


def plainly_quoted(above):
    for index in range(len(above) - 1, -1, -1):
        if opening := HEREDOC.search(above[index]):
            end = re.compile(rf"[\s>│┃|║]*{opening.group(1)}\b")
            return not any(end.match(row) for row in above[index + 1 :]) or bool(
                QUOTES.search(above[-1].rstrip(" │┃|║"))
            )
    return bool(above and QUOTES.search(above[-1].rstrip(" │┃|║")))


ROWS = st.lists(
    st.lists(
        st.sampled_from(
            ["cat ", "<", "<<", "<<-", "<< ", "'", '"', "`", "EOF", "END", "###", "#", " ", "(", "=", "> ", "│ ", "x"]
        ),
        max_size=6,
    ).map("".join),
    max_size=12,
)


@settings(max_examples=1000, deadline=None)
@given(ROWS)
@example(["cat <<EOF", "a"])
@example(["cat <<EOF", "EOF"])
@example(["printf '### │"])
def test_a_quotation_is_found_as_with_the_expressions_alone(above):
    event = Found(first=len(above), last=len(above), prefix="", text="", body="{}", value={}, plain=True)
    assert quoted([*above, "### SENTRY {}"], event, agent_screen=False) == plainly_quoted(above)
