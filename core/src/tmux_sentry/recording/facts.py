"""What a recording says of its pane besides its output, as JSON: who it is, what tmux knows of it, a picture of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tmux_sentry.contracts import PaneIdentity
from tmux_sentry.recording.asciicast import MAX_COLUMNS, MAX_ROWS, Header
from tmux_sentry.security.redact import Redactor
from tmux_sentry.tmux.model import Capture, PaneInfo

#: Codes of the events that players of asciicasts skip.
PANE, SCREEN, GAP, WHOLE, EMITTED, SENT, CLOSED, END = (
    "x-pane", "x-screen", "x-gap", "x-whole", "x-emitted", "x-sent", "x-closed", "x-end",
)  # fmt: skip

_TEXTS = ("session_name", "window_name", "command", "path", "title")
_NUMBERS = ("window_index", "pane_index")
_FLAGS = ("dead", "in_mode", "alternate", "input_off", "synchronized")
_LONGEST = 4096
#: Lines of a picture, history included, that are kept.
LINES = 1000

_STRANGER = PaneInfo(
    identity=PaneIdentity(host="recording", server_pid=0, server_start=0, pane_id="%0", pane_pid=0),
    session_id="$0", session_name="recording", window_id="@0", window_name="recording", window_index=0, pane_index=0,
    command="bash", path="", title="", width=80, height=24, cursor=(0, 0), dead=False, dead_status=None, in_mode=False,
    alternate=False, input_off=False, synchronized=False, epoch="", marker="", owner="", hold=False,
)  # fmt: skip


def of_pane(info: PaneInfo) -> dict[str, Any]:
    """What is written down of a pane, names and texts as tmux tells them."""
    return {name: getattr(info, name) for name in (*_TEXTS, *_NUMBERS, *_FLAGS, "width", "height")}


def identity(info: PaneInfo) -> dict[str, Any]:
    """Which pane it was."""
    one = info.identity
    return {
        "host": one.host,
        "server_pid": one.server_pid,
        "server_start": one.server_start,
        "pane_id": one.pane_id,
        "pane_pid": one.pane_pid,
    }


def first(header: Header) -> PaneInfo:
    """The pane as the header describes it; of another recorder's file, one that is called `recording`."""
    own = header.own
    known = replace(_STRANGER, width=header.width, height=header.height)
    if not own:
        return known
    one = PaneIdentity(
        host=_text(own.get("host")) or "recording",
        server_pid=_number(own.get("server_pid")),
        server_start=_number(own.get("server_start")),
        pane_id=f"%{_number(_text(own.get('pane_id'))[1:])}",
        pane_pid=_number(own.get("pane_pid")),
    )
    return changed(replace(known, identity=one), own.get("pane"))


def changed(info: PaneInfo, facts: object) -> PaneInfo:
    """`info` with the facts that are given and make sense."""
    if not isinstance(facts, Mapping):
        return info
    new: dict[str, Any] = {name: _text(facts[name]) for name in _TEXTS if isinstance(facts.get(name), str)}
    new |= {name: _number(facts[name]) for name in _NUMBERS if name in facts}
    new |= {name: facts[name] for name in _FLAGS if isinstance(facts.get(name), bool)}
    for name, most in (("width", MAX_COLUMNS), ("height", MAX_ROWS)):
        if 0 < (size := _number(facts.get(name))) <= most:
            new[name] = size
    return replace(info, **new)


def of_capture(taken: Capture, redact: Redactor) -> dict[str, Any]:
    """A picture of the pane without secrets: the last lines with history, the visible rows, the cursor."""
    return {
        "lines": _safe(taken.lines[-LINES:], redact),
        "rows": _safe(taken.screen, redact),
        "cursor": list(taken.cursor),
        "alternate": taken.info.alternate,
    }


def capture(info: PaneInfo, picture: object) -> Capture | None:
    """The capture that `of_capture` wrote, None for what is none."""
    if not isinstance(picture, Mapping):
        return None
    lines, rows, cursor = picture.get("lines"), picture.get("rows"), picture.get("cursor")
    if not isinstance(lines, list) or not isinstance(rows, list) or not isinstance(cursor, list) or len(cursor) != 2:
        return None
    if not (_texts(lines, LINES) and _texts(rows, MAX_ROWS)):
        return None
    x, y = (min(_number(value), MAX_COLUMNS) for value in cursor)
    info = replace(info, alternate=picture.get("alternate") is True, cursor=(x, y))
    row = rows[y] if y < len(rows) else ""
    return Capture(lines=tuple(lines), cursor=(x, y), row=row, info=info, screen=tuple(rows))


def _safe(rows: Sequence[str], redact: Redactor) -> list[str]:
    """The rows, redacted together, as a secret may go on in the next; each stays in its place, or the cursor would
    be on another."""
    text, pieces, at = "\n".join(rows), [], 0
    for span in redact.spans(text):
        pieces += [text[at : span.start], span.mark, "\n" * text.count("\n", span.start, span.end)]
        at = span.end
    return "".join((*pieces, text[at:])).split("\n")


def _texts(value: list[Any], most: int) -> bool:
    return len(value) <= most and all(isinstance(one, str) for one in value)


def _text(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""


def _number(value: object) -> int:
    """A whole number that is not negative; 0 for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 11:
        value = int(value)
    return value if type(value) is int and 0 <= value < 1 << 53 else 0
