"""A Message as JSON: `type`, `timestamp` and `data`, in less than 20,000 bytes."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from tmux_sentry import Message, clean

#: "usually smaller than 20kb": https://github.com/standard-webhooks/standard-webhooks (spec 1.0.0)
LIMIT = 20_000
CUT = "…"
#: Bytes of JSON for each text; the output gets what is left over, some thousands at least.
_TITLE, _NAME, _LABEL, _FIELD, _ANSWER, _TEXT = 800, 200, 60, 250, 2000, 6000
#: Fields.
_FIELDS = 16
#: Characters that are read of a text.
_READ = 25_000


def encode(message: Message, id_: str) -> bytes:
    """The body. `data.cut` names the texts that are not whole."""
    cut: list[str] = []

    def part(name: str, text: str, room: int, *, tail: bool = False) -> str:
        shown = _fit(text, room, tail=tail)
        if shown != text and name not in cut:
            cut.append(name)
        return shown

    data: dict[str, Any] = {
        "id": id_,
        "short": message.short,
        "level": message.level.name.lower(),
        "title": part("title", _line(message.title), _TITLE),
        "fields": {},
        "text": part("text", _lines(message.text[:_READ]), _TEXT),
        "answer": part("answer", _lines(message.answer[:_READ]), _ANSWER),
        "thread": part("thread", _line(message.thread), _NAME),
        "subject": part("subject", _line(message.subject), _TITLE),
        "first": part("first", _line(message.first), _NAME),
        "ends": part("ends", _line(message.ends), _NAME),
        "language": part("language", _line(message.language), _NAME),
    }
    for name, value in list(message.fields.items())[:_FIELDS]:
        data["fields"][_fit(_line(name), _LABEL)] = part("fields", _line(value), _FIELD)
    if len(message.fields) > _FIELDS and "fields" not in cut:
        cut.append("fields")
    whole = {
        "type": _fit(_line(message.event), _NAME),
        "timestamp": datetime.fromtimestamp(message.at, timezone.utc).isoformat(timespec="milliseconds")[:-6] + "Z",
        "data": data,
    }
    data["output"] = ""
    data["cut"] = [*cut, "output"]  # for the room that it takes
    room = LIMIT - 1 - len(_dump(whole))
    data["output"] = part("output", _lines(message.output[-_READ:]), room, tail=True)
    data["cut"] = cut
    return _dump(whole)


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _line(text: str) -> str:
    return clean(text, 2000)


def _lines(text: str) -> str:
    """`text` without what could act on a screen; its lines stay."""
    return "\n".join(clean(line, _READ) for line in text.split("\n"))


def _fit(text: str, room: int, *, tail: bool = False) -> str:
    """The beginning or the end of `text` that takes at most `room` bytes of JSON; a cut is marked."""
    if len(_dump(text)) - 2 <= room:
        return text
    low, high = 0, min(len(text), max(room, 0))
    while low < high:
        middle = (low + high + 1) // 2
        if len(_dump(text[-middle:] if tail else text[:middle])) - 2 + len(CUT.encode()) <= room:
            low = middle
        else:
            high = middle - 1
    return CUT + text[len(text) - low :] if tail else text[:low] + CUT
