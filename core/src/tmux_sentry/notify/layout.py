"""What people read of a Message, in order and in their language; each channel puts its own mark-up around it."""

from __future__ import annotations

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
        "output": "最近输出",
        "INFO": "信息",
        "WARNING": "警告",
        "APPROVAL": "待审批",
        "ERROR": "失败",
        "CRITICAL": "严重",
        "DEBUG": "调试",
    },
    "en": {"answer": "to answer", "output": "last lines", "ERROR": "FAILURE"},
}
LANGUAGES = tuple(sorted(_WORDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The parts of a message, empty where there is nothing. None of them has mark-up or is escaped."""

    level: str  # a word for people
    title: str
    fields: tuple[tuple[str, str], ...]  # label and value: where
    text: str
    answer_label: str
    answer: tuple[str, ...]  # one way to answer a line
    output_label: str
    output: str  # of the pane, several lines
    footer: str  # "#k3x7qa 2026-11-28 22:15:03": the short id, by which people and `notify log` name it


def layout(message: Message) -> Layout:
    """The parts of `message` in the order in which to show them."""
    words = _WORDS.get(message.language, {})
    from zoneinfo import ZoneInfo

    level = Level(message.level).name
    zone = ZoneInfo(message.zone) if message.zone else None
    at = datetime.fromtimestamp(message.at, zone).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    return Layout(
        level=words.get(level, level),
        title=message.title,
        fields=tuple((words.get(name, name), value) for name, value in message.fields.items() if value),
        text=message.text,
        answer_label=words.get("answer", "answer"),
        answer=tuple(line for line in message.answer.splitlines() if line.strip()),
        output_label=words.get("output", "output"),
        output=message.output,
        footer=f"#{message.short} {at}",
    )


def plain_text(message: Message, *, title: bool = True) -> str:
    """`message` as plain lines, with or without its title: for channels without mark-up."""
    parts = layout(message)
    blocks = [
        parts.title if title else "",
        parts.text,
        "\n".join(f"{label}: {value}" for label, value in parts.fields),
        "\n".join([f"{parts.answer_label}:", *(f"  {line}" for line in parts.answer)]) if parts.answer else "",
        f"{parts.output_label}:\n{parts.output}" if parts.output else "",
        parts.footer,
    ]
    return "\n\n".join(block for block in blocks if block)
