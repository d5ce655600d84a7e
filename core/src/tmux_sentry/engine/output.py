"""Which lines of output are news to a stage: newer than its own keys, and not the echo of those keys."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from tmux_sentry.engine.run import Attempt

#: An echo stands in the first lines after the keys (a prompt of several rows, a wrapped command); after
#: this many more lines than the text has, the terminal is taken not to echo at all.
ECHO_SLACK = 3
#: Lines that an editor may need to draw a text of several lines: fish writes it piece by piece, up and down.
DRAWN = 200
#: Seconds after which lines that came first, without an echo, are taken for output.
ECHO_WAIT = 3.0
#: A part of a text, as a wrapped row shows it, is at least so long (without spaces); less could be anything.
PART = 8
#: Fingerprints of lines that a Run keeps in mind.
SEEN = 400
_SPACE = re.compile(r"\s+")
_PROMPTS = tuple("$%#>❯›»➜λ")
_BOX = "│┃|║"


def squeeze(text: str) -> str:
    """`text` without white space: shells wrap, pad and redraw what was typed."""
    return _SPACE.sub("", text)


def fingerprint(line: str) -> int:
    """A small number that stands for a line in the baseline."""
    return zlib.crc32(line.rstrip().encode("utf-8", "surrogatepass"))


def fingerprints(lines: Iterable[str]) -> frozenset[int]:
    """What stands for the lines that say something."""
    return frozenset(fingerprint(line) for line in lines if line.strip())


def remember(seen: tuple[int, ...] | None, lines: Sequence[str]) -> tuple[int, ...]:
    """`seen` with the fingerprints of newer `lines` at its end; the oldest are forgotten."""
    new = dict.fromkeys(fingerprint(line) for line in lines[-SEEN:] if line.strip())
    return (*(one for one in seen or () if one not in new), *new)[-SEEN:]


# --------------------------------------------------------------------------- streams


def from_stream(attempt: Attempt, lines: tuple[str, ...]) -> tuple[Attempt, tuple[str, ...]]:
    """The lines that count, with the echo of the attempt's last text taken off the front.

    Until the echo has come, or cannot come any more, lines are withheld.
    """
    if attempt.echo is None:
        return attempt, lines
    held = (*attempt.withheld, *lines)
    if of_several_lines(attempt):
        if len(held) < DRAWN:
            return replace(attempt, withheld=held), ()
        return release(replace(attempt, withheld=held))
    patience = 1 + ECHO_SLACK
    behind = _behind_echo(attempt.echo, held[:patience])
    if behind is not None:
        return _echo_over(attempt), held[behind:]
    if len(held) >= patience:
        return _echo_over(attempt), held
    return replace(attempt, withheld=held), ()


def of_several_lines(attempt: Attempt) -> bool:
    """Whether the echo to come is one that may be drawn more than once, so that only its end ends it."""
    return attempt.echo is not None and "\n" in attempt.echo.strip()


def release(attempt: Attempt) -> tuple[Attempt, tuple[str, ...]]:
    """No echo is coming any more: what was withheld is output, apart from an echo in it."""
    held = attempt.withheld
    behind = _behind_echo(attempt.echo, held) if of_several_lines(attempt) else None
    return _echo_over(attempt), held[behind or 0 :]


def _behind_echo(text: str | None, lines: Sequence[str]) -> int | None:
    """The number of the line after the first that shows the last one of `text`; None when none does."""
    last = _last_line(text or "")
    for number, line in enumerate(lines):
        row = squeeze(line)
        if _shows(row, last) or (len(last) >= PART and last in row):
            return number + 1
    return None


def _echo_over(attempt: Attempt) -> Attempt:
    return replace(attempt, echo=None, withheld=(), echo_until=None)


# --------------------------------------------------------------------------- captures


def from_screen(attempt: Attempt, lines: tuple[str, ...], *, resync: bool) -> tuple[Attempt, tuple[str, ...]]:
    """The lines of a capture that count.

    After a gap, the last echo of the attempt's text is the anchor: everything below it is newer than the keys.
    Otherwise only lines that were not there when the attempt started count, and never its own text.
    """
    if attempt.baseline_lines is None:
        return replace(attempt, baseline_lines=fingerprints(lines)), ()
    if resync and attempt.typed:
        last = _last_line(attempt.typed[-1])
        for number in range(len(lines) - 1, -1, -1):
            if last and _shows(squeeze(lines[number]), last):
                return _echo_over(attempt), (*lines[number + 1 :], *_overtaken(attempt, lines[: number + 1]))
    if resync:
        lines = _newer(lines, attempt.baseline_lines)
    echoes = _echo_rows(lines, attempt.typed)
    fresh = tuple(
        line
        for number, line in enumerate(lines)
        if line.strip() and number not in echoes and fingerprint(line) not in attempt.baseline_lines
    )
    # What a stream withheld is on this capture too; its echo may still come.
    return replace(attempt, withheld=(), echo_until=None), fresh


def _overtaken(attempt: Attempt, above: tuple[str, ...]) -> tuple[str, ...]:
    """Withheld lines that are newer than the echo: a capture may be older than what the stream has brought since."""
    older = fingerprints(above) - (attempt.baseline_lines or frozenset())
    return tuple(line for line in attempt.withheld if fingerprint(line) not in older)


def _newer(lines: tuple[str, ...], baseline: frozenset[int]) -> tuple[str, ...]:
    """A capture with history, from where the baseline stands in it: what is above is older still.

    Half of the baseline is enough to know its place: the prompt's row has changed since, and a dialog may be gone.
    """
    met: set[int] = set()
    for number in range(len(lines) - 1, -1, -1):
        met |= fingerprints(lines[number : number + 1]) & baseline
        if met and 2 * len(met) >= len(baseline):
            return lines[number:]
    return lines


# ------------------------------------------------------------------------------ echoes


def _shows(row: str, text: str) -> bool:
    """Whether a squeezed row is a prompt with `text` (squeezed) typed at it, and not a message that begins with it.

    `make: *** [all] Error 1` is no echo of `make`, nor `tools` of `ls`; `$ make` and `$ make    12:30` are.
    """
    at = row.find(text)
    while at >= 0:
        before, after = row[:at], row[at + len(text) :].rstrip(_BOX)
        if before[-1:] in _PROMPTS or (not after and not before[-1:].isalnum()):
            return True
        at = row.find(text, at + 1)
    return False


def _echo_rows(lines: Sequence[str], typed: Iterable[str]) -> frozenset[int]:
    """The numbers of the rows that show a text that was typed, whole or, over several rows, in parts."""
    rows = [squeeze(line).rstrip(_BOX) for line in lines]
    echoes: set[int] = set()
    for text in {squeeze(text) for text in typed} - {""}:
        for number in range(len(rows)):
            if number not in echoes:
                echoes.update(_block(rows, number, text))
    return frozenset(echoes)


def _block(rows: Sequence[str], start: int, text: str) -> range:
    """The rows from `start` on that together show `text` from its beginning; empty when they do not."""
    if _shows(rows[start], text):
        return range(start, start + 1)
    rest, number = text, start
    while rest and number < len(rows) and (part := _part(rows[number], rest)):
        rest, number = rest[part:], number + 1
    whole = not rest or len(text) - len(rest) >= PART
    return range(start, number if whole else start)


def _part(row: str, rest: str) -> int:
    """How much of the beginning of `rest` stands at the end of a row, behind a prompt or a border."""
    for length in range(min(len(row), len(rest)), 0, -1):
        if row.endswith(rest[:length]) and not row[: len(row) - length][-1:].isalnum():
            return length
    return 0


def _last_line(text: str) -> str:
    lines = [squeeze(line) for line in text.splitlines() if squeeze(line)]
    return lines[-1] if lines else ""
