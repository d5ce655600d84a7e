"""Our hooks in JSON settings: everything else stays, byte for byte."""

from __future__ import annotations

import json
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmux_sentry.agent_hooks import jsontext, settings
from tmux_sentry.agent_hooks.agents import AGENTS, Agent
from tmux_sentry.agent_hooks.commands import MARK
from tmux_sentry.agent_hooks.jsontext import NotStrict

CLAUDE = AGENTS["claude"]
JSON_AGENTS = [agent for agent in AGENTS.values() if agent.kind == "settings"]
USERS = """\
{
    "model": "opus",
    "note": "größer → 漢字 \\u00e9",
    "permissions": { "allow": ["Bash(npm test)",   "Read"], "deny": [] },
    "hooks": {
        "Stop": [
            {"hooks": [{"type": "command", "command": "say done"}]}
        ],
        "PreCompact": [{"matcher": "auto", "hooks": []}]
    },
    "big": 1.0e3
}
"""
TEXTS = {
    "hooks of the user": USERS,
    "tabs": '{\n\t"a": 1,\n\t"b": {\n\t\t"c": [\n\t\t\t1\n\t\t]\n\t}\n}\n',
    "CRLF": USERS.replace("\n", "\r\n"),
    "no line break at the end": USERS.rstrip("\n"),
    "one line": '{"a":1,"hooks":{"Stop":[{"hooks":[{"type":"command","command":"x"}]}]}}',
    "brackets in texts": '{\n  "}]": "{[\\"}",\n  "hooks": {\n    "Stop": [\n      {"hooks": []}\n    ]\n  }\n}',
}


@pytest.mark.parametrize("agent", JSON_AGENTS, ids=lambda agent: agent.name)
@pytest.mark.parametrize("name", TEXTS)
def test_taking_out_leaves_every_byte_as_it_was(name: str, agent: Agent) -> None:
    text, groups = TEXTS[name], settings.wanted(agent)
    added = settings.add(text, groups)
    assert set(json.loads(added)["hooks"]) == set(groups) | set(json.loads(text).get("hooks", {}))
    assert settings.add(added, groups) == added
    assert settings.is_complete(added, groups)
    assert settings.without(added) == text


def test_what_is_added_comes_after_what_the_user_has_and_looks_like_it() -> None:
    added = settings.add(USERS, settings.wanted(CLAUDE))
    value = json.loads(added)
    assert list(value) == list(json.loads(USERS))
    assert list(value["hooks"])[:2] == ["Stop", "PreCompact"]
    assert value["hooks"]["Stop"][0] == json.loads(USERS)["hooks"]["Stop"][0]
    assert MARK in value["hooks"]["Stop"][1]["hooks"][0]["command"]
    assert '\n            {\n                "hooks": [\n' in added
    assert added.startswith(USERS[: USERS.index("say done")])
    assert "\r" not in added
    assert "\n" not in settings.add(TEXTS["CRLF"], settings.wanted(CLAUDE)).replace("\r\n", "")


@pytest.mark.parametrize("text", ["", "\n", "{}", " { } ", '{"hooks": {}}', '{"hooks": {"Stop": []}}'])
def test_nothing_much_becomes_something(text: str) -> None:
    groups = settings.wanted(CLAUDE)
    added = settings.add(text, groups)
    assert json.loads(added) == {"hooks": {event: [group] for event, group in groups.items()}}
    assert json.loads(settings.without(added)) == {}


def test_an_outdated_hook_is_replaced_and_a_hook_of_the_user_beside_it_stays() -> None:
    old = {"type": "command", "command": f"/gone/tmux-sentry hooks report claude {MARK}"}
    mine = {"type": "command", "command": "mine"}
    text = json.dumps({"hooks": {"Stop": [{"hooks": [old, mine, old]}], "SubagentStop": [{"hooks": [old]}]}}, indent=1)
    groups = settings.wanted(CLAUDE)
    assert not settings.is_complete(text, groups)
    hooks = json.loads(settings.add(text, groups))["hooks"]
    assert hooks["Stop"] == [{"hooks": [mine]}, groups["Stop"]]
    assert "SubagentStop" not in hooks
    assert "/gone/" not in json.dumps(hooks)


@pytest.mark.parametrize(
    ("text", "line", "column", "why"),
    [
        ('{\n  // mine\n  "a": 1}', 2, 3, "comments"),
        ('{"a": 1, /* b */ "c": 2}', 1, 10, "comments"),
        ('{\n "a": 1,\n}', None, None, ""),
        ('{"a" 1}', 1, 6, "delimiter"),
        ('{"a": [NaN]}', 1, 8, "NaN"),
        ('{"a": {"hooks": 1},\n "hooks": {},\n "hooks": {}}', 3, 2, "twice"),
        ("[]", 1, 1, "no mapping"),
        ('{\n "hooks": []}', 2, 11, "hooks is not a mapping"),
        ('{"hooks": {\n  "Stop": {}}}', 2, 11, "hooks.Stop is not a list"),
        ("[" * 100_000, 1, 1, "deep"),
        ('{"a": ' + "1" * 5000 + "}", 1, 1, "digit"),
    ],
)
def test_what_cannot_be_edited_is_refused_with_its_place(
    text: str, line: int | None, column: int | None, why: str
) -> None:
    with pytest.raises(NotStrict) as caught:
        settings.add(text, settings.wanted(CLAUDE))
    assert why in caught.value.why
    if line is not None:
        assert (caught.value.line, caught.value.column) == (line, column)


@pytest.mark.parametrize(
    ("agent", "text", "off"),
    [
        ("claude", '{"disableAllHooks": true}', True),
        ("claude", '{"disableAllHooks": false}', False),
        ("gemini", '{"hooksConfig": {"enabled": false}}', True),
        ("gemini", '{"hooksConfig": 1}', False),
        ("codex", '{"disableAllHooks": true}', False),
    ],
)
def test_a_setting_that_turns_hooks_off_is_seen(agent: str, text: str, off: bool) -> None:
    assert settings.is_off(text, AGENTS[agent]) is off


def test_without_the_program_only_hooks_with_one_meaning_are_offered() -> None:
    groups = json.loads(settings.snippet(settings.wanted(CLAUDE, shell=True)))["hooks"]
    assert set(groups) == {"UserPromptSubmit", "PreToolUse", "PostToolUse", "PermissionRequest", "Stop", "StopFailure"}
    assert "hooks report" not in json.dumps(groups)


# ------------------------------------------------------------------------------- any settings

_LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_ANY = st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
_EVENTS = st.sampled_from(["Stop", "PreToolUse", "Notification", "Other"])
_GROUP = _ANY.map(lambda value: {"hooks": value}) | _ANY
_HOOKS = st.dictionaries(_EVENTS, st.lists(_GROUP, min_size=1, max_size=2), min_size=1, max_size=3)


@hypothesis.settings(max_examples=30)
@given(
    value=st.dictionaries(st.text(), _ANY, max_size=3),
    hooks=st.none() | _HOOKS,
    indent=st.sampled_from([None, 1, 2, 4, "\t"]),
    ascii_only=st.booleans(),
)
def test_whatever_the_user_has_comes_back(
    value: dict[str, Any], hooks: dict[str, Any] | None, indent: int | str | None, ascii_only: bool
) -> None:
    value = {**value, **({"hooks": hooks} if hooks else {})}
    if not hooks:
        value.pop("hooks", None)
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    groups = settings.wanted(AGENTS["qwen"])
    added = settings.add(text, groups)
    assert settings.is_complete(added, groups)
    assert [name for name in json.loads(added) if name != "hooks"] == [name for name in value if name != "hooks"]
    assert settings.without(added) == text or not value


@hypothesis.settings(max_examples=60)
@given(value=_ANY, indent=st.sampled_from([None, 2]))
def test_every_value_is_found_where_it_stands(value: Any, indent: int | None) -> None:
    text = json.dumps([value, {"a": value}], indent=indent)
    for path in ((0,), (1, "a")):
        assert json.JSONDecoder().raw_decode(text, jsontext.find(text, path))[0] == value
