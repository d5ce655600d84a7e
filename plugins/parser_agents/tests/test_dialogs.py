"""Dialogs: what they ask, which keys answer them, and what is none although it looks like one."""

from __future__ import annotations

import pytest
from captures import Shot, dialog_of, read, shot, shots, state_of

from tmux_sentry import AgentState

SHELL = "touch made-by-tool.txt && echo hello-from-tool && sleep 3"
DIALOGS = [one for one in shots() if one.label == "waiting"]
AT_REST = [one for one in shots() if one.name in ("idle-1", "finished-1", "working-1")]


@pytest.mark.parametrize(
    ("agent", "command", "approve", "reject"),
    [
        ("claude", SHELL, ("1",), ("3",)),
        ("codex", SHELL, ("y",), ("Escape",)),
        ("gemini", SHELL, ("1",), ("Escape",)),
        ("qwen", SHELL, ("1",), ("Escape",)),
        ("opencode", SHELL, ("Enter",), ("Escape",)),
        ("aider", "echo hello-from-tool", ("y", "Enter"), ("n", "Enter")),
    ],
)
def test_a_command_is_read_to_the_letter_with_the_keys_of_each_answer(
    agent: str, command: str, approve: tuple[str, ...], reject: tuple[str, ...]
) -> None:
    one = shot(agent, "permission-1")
    dialog = dialog_of(read(one.rows, agent, one.title))
    assert dialog is not None
    assert (dialog.kind, dialog.command, dialog.truncated) == ("command", command, False)
    yes, no = dialog.choice("approve"), dialog.choice("reject")
    assert yes is not None
    assert no is not None
    assert (yes.key, no.key) == (approve, reject)


@pytest.mark.parametrize("one", DIALOGS, ids=lambda one: one.id)
def test_what_allows_later_things_too_is_never_a_plain_yes(one: Shot) -> None:
    dialog = dialog_of(read(one.rows, one.agent, one.title))
    assert dialog is not None
    for choice in dialog.choices:
        if choice.meaning == "approve":
            assert "always" not in choice.label.lower()
            assert "session" not in choice.label
            assert "again" not in choice.label


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "qwen"])
def test_the_cursor_of_a_dialog_changes_nothing_about_it(agent: str) -> None:
    first, second = (dialog_of(read(shot(agent, name).rows, agent)) for name in ("permission-1", "permission-2"))
    assert first is not None
    assert first == second


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "opencode", "qwen"])
def test_another_command_is_another_dialog(agent: str) -> None:
    rows = shot(agent, "permission-1").rows
    other = [row.replace("sleep 3", "sleep 4") for row in rows]
    first, second = dialog_of(read(rows, agent)), dialog_of(read(other, agent))
    assert first is not None
    assert second is not None
    assert first.fingerprint != second.fingerprint


@pytest.mark.parametrize("agent", ["codex", "gemini", "opencode"])
def test_a_command_of_several_rows_is_not_known_to_the_letter(agent: str) -> None:
    dialog = dialog_of(read(shot(agent, "permission-sentrytool-1").rows, agent))
    assert dialog is not None
    assert dialog.truncated
    assert dialog.command.startswith("printf ")


@pytest.mark.parametrize("live", AT_REST, ids=lambda one: one.id)
def test_a_dialog_above_a_prompt_box_is_a_picture_of_one(live: Shot) -> None:
    """Quoted, printed by `cat`, answered long ago: whatever stands above the box that takes the next prompt."""
    for old in DIALOGS:
        if old.agent != live.agent:
            continue
        kept = [row for row in old.rows if row.strip()][-14:]
        box = list(live.rows)
        for rows in (kept + box, box[: len(box) // 2] + kept + box[len(box) // 2 :]):
            signals = read(rows, live.agent, live.title)
            if rows[-len(box) :] == box:
                assert state_of(signals) is not AgentState.WAITING
                assert dialog_of(signals) is None


@pytest.mark.parametrize(("agent", "cursor"), [("claude", "❯"), ("codex", "›"), ("gemini", "●"), ("qwen", "›")])
def test_choices_without_a_cursor_are_a_list_and_no_dialog(agent: str, cursor: str) -> None:
    rows = shot(agent, "permission-1").rows
    at = max(number for number, row in enumerate(rows) if f"{cursor} 1. " in row)
    listed = [*rows[:at], rows[at].replace(f"{cursor} 1.", "  1."), *rows[at + 1 :]]
    assert state_of(read(rows, agent)) is AgentState.WAITING
    assert state_of(read(listed, agent)) is not AgentState.WAITING


def test_claude_may_not_hide_a_row_of_the_command_as_its_description() -> None:
    rows = list(shot("claude", "permission-1").rows)
    at = next(number for number, row in enumerate(rows) if row.strip() == "Create a marker file")
    above = next(number for number, row in enumerate(rows) if row.startswith("● Bash("))
    rows[above] = rows[above].replace(SHELL + ")", "ls")
    rows.insert(above + 1, "      rm -rf /)")
    rows = [row.replace(SHELL, "ls") for row in rows]
    rows[at + 1] = "   rm -rf /"
    dialog = dialog_of(read(rows, "claude"))
    assert dialog is not None
    assert dialog.truncated
    assert dialog.command == "ls\nrm -rf /"


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "opencode", "qwen", "aider"])
@pytest.mark.parametrize("gap", [[], [""], ["", ""]], ids=["next", "gap", "two"])
def test_what_follows_the_command_further_down_belongs_to_it(agent: str, gap: list[str]) -> None:
    """A command of several lines may have empty ones: its first line is not the whole of it."""
    rows = list(shot(agent, "permission-1").rows)
    command = "echo hello-from-tool" if agent == "aider" else SHELL
    at = max(number for number, row in enumerate(rows) if command in row)
    frame = {"gemini": "│ │ {} │ │", "qwen": "  │   {} │", "opencode": "  ┃  {}"}.get(agent, "  {}")
    rows[at + 1 : at + 1] = [frame.format(text) for text in (*gap, "rm -rf /")]
    dialog = dialog_of(read(rows, agent))
    assert dialog is not None
    assert dialog.kind == "command"
    # Claude shows a description there, which only what stands above the dialog can tell from a second line.
    assert dialog.truncated or (agent == "claude" and dialog.command == SHELL)


def test_a_row_that_was_cut_is_not_known_to_the_letter() -> None:
    rows = [row.replace(SHELL, f"echo {'x' * 1000} && {SHELL}") for row in shot("codex", "permission-1").rows]
    dialog = dialog_of(read(rows, "codex"))
    assert dialog is not None
    assert dialog.truncated


def test_a_second_dollar_in_the_reason_makes_the_command_of_codex_doubtful() -> None:
    rows = list(shot("codex", "permission-1").rows)
    at = next(number for number, row in enumerate(rows) if row.startswith("  Reason:"))
    rows.insert(at + 1, "  $ ls")
    dialog = dialog_of(read(rows, "codex"))
    assert dialog is not None
    assert dialog.truncated


def test_a_dialog_whose_head_has_scrolled_off_is_not_all_there() -> None:
    rows = shot("gemini", "permission-3").rows
    at = next(number for number, row in enumerate(rows) if "Apply this change?" in row)
    dialog = dialog_of(read(rows[at - 3 :], "gemini"))
    assert dialog is not None
    assert dialog.truncated


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini"])
def test_a_title_that_works_speaks_against_a_dialog(agent: str) -> None:
    title = {"claude": "⠐ topic", "codex": "⠋ shop", "gemini": "✦  Working… (shop)"}[agent]
    assert state_of(read(shot(agent, "permission-1").rows, agent, title)) is AgentState.WORKING


def test_a_dialog_whose_highlight_cannot_be_seen_is_answered_by_no_rule() -> None:
    dialog = dialog_of(read(shot("opencode", "permission-1").rows, "opencode"))
    assert dialog is not None
    assert "highlighted" in dialog.doubt
