"""Prints messages: drawn by rich on a terminal, plain and only from WARNING on elsewhere.

One line each, and where something is asked below it a line for each way to answer.
"""

from __future__ import annotations

import errno
import sys
from datetime import datetime
from io import StringIO
from typing import TextIO

from tmux_sentry import Delivery, DeliveryResult, Level, Message, clean

STYLES = {
    Level.DEBUG: "dim",
    Level.INFO: "cyan",
    Level.WARNING: "yellow",
    Level.ERROR: "bold red",
    Level.CRITICAL: "bold white on red",
}
# The output is gone for good: its reader has left, its terminal has hung up, it was closed.
_GONE = {errno.EPIPE, errno.EIO, errno.EBADF}
# Characters of a line that is to be typed: a path that is cut is another one.
_COMMAND = 5000


class StdoutNotifier:
    """Prints on `stream`; by default on whatever is the process's standard output at that moment."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def send(self, message: Message) -> DeliveryResult:
        stream = self._stream or sys.stdout
        if stream is None or stream.closed:
            return DeliveryResult(outcome=Delivery.PERMANENT, detail="the standard output is closed")
        try:
            terminal = stream.isatty()
            if not terminal and message.level < Level.WARNING:
                return DeliveryResult(outcome=Delivery.DELIVERED, detail="not a terminal: below WARNING, not printed")
            line = _drawn(message) if terminal else _plain(message)
            answer = (f"  {clean(way, _COMMAND)}" for way in message.answer.splitlines())
            stream.write(_encodable("\n".join([line, *answer]), stream) + "\n")
            stream.flush()
        except OSError as error:
            outcome = Delivery.PERMANENT if error.errno in _GONE else Delivery.RETRY
            return DeliveryResult(outcome=outcome, detail=f"the standard output: {error.strerror}")
        return DeliveryResult(outcome=Delivery.DELIVERED)


def _plain(message: Message) -> str:
    return " ".join(part for _, part in _parts(message))


def _drawn(message: Message) -> str:
    """The line with colours. Rendered into a string: on a broken pipe rich itself would end the process."""
    from rich.console import Console
    from rich.text import Text

    # Text and no markup: "[red]" in a message is what somebody wrote.
    parts = [Text(part, style=style) for style, part in _parts(message)]
    console = Console(file=StringIO(), force_terminal=True, highlight=False)
    with console.capture() as capture:
        console.print(Text(" ").join(parts), soft_wrap=True, end="")
    return capture.get()


def _parts(message: Message) -> list[tuple[str, str]]:
    """(style, text) of each part of the line, empty ones left out."""
    at = datetime.fromtimestamp(message.at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    style = STYLES.get(message.level, "")
    fields = " ".join(f"{key}={value}" for key, value in message.fields.items())
    parts = [
        ("dim", at),
        (style, f"{message.level.name:8}"),
        ("bold", clean(message.title)),
        ("", clean(message.text, 4000)),
        ("dim", clean(fields, 4000)),
    ]
    return [(style, part) for style, part in parts if part]


def _encodable(line: str, stream: TextIO) -> str:
    """`line` with what the stream's encoding lacks written as `\\uXXXX`."""
    encoding = stream.encoding or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)
