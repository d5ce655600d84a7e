"""A Message as the text of a robot's message, in each of its three forms."""

from __future__ import annotations

import re
from dataclasses import replace

from tmux_sentry import Layout, Level, Message, clean, layout, plain_text
from tmux_sentry_notify_wechat.split import CUT, FENCE

#: Bytes of UTF-8 in `content`. Source: https://developer.work.weixin.qq.com/document/path/99110 (2025-08-07).
LIMITS = {"text": 2048, "markdown": 4096, "markdown_v2": 4096}

# The three colours that there are.
_COLOURS = {Level.DEBUG: "comment", Level.INFO: "info"}
_READ = 8  # characters read for each byte shown: room for escape sequences
_COMMAND = 5000  # characters of a line that is to be typed: a path that is cut is another one


def render(message: Message, kind: str, call: str = "") -> str:
    """The whole text, of any length; `call` are the mentions to put below the title."""
    harmless = _harmless(message, LIMITS[kind])
    if kind == "text":
        return plain_text(replace(harmless, title=_title(message, harmless)))
    parts = layout(harmless)
    blocks = _markdown(parts, message.level, call) if kind == "markdown" else _markdown_v2(parts)
    return "\n\n".join(block for block in blocks if block)


def _title(message: Message, harmless: Message) -> str:
    return f"[{layout(message).level}] {harmless.title}" if message.level >= Level.WARNING else harmless.title


def _markdown(parts: Layout, level: Level, call: str) -> list[str]:
    """Colours and mentions, but neither lists nor fenced blocks: the output is quoted."""
    colour = _COLOURS.get(level, "warning")
    return [
        f'<font color="{colour}">{parts.level}</font> {_bold(parts.title)}'.rstrip(),
        call,
        parts.text,
        "\n".join(f"> {label}: {value}" for label, value in parts.fields),
        _page(parts),
        "\n".join([_bold(parts.commands_label), *(f"`{line}`" for line in parts.commands)]) if parts.commands else "",
        "\n".join([_bold(parts.output_label), *(f"> {line}" for line in parts.output.split("\n"))])
        if parts.output
        else "",
        f'<font color="comment">{parts.footer}</font>',
    ]


def _markdown_v2(parts: Layout) -> list[str]:
    """Lists and fenced blocks, but neither colours nor mentions."""
    commands = "\n".join(parts.commands)
    return [
        f"{_bold(parts.level)} {_bold(parts.title)}".rstrip(),
        parts.text,
        "\n".join(f"- {label}: {value}" for label, value in parts.fields),
        _page(parts),
        f"{parts.commands_label}:\n{FENCE}\n{commands}\n{FENCE}" if commands else "",
        f"{parts.output_label}:\n{FENCE}\n{parts.output}\n{FENCE}" if parts.output else "",
        parts.footer,
    ]


def _page(parts: Layout) -> str:
    """Our own link, to be tapped: nothing in code can be."""
    if not parts.link:
        return ""
    return "\n".join([_bold(parts.answer_label), f"[{parts.link_label}]({parts.link})", parts.code]).rstrip()


def _bold(text: str) -> str:
    return f"**{text}**" if text else ""


def _harmless(message: Message, limit: int) -> Message:
    """`message` in bounds and without anything that acts but our own link. Of the text the beginning is kept, of the
    output the end."""
    return replace(
        message,
        title=_escaped(clean(message.title, 150)),
        text=_escaped(_block(message.text, 2 * limit)),
        fields={_escaped(clean(name, 40)): _escaped(clean(value, 200)) for name, value in message.fields.items()},
        answer="\n".join(_escaped(clean(line, _COMMAND)) for line in layout(message).commands),
        output=_escaped(_block(message.output, limit, end=True)),
    )


def _escaped(text: str) -> str:
    text = re.sub(r"\](?=[(\[:])", "] ", text)
    return text.replace("<", "＜").replace("`", "'").replace("~~~", "～～～")


def _block(text: str, most: int, *, end: bool = False) -> str:
    """`text` as harmless lines in `most` bytes; where something is left out, that is said."""
    part = text[-_READ * most :] if end else text[: _READ * most]
    lines = part.replace("\r\n", "\n").replace("\t", "    ").split("\n")
    raw = "\n".join(clean(line, most) for line in lines).strip("\n").encode("utf-8")
    if len(raw) <= most and len(part) == len(text):
        return raw.decode()
    kept = raw[-most:] if end else raw[:most]
    shown = kept.decode("utf-8", "ignore")
    return f"{CUT}\n{shown}" if end else f"{shown}\n{CUT}"
