"""Drafts, dialogs and pasted texts in the input boxes of agents, from their real screens (2026-11, 120 columns)."""

from __future__ import annotations

from typing import Any

import pytest

from tmux_sentry.tmux.model import Capture
from tmux_sentry.watch import box

RULE = "─" * 60
NBSP = "\u00a0"


@pytest.fixture
def seen(info: Any) -> Any:
    """`seen(rows, (column, row))`: a capture."""

    def make(rows: tuple[str, ...], cursor: tuple[int, int]) -> Capture:
        row = rows[cursor[1]] if cursor[1] < len(rows) else ""
        return Capture(lines=rows, cursor=cursor, row=row, info=info(), screen=rows)

    return make


CODEX = ("", "› {}", "", "  gpt-5 default · ~/app")  # 0.169.0
GEMINI = (RULE, " Shift+Tab to accept edits", "", " > {}", "", " workspace (/directory)   branch")  # 0.61.0
QWEN = ("  Tips: Type / to open the command popup", RULE, "> {}\u200b", RULE, "  ? for shortcuts", "", "")  # 0.15.10
CLAUDE = ("", RULE, f"❯{NBSP}{{}}", RULE, "  ? for shortcuts")  # 2.1.197
OPENCODE = ("  ┃", "  ┃  {}", "  ┃", "  ┃  Build · Fake Model Fake", "  ╹▀▀▀▀▀▀▀▀▀▀▀▀")  # 1.18.33
AIDER = ("Tokens: 2.3k sent, 19 received.", RULE, "diff> {}", "", "")  # 0.86.2
# agent: its box, the cursor of an empty one, what the empty one shows, whether the cursor moves with the text
BOXES = {
    "codex": (CODEX, (2, 1), "Ask Codex to do anything", True),
    "gemini": (GEMINI, (3, 3), "  Type your message or @path/to/file", True),
    "qwen": (QWEN, (0, 5), "  Type your message or @path/to/file", False),
    "claude": (CLAUDE, (2, 2), "", True),
    "opencode": (OPENCODE, (5, 1), 'Ask anything… "Fix a TODO in the codebase"', True),
    "aider": (AIDER, (6, 2), "", True),
}


def shows(agent: str, text: str, behind: str = "") -> tuple[tuple[str, ...], tuple[int, int]]:
    rows, (column, row), placeholder, moves = BOXES[agent]
    shown = tuple(line.replace("{}", text + behind if text else placeholder).rstrip() for line in rows)
    return shown, (column + len(text) if moves else column, row)


@pytest.mark.parametrize("agent", BOXES)
def test_an_empty_box_has_no_draft_and_asks_nothing(seen: Any, agent: str) -> None:
    capture = seen(*shows(agent, ""))
    assert box.draft(capture) == ""
    assert not box.dialog(capture)
    assert box.holds(capture, "fix the build") is None


@pytest.mark.parametrize("agent", BOXES)
def test_a_draft_is_seen_wherever_the_cursor_is_shown(seen: Any, agent: str) -> None:
    assert box.draft(seen(*shows(agent, "my own idea"))) == "my own idea"
    rows, (column, row) = shows(agent, "my own idea")
    assert box.draft(seen(rows, (column - 3 if column else 0, row))).startswith("my own i")


@pytest.mark.parametrize("agent", BOXES)
@pytest.mark.parametrize("shown", ["fix the build", "[Pasted Content 2007 chars]", "[Pasted text #3 +12 lines]"])
def test_a_pasted_text_is_found_in_the_box(seen: Any, agent: str, shown: str) -> None:
    assert box.holds(seen(*shows(agent, shown)), "fix the build") is True


@pytest.mark.parametrize("agent", BOXES)
def test_more_than_the_pasted_text_is_seen(seen: Any, agent: str) -> None:
    assert box.holds(seen(*shows(agent, "fix the build", " my own idea")), "fix the build") is False
    assert box.holds(seen(*shows(agent, "fix the build not")), "fix the build") is False


def test_a_text_that_wraps_inside_the_box_is_found(seen: Any) -> None:
    text = "please look at the tests and fix the build"
    for rows, cursor in (
        (("› please look at the tests and fix", "  the build"), (11, 1)),
        (("  ┃  please look at the tests and fix the bu", "  ┃  ild"), (8, 1)),
        (("diff> please look at the tests and fix the bu", "diff> ild"), (9, 1)),
    ):
        assert box.holds(seen(rows, cursor), text) is True


@pytest.mark.parametrize(
    ("rows", "cursor", "draft"),
    [
        (("› first line", "  second line"), (13, 1), "second line"),  # Codex and Claude
        ((" ┃  first line", " ┃  second line"), (15, 1), "second line"),
        (("some output", "  more of it"), (12, 1), ""),  # no box: whatever runs there
        (("Compiling foo v0.1",), (18, 0), ""),
        (("user@host:~$ ls",), (15, 0), ""),  # over ssh: not known
        ((">>> import os",), (13, 0), "import os"),
        ((">>>",), (4, 0), ""),
    ],
)
def test_further_rows_and_other_programs(seen: Any, rows: tuple[str, ...], cursor: tuple[int, int], draft: str) -> None:
    assert box.draft(seen(rows, cursor)) == draft


DIALOGS = [
    # Codex 0.169.0, the cursor is hidden at the end
    (
        ("› 1. Yes, proceed (y)", "  2. Yes, and don't ask again", "", "  Press enter to confirm or esc to cancel"),
        (60, 3),
    ),
    # Gemini 0.61.0 and its question
    (("│ Allow execution of [Shell]?   │", "│ ● 1. Allow once    │", "╰────────────────────╯"), (0, 3)),
    (("│ ● 1.  SQLite   │", "│   2.  PostgreSQL │", "╰──────────────────╯"), (0, 3)),
    # Qwen 0.15.10
    (("  │ › 1. Yes, allow once   │", "  │   4. No, suggest changes (esc)   │", "  ⠏ Waiting for user"), (0, 3)),
    # Claude 2.1.197: a permission, a question between rules
    ((" Do you want to proceed?", " ❯ 1. Yes", "   2. No", " Esc to cancel"), (1, 1)),
    ((RULE, "Which database?", RULE, "❯ 1. SQLite", "  2. PostgreSQL", RULE), (0, 3)),
    # opencode 1.18.33: its buttons, its question
    (("  ┃  △ Permission required", "  ┃   Allow once   Allow always   Reject      enter confirm", "  ┃"), (118, 2)),
    (("  ┃  1. SQLite", "  ┃  ↑↓ select  enter submit  esc dismiss", "  ┃"), (118, 2)),
    # aider 0.86.2
    (("echo hello", "Run shell command? (Y)es/(N)o/(D)on't ask again [Yes]:"), (55, 1)),
]


@pytest.mark.parametrize(("rows", "cursor"), DIALOGS)
def test_a_dialog_is_seen_and_is_no_draft(seen: Any, rows: tuple[str, ...], cursor: tuple[int, int]) -> None:
    assert box.dialog(seen(rows, cursor))
    assert box.draft(seen(rows, cursor)) == ""


@pytest.mark.parametrize("agent", BOXES)
def test_a_list_in_an_answer_is_no_dialog(seen: Any, agent: str) -> None:
    rows, (column, row) = shows(agent, "")
    answer = ("● 1. Keep SQLite", "> 2. Move to PostgreSQL", "Shall I proceed? (Y)es/(N)o: ", "")
    assert not box.dialog(seen((*answer, *rows), (column, row + len(answer))))


@pytest.mark.parametrize(
    ("shown", "text", "left"),
    [
        ("> do it", "do it", True),
        ("> y", "y", True),
        ("> do it!", "do it", False),
        ("> fix the long line in the parser", "please fix the long line in the parser", True),
        ("> fix the long line in the parser now", "please fix the long line in the parser", False),
        ("> [Pasted text #1 +20 lines]", "a text of many lines that is not shown", True),
        (">", "do it", None),
        ('> Try "fix typecheck errors"', "y", None),  # the program's own suggestion: Enter would accept it
        ('> Try "fix typecheck errors"', 's"', None),
        ("> 1 file changed, ask about it", "1", None),
    ],
)
def test_only_our_own_text_is_unsubmitted(seen: Any, shown: str, text: str, left: bool | None) -> None:
    assert box.unsubmitted(seen((shown,), (len(shown), 0)), text) is left
