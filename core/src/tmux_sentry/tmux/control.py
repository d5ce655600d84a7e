"""The control-mode protocol: bytes from `tmux -C` become events.

The format is in tmux(1), CONTROL MODE; what the manual leaves open was measured on tmux 3.3a:
* %output escapes bytes below 0x20 and the backslash as three octal digits; everything else, also invalid UTF-8, is raw.
* The text of a reply is not escaped at all: a capture may hold lines like "%exit" or "%end 1 2 1". So nothing
  inside a block is an event, and only the line with exactly the numbers of its %begin ends it.
* Block numbers rise strictly. A number that does not, or an %end outside a block, means that reply text was
  taken for protocol: the parser then says Broken and nothing after it can be trusted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)  # not frozen: one is made for each line of a pane, at half the cost
class Output:
    """Bytes that a pane's program wrote. `age` is how long tmux had buffered them, in milliseconds."""

    pane_id: str
    data: bytes
    age: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A block. `flags` has bit 1 for a command that this client sent, and not for the attach itself or a hook."""

    number: int
    ok: bool
    lines: tuple[bytes, ...]
    flags: int

    @property
    def ours(self) -> bool:
        """Whether a command line of this client caused it."""
        return bool(self.flags & 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """tmux dropped a pane's backlog and sends no more of it until told to continue."""

    pane_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Continue:
    """A paused pane's output goes on; what came in between is lost to the stream."""

    pane_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Any other `%name rest`; hostile names of windows and sessions are in `rest`."""

    name: str
    rest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """tmux lets this client go; `reason` is empty when it was asked to."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """The bytes are not the protocol; always the last event."""

    reason: str


Event = Output | Reply | Pause | Continue | Notification | Exit | Broken

_OCTAL = re.compile(rb"\\([0-3][0-7][0-7])")
_BYTE = {b"%03o" % value: bytes([value]) for value in range(256)}


class ControlParser:
    """Feed it what the client printed; it keeps incomplete lines and open blocks until the rest arrives."""

    def __init__(self, *, max_line: int = 16 << 20, max_lines: int = 500_000, max_block: int = 64 << 20) -> None:
        """The bounds are bytes in a line, lines in a block and bytes in a block; beyond one the stream is Broken."""
        self._max_line, self._max_lines, self._max_block = max_line, max_lines, max_block
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._block: _Block | None = None
        self._last_number = -1
        self._broken = False

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes, in order; none after Broken."""
        if self._broken:
            return []
        events: list[Event] = []
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines and self._pending:
            lines[0] = b"".join([*self._pending, lines[0]])
            self._pending, self._pending_size = [], 0
        for line in lines:
            if not self._broken:
                self._line(line, events)
        if rest and not self._broken:
            self._pending.append(rest)
            self._pending_size += len(rest)
            if self._pending_size > self._max_line:
                self._break("a line is too long", events)
        return events

    def _line(self, line: bytes, events: list[Event]) -> None:
        if len(line) > self._max_line:
            self._break("a line is too long", events)
        elif self._block is not None:
            self._in_block(self._block, line, events)
        elif line.startswith(b"%extended-output "):
            words, _, data = line[17:].partition(b" : ")
            pane, _, rest = words.partition(b" ")
            age = rest.partition(b" ")[0]
            events.append(Output(pane_id=_text(pane), data=unescape(data), age=int(age) if age.isdigit() else 0))
        elif line.startswith(b"%output "):
            pane, _, data = line[8:].partition(b" ")
            events.append(Output(pane_id=_text(pane), data=unescape(data)))
        elif line.startswith(b"%"):
            self._notification(line, events)
        # Anything else outside a block is the second half of a name with a newline in it: not an event.

    def _in_block(self, block: _Block, line: bytes, events: list[Event]) -> None:
        if line == block.end or line == block.error:
            self._block = None
            ok = line == block.end
            events.append(Reply(number=block.number, ok=ok, lines=tuple(block.lines), flags=block.flags))
            return
        block.lines.append(line)
        block.size += len(line)
        if len(block.lines) > self._max_lines or block.size > self._max_block:
            self._break("a reply is too long", events)

    def _notification(self, line: bytes, events: list[Event]) -> None:
        name, _, rest = line[1:].partition(b" ")
        if name == b"begin":
            self._begin(rest, events)
        elif name in (b"end", b"error"):
            self._break("a block ended that had not begun", events)
        elif name == b"exit":
            events.append(Exit(reason=_text(rest)))
        elif name == b"pause":
            events.append(Pause(pane_id=_text(rest)))
        elif name == b"continue":
            events.append(Continue(pane_id=_text(rest)))
        else:
            events.append(Notification(name=_text(name), rest=_text(rest)))

    def _begin(self, rest: bytes, events: list[Event]) -> None:
        words = rest.split(b" ")
        if len(words) != 3 or not all(word.isdigit() for word in words):
            self._break("a block began without its numbers", events)
            return
        number = int(words[1])
        if number <= self._last_number:
            self._break("the block numbers do not rise", events)
            return
        self._last_number = number
        self._block = _Block(number=number, flags=int(words[2]), end=b"%end " + rest, error=b"%error " + rest, lines=[])

    def _break(self, reason: str, events: list[Event]) -> None:
        self._broken = True
        self._pending, self._block = [], None
        events.append(Broken(reason=reason))


@dataclass(slots=True, kw_only=True)
class _Block:
    number: int
    flags: int
    end: bytes
    error: bytes
    lines: list[bytes]
    size: int = 0


def unescape(data: bytes) -> bytes:
    """The bytes that %output wrote as octal escapes; what is no escape stays."""
    if b"\\" not in data:
        return data
    # tmux escapes the backslash itself, so every backslash starts an escape, and the frequent ones can be replaced
    # one after the other without one making a new escape of its neighbours.
    data = data.replace(rb"\015\012", b"\r\n").replace(rb"\033", b"\033")
    return _OCTAL.sub(lambda match: _BYTE[match.group(1)], data) if b"\\" in data else data


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
