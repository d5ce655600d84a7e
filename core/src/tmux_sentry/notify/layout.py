"""What people read of a Message, in order and in their language; each channel puts its own mark-up around it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from tmux_sentry.contracts.messages import Level, Message

#: What the words around a message are in each language. Names that are not here are shown as they are.
_WORDS = {
    "zh": {
        "host": "主机",
        "pane": "窗格",
        "pipeline": "流水线",
        "stage": "阶段",
        "run": "运行",
        "approval": "审批",
        "agent": "代理",
        "answer": "如何答复",
        "here": "在运行 tmux-sentry 的机器上答复",
        "or here": "或者在运行 tmux-sentry 的机器上",
        "page": "打开审批页面",
        "output": "最近输出",
        "INFO": "信息",
        "WARNING": "警告",
        "APPROVAL": "待审批",
        "ERROR": "失败",
        "CRITICAL": "严重",
        "DEBUG": "调试",
    },
    "en": {
        "answer": "to answer",
        "here": "to answer, where tmux-sentry runs",
        "or here": "or, where tmux-sentry runs",
        "page": "open the page",
        "output": "last lines",
        "ERROR": "FAILURE",
    },
}
LANGUAGES = tuple(sorted(_WORDS))
# Where a link leads to, none of its characters acts in HTML (but for "&") or Markdown.
_ADDRESS = re.compile(r"https?://[A-Za-z0-9._~:/?&=%+\[\]-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The parts of a message, empty where there is nothing. None of them has mark-up or is escaped."""

    level: str  # a word for people
    title: str
    fields: tuple[tuple[str, str], ...]  # label and value: where
    text: str
    answer_label: str
    answer: tuple[str, ...]  # one way to answer a line, `link` and `code` first
    link: str  # the address of our own page: to be a link and not code; any other address is what somebody wrote
    link_label: str  # what to show of the link where its address would be too long
    code: str  # what the page asks for beside the link
    commands_label: str
    commands: tuple[str, ...]  # the rest of `answer`: to be typed where tmux-sentry runs
    output_label: str
    output: str  # of the pane, several lines
    footer: str  # "#k3x7qa 2026-11-28 22:15:03": the short id, by which people and `notify log` name it

    @property
    def ways(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """How to answer as labels with their lines: by the page, and by commands."""
        page = tuple(line for line in (self.link, self.code) if line)
        both = ((self.answer_label, page), (self.commands_label, self.commands))
        return tuple((label, lines) for label, lines in both if lines)


def layout(message: Message) -> Layout:
    """The parts of `message` in the order in which to show them."""
    words = _WORDS.get(message.language, {})
    from zoneinfo import ZoneInfo

    level = Level(message.level).name
    zone = ZoneInfo(message.zone) if message.zone else None
    at = datetime.fromtimestamp(message.at, zone).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    answer = tuple(line for line in message.answer.splitlines() if line.strip())
    link, code = _link(message.link)
    page = tuple(line for line in (link, code) if line)
    here = "or here" if page else "here"
    return Layout(
        level=words.get(level, level),
        title=message.title,
        fields=tuple((words.get(name, name), value) for name, value in message.fields.items() if value),
        text=message.text,
        answer_label=words.get("answer", "answer"),
        answer=answer,
        link=link,
        link_label=words.get("page", "page"),
        code=code,
        commands_label=words.get(here, "answer"),
        commands=answer[len(page) :] if answer[: len(page)] == page else answer,
        output_label=words.get("output", "output"),
        output=message.output,
        footer=f"#{message.short} {at}",
    )


def _link(lines: str) -> tuple[str, str]:
    """The address and the code of our own page; nothing where the address cannot be shown as it is."""
    address, _, code = lines.partition("\n")
    return (address, code.strip()) if _ADDRESS.fullmatch(address) else ("", "")


def plain_text(message: Message, *, title: bool = True) -> str:
    """`message` as plain lines, with or without its title: for channels without mark-up."""
    parts = layout(message)
    blocks = [
        parts.title if title else "",
        parts.text,
        "\n".join(f"{label}: {value}" for label, value in parts.fields),
        *("\n".join([f"{label}:", *(f"  {line}" for line in lines)]) for label, lines in parts.ways),
        f"{parts.output_label}:\n{parts.output}" if parts.output else "",
        parts.footer,
    ]
    return "\n\n".join(block for block in blocks if block)
