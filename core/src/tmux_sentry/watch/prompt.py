"""Is a shell at its prompt, and is the prompt empty? When in doubt, no: then nothing is typed into it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from tmux_sentry.tmux.model import PaneInfo
from tmux_sentry.watch.columns import columns_of
from tmux_sentry.watch.row import LINE_LIMIT

_MARKS = "$#%>❯›»λ➜➤✗✔\ue0b0"  # U+E0B0 is the powerline arrow
_REPEATED = "❯›»"

# Commands end in one of these too, behind a prompt that has no mark: what stands before has to be a prompt's words.
_ASCII_MARKS = "$#%>"
_ENVIRONMENT = re.compile(r"(?:\([^()]*\) )*")
_PLACE = re.compile(r"[~/]|.*[:@]")
# `>` also ends the prompts of continuation lines and of many programs; a shell's names a place right before it.
_FOLDER = re.compile(r".*[@~/\\].*\S")
_NOT_A_SHELL = re.compile(
    r">>"  # Python, PowerShell's continuation
    r"|[=\-(!^*'\"][#>]"  # psql: `db=#`, `db->`
    r"|(?:^|\s)\d+(?:\.\d+)?%"  # a progress display
)
# oh-my-zsh's default theme starts with its mark and has the folder behind it.
_ROBBYRUSSELL = re.compile(r"➜ {1,2}(?:\S+ git:\([^()\s]+\)(?: ✗)?|[~/])")
_BRANCH = re.compile(r"(?:\([^()\s]+\) )?\S*[~/@]\S*(?: \S+)? \([^()\s]+\)")
_RIGHT_PROMPT = re.compile(r" {2,}\S.*| *")


# zsh looks through its history below the prompt, which looks empty meanwhile: Enter would run what it has found.
_SEARCH = re.compile(r"(?:\w+ )?(?:bck|fwd)-i-search: ")


class Pattern(Protocol):
    """A compiled RE2 pattern."""

    def fullmatch(self, text: str, /) -> object | None: ...


def half_typed(row: str, cursor_x: int, prompt: str | None = None, pattern: Pattern | None = None) -> bool:
    """Whether something may stand at the prompt already.

    `row` is the text of the cursor's row, `cursor_x` the cursor's column in it (0-based). `prompt` is the prompt's
    text where it is known; `pattern` has to match all that is left of the cursor. False only if that looks like a
    bare prompt and nothing but a right prompt stands behind the cursor.
    """
    left, right = _split(row, cursor_x)
    if not _RIGHT_PROMPT.fullmatch(right):
        return True
    bare = left.strip(" ")
    if prompt is not None and prompt.strip() and bare == prompt.strip(" "):
        return False
    known = pattern if len(left) <= LINE_LIMIT else None  # no prompt is that long
    if known is not None and (known.fullmatch(left) or known.fullmatch(left.rstrip(" "))):
        return False
    return not _looks_bare(bare)


def searching(screen: Sequence[str], cursor_y: int) -> bool:
    """Whether somebody searches the history, in the row below the cursor's (`cursor_y`, 0-based)."""
    return any(_SEARCH.match(row) for row in screen[cursor_y + 1 : cursor_y + 2])


def is_idle_shell(info: PaneInfo, foreground: bool | None) -> bool:
    """Whether the pane's own shell waits for a command.

    `foreground` says whether the process group of `pane_pid` is the foreground one, None where that cannot be told:
    a script that bash runs shows as `bash` too, but in a process group of its own.
    """
    return info.is_shell and foreground is not False and not info.dead


def _looks_bare(text: str) -> bool:
    """Exactly one prompt mark, at the end. Two may be a prompt, but also `~$ cat foo >`."""
    if _ROBBYRUSSELL.fullmatch(text):
        return True
    marks = [at for at, character in enumerate(text) if character in _MARKS]
    if not marks:
        return _BRANCH.fullmatch(text) is not None
    mark = text[-1]
    head = text.rstrip(mark) if mark in _REPEATED else text[:-1]
    if mark == "\ue0b0":
        head = head.replace(mark, "")
    if mark not in _MARKS or any(character in _MARKS for character in head):
        return False
    if _NOT_A_SHELL.search(text[-8:]):
        return False
    return mark not in _ASCII_MARKS or _words_of_a_prompt(head, mark)


def _words_of_a_prompt(head: str, mark: str) -> bool:
    if any(character in ";|&" for character in head) or (mark == ">" and not _FOLDER.fullmatch(head)):
        return False
    words = _ENVIRONMENT.sub("", head, count=1).split()
    if len(words) < 2:
        return not words or not head.endswith(" ") or _PLACE.match(words[0]) is not None
    return len(words) <= 3 and ("@" in words[0] or words[0].startswith("[") or words[0] == "PS")


def _split(row: str, column: int) -> tuple[str, str]:
    """`row` left and right of a column; a row that ends before it is filled up with blanks."""
    at = 0
    for index, character in enumerate(row):
        width = columns_of(character)
        if at >= column and width:
            return row[:index], row[index:]
        at += width
    return row + " " * (column - at), ""
