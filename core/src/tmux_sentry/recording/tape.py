"""One recording as it is written: output without secrets, each piece with the time at which it came."""

from __future__ import annotations

import codecs
import json
from collections import deque
from collections.abc import Mapping
from typing import IO, Any

from tmux_sentry.security.outlet import data_out
from tmux_sentry.security.redact import Redactor, Span, apply
from tmux_sentry.security.stream import StreamRedactor


class Tape:
    """Writes asciicast v2 to `stream`. What may still turn out to be a secret is held back, with all after it.

    Methods raise OSError when the file cannot take it. Not thread-safe.
    """

    def __init__(self, stream: IO[bytes], redact: Redactor, header: Mapping[str, Any], limit: int) -> None:
        """`limit` is the size in bytes at which it is `full`."""
        self._stream, self._redact = stream, redact
        self._limit = limit
        self._out = StreamRedactor(redact)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._raw = ""  # the characters that are held back
        self._pieces: deque[tuple[int, float]] = deque()  # length in `_raw`, and when it came
        self._marks: deque[tuple[int, float, str, str]] = deque()  # characters before it, when, code, text
        self._written = 0
        self._latest = 0.0  # of the last piece that was let out
        self._line(data_out(dict(header), redact))

    @property
    def full(self) -> bool:
        """Whether no more should be written."""
        return self._written >= self._limit

    def output(self, at: float, data: bytes) -> None:
        """What the pane printed `at` seconds after the start."""
        text = self._decoder.decode(data)
        if text:
            self._raw += text
            self._pieces.append((len(text), at))
            self._let_out(self._out.feed(text))

    def mark(self, at: float, code: str, data: object) -> None:
        """Something else that happened, after all output so far: a text as it is, or JSON."""
        safe = data_out(data, self._redact)
        text = safe if isinstance(safe, str) else json.dumps(safe, separators=(",", ":"))
        self._marks.append((len(self._raw), at, code, text))
        self._let_out("")

    def flush(self) -> None:
        """Hand what was let out to the system."""
        self._stream.flush()

    def close(self) -> None:
        """Write what was held back, and close the file."""
        try:
            rest = self._decoder.decode(b"", True)
            if rest:
                self._raw += rest
                self._pieces.append((len(rest), self._pieces[-1][1] if self._pieces else self._latest))
            self._let_out(self._out.feed(rest) + self._out.close())
        finally:
            self._stream.close()

    def _let_out(self, text: str) -> None:
        """Write what the redactor has let out, piece by piece, with the marks between them."""
        used = len(self._raw) - self._out.held
        raw, self._raw = self._raw[:used], self._raw[used:]
        place = self._places(raw, text)
        start = at = 0
        while self._pieces and at < used:
            length, when = self._pieces.popleft()
            self._latest = when
            if at + length > used:
                self._pieces.appendleft((at + length - used, when))
                length = used - at
            # Marks stand between pieces: each knows how many characters came before it.
            self._marks_until(at)
            at += length
            end = len(text) if at == used else place(at)
            if end > start:
                self._event(when, "o", text[start:end])
                start = end
        if start < len(text):
            self._event(self._latest, "o", text[start:])
        self._marks_until(at)
        self._marks = deque((before - used, when, code, data) for before, when, code, data in self._marks)

    def _marks_until(self, at: int) -> None:
        while self._marks and self._marks[0][0] <= at:
            _, when, code, data = self._marks.popleft()
            self._event(when, code, data)

    def _places(self, raw: str, text: str) -> Any:
        """Where in `text` a place of `raw` is. Inside a secret it is before its mark."""
        if raw == text:
            return lambda at: at
        spans: list[Span] = self._redact.spans(raw)
        if apply(raw, spans) != text:
            return lambda at: 0  # a secret without an end: all of it counts as printed with the last piece

        def place(at: int) -> int:
            shift = 0
            for span in spans:
                if at <= span.start:
                    break
                if at < span.end:
                    return span.start + shift
                shift += len(span.mark) - (span.end - span.start)
            return at + shift

        return place

    def _event(self, at: float, code: str, text: str) -> None:
        self._line([round(at, 6), code, text])

    def _line(self, data: object) -> None:
        line = json.dumps(data, separators=(", ", ": ")).encode("ascii") + b"\n"
        self._stream.write(line)
        self._written += len(line)
