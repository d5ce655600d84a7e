"""Where a SENTRY event stands in a line or on a screen, and its JSON.

Agents indent, bullet, number, box and wrap what they print, and Markdown eats the `###`;
a marker counts only after such decoration, never after a prompt or other text.
The signed form is `@@SENTRY <mac> <seq> {...}` on one row; what it signs is kept as it stands there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tmux_sentry import Signature
from tmux_sentry_parser_sentry import strictjson
from tmux_sentry_parser_sentry.unwrap import MAX_CHARS, MAX_DEPTH, Row, join

WORD = "SENTRY"
MAX_BYTES = 4096  # from the marker to the end of the JSON
BORDERS = "│┃|║"
EDGE = f" {BORDERS}"  # what a box leaves at the end of a row
BULLETS = "●•✦*-+⎿└├·"
_MAX_INDENT = 200
_SIGNED = re.compile(r"\s([0-9a-f]{64}) ([1-9][0-9]{0,17}) (?=\{)")
# One bullet (`+### SENTRY` is a diff, not a bullet: a space must follow), then a line or list number.
_DECORATION = re.compile(rf"(?:[{re.escape(BULLETS)}](?=\s|$)[\s{BORDERS}]*)?(?:\d{{1,5}}[.)]?)?")
# What cannot continue an event: a box's edge, "… +2 lines", "+ 1 line (^t to expand)".
_NO_CONTINUATION = re.compile(r"[╭╮╰╯┌┐└┘─━…]|\+ ?\d+ (?:more )?lines?\b")


@dataclass(slots=True, kw_only=True)  # not frozen: one is made for each event of each pane, at half the cost
class Mark:
    """A marker at the start of a line: what stands before it, its own text, and what follows."""

    prefix: str
    marker: str
    body: str


@dataclass(slots=True, kw_only=True)  # not frozen, as above
class Found:
    """A complete event: rows `first` to `last` (0-based) of what was searched."""

    first: int
    last: int
    prefix: str
    text: str  # from the marker to the end of the JSON, joined
    body: str  # the JSON alone
    value: dict[str, Any]
    plain: bool  # an explicit marker, and all on one row
    signature: Signature | None = None


def mark(line: str, *, bare: bool) -> Mark | None:
    """The marker that `line` starts with; `bare` also takes `SENTRY {` without its `###`."""
    before, word, body = line.partition(WORD)
    if not word or len(before) > _MAX_INDENT or (body and not body[0].isspace()):
        return None
    if before.endswith("@@"):
        sign = "@@"
    elif before.endswith("### "):
        sign = "### "
    elif bare:
        sign = ""
    else:
        return None
    prefix = before[: len(before) - len(sign)]
    return None if prefix and not _decorates(prefix) else Mark(prefix=prefix, marker=sign + WORD, body=body)


def _decorates(prefix: str) -> bool:
    return (prefix[-1].isspace() or prefix[-1] in BORDERS) and bool(_DECORATION.fullmatch(_inside(prefix)))


def find(rows: Sequence[str], *, capture: bool, start: int = 0) -> Iterator[Found]:
    """Every complete event in `rows` from `start` on, in order; `capture` allows bare and wrapped ones."""
    for index in range(start, len(rows)):
        if WORD not in rows[index]:
            continue
        found = mark(rows[index], bare=capture)
        event = _event(rows, index, found, capture) if found else None
        if event:
            yield event


def _event(rows: Sequence[str], index: int, found: Mark, capture: bool) -> Found | None:
    boxed = bool(found.prefix) and any(border in found.prefix for border in BORDERS)
    body, last = found.body.rstrip(EDGE if boxed else None), index
    if found.marker != WORD and (signed := _SIGNED.match(body)) is not None:
        return _signed(index, found, signed, body[signed.end() :])
    if whole := on_one_row(body):
        value, end = whole
        body, after = body[:end], body[end:]
    else:
        first = _row(rows[index], len(rows[index]) - len(found.body), boxed)
        joined = join(_continued(rows, index, first, boxed) if capture else (first,))
        read = strictjson.read(joined.text) if joined else None
        if joined is None or read is None:
            return None
        value, body, after, last = read, joined.text, joined.after, index + joined.rows - 1
    # A shell's or dialog's quotation goes on after the JSON: `... }'`.
    if after.strip(EDGE):
        return None
    text = f"{found.marker} {body.lstrip()}"
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return None
    return Found(
        first=index,
        last=last,
        prefix=found.prefix,
        text=text,
        body=body.strip(),
        value=value,
        plain=bool(found.marker != WORD and last == index),
    )


def _signed(index: int, found: Mark, signed: re.Match[str], body: str) -> Found | None:
    whole = on_one_row(body)
    if whole is None or body[whole[1] :].strip(EDGE):
        return None
    body = body[: whole[1]]
    text = f"{found.marker}{signed[0]}{body}"
    raw = body.encode("utf-8", "surrogatepass")
    if len(text) > MAX_BYTES or len(raw) > MAX_BYTES:
        return None
    return Found(
        first=index,
        last=index,
        prefix=found.prefix,
        text=text,
        body=body,
        value=whole[0],
        plain=True,
        signature=Signature(mac=signed[1], seq=signed[2], body=raw),
    )


def on_one_row(text: str) -> tuple[dict[str, Any], int] | None:
    """The object that `text` starts with and its end, where that takes the JSON parser alone: nearly always."""
    # With so few brackets it cannot be too deep.
    small = len(text) <= MAX_CHARS and text.count("{") + text.count("[") <= MAX_DEPTH
    return strictjson.read_first(text) if small else None


def _continued(rows: Sequence[str], index: int, first: Row, boxed: bool) -> Iterator[Row]:
    """The event's first row and the rows below that may continue it."""
    yield first
    previous = first
    for line in rows[index + 1 :]:
        start = len(line) - len(line.lstrip(EDGE if boxed else None))
        row = _row(line, start, boxed)
        if not row.text or previous.text.endswith("…") or _NO_CONTINUATION.match(row.text):
            return
        if boxed and not any(border in line[:start] for border in BORDERS):
            return
        yield row
        previous = row


def _row(line: str, start: int, boxed: bool) -> Row:
    text = line[start:].rstrip(EDGE if boxed else None)
    return Row(text=text, end=start + len(text))


def _inside(prefix: str) -> str:
    return prefix.strip(f" \t\u00a0{BORDERS}")
