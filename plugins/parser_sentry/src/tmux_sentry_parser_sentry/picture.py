"""Tells an event from the picture of a text that contains one: an instruction, a command, a draft.

Before an agent answers and before a command prints, the text that asks for the event is on the screen.
Two kinds of evidence: what this program typed itself (`Echoes`), and the shape of what stands above (`quoted`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tmux_sentry_parser_sentry.grammar import BORDERS, BULLETS, EDGE, Found

CONTEXT = 24  # normalised characters before an event that tell its place from another
_ROWS = 8  # rows searched for that context
_HEREDOC_ROWS = 12
_DECORATION = re.compile(rf"[\s\u2500-\u259f{re.escape(BULLETS + BORDERS)}]+")
_MARKER = re.compile(r"(?:###|@@)?SENTRY$")
# An opening quote, with or without the sign of a marker that the row break cut: `printf '###`.
_OPEN_QUOTE = re.compile(r"(?:^|[\s(=])['\"`](?:###)?$")
_QUOTE_ENDS = ("'", '"', "`", "###")
_HEREDOC = re.compile(r"<<-? ?['\"\\]?([A-Z][A-Z_]{2,})\b")
_USER = re.compile(r"(?:[❯›]|\w{0,12}>)(?:\s|$)")  # aider's is "diff> "


def normal(text: str) -> str:
    """`text` without what agents change when they show it: whitespace, boxes, bullets."""
    return _DECORATION.sub("", text)


class Echoes:
    """The texts typed into one pane, and which of the events found in it are only their echoes.

    An echo stands after the same words as in the typed text; the same event answered or printed does not.
    Where the typed text begins with the event, what follows it decides; a typed text that IS the event
    cannot be told from an answer, and unknown is never success.
    """

    def __init__(self, typed: Sequence[str]) -> None:
        self._typed = [normal(text) for text in typed if "SENTRY" in text]
        self._last: tuple[Found, bool] | None = None

    def shows(self, rows: Sequence[str], found: Found, *, scrolled: bool) -> bool:
        """Whether `found` is an echo; call it for the events of `rows` in order.

        `scrolled`: rows above the first one existed, so a typed text may start above it.
        """
        if not self._typed:
            return False
        echo = any(
            self._matches(rows, found, before, after, scrolled) for before, after in self._places(normal(found.body))
        )
        self._last = (found, echo)
        return echo

    def _places(self, body: str) -> Iterator[tuple[str, str]]:
        """What stands before the marker and after the JSON, wherever a typed text has this event."""
        for typed in self._typed:
            at = typed.find(body)
            while at >= 0:
                if marker := _MARKER.search(typed[max(at - 12, 0) : at]):
                    yield typed[: at - len(marker.group())], typed[at + len(body) :]
                at = typed.find(body, at + 1)

    def _matches(self, rows: Sequence[str], found: Found, before: str, after: str, scrolled: bool) -> bool:
        if self._last and self._follows(rows, found, before):
            return self._last[1]  # a list of events: all are typed, or all are answered
        if not before:
            below = normal("".join(rows[found.last + 1 : found.last + 1 + _ROWS]))
            return below.startswith(after[:CONTEXT])
        above, whole = _above(rows, found)
        context = before[-CONTEXT:]
        return above.endswith(context) or (scrolled and whole and context.endswith(above))

    def _follows(self, rows: Sequence[str], found: Found, before: str) -> bool:
        """Whether the typed text and the screen both have the previous event just before this one."""
        assert self._last is not None
        previous = self._last[0]
        between = "".join(rows[previous.last + 1 : found.first])
        return previous.last < found.first and not normal(between) and before.endswith(normal(previous.body))


def _above(rows: Sequence[str], found: Found) -> tuple[str, bool]:
    """The normalised text before the marker, and whether that is all there is."""
    text = normal(found.prefix)
    row = found.first
    while row > max(found.first - _ROWS, 0) and len(text) < CONTEXT:
        row -= 1
        text = normal(rows[row]) + text
    return text, row == 0


def quoted(rows: Sequence[str], found: Found, *, agent_screen: bool) -> bool:
    """Whether the rows above show that the event is quoted: in a command, a here-document, a person's input."""
    above = rows[max(found.first - _HEREDOC_ROWS, 0) : found.first]
    # The regular expressions are for the few rows that have a sign of either.
    if "<<" in "\n".join(above) and _in_heredoc(above):
        return True
    row = above[-1].rstrip(EDGE) if above else ""
    if row.endswith(_QUOTE_ENDS) and _OPEN_QUOTE.search(row):
        return True
    return agent_screen and _in_input(rows, found.first)


def _in_heredoc(above: Sequence[str]) -> bool:
    for index in range(len(above) - 1, -1, -1):
        if opening := _HEREDOC.search(above[index]):
            end = re.compile(rf"[\s>{BORDERS}]*{opening.group(1)}\b")
            return not any(end.match(row) for row in above[index + 1 :])
    return False


def _in_input(rows: Sequence[str], row: int) -> bool:
    """Whether the paragraph that ends above `row` began with an agent's sign for what a person wrote."""
    while row and rows[row - 1].strip(EDGE):
        row -= 1
        if _USER.match(rows[row].lstrip(EDGE)):
            return True
    return False
