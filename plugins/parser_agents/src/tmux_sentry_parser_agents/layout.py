"""The parts of an agent's screen: what is live on it, and what is only text that scrolled there.

Rules look into these parts and nowhere else. A dialog that was quoted, answered or scrolled is text like any other:
what is live stands at the end of the screen, or around the box that takes the next prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

#: Rows that are looked at, from the end of the screen.
DEPTH = 120
#: Characters of a row that count.
WIDTH = 1000
#: Rows that a prompt box may take, drafts of many lines included.
BOX = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """How an agent's prompt box is known: the row with the mark, what stands above it, what closes it.

    `above` is looked for in the `reach` rows above the mark. `below` is how many filled rows may stand below it;
    `apart` are rows that look like the mark and belong to a dialog.
    """

    row: Any
    above: Any | None = None
    reach: int = 1
    close: Any | None = None
    below: int = 4
    under: Any | None = None  # what each filled row below has to be
    apart: Any | None = None
    grow: Any | None = None  # rows right above that belong to it


def plain(rows: Iterable[str]) -> list[str]:
    """The rows as RE2 can read them: half a surrogate pair, which UTF-8 cannot say, is a `?`."""
    return [row if row.isascii() else row.encode("utf-8", "replace").decode("utf-8") for row in rows]


class Layout:
    """One screen and the title, divided. `rows` are without trailing blanks."""

    def __init__(
        self,
        rows: Sequence[str],
        title: str,
        box: Box | None,
        block: Any | None,
        cursor: tuple[int, int] | None = None,
    ) -> None:
        """`block` matches a row that opens a block of the transcript; `cursor` is a column and a row of `rows`."""
        last = len(rows)
        while last and not rows[last - 1].strip():
            last -= 1
        self.whole = last <= DEPTH
        self.cut = any(len(row) > WIDTH for row in rows[max(last - DEPTH, 0) : last])
        self._cursor = (cursor[0], cursor[1] - max(last - DEPTH, 0)) if cursor is not None else None
        self.rows = [row.rstrip() for row in plain(row[:WIDTH] for row in rows[max(last - DEPTH, 0) : last])]
        self.title = plain([title[:WIDTH]])[0].strip()
        self._block = block
        self.box = self._find(box) if box is not None else None  # first row and the row after the last

    @property
    def typing(self) -> bool:
        """Whether the cursor is known to stand behind something in the prompt box."""
        if self.box is None or self._cursor is None:
            return False
        column, row = self._cursor
        return self.box[0] <= row < self.box[1] and 0 < len(self.rows[row]) <= column

    def part(self, name: str, count: int) -> str:
        """The text of one part, rows joined by line feeds; `count` bounds those that have no end of their own."""
        if name == "title":
            return self.title
        if name == "above":
            return "\n".join(_filled(self._before)[-count:])
        if name == "bottom":
            return "\n".join(_filled(self.rows)[-count:])
        if name == "screen":
            return self._screen
        if name == "box":
            return "\n".join(self.rows[self.box[0] : self.box[1]]) if self.box else ""
        if name == "footer":
            return "\n".join(_filled(self.rows[self.box[1] :])) if self.box else ""
        assert name == "block"
        return self._last_block

    @cached_property
    def _screen(self) -> str:
        return "\n".join(self.rows)

    @cached_property
    def _before(self) -> list[str]:
        """Everything above the prompt box; without one, everything."""
        return self.rows[: self.box[0]] if self.box else self.rows

    @cached_property
    def _last_block(self) -> str:
        rows = self._before
        if self._block is None:
            return "\n".join(rows)
        for number in range(len(rows) - 1, -1, -1):
            if self._block.search(rows[number]):
                return "\n".join(rows[number:])
        return ""

    def _find(self, box: Box) -> tuple[int, int] | None:
        """Where the prompt box is; None when none is live."""
        rows = self.rows
        for first in range(len(rows) - 1, max(len(rows) - BOX, 0) - 1, -1):
            if not box.row.search(rows[first]) or (box.apart is not None and box.apart.search(rows[first])):
                continue
            start = self._start(box, first)
            if start is None:
                continue
            end = self._end(box, first)
            if end is None:
                continue
            below = _filled(rows[end:])
            if len(below) <= box.below and (box.under is None or all(box.under.search(row) for row in below)):
                while box.grow is not None and start and box.grow.search(rows[start - 1]):
                    start -= 1
                return start, end
        return None

    def _start(self, box: Box, first: int) -> int | None:
        if box.above is None:
            return first
        for number in range(first - 1, max(first - box.reach, 0) - 1, -1):
            if box.above.search(self.rows[number]):
                return number
        return None

    def _end(self, box: Box, first: int) -> int | None:
        if box.close is None:
            return first + 1
        for number in range(first + 1, len(self.rows)):
            if box.close.search(self.rows[number]):
                return number + 1
        return None


def _filled(rows: Sequence[str]) -> list[str]:
    return [row for row in rows if row]
