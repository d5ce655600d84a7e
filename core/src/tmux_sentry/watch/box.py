"""An agent's input box on the screen: what stands in it, and whether it is ours. When in doubt, it is not.

Agents draw their boxes themselves and change them often, so this knows shapes and not agents: a mark (`❯`, `›`, `>`,
aider's `diff>`) or a border (opencode's `┃`) before the text, the cursor in it, or, where the cursor is hidden
elsewhere (Qwen), the last `>` between two rules. Measured on the six agents that docs/policy.md names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tmux_sentry.tmux.model import Capture
from tmux_sentry.watch.columns import columns_of

_BORDERS = "│┃|║▌▎"
_MARK = re.compile(rf"[\s{_BORDERS}]*(?:[›❯»]|\w{{0,12}}>{{1,3}})(?:\s|$)")
_BORDER = re.compile(rf"\s*[{_BORDERS}]")
_RULE = re.compile(r"\s*[─━▀▄]{10,}\s*")
_PLACEHOLDER = re.compile(r"Type your message|Press up to edit queued")
# The choice that the cursor is on, in a dialog of Claude, Codex, Gemini, Qwen; the buttons of opencode; aider's line.
_CHOICE = re.compile(rf"[\s{_BORDERS}]*[❯›●>] ?\d+\. +\S")
_BUTTONS = re.compile(rf"[\s{_BORDERS}]*(?:Allow once +Allow always|.*\b[Ee]nter (?:to )?(?:select|submit|confirm)\b)")
_YES_NO = re.compile(r"\(Y\)es/\(N\)o.*:\s*")
#: Rows of a dialog, and of a box, above the end of the screen.
_DEPTH = 24
#: What agents show for a long text that was pasted.
_PASTED = re.compile(r"\[Pasted[^\[\]]*\]\Z")
#: How much of the end of a text is looked for.
_TAIL = 12
#: Texts of so many characters may be how anything begins.
_ANSWER = 3


def draft(capture: Capture) -> str:
    """What somebody has typed into the program's input line, as far as that can be told; "" for nothing."""
    if dialog(capture):
        return ""
    left, _ = split_row(capture.row, capture.cursor[0])
    if mark := _MARK.match(left):
        return _text(left[mark.end() :])
    if left.strip():
        inside = _BORDER.match(left) or _continues(capture)
        return _text(left.strip(f" \xa0{_BORDERS}")) if inside else ""
    return _boxed(capture.screen) or ""


def dialog(capture: Capture) -> bool:
    """Whether the program asks for a choice, and a text with Enter behind it would make one."""
    left, _ = split_row(capture.row, capture.cursor[0])
    if _in_box(capture, left) or _boxed(capture.screen) is not None:
        return False
    last = _filled(capture.screen)[-_DEPTH:]
    return bool(_YES_NO.search(left)) or any(_CHOICE.match(row) or _BUTTONS.match(row) for row in last)


def holds(capture: Capture, text: str) -> bool | None:
    """Whether the input line ends in the pasted `text`: False when there is more behind it, None when it is not there.

    The end of it is enough, because the line was empty before; long texts scroll inside their box.
    """
    tail = _squeeze(text)[-_TAIL:]
    left, right = split_row(capture.row, capture.cursor[0])
    above = capture.screen[: capture.cursor[1]][-_DEPTH:]
    for before in (_squeeze("".join((*above, left))), _squeeze("".join(map(_unmarked, (*above, left))))):
        if before.endswith(tail) or _PASTED.search(before):
            return not _text(right)
        if tail in _squeeze(_unmarked(left)):
            return False
    boxed = _squeeze(_boxed(capture.screen) or "")
    if boxed.endswith(tail) or _PASTED.search(boxed):
        return True
    return False if tail in boxed else None


def unsubmitted(capture: Capture, text: str) -> bool | None:
    """Whether `text`, which the input line held before Enter, is there still, in the line itself and not above it.

    False when there is more behind it, None when it is gone: what stands there may be the program's own suggestion,
    which an Enter would accept. So of a short text nothing but the text itself counts; a long one scrolls.
    """
    now, ours = _squeeze(draft(capture)), _squeeze(text)
    if now == ours or _PASTED.search(now):
        return bool(now) or None
    if len(ours) > _ANSWER and now.startswith(ours):
        return False
    tail = ours[-_TAIL:]
    if len(ours) < _TAIL or tail not in now:
        return None
    return now.endswith(tail)


def split_row(row: str, column: int) -> tuple[str, str]:
    """`row` left and right of a column."""
    at = 0
    for index, character in enumerate(row):
        if at >= column:
            return row[:index], row[index:]
        at += columns_of(character)
    return row, ""


def _in_box(capture: Capture, left: str) -> bool:
    """Whether the cursor is in an input box: in a dialog it is on a choice, or hidden far from any text."""
    row = capture.row
    if _CHOICE.match(row) or _BUTTONS.match(row):
        return False
    beside = capture.cursor[0] <= sum(map(columns_of, row)) + 3
    return bool(_MARK.match(left) or (_BORDER.match(left) and beside))


def _continues(capture: Capture) -> bool:
    """Whether the cursor's row is a further row of a box: indented, below a mark, with no rule and no gap between."""
    if not capture.row.startswith("  "):
        return False
    for row in reversed(capture.screen[: capture.cursor[1]][-_DEPTH:]):
        if _MARK.match(row):
            return True
        if not row.startswith("  ") or _RULE.fullmatch(row):
            return False
    return False


def _boxed(screen: Sequence[str]) -> str | None:
    """The text between the last two rules, without its mark; "" for a placeholder, None when that is no box."""
    rows = _filled(screen)[-_DEPTH:]
    rules = [number for number, row in enumerate(rows) if _RULE.fullmatch(row)]
    if len(rules) < 2:
        return None
    first, *more = rows[rules[-2] + 1 : rules[-1]] or [""]
    mark = _MARK.match(first)
    if mark is None or _CHOICE.match(first) or not all(row.startswith("  ") for row in more):
        return None
    text = _text("\n".join((first[mark.end() :], *more)))
    return "" if _PLACEHOLDER.match(text) else text


def _filled(screen: Sequence[str]) -> list[str]:
    return [row for row in screen if row.strip()]


def _unmarked(row: str) -> str:
    mark = _MARK.match(row)
    return row[mark.end() :] if mark else row


def _text(part: str) -> str:
    return part.strip(f" \xa0\n\u200b{_BORDERS}")


def _squeeze(text: str) -> str:
    return re.sub(rf"[\s\u200b{_BORDERS}]+", "", text)
