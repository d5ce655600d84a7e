"""Raw output of a pane -> complete clean lines, in the order of the pane, at any split of the bytes.

This is not a terminal: it follows one logical line. Whatever moves the cursor to another place of
the screen ends that line, and full-screen programs are read from captures instead.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from dataclasses import dataclass

from tmux_sentry.watch.row import LINE_LIMIT, LogicalLine

#: Characters of an operating system command; what is longer is dropped up to its end or the end of the line.
OSC_LIMIT = 4096
CONTEXT = 4

#: Prompt marks, notifications, agent states. Others stay in the pane: 52 carries the clipboard, 8 links, 4 colours.
OSC_KEPT = frozenset({9, 133, 777, 7501})

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_CSI = re.compile(r"\x1b\[([0-?]{0,64})[ -/]{0,8}")
_STRING_END = re.compile("[\x07\x18\x1a\x1b]")
_LOST_END = re.compile("[\x07\x18\x1a\x1b\n]")
_OSC = re.compile(r"(\d{1,5})(?:;(.*))?", re.DOTALL)
_MODES = {"2004": "bracketed_paste", "1049": "alternate", "1047": "alternate", "47": "alternate"}


@dataclass(slots=True, kw_only=True)  # not frozen: one is made for each line of a pane, at half the cost
class Printed:
    """Complete lines, oldest first, and up to four that came before them."""

    lines: tuple[str, ...]
    before: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OscSeen:
    """An operating system command of the kept kinds."""

    number: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleSeen:
    """OSC 0 or 2."""

    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeSeen:
    """`alternate` (the alternate screen) or `bracketed_paste` (on: a shell's line editor reads) was switched."""

    mode: str
    on: bool


Part = Printed | OscSeen | TitleSeen | ModeSeen


@dataclass(slots=True, kw_only=True)  # not frozen, as above
class Chunk:
    """What one piece of output contained, in order; `printed` is false when nothing of it was text."""

    parts: tuple[Part, ...]
    printed: bool


class LineAssembler:
    """Feeds on one pane's output. Not thread-safe."""

    def __init__(self, width: int = 80) -> None:
        """`width` is the pane's, in columns."""
        self._undecoded = b""  # the start of a character whose end has not come
        self._line = LogicalLine(width)
        self._held = ""  # the start of an escape sequence whose end has not come
        self._lost = False  # inside a string sequence that was too long
        self._leaving = False  # bracketed paste ended inside a line: said behind it, as zsh does so before its newline
        self._before: deque[str] = deque(maxlen=CONTEXT)
        self._lines: list[str] = []
        self._parts: list[Part] = []
        self._printed = False

    def resize(self, width: int) -> None:
        """The pane has `width` columns now."""
        self._line.width = width

    def reset(self) -> None:
        """Forget the line under construction: bytes were lost, or the text came from elsewhere in between."""
        self._undecoded = b""
        self._line.clear()
        self._held = ""
        self._lost = self._leaving = False
        self._before.clear()

    @property
    def partial(self) -> str:
        """The line under construction, as it shows now."""
        return self._line.text()

    def feed(self, data: bytes) -> Chunk:
        """Take the next bytes; returns what they completed."""
        self._printed = False
        data = self._undecoded + data
        decoded, used = codecs.utf_8_decode(data, "replace")
        self._undecoded = data[used:]
        text, self._held = self._held + decoded, ""
        whole = text[:-1] if text.endswith("\r") else text  # its newline comes next, nearly always
        first, *others = whole.split("\r\n")
        plain = others and self._line.appending and not (self._lost or self._leaving)
        if plain and "".join((first, *others)).isprintable():
            # Whole lines with nothing in them to interpret: nearly all output of programs. tmux cuts a flood anywhere.
            self._held = text[len(whole) :]
            self._line.write(first)
            self._lines = [self._line.text(), *(line[:LINE_LIMIT].rstrip() for line in others[:-1])]
            self._line.clear()
            self._line.write(others[-1])
            self._printed = True
        else:
            at = 0
            while at < len(text):
                at = self._lose(text, at) if self._lost else self._step(text, at)
        self._flush()
        parts, self._parts = tuple(self._parts), []
        return Chunk(parts=parts, printed=self._printed)

    # ---------------------------------------------------------------------- steps

    def _step(self, text: str, at: int) -> int:
        """Take one run of text or one control from `text[at:]`; returns where the next one starts."""
        found = _CONTROL.search(text, at)
        end = found.start() if found else len(text)
        if end > at:
            self._line.write(text[at:end])
            self._printed = True
            return end
        control = text[at]
        if control == "\x1b":
            return self._escape(text, at)
        if control == "\r":
            if at + 1 == len(text):
                return self._hold(text, at)
            if text[at + 1] == "\n" and self._line.appending:  # nearly every line of a program
                self._end_line()
                return at + 2
            self._line.carriage_return()
        elif control == "\n":
            # Shells edit a wrapped command row by row and step down with LF.
            if not self._line.down(1):
                self._end_line()
        elif control == "\b":
            self._line.backspace()
        elif control == "\t":
            self._line.tab()
        elif control in "\v\f":
            self._break_line()
        return at + 1

    def _escape(self, text: str, at: int) -> int:
        kind = text[at + 1 : at + 2]
        if kind == "[":
            return self._csi(text, at)
        if kind in ("]", "P", "X", "^", "_", "k"):
            return self._string(text, at)
        end = at + 1
        while end < len(text) and end < at + 9 and " " <= text[end] <= "/":
            end += 1
        if end == len(text):
            return self._hold(text, at)
        final = text[end]
        if not "0" <= final <= "~":
            return end  # not a sequence: drop the ESC, go on with what follows
        if end == at + 1 and (final in "cDE" or (final == "M" and not self._line.up(1))):
            self._break_line()
        return end + 1

    def _csi(self, text: str, at: int) -> int:
        match = _CSI.match(text, at)
        assert match is not None  # it starts with ESC [
        end = match.end()
        if end == len(text):
            return self._hold(text, at)
        final = text[end]
        if not "@" <= final <= "~":
            return end
        self._apply(final, match.group(1), plain=match.end(1) == end)
        return end + 1

    def _string(self, text: str, at: int) -> int:
        """OSC, and DCS and its like; they end at BEL (OSC only), ESC, CAN or SUB, as in tmux."""
        found = _STRING_END.search(text, at + 2)
        while found and found.group() == "\x07" and text[at + 1] != "]":
            found = _STRING_END.search(text, found.end())
        end = found.start() if found else len(text)
        if end - at > OSC_LIMIT:
            self._lost = True
            return at + 2
        if not found:
            return self._hold(text, at)
        if text[at + 1] == "]" and found.group() in "\x07\x1b":
            self._osc(_CONTROL.sub("", text[at + 2 : end]))
        return end if found.group() == "\x1b" else end + 1

    def _lose(self, text: str, at: int) -> int:
        """Inside a string that is too long; a line end also gets out, so that a pane cannot fall silent."""
        found = _LOST_END.search(text, at)
        if not found:
            return len(text)
        self._lost = False
        return found.start() if found.group() in "\x1b\n" else found.end()

    def _hold(self, text: str, at: int) -> int:
        self._held = text[at:]
        return len(text)

    # -------------------------------------------------------------------- effects

    def _apply(self, final: str, parameters: str, *, plain: bool) -> None:
        """Carry out one CSI sequence. What is not listed (colours, modes, reports) shows nothing."""
        if parameters[:1] in ("?", ">", "=", "<"):
            if parameters[0] == "?" and final in "hl" and plain:
                self._modes(parameters[1:], final == "h")
            return
        first = parameters.split(";", 1)[0]
        number = min(int(first), LINE_LIMIT) if first.isdecimal() and first.isascii() else 0
        count, line = max(number, 1), self._line
        if not plain:
            return
        inside = True
        if final in "Ca":
            line.move(count)
        elif final == "D":
            line.move(-count)
        elif final in "G`":
            line.column(count - 1)
        elif final == "K":
            line.erase(number)
        elif final == "P":
            line.delete(count)
        elif final == "@":
            line.insert(count)
        elif final == "X":
            line.blank(count)
        elif final == "A":
            inside = line.up(count)
        elif final in "Be":
            inside = line.down(count)
        elif final == "J" and number == 0:
            line.erase_below()
        elif final in "HfEFdJSTLMr":
            inside = False
        if not inside:
            self._break_line()

    def _modes(self, parameters: str, on: bool) -> None:
        for number in parameters.split(";"):
            mode = _MODES.get(number)
            if mode is None:
                continue
            if mode == "alternate":
                self._break_line()
            elif not on and self._line.text():
                self._leaving = True
                continue
            self._flush()
            self._parts.append(ModeSeen(mode=mode, on=on))

    def _osc(self, body: str) -> None:
        match = _OSC.fullmatch(body)
        if match is None:
            return
        number, text = int(match.group(1)), match.group(2) or ""
        if number in (0, 2):
            self._flush()
            self._parts.append(TitleSeen(title=text))
        elif number in OSC_KEPT:
            self._flush()
            self._parts.append(OscSeen(number=number, text=text))

    def _end_line(self) -> None:
        self._lines.append(self._line.text())
        self._line.clear()
        self._printed = True
        if self._leaving:
            self._leaving = False
            self._flush()
            self._parts.append(ModeSeen(mode="bracketed_paste", on=False))

    def _break_line(self) -> None:
        """The cursor goes elsewhere: what was on the line is complete, if there was anything."""
        text = self._line.text()
        self._line.clear()
        if text:
            self._lines.append(text)

    def _flush(self) -> None:
        if not self._lines:
            return
        lines, self._lines = tuple(self._lines), []
        self._parts.append(Printed(lines=lines, before=tuple(self._before)))
        self._before.extend(lines[-CONTEXT:])
