"""The one way out of the command line: what is printed or logged passes the sanitiser and the redactor here."""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import click

from tmux_sentry.cli.app import App, current
from tmux_sentry.security.outlet import data_out, text_out
from tmux_sentry.security.redact import Redactor

_LONGEST_TRACEBACK = 100_000
_GAP = "  "
_CLEAR = "\r\x1b[K"  # the line that the cursor is on


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, redact: Redactor | None = None) -> None:
    """Print rows of cells under `columns`: drawn by rich on a terminal, otherwise plain aligned text."""
    redact = redact or current().redact
    cells = [[text_out("" if cell is None else str(cell), redact) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _rich_table(columns, cells)
    else:
        _plain_table(columns, cells)


def _rich_table(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*columns, box=box.SIMPLE_HEAD)
    for row in cells:
        drawn.add_row(*(Text(cell) for cell in row))  # Text: "[red]" in a cell is text, not markup
    # Rendered first and printed by click: on a broken pipe rich itself would end the process.
    console = Console()
    with console.capture() as capture:
        console.print(drawn)
    click.echo(capture.get(), nl=False)


def _plain_table(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    lines = [[column.upper() for column in columns], *cells]
    widths = [max(_width(cell) for cell in column) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True))
        click.echo(_GAP.join(padded).rstrip())


def _width(text: str) -> int:
    """Columns on a terminal: two for each wide (CJK) character."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else not unicodedata.combining(char) for char in text)


def emit_json(data: Any, *, redact: Redactor | None = None) -> None:
    """Print `data` as one JSON document. Strings stay exact but for secrets: JSON escapes every control character."""
    click.echo(json.dumps(data_out(data, redact or current().redact), indent=2))


def emit_line(data: Any, *, redact: Redactor | None = None) -> None:
    """Print `data` as JSON on one line, for output of which each line is a document."""
    click.echo(json.dumps(data_out(data, redact or current().redact)))


def say(text: str, *, redact: Redactor | None = None) -> None:
    """Print `text`, which may have several lines, on stdout."""
    click.echo(text_out(text, redact or current().redact, lines=True))


def warn(text: str, *, redact: Redactor | None = None) -> None:
    """Print one line on stderr that the user should know about but that stops nothing."""
    click.echo(f"tmux-sentry: warning: {text_out(text, redact or current().redact)}", err=True)


_drawing = threading.Lock()
_drawn = ""  # the line of `progress` that is there now


def on_terminal() -> bool:
    """Whether somebody sees what `progress` shows."""
    return sys.stderr.isatty()


def progress(text: str, *, redact: Redactor | None = None) -> None:
    """Show one line on stderr until the next call, on a terminal only; "" takes it away again."""
    global _drawn
    if on_terminal():
        with _drawing:
            _drawn = text_out(text, redact or current().redact)
            click.echo(f"{_CLEAR}{_drawn}", err=True, nl=False, color=True)


def fail(lines: Sequence[str], what: str, *, redact: Redactor) -> None:
    """Print the lines of an error on stderr, the one that is `what` marked as ours.

    The others stay unmarked: editors find `file:line:column` only at the start of a line.
    """
    for line in lines:
        mark = "tmux-sentry: " if line == what else ""
        click.echo(mark + text_out(line, redact, 2000), err=True)


def trace(error: BaseException, *, redact: Redactor) -> None:
    """Print the traceback of an error on stderr."""
    text = "".join(traceback.format_exception(error))
    click.echo(_entry(text_out(text, redact, _LONGEST_TRACEBACK, lines=True)), err=True)


def log_to_stderr(level: str, app: App) -> None:
    """Log what `tmux_sentry` and its plugins say from `level` on, on stderr; calling it again changes the level."""
    logger = logging.getLogger("tmux_sentry")
    logger.setLevel(level)
    for handler in [handler for handler in logger.handlers if isinstance(handler, _CleanHandler)]:
        logger.removeHandler(handler)
    logger.addHandler(clean_handler(app))
    logger.propagate = False


def clean_handler(app: App) -> logging.Handler:
    """A handler that writes on stderr what may leave."""
    return _CleanHandler(app)


class _CleanHandler(logging.StreamHandler[TextIO]):
    def __init__(self, app: App) -> None:
        super().__init__()
        self._app = app
        self.setFormatter(_CleanFormatter(app))

    def emit(self, record: logging.LogRecord) -> None:
        """Above the line of `progress`, where there is one."""
        with _drawing:
            if not _drawn:
                super().emit(record)
                return
            self.stream.write(_CLEAR)
            super().emit(record)
            self.stream.write(_drawn)
            self.stream.flush()

    def handleError(self, record: logging.LogRecord) -> None:
        """One line instead of logging's own report, which writes the record's arguments as they are."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError) and not self.stream.closed:  # else stderr itself is gone
            what = f"a log line of {record.name} could not be written: {type(error).__name__}: {error}"
            warn(what, redact=self._app.redact)


class _CleanFormatter(logging.Formatter):
    """One line an event: time, then what happened; a level where it is not INFO, and at DEBUG who says it."""

    def __init__(self, app: App) -> None:
        super().__init__(datefmt="%H:%M:%S" if sys.stderr.isatty() else "%Y-%m-%d %H:%M:%S")
        self._app = app

    def format(self, record: logging.LogRecord) -> str:
        debug = logging.getLogger("tmux_sentry").isEnabledFor(logging.DEBUG)
        level = "" if record.levelno == logging.INFO and not debug else f"{record.levelname} "
        name = f"{record.name}: " if debug else ""
        # Set for each record: a level can be changed while the process runs.
        self._style = logging.PercentStyle(f"%(asctime)s {level}{name}%(message)s")
        return _entry(text_out(super().format(record), self._app.redact, _LONGEST_TRACEBACK, lines=True))


def _entry(text: str) -> str:
    """`text` with what follows a line break indented: a message that brings one of its own forges no log entry."""
    return text.rstrip("\n").replace("\n", "\n  ")
