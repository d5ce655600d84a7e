"""A Message as ServerChan's title, card and Markdown page.

Limits of Turbo: title 32 characters, card 64, page 32 KB (front page of https://sct.ftqq.com). Whether a KB has 1000
or 1024 bytes is not said, so the smaller is kept to. ServerChan 3 publishes no limits and gets the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tmux_sentry import Message, clean, layout

TITLE, CARD = 32, 64
PAGE = 32_000  # bytes of UTF-8
CUT = "… (cut)"
FENCE = "```"

# Bytes of each block of the page, so that a long one never pushes out another; with the title they stay below PAGE.
_TEXT, _FIELDS, _ANSWER, _OUTPUT = 13_000, 3_500, 4_000, 10_000
_READ = 8  # characters read for each byte shown: room for escape sequences


def title(message: Message) -> str:
    """The title. An empty one is refused (code 20001)."""
    return clean(message.title, TITLE).strip() or clean(message.event, TITLE).strip() or "tmux-sentry"


def card(message: Message) -> str:
    """What is seen of the message before it is opened: its text, or else where it is from."""
    return clean(message.text, CARD).strip() or clean(" ".join(message.fields.values()), CARD).strip()


def page(message: Message) -> str:
    """The whole message. The footer has its short id, so no two pages are equal: an equal one would be refused."""
    parts = layout(message)
    shown = clean(parts.title, 150)
    fields = "\n".join(f"{clean(label, 40)}: {clean(value, 200)}" for label, value in parts.fields)
    link = f"[{_escaped(parts.link_label)}]({parts.link})" if parts.link else ""
    commands = _within("\n".join(parts.commands), _ANSWER, _fenced)
    output = _within(parts.output, _OUTPUT, _fenced, end=True)
    blocks = [
        f"**{parts.level}**" + (f" {_escaped(shown)}" if len(shown) > TITLE else ""),
        _within(parts.text, _TEXT, _lines),
        _within(fields, _FIELDS, _lines),
        f"{_escaped(parts.answer_label)}:\n\n{link}" if link else "",
        _escaped(parts.code),
        f"{_escaped(parts.commands_label)}:\n\n{FENCE}\n{commands}\n{FENCE}" if commands else "",
        f"{_escaped(parts.output_label)}:\n\n{FENCE}\n{output}\n{FENCE}" if output else "",
        _escaped(parts.footer),
    ]
    return "\n\n".join(block for block in blocks if block)


def _escaped(text: str) -> str:
    text = re.sub(r"([\\`*_\[\]#|~])", r"\\\1", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _lines(text: str) -> str:
    """Each line on a line of its own, which Markdown does for two spaces at the end."""
    return _escaped(text).replace("\n", "  \n")


def _fenced(text: str) -> str:
    return text.replace(FENCE, "'''")


def _within(text: str, most: int, form: Callable[[str], str], *, end: bool = False) -> str:
    """`form` of `text` as harmless lines in `most` bytes; where something is left out, that is said."""
    part = text[-_READ * most :] if end else text[: _READ * most]
    lines = part.replace("\r\n", "\n").replace("\t", "    ").split("\n")
    kept = whole = "\n".join(clean(line, most) for line in lines).strip("\n")
    while len(form(kept).encode("utf-8")) > most - len(CUT.encode("utf-8")) - 4:
        fewer = len(kept) * 9 // 10
        kept = kept[-fewer:] if end and fewer else kept[:fewer]
    if kept == whole and len(part) == len(text):
        return form(kept)
    return form(f"{CUT}\n{kept}" if end else f"{kept}\n{CUT}")
