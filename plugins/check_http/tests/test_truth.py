"""Conditions: what is missing is never taken for a yes, nor for a no."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmux_sentry import clean
from tmux_sentry_check_http import expressions
from tmux_sentry_check_http.truth import judge


def told(text: str, data: Any) -> bool | None:
    return judge(expressions.read(text), data).value


CASES: list[tuple[str, Any, bool | None]] = [
    ("state == 'done'", {"state": "done"}, True),
    ("state == 'done'", {"state": "run"}, False),
    ("state == 'done'", {}, None),
    ("state == 'done'", {"state": None}, None),
    ("state == 'done'", [], None),
    ("state == 'done'", "done", None),
    # The trap: plain JMESPath says true of every error page.
    ("state != 'running'", {"error": "x"}, None),
    ("'running' != state", {"error": "x"}, None),
    ("a.b.c != 'x'", {"a": {}}, None),
    ("a[0].c != 'x'", {"a": []}, None),
    ("a == b", {}, None),
    ("!(state == 'running')", {}, None),
    ("to_string(state) != 'running'", {}, None),
    ("to_number(n) != `1`", {"n": "none"}, None),
    ("[state, n] != ['x', 'y']", {"n": "y"}, None),
    ("{s: state}.s != 'x'", {}, None),
    ("{s: state} != {s: 'x'}", {}, None),
    ("a.{s: state} != a.{s: n}", {"a": {"n": 1}}, None),
    ("@ | state != 'x'", {}, None),
    # Kleene
    ("a == `1` || b == `2`", {"a": 1}, True),
    ("b == `2` || a == `1`", {"a": 1}, True),
    ("a == `1` || b == `2`", {"a": 0}, None),
    ("a == `1` && b == `2`", {"a": 0}, False),
    ("b == `2` && a == `1`", {"a": 0}, False),
    ("a == `1` && b == `2`", {"a": 1}, None),
    ("!(a == `1` && b == `2`)", {"a": 0}, True),
    # null, when it is meant
    ("error == `null`", {}, True),
    ("error == `null`", {"error": "x"}, False),
    ("error != `null`", {"error": "x"}, True),
    ("error != `null`", {}, False),
    ("not_null(state, 'none') == 'none'", {}, True),
    ("(state || 'none') == 'none'", {}, True),
    ("type(state) == 'null'", {}, True),
    # no yes and no no
    ("state", {"state": "done"}, None),
    ("state", {"state": 1}, None),
    ("state", {"state": {}}, None),
    ("state", {}, None),
    ("ok", {"ok": True}, True),
    ("ok", {"ok": False}, False),
    ("!ok", {"ok": False}, True),
    ("!ok", {}, None),
    ("!ok", {"ok": ""}, None),
    ("(!ok) == `true`", {}, None),
    ("ok && state", {"ok": True, "state": "done"}, None),
    ("`true`", None, True),
    # no order
    ("n > `1`", {"n": 2}, True),
    ("n > `1`", {"n": "2"}, None),
    ("n > `1`", {"n": True}, None),
    ("n > `1`", {}, None),
    ("a < b", {"a": "x", "b": "y"}, True),
    ("n > `null`", {"n": 1}, None),
    # functions
    ("contains(tags, 'ok')", {"tags": ["ok"]}, True),
    ("!contains(tags, state)", {"tags": ["ok"]}, None),
    ("!contains(tags, 'bad')", {}, None),
    ("starts_with(state, 'x')", {"state": 1}, None),
    ("length(jobs) == `0`", {"jobs": []}, True),
    ("length(jobs) == `0`", {}, None),
    ("sum(n) > `1`", {"n": ["x"]}, None),
    ("max(n) == `1`", {"n": []}, None),
    # lists
    ("length(jobs[?state == 'bad']) == `0`", {"jobs": [{"state": "ok"}, {}]}, None),
    ("length(jobs[?state == 'bad']) == `0`", {"jobs": [{"state": "ok"}]}, True),
    ("length(jobs[?state == 'bad']) == `0`", {}, None),
    ("length(jobs[?bad]) == `0`", {"jobs": [{}]}, None),
    ("length(jobs[?done == `true` && state == 'bad']) == `0`", {"jobs": [{"done": False}]}, True),
    ("!contains(jobs[*].state, 'bad')", {"jobs": [{"state": "ok"}, {}]}, None),
    ("!contains(jobs[].state, 'bad')", {"jobs": [{"state": "ok"}, {}]}, None),
    ("!contains(jobs.*.state, 'bad')", {"jobs": {"a": {"state": "ok"}, "b": {}}}, None),
    ("contains(jobs.*.state, 'ok')", {"jobs": {"a": {"state": "ok"}}}, True),
    ("!contains(jobs.*.state, 'bad')", {"jobs": [1]}, None),
    ("!contains(map(&state, jobs), 'bad')", {"jobs": [{"state": "ok"}]}, True),
    ("jobs[?name == 'b'] | [0].state == 'ok'", {"jobs": [{"name": "b", "state": "ok"}]}, True),
    ("jobs[?name == 'b'] | [0].state != 'ok'", {"jobs": [{"name": "a", "state": "ok"}]}, None),
    ("jobs[0:1] == ['x']", {"jobs": ["x", "y"]}, True),
]


@pytest.mark.parametrize(("text", "data", "expected"), CASES)
def test_cases(text: str, data: Any, expected: bool | None) -> None:
    assert told(text, data) is expected


@pytest.mark.parametrize(
    ("text", "data", "why"),
    [
        ("job.state == 'x'", {"job": {}}, "job.state is missing or null"),
        ("jobs[0].state == 'x'", {"jobs": []}, "jobs[0].state is missing or null"),
        ("jobs[?name == 'x'] | [0] == 'x'", {"jobs": [{}]}, "name is missing or null"),
        ("state", {"state": "done"}, "state is 'done', which is no yes/no"),
        ("state", {"state": "x" * 41}, "state is a text of 41 characters, which is no yes/no"),
        ("state", {"state": [1]}, "state is a list, which is no yes/no"),
        ("n > `1`", {"n": "2"}, "'2' and 1 cannot be put in order"),
        ("length(n) > `1`", {"n": 2}, "In function length(), invalid type for value: 2"),
    ],
)
def test_what_is_missing_is_named(text: str, data: Any, why: str) -> None:
    truth = judge(expressions.read(text), data)
    assert truth.value is None
    assert truth.why.startswith(why)


def test_what_is_told_is_short() -> None:
    for data in ({"state": "\x1b[31m" + "A" * 100_000}, {"state": 10**4000}, {"state": ["A" * 100_000]}):
        for text in ("state", "state > `1`", "length(state) > `1`", "abs(state) > `1`"):
            assert len(judge(expressions.read(text), data).why) <= 300


def test_a_long_condition_is_judged_or_refused_and_never_raises() -> None:
    for terms in (100, 200, 300, 450, 600, 900, 1300):
        try:
            tree = expressions.read("&&".join("a" for _ in range(terms)))
        except expressions.BadExpression:
            continue
        assert judge(tree, {"a": True}).value in (True, None)


# ------------------------------------------------------------- against a plain evaluation of every completion

NAMES = ("a", "b", "c")
VALUES = (True, False, 1, "x")
ATOMS = st.one_of(
    st.sampled_from(NAMES),
    st.builds(
        lambda name, op, value: f"{name} {op} `{value}`",
        st.sampled_from(NAMES),
        st.sampled_from(["==", "!="]),
        st.sampled_from(["true", "1", '"x"']),
    ),
    st.builds(
        lambda one, op, other: f"{one} {op} {other}",
        st.sampled_from(NAMES),
        st.sampled_from(["==", "!="]),
        st.sampled_from(NAMES),
    ),
    st.builds(lambda name: f"to_string({name}) != 'x'", st.sampled_from(NAMES)),
    st.builds(lambda name: f"contains(['x', '1'], {name})", st.sampled_from(NAMES)),
    st.builds(lambda name: f"[{name}] != ['x']", st.sampled_from(NAMES)),
    st.builds(lambda op: f"length(l[?s {op} 'x']) == `0`", st.sampled_from(["==", "!="])),
    st.just("contains(l[*].s, 'x')"),
    st.just("contains(l[].s, 'x')"),
    st.just("contains(l.*.s, 'x')"),
    st.just("length(l[?s == 'x' || t == 'x']) == `1`"),
)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds(lambda one: f"!({one})", inner),
        st.builds(lambda one, op, other: f"({one}) {op} ({other})", inner, st.sampled_from(["&&", "||"]), inner),
        st.builds(lambda one: f"@ | ({one})", inner),
    ),
    max_leaves=5,
)
ELEMENTS = st.dictionaries(st.sampled_from(["s", "t"]), st.sampled_from(["x", "y"]))
DATA = st.fixed_dictionaries(
    {},
    optional={**{name: st.sampled_from(VALUES) for name in NAMES}, "l": st.lists(ELEMENTS, max_size=2)},
)


def plain(text: str, data: Any) -> Any:
    """What jmespath says; None where it raises, too."""
    try:
        return jmespath.search(text, data)
    except jmespath.exceptions.JMESPathError:
        return None


def completions(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """`data` with each value that it lacks, for some of the values that there could be."""
    holes: list[tuple[Any, str, list[Any]]] = [(data, name, list(VALUES)) for name in NAMES if name not in data]
    if "l" not in data:
        holes.append((data, "l", [[], [{"s": "x", "t": "y"}]]))
    for element in data.get("l", []):
        holes += [(element, name, ["x", "y"]) for name in ("s", "t") if name not in element]
    for choice in itertools.islice(itertools.product(*(values for _, _, values in holes)), 200):
        for (place, name, _), value in zip(holes, choice, strict=True):
            place[name] = copy.deepcopy(value)
        yield copy.deepcopy(data)
    for place, name, _ in holes:
        place.pop(name, None)


@settings(max_examples=400, deadline=None)
@given(CONDITIONS, DATA)
def test_what_is_told_stays_true_whatever_the_missing_values_turn_out_to_be(text: str, data: dict[str, Any]) -> None:
    """Soundness: a yes or no is the one of plain JMESPath, and of it for every value that was not there."""
    truth = told(text, data)
    for whole in completions(data) if truth is not None else ():
        plainly = plain(text, whole)
        again = told(text, whole)
        assert again is truth, whole
        if isinstance(plainly, bool):
            assert plainly is truth, whole


@settings(max_examples=200, deadline=None)
@given(CONDITIONS, DATA)
def test_with_nothing_missing_it_is_plain_jmespath(text: str, data: dict[str, Any]) -> None:
    for whole in itertools.islice(completions(data), 20):
        truth = told(text, whole)
        assert truth is None or plain(text, whole) is None or truth is bool(plain(text, whole))


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abcls"), inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(CONDITIONS, JSON)
def test_no_data_makes_it_raise(text: str, data: Any) -> None:
    assert told(text, data) in (True, False, None)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=30), st.text(alphabet="ab.[]*?&|!()`'\"@{}:,<=>0123456789-\\", max_size=30)), JSON)
def test_no_text_makes_it_raise(text: str, data: Any) -> None:
    try:
        tree = expressions.read(text)
    except expressions.BadExpression as error:
        refused = str(error)
    else:
        refused = ""
        assert told(text, data) in (True, False, None)
        assert len(expressions.shown(tree)) <= 100
    assert len(refused) < 300
    assert refused == clean(refused)
