"""One logical line of a terminal: what a person sees on it after overwriting, erasing and wrapping.

A line longer than the pane is wide covers several rows. Rows matter because `\\r` goes back to the
start of the row, not of the line, and because shells edit wrapped command lines row by row.
"""

from __future__ import annotations

from tmux_sentry.watch.columns import columns_of

#: Characters kept of one line; what follows is dropped until the line ends.
LINE_LIMIT = 8192

_PAD = "\0"  # the last column of a row, left free by a wide character that did not fit


class LogicalLine:
    """A line under construction; `text()` is what it shows now.

    As long as text is only appended, it is kept as a string. The first cursor movement turns it
    into cells: one string a column, "" for the right half of a wide character.
    """

    def __init__(self, width: int) -> None:
        """`width` is the pane's, in columns; with 0 nothing wraps."""
        self.width = width
        self._plain = ""
        self._cells: list[str] | None = None
        self._at = 0  # the cursor, counted from the start of the logical line
        self._filled = False  # the last column of a row was just written: the cursor still is in that row

    @property
    def appending(self) -> bool:
        """Whether text was only appended since the line began."""
        return self._cells is None

    def text(self) -> str:
        """The line without trailing blanks."""
        if self._cells is None:
            return self._plain.rstrip()
        return "".join(self._cells).replace(_PAD, "").rstrip()

    def clear(self) -> None:
        """Start the next line."""
        self._plain = ""
        self._cells = None
        self._at = 0
        self._filled = False

    # -------------------------------------------------------------------- writing

    def write(self, run: str) -> None:
        """Write printable text at the cursor, over what is there."""
        if self._cells is None:
            self._plain += run[: LINE_LIMIT - len(self._plain)]
            return
        if run.isascii():
            self._put(list(run))
        else:
            for character in run:
                self._write_wide(character)

    def _write_wide(self, character: str) -> None:
        cells = self._edit()
        columns = columns_of(character)
        if columns == 0:
            if 0 < self._at <= len(cells) and len(cells[self._at - 1]) < 8:
                cells[self._at - 1] += character
            return
        if columns == 1:
            self._put([character])
            return
        if self.width and self._at % self.width == self.width - 1:
            self._put([_PAD])  # it does not fit into the last column and wraps
        self._put([character, ""])

    def _put(self, new: list[str]) -> None:
        cells = self._edit()
        new = new[: max(LINE_LIMIT - self._at, 0)]
        if not new:
            return
        end = self._at + len(new)
        if self._at > len(cells):
            cells.extend(" " * (self._at - len(cells)))
        if self._at < len(cells) and cells[self._at] == "" and self._at:
            cells[self._at - 1] = " "  # the left half of a wide character that is written over
        if end < len(cells) and cells[end] == "":
            cells[end] = " "
        cells[self._at : end] = new
        self._at = end
        self._filled = bool(self.width) and end % self.width == 0

    # --------------------------------------------------------------------- moving

    def carriage_return(self) -> None:
        """To the start of the row."""
        self._edit()
        self._go(self._row())

    def move(self, columns: int) -> None:
        """Right, or left when negative, inside the row."""
        self._edit()
        self.column(self._at - self._row() + columns)

    def column(self, column: int) -> None:
        """To a column of the row, 0-based."""
        self._edit()
        row = self._row()
        last = self.width - 1 if self.width else LINE_LIMIT
        self._go(row + min(max(column, 0), last))

    def backspace(self) -> None:
        """One column left; from the start of a wrapped row to the end of the row above."""
        self._edit()
        self._go(max(self._at - 1, 0))

    def tab(self) -> None:
        """To the next multiple of eight columns."""
        self._edit()
        column = self._at - self._row()
        self.column((column // 8 + 1) * 8)

    def up(self, rows: int) -> bool:
        """Up inside the line; False when that row is not part of it."""
        self._edit()
        column = self._at - self._row()
        row = self._row() - rows * self.width
        if not self.width or row < 0:
            return False
        self._go(row + min(column, self.width - 1))
        return True

    def down(self, rows: int) -> bool:
        """Down inside the line; False when that row is not part of it."""
        if self._cells is None or not self.width:
            return False  # text that was only appended: the cursor is in its last row
        column = self._at - self._row()
        row = self._row() + rows * self.width
        if row >= len(self._cells):
            return False
        self._go(row + min(column, self.width - 1))
        return True

    # -------------------------------------------------------------------- erasing

    def erase(self, what: int) -> None:
        """`CSI n K`: 0 from the cursor to the end of the row, 1 from its start to the cursor, 2 all of it."""
        cells = self._edit()
        row, end = self._row(), self._row_end()
        if self._filled and what == 0:
            return  # the cursor is behind the last column
        if what == 1:
            self._blank(row, min(self._at + 1, end))
        elif end >= len(cells):
            del cells[self._at if what == 0 else row :]
        else:
            self._blank(self._at if what == 0 else row, end)

    def erase_below(self) -> None:
        """`CSI 0 J`, as far as it concerns this line."""
        del self._edit()[self._at :]

    def blank(self, count: int) -> None:
        """`CSI n X`: blanks over the next `count` columns of the row."""
        self._edit()
        self._blank(self._at, min(self._at + count, self._row_end()))

    def delete(self, count: int) -> None:
        """`CSI n P`: take `count` characters out of the row; its rest moves left."""
        cells, end = self._edit(), self._row_end()
        count = min(count, max(end - self._at, 0))
        if end < len(cells):
            cells[end:end] = " " * count  # the rows below stay where they are
        del cells[self._at : self._at + count]

    def insert(self, count: int) -> None:
        """`CSI n @`: blanks at the cursor; the rest of the row moves right, past its end it is lost."""
        cells, end = self._edit(), self._row_end()
        if self._at >= len(cells):
            return
        count = min(count, end - self._at)
        cells[self._at : self._at] = " " * count
        del cells[end : end + count]
        del cells[LINE_LIMIT:]

    # -------------------------------------------------------------------- helpers

    def _edit(self) -> list[str]:
        """The cells; made from the appended text at the first call."""
        if self._cells is None:
            plain, self._plain, self._cells, self._at = self._plain, "", [], 0
            self.write(plain)
        return self._cells

    def _row(self) -> int:
        """Where the cursor's row starts."""
        if not self.width:
            return 0
        return (self._at - self._filled) // self.width * self.width

    def _row_end(self) -> int:
        return self._row() + self.width if self.width else LINE_LIMIT

    def _go(self, at: int) -> None:
        self._at = min(at, LINE_LIMIT)
        self._filled = False

    def _blank(self, start: int, stop: int) -> None:
        cells = self._edit()
        stop = min(stop, len(cells))
        if start < stop:
            cells[start:stop] = " " * (stop - start)
