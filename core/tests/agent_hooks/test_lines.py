"""Our lines in aider's YAML."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tmux_sentry.agent_hooks import lines
from tmux_sentry.agent_hooks.jsontext import NotStrict

USERS = "# mine\nmodel: openai/größe  # why\n\nread:\n  - CONVENTIONS.md\n"


@pytest.mark.parametrize(
    "text", ["", USERS, USERS.rstrip("\n"), USERS.replace("\n", "\r\n"), "# only a comment", "\n\n", "---\na: 1\n"]
)
@pytest.mark.parametrize("shell", [False, True])
def test_everything_else_stays_as_it_was(text: str, shell: bool) -> None:
    block = lines.block(shell=shell)
    added = lines.add(text, block)
    assert lines.is_complete(added, block)
    assert lines.add(added, block) == added
    value = yaml.safe_load(added)
    assert value["notifications"] is True
    assert value["notifications-command"].startswith("sh -c" if shell else "/")
    assert {k: v for k, v in value.items() if not k.startswith("notif")} == (yaml.safe_load(text) or {})
    assert lines.without(added) == text


def test_lines_of_an_older_version_are_replaced_where_something_follows_them() -> None:
    old = f"a: 1\n{lines.block().replace('report', 'tell')}\nb: 2\n"
    assert not lines.is_complete(old, lines.block())
    assert lines.add(old, lines.block()) == f"a: 1\nb: 2\n{lines.block()}\n"


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("a: 1\nnotifications-command: mine\n", 2, "there is one"),
        ("a: 1\n'notifications' : false\n", 2, "there is one"),
        ("notifications_command: mine\n", 1, "there is one"),
        ("{a: 1}\n", None, ""),
        ("- a\n", None, ""),
        ("a: |\n  x\n...\n", None, ""),
        ("a: [1\n", None, ""),
        ("a: 1\n# >>> tmux-sentry hooks\n", 2, "mark"),
        ("# <<< tmux-sentry hooks\n# >>> tmux-sentry hooks\n", 2, "mark"),
    ],
)
def test_what_cannot_take_lines_at_its_end_is_refused(text: str, line: int | None, why: str) -> None:
    with pytest.raises(NotStrict) as caught:
        lines.add(text, lines.block())
    assert why in caught.value.why
    assert line in (None, caught.value.line)


@settings(max_examples=25)
@given(st.dictionaries(st.text("abcé ", min_size=1), st.text(max_size=8) | st.integers(), max_size=3), st.booleans())
def test_any_settings_come_back(value: dict[str, object], end: bool) -> None:
    text = yaml.safe_dump(value, allow_unicode=True, default_flow_style=False) if value else ""
    text = text if end else text.rstrip("\n")
    assert lines.without(lines.add(text, lines.block())) == text
