"""Which lines of output are news to a stage: newer than its own keys, and not the echo of those keys."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace

from tmux_sentry.engine.run import Attempt

#: An echo stands in the first lines after the keys (a prompt of several rows, a wrapped command); after
#: this many more lines than the text has, the terminal is taken not to echo at all.
ECHO_SLACK = 3
_SPACE = re.compile(r"\s+")


def squeeze(text: str) -> str:
    """`text` without white space: shells wrap, pad and redraw what was typed."""
    return _SPACE.sub("", text)


def fingerprint(line: str) -> int:
    """A small number that stands for a line in the baseline."""
    return zlib.crc32(line.rstrip().encode("utf-8", "surrogatepass"))


def from_stream(attempt: Attempt, lines: tuple[str, ...]) -> tuple[Attempt, tuple[str, ...]]:
    """The lines that count, with the echo of the attempt's last text taken off the front."""
    if attempt.echo is None:
        return attempt, lines
    held = (*attempt.withheld, *lines)
    last = _last_line(attempt.echo)
    patience = attempt.echo.count("\n") + 1 + ECHO_SLACK
    for number, line in enumerate(held[:patience]):
        if last in squeeze(line):
            return replace(attempt, echo=None, withheld=()), held[number + 1 :]
    if len(held) >= patience:
        return replace(attempt, echo=None, withheld=()), held
    return replace(attempt, withheld=held), ()


def from_screen(attempt: Attempt, lines: tuple[str, ...], *, resync: bool) -> tuple[Attempt, tuple[str, ...]]:
    """The lines of a capture that count.

    After a gap in a stream, the last echo of the attempt's text on the screen is the anchor: everything
    below it is newer than the keys. Otherwise only lines that the capture before sending did not have count.
    """
    if resync and attempt.typed:
        last = _last_line(attempt.typed[-1])
        for number in range(len(lines) - 1, -1, -1):
            if last in squeeze(lines[number]):
                return replace(attempt, echo=None, withheld=()), lines[number + 1 :]
    typed = [squeeze(line) for text in attempt.typed for line in text.splitlines() if squeeze(line)]
    fresh = tuple(
        line
        for line in lines
        if line.strip() and fingerprint(line) not in attempt.baseline_lines and not _is_echo(line, typed)
    )
    return attempt, fresh


def _is_echo(line: str, typed: list[str]) -> bool:
    # A row of a wrapped prompt is a part of the text; a shell's echo contains all of it.
    row = squeeze(line).lstrip(">›❯$%#•│┃|")
    return any(text in row or (len(row) >= 8 and row in text) for text in typed)


def _last_line(text: str) -> str:
    lines = [squeeze(line) for line in text.splitlines() if squeeze(line)]
    return lines[-1] if lines else ""
