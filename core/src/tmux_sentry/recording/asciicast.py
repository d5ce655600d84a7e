"""Reads asciicast v2, plain or gzip: a JSON header, then an event a line, `[seconds, code, text]`.

The format: https://docs.asciinema.org/manual/asciicast/v2/ (2026-11). Codes other than `o` (output), `r` (resize) and
our own are skipped, as players skip ours. A file is hostile: every line, number and size is bounded, and an error
names the line.
"""

from __future__ import annotations

import gzip
import json
import math
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NoReturn

from tmux_sentry.errors import UsageError

#: Columns and rows that a recording may have; tmux would reserve memory for each.
MAX_COLUMNS, MAX_ROWS = 1000, 500
#: Bytes of one line, and of the whole recording when it is unpacked.
LINE_LIMIT, FILE_LIMIT = 4 << 20, 512 << 20
#: Seconds that a recording may last: ten years.
LONGEST = 3650 * 86400.0
#: Codes of our own begin so.
OWN = "x-"

_SIZE = re.compile(r"([0-9]{1,6})x([0-9]{1,6})", re.ASCII)
_HELP = "name an asciicast v2 file: one of ~/.tmux_sentry/recordings, or one that asciinema made"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """`timestamp` is in epoch seconds; `own` is what tmux-sentry wrote into the header, {} for other recorders."""

    width: int
    height: int
    timestamp: float | None = None
    title: str = ""
    command: str = ""
    own: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CastEvent:
    """`at` is in seconds since the start and never falls; `size` is (columns, rows) for `r`."""

    at: float
    code: str
    text: str
    line: int
    size: tuple[int, int] = (0, 0)


class Cast:
    """An open recording. The events can be gone through once."""

    def __init__(self, path: Path, stream: IO[bytes], limit: int = FILE_LIMIT) -> None:
        """Reads the header; of the file at most `limit` bytes are read. Raises UsageError."""
        self._path, self._stream, self._limit = path, stream, limit
        self._line = self._read = 0
        #: Whether the last line was torn: whoever wrote it was killed.
        self.torn = False
        self.header = self._header()

    def events(self) -> Iterator[CastEvent]:
        """The events in order. Raises UsageError with file and line for what is none."""
        last = 0.0
        while raw := self._next():
            if not raw.strip():
                continue
            try:
                found = _loads(raw)
            except ValueError as error:
                if not raw.endswith(b"\n"):
                    self.torn = True
                    return
                self._fail(f"this is no event: {error}")
            event = self._event(found, last)
            if event is not None:
                last = event.at
                yield event

    def fail(self, line: int, why: str) -> NoReturn:
        """Raise UsageError about a line."""
        raise UsageError(f"{self._path}:{line}: {why}", "the recording cannot be used", _HELP)

    def _header(self) -> Header:
        raw = self._next()
        if not raw:
            self._fail("the file is empty")
        try:
            found = _loads(raw)
        except ValueError as error:
            self._fail(f"the header is no JSON: {error}")
        if not isinstance(found, dict):
            self._fail("the header is no JSON object")
        if found.get("version") != 2 or isinstance(found["version"], bool):
            self._fail("it is no asciicast v2: the header says no `version` 2")
        width, height = self._size(found.get("width"), found.get("height"))
        at = found.get("timestamp")
        own = found.get("tmux_sentry", {})
        return Header(
            width=width,
            height=height,
            timestamp=None if at is None else self._seconds(at, "timestamp", 1e11),
            title=_text(found.get("title")),
            command=_text(found.get("command")),
            own=own if isinstance(own, dict) else {},
        )

    def _event(self, found: object, last: float) -> CastEvent | None:
        if not isinstance(found, list) or len(found) < 3:
            self._fail("an event is [seconds, code, text]")
        code, text = found[1], found[2]
        if not isinstance(code, str):
            self._fail("an event's code is text")
        at = self._seconds(found[0], "time", LONGEST)
        if at < last:
            self._fail(f"time runs backwards, from {last:.3f} s to {at:.3f} s")
        if code not in ("o", "r") and not code.startswith(OWN):
            return None
        if not isinstance(text, str):
            self._fail(f"what comes with {code!r} is no text" if len(code) < 40 else "an event without text")
        size = (0, 0)
        if code == "r":
            match = _SIZE.fullmatch(text)
            if match is None:
                self._fail("a resize is COLUMNSxROWS")
            size = self._size(int(match[1]), int(match[2]))
        return CastEvent(at=at, code=code, text=text, line=self._line, size=size)

    def _size(self, width: object, height: object) -> tuple[int, int]:
        if type(width) is not int or type(height) is not int:
            self._fail("width and height are whole numbers")
        if not (0 < width <= MAX_COLUMNS and 0 < height <= MAX_ROWS):
            self._fail(f"a size from 1x1 to {MAX_COLUMNS}x{MAX_ROWS} can be shown, and this is another")
        return width, height

    def _seconds(self, value: object, what: str, most: float) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self._fail(f"the {what} is no number")
        if isinstance(value, float) and not math.isfinite(value):
            self._fail(f"the {what} is no number")
        if not 0 <= value <= most:
            self._fail(f"the {what} is out of range: 0 to {most:.0f} seconds")
        return float(value)

    def _next(self) -> bytes:
        """The next line with its end, b"" at the end of the file."""
        self._line += 1
        try:
            raw = self._stream.readline(LINE_LIMIT + 1)
        except (OSError, EOFError, zlib.error) as error:
            self._fail(f"it cannot be read: {error}")
        self._read += len(raw)
        if len(raw) > LINE_LIMIT:
            self._fail(f"a line is longer than {LINE_LIMIT >> 20} MB")
        if self._read > self._limit:
            self._fail(f"the recording is larger than {self._limit >> 20} MB")
        return raw

    def _fail(self, why: str) -> NoReturn:
        self.fail(self._line, why)


@contextmanager
def open_cast(path: Path, limit: int = FILE_LIMIT) -> Iterator[Cast]:
    """The recording in a file, of at most `limit` bytes unpacked. Raises UsageError for what is none."""
    try:
        if not path.is_file():  # not a pipe or a device, which might never end
            raise UsageError(f"{path} is no file", "", _HELP)
        raw = path.open("rb")
    except OSError as error:
        raise UsageError(f"{path} cannot be read", error.strerror or str(error), _HELP) from None
    with raw:
        packed = raw.peek(2)[:2] == b"\x1f\x8b"
        stream: Any = gzip.GzipFile(fileobj=raw) if packed else raw
        yield Cast(path, stream, limit)


def _loads(raw: bytes) -> object:
    """Strict JSON. Raises ValueError, also for what is nested too deep or holds NaN."""
    try:
        return json.loads(raw.decode("utf-8", "replace"), parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at column {error.colno}") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _text(value: object) -> str:
    return value[:1000] if isinstance(value, str) else ""
