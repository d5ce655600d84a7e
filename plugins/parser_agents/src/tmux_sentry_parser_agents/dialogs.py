"""Reads a dialog off the end of a screen: what it asks, about which command, and which keys make each choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tmux_sentry import Choice, Dialog, dialog_fingerprint
from tmux_sentry_parser_agents.layout import Layout
from tmux_sentry_parser_agents.rules import ChoiceRule, CommandRule, DialogRule

#: Filled rows at the end of the screen in which a dialog says how it is answered.
_END = 3
#: Rows of one dialog that are looked through for its choices, from the end of the screen.
_CHOICES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A dialog that stands there."""

    dialog: Dialog
    evidence: str


@dataclass(slots=True, kw_only=True)
class _Option:
    """One choice as it stands there: its number, its label, whether the cursor is on it."""

    number: str
    label: str
    cursor: bool


def find(rule: DialogRule, layout: Layout) -> Found | None:
    """The dialog that `rule` describes, if the screen ends with it."""
    if layout.box is not None:
        return None  # where the next prompt can be typed, nothing is asked
    rows = [row.strip(" \xa0" + rule.edges) if rule.edges else row for row in layout.rows]
    ends = [row for row in rows if row.strip()][-_END:]
    if not any(rule.end.search(row) for row in ends):
        return None
    first = _first_choice(rule, rows)
    if first is None:
        return None
    start = next((number for number in range(first, -1, -1) if rule.start.search(layout.rows[number])), None)
    whole = start is not None or layout.whole
    body = rows[start or 0 :]
    text = "\n".join(body)
    if not all(pattern.search(text) for pattern in rule.require):
        return None
    if rule.without is not None and rule.without.search(text):
        return None
    options = _options(rule, rows[first:]) if rule.choice is not None else _buttons(rule, rows[first])
    if not options or (rule.cursor is not None and sum(option.cursor for option in options) != 1):
        return None
    question = rule.question.search(text) if rule.question is not None else None
    asked = question.group(1).strip() if question is not None else ""
    command, exact = "", True
    if rule.command is not None:
        command, exact = _command(rule.command, body, layout.rows[: start or 0])
    choices = tuple(choice for option in options if (choice := _choice(rule.choices, option)) is not None)
    cut = layout.cut or (rule.cut is not None and rule.cut.search(text) is not None)
    folder = rule.cwd.search(text) if rule.cwd is not None else None
    dialog = Dialog(
        question=asked,
        choices=choices,
        fingerprint=dialog_fingerprint(asked, _identity(command, body, first - (start or 0)), choices),
        command=command,
        truncated=cut or not exact or not whole or start is None,
        cwd=folder.group(1).strip() if folder is not None else "",
        doubt=rule.doubt,
        kind=rule.kind,
    )
    return Found(dialog=dialog, evidence=asked or ends[-1].strip())


def _identity(command: str, body: Sequence[str], choices: int) -> str:
    """What tells this dialog from the next one like it: the command, else all that stands above the choices."""
    return command or "\n".join(row.strip() for row in body[:choices])


def _first_choice(rule: DialogRule, rows: Sequence[str]) -> int | None:
    for number in range(len(rows) - 1, max(len(rows) - _CHOICES, 0) - 1, -1):
        if rule.choice is None:
            if all(choice.label.search(rows[number]) for choice in rule.choices):
                return number
        elif (found := rule.choice.search(rows[number])) is not None and found.group(1) == "1":
            return number
    return None


def _options(rule: DialogRule, rows: Sequence[str]) -> list[_Option]:
    """Numbered choices, with what their labels continue on the rows below."""
    options: list[_Option] = []
    gap = False
    for row in rows:
        found = rule.choice.search(row)  # type: ignore[union-attr]  # checked by the caller
        if found is not None and found.group(1) == str(len(options) + 1):
            cursor = rule.cursor is not None and rule.cursor.search(row) is not None
            options.append(_Option(number=found.group(1), label=found.group(2).strip(), cursor=cursor))
            gap = False
        elif rule.end.search(row) or row.lstrip().startswith(("──", "╌╌", "╰")):
            break
        elif not row.strip():
            gap = True
        elif not gap:
            options[-1].label += " " + row.strip()
    return options


def _buttons(rule: DialogRule, row: str) -> list[_Option]:
    """Choices that stand side by side."""
    found = [choice.label.search(row) for choice in rule.choices]
    return [_Option(number="", label=one.group(0).strip(), cursor=False) for one in found if one is not None]


def _choice(rules: Sequence[ChoiceRule], option: _Option) -> Choice | None:
    for rule in rules:
        if rule.label.search(option.label) is None:
            continue
        if rule.key == "number":
            return Choice(label=option.label, key=(option.number,), meaning=rule.meaning)
        if rule.key == "shown":
            key = _shown(option.label)
            if key is None:
                continue
            return Choice(label=option.label, key=(key,), meaning=rule.meaning)
        return Choice(label=option.label, key=tuple(rule.key), meaning=rule.meaning)
    return None


def _shown(label: str) -> str | None:
    """The key that a label ends with in brackets: "(y)", "(esc)"."""
    if not label.endswith(")"):
        return None
    name = label[label.rfind("(") + 1 : -1]
    if name == "esc":
        return "Escape"
    return name if len(name) == 1 and name.isascii() and name.isalpha() else None


def _command(rule: CommandRule, body: Sequence[str], above: Sequence[str]) -> tuple[str, bool]:
    """The command, and whether it is known to the letter.

    An agent breaks a long command into rows by itself, and nobody can tell such a break from a line feed. Empty rows
    end nothing: a command may have some. A mark that stands there twice may be part of the command, or of what the
    agent says about it.
    """
    marks = [number for number in range(not rule.inline, len(body)) if rule.after.search(body[number])]
    if not marks:
        return "", False
    parts: list[str] = []
    waiting = rule.gap
    for row in body[marks[0] + (not rule.inline) :]:
        if rule.before.search(row) is not None:
            break
        if waiting or not row.strip():
            waiting = waiting and bool(row.strip())
            continue
        found = rule.row.search(row)
        if found is not None:
            parts.append(found.group(1).strip())
    if rule.block is None or rule.verify is None:
        return "\n".join(parts), len(parts) == 1 == len(marks)
    said = _said(rule, above)
    # What follows the command in the dialog is its description.
    exact = bool(parts) and len(marks) == 1 and parts[0] == said
    return parts[0] if exact else "\n".join(parts), exact


def _said(rule: CommandRule, above: Sequence[str]) -> str | None:
    """The command as the last block above the dialog has it."""
    for number in range(len(above) - 1, -1, -1):
        if rule.block.search(above[number]) is not None:  # type: ignore[union-attr]  # checked by the caller
            found = rule.verify.search("\n".join(above[number:]))  # type: ignore[union-attr]
            return found.group(1).strip() if found is not None else None
    return None
