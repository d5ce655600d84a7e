"""A Message as Slack shows it: blocks, and the plain text beside them.

Whatever was written by others is `plain_text`, where Slack acts on nothing; only the pane's output (in a code block)
and the links are mark-up. Limits: https://docs.slack.dev/reference/block-kit/blocks (2026-11); that the sum of all
blocks is limited to about 13,200 characters is only known from https://github.com/slackapi/bolt-js/issues/2509.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from tmux_sentry import Layout, Message, clean, layout, plain_text

Block = dict[str, Any]

#: Characters of a header, and of the text of a section; elements of a context.
HEADER, SECTION, ELEMENTS = 150, 3000, 10
#: Bytes of JSON that all blocks take together.
TOTAL = 11_500
#: Bytes for each part; the output gets what is left over.
_FIELDS, _TEXT, _ANSWER, _LINK, _LINKS = 1500, 4500, 2000, 500, 4
#: Characters of the text beside the blocks ("best under 4,000"), and of the one that is sent instead of them.
BESIDE, _BESIDE_TEXT, SHORT = 3000, 1200, 800
# Characters of a line that is to be typed: a path that is cut is another one.
_COMMAND = 5000
#: Characters that are read of a text: more would be cut anyhow.
_READ = 20_000
CUT = "…"
_BREAK = "\u200b"  # keeps two characters apart unseen
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_ALL = re.compile(r"@(?=channel|here|everyone|group)", re.IGNORECASE)
_URL = re.compile(r"https?://[!#-&(-;=?-\[\]_a-z~]+")
_FENCE = "```\n", "\n```"


def for_slack(text: str) -> str:
    """`text` as Slack shows it and does not act on it: https://docs.slack.dev/messaging/formatting-message-text"""
    return text.translate(_ESCAPES)


def for_slack_text(text: str) -> str:
    """As `for_slack`, for the `text` of a message, in which Slack might look for "@here" by itself."""
    return for_slack(_ALL.sub("@" + _BREAK, text))


def for_code(text: str) -> str:
    """As `for_slack`, for inside a code block, which it cannot end."""
    return for_slack(re.sub("`(?=`)", "`" + _BREAK, text))


def beside(message: Message) -> str:
    """What a notification on a phone shows, a screen reader reads, and a server without blocks has."""
    more = len(message.text) - _BESIDE_TEXT
    text = message.text if more <= 0 else f"{message.text[:_BESIDE_TEXT]}{CUT} (+{more:,} characters)"
    lean = replace(message, text=text)  # how to answer comes after it, and must be there
    return _fit(_safe(plain_text(lean)[:_READ]), BESIDE, BESIDE * 3, escape=for_slack_text)


def short(message: Message) -> str:
    """The message when Slack has refused its looks: the head of it."""
    parts = layout(message)
    lines = [parts.title, *(f"{label}: {value}" for label, value in parts.fields), *parts.answer, parts.text]
    tail = f"\n{parts.footer}"
    return _fit(_safe("\n".join(filter(None, lines))[:_READ]), SHORT, SHORT * 3, escape=for_slack_text) + tail


def blocks(message: Message) -> list[Block]:
    """`message` in at most eight blocks, which take less than `TOTAL` bytes of JSON."""
    parts = layout(message)
    made = list(_head(parts))
    foot = _context([_plain(parts.footer)])
    if parts.output:
        # The tail of it: the last lines are why somebody wants to see it.
        label = f"{for_slack(parts.output_label)}:\n{_FENCE[0]}"
        empty = _section({"type": "mrkdwn", "text": label + _FENCE[1], "verbatim": True})
        room = TOTAL - _size([*made, empty, foot])
        width = SECTION - len(label + _FENCE[1])
        output = _fit(_safe(parts.output[-_READ:]).strip("\n"), width, room, escape=for_code, tail=True)
        empty["text"]["text"] = label + output + _FENCE[1]
        made.append(empty)
    return [*made, foot]


def answered(message: Message) -> list[Block]:
    """What is put under a message whose matter `message` ends."""
    title = _fit(clean(message.title).strip() or clean(message.event), 300, 1000)
    return [_context([_plain(f"✓ {title}")])]


def _head(parts: Layout) -> Iterator[Block]:
    """The blocks before the output."""
    title = _fit(clean(parts.title).strip(), HEADER, HEADER * 4) or parts.level
    yield {"type": "header", "text": _plain(title)}
    yield _context([_plain(text) for text in _facts(parts)])
    texts = [_safe(parts.text[:_READ]).strip("\n")]
    if parts.ways:
        texts.append("\n".join("\n".join([f"{label}:", *_indented(lines)]) for label, lines in parts.ways))
    for text, room in zip(texts, (_TEXT, _ANSWER), strict=False):
        for piece in _pieces(_fit(text, 2 * SECTION, room)):
            yield _section(_plain(piece))
    # Beside our own link no other may be taken for it.
    found = _links([parts.link] if parts.link else [value for _, value in parts.fields] + texts)
    if found:
        yield _context([{"type": "mrkdwn", "text": link, "verbatim": True} for link in found])


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {clean(line, _COMMAND)}" for line in lines)


def _facts(parts: Layout) -> list[str]:
    """The level and the fields, one an element as long as there are elements for them."""
    told = [f"{clean(label, 40)}: {clean(value, 300)}" for label, value in parts.fields]
    first, rest = told[: ELEMENTS - 2], told[ELEMENTS - 2 :]
    if rest:
        first.append("  ".join(rest))
    room = _FIELDS // (len(first) or 1)
    return [for_slack(parts.level), *(_fit(text, 300, room) for text in first)]


def _links(texts: Iterable[str]) -> list[str]:
    """The addresses in `texts`, to be clicked: in `plain_text` they are only read."""
    found = (url.rstrip(".,;:!?)]") for text in texts for url in _URL.findall(text))
    made = (f"<{for_slack(url)}>" for url in dict.fromkeys(found))
    return [link for link in made if len(link) <= _LINK][:_LINKS]


def _plain(text: str) -> Block:
    """`text`, which has been escaped, as an object in which nothing else is mark-up."""
    return {"type": "plain_text", "text": text, "emoji": False}


def _section(text: Block) -> Block:
    return {"type": "section", "text": text}


def _context(elements: list[Block]) -> Block:
    return {"type": "context", "elements": elements}


def _safe(text: str) -> str:
    """`text` without what could act on a screen; its lines stay."""
    return "\n".join(clean(line, 4000) for line in text.split("\n"))


def _size(made: Any) -> int:
    return len(json.dumps(made, ensure_ascii=False).encode())


def _fit(text: str, characters: int, size: int, *, escape: Callable[[str], str] = for_slack, tail: bool = False) -> str:
    """`text` escaped, within so many characters and so many bytes of JSON; a cut is said, at whichever end it is."""
    whole = escape(text)
    if len(whole) <= characters and _size(whole) - 2 <= size:
        return whole
    low, high = 0, min(len(text), max(characters, 0))
    while low < high:  # the longest part that fits: what is escaped is not cut in two
        middle = (low + high + 1) // 2
        shown = escape(text[-middle:] if tail else text[:middle])
        if len(shown) < characters and _size(shown) + len(CUT.encode()) - 2 <= size:
            low = middle
        else:
            high = middle - 1
    if tail:
        return CUT + escape(text[len(text) - low :])
    return escape(text[:low]) + CUT


def _pieces(escaped: str) -> Iterator[str]:
    """`escaped` in pieces that a section takes, none of which ends inside an entity."""
    while len(escaped) > SECTION:
        end = escaped.rfind("\n", SECTION // 2, SECTION)
        if end < 0:
            entity = escaped.rfind("&", SECTION - 5, SECTION)
            end = entity if entity >= 0 else SECTION
        yield escaped[:end]
        escaped = escaped[end:].removeprefix("\n")
    if escaped.strip():
        yield escaped
