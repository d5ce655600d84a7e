"""The `format` words of our schemas: durations, patterns, key names, text that may be typed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tmux_sentry.config.backtracking import compile_backtracking
from tmux_sentry.config.regex import compile_regex

MAX_SECONDS = 3650 * 86400.0

_UNITS = (("d", 86400.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0), ("ms", 0.001))
_DURATION = re.compile("".join(rf"(?:([0-9]{{1,12}}(?:\.[0-9]{{1,6}})?){unit}(?![a-z]))?" for unit, _ in _UNITS))
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_BUT_NEWLINE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
CLOCK_RANGE = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]")

KEY_NAMES = frozenset(
    {
        *("Enter", "Escape", "Tab", "BTab", "BSpace", "Space", "Up", "Down", "Left", "Right", "Home", "End"),
        *("PageUp", "PPage", "PgUp", "PageDown", "NPage", "PgDn", "Insert", "IC", "Delete", "DC"),
        *(f"F{number}" for number in range(1, 13)),
    }
)
_KEY = re.compile(r"((?:[CMS]-)*)(.*)", re.DOTALL)


class FormatError(ValueError):
    """What is wrong with a value, and `help`: what to write instead."""

    def __init__(self, what: str, help: str = "") -> None:
        super().__init__(what)
        self.help = help


def parse_duration(value: int | float | str) -> float:
    """Seconds from a number of them, or from text such as "500ms", "30m", "1h30m". Raises FormatError."""
    if isinstance(value, str):
        text = value.strip()
        match = _DURATION.fullmatch(text)
        if not text or match is None:
            help = f"write {text}s, or the number without quotes" if re.fullmatch("[0-9.]+", text) else ""
            raise FormatError(f"{value[:40]!r} is not a duration", help or "write 500ms, 10s, 30m, 24h or 1h30m")
        seconds = sum(float(part) * size for part, (_, size) in zip(match.groups(), _UNITS, strict=True) if part)
    else:
        seconds = float(value)
    if seconds < 0:
        raise FormatError("a duration cannot be negative")
    if seconds > MAX_SECONDS:
        raise FormatError("is longer than ten years")
    return seconds


def key_name(name: str) -> str:
    """`name` if tmux knows it as a key. Raises FormatError: tmux would type an unknown one letter by letter."""
    modifiers, bare = _KEY.fullmatch(name).groups()  # type: ignore[union-attr]  # it matches anything
    if bare in KEY_NAMES or (
        len(bare) == 1 and bare.isprintable() and bare != " " and (bare.isascii() or not modifiers)
    ):
        return name
    canonical = {known.lower(): known for known in KEY_NAMES}.get(bare.lower())
    help = (
        f"did you mean '{modifiers}{canonical}'?" if canonical else "write Enter, Escape, Up, F1, C-c or one character"
    )
    raise FormatError(f"{name[:40]!r} is not a key of tmux", help)


def _some_time(value: int | float | str) -> None:
    if parse_duration(value) <= 0:
        raise FormatError("must be longer than nothing")


def _log_regex(value: str | Mapping[str, Any]) -> None:
    """A pattern, or a mapping that names its engine too; the schema says what else is wrong with that."""
    pattern, engine = (value, "re2") if isinstance(value, str) else (value.get("pattern"), value.get("engine", "re2"))
    if isinstance(pattern, str):
        if engine == "regex":
            compile_backtracking(pattern)
        else:
            compile_regex(pattern)


def _regex(value: str | int) -> None:
    compile_regex(str(value))


def _text(value: str) -> None:
    found = _CONTROL_BUT_NEWLINE.search(value)
    if found:
        raise FormatError(
            f"contains the control character U+{ord(found.group()):04X}", "press keys with keys: [Tab, C-c, Escape]"
        )


def _line(value: str) -> None:
    found = _CONTROL.search(value)
    if found:
        raise FormatError(f"contains the control character U+{ord(found.group()):04X}")


def _name(value: str) -> None:
    _line(value)
    if not value.strip() or len(value) > 100:
        raise FormatError("must be 1 to 100 characters")


def _full(pattern: re.Pattern[str], what: str) -> Callable[[str], None]:
    def check(value: str) -> None:
        if not pattern.fullmatch(value):
            raise FormatError(f"'{value[:40]}' is not {what}")

    return check


def _socket_name(value: str) -> None:
    _name(value)
    if "/" in value:
        raise FormatError("a socket name has no '/'", "write socket_path: for a path")


def _timezone(value: str) -> None:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(value)
    except (LookupError, ValueError, OSError):
        raise FormatError(f"no timezone is named '{value[:40]}'", "write a name such as UTC or Europe/Berlin") from None


_TEXT, _NUMBER = (str,), (int, float)
FORMATS: dict[str, tuple[tuple[type, ...], Callable[[Any], object]]] = {
    "sentry-duration": ((*_TEXT, *_NUMBER), parse_duration),
    "sentry-some-time": ((*_TEXT, *_NUMBER), _some_time),
    "sentry-regex": ((str, int), _regex),
    "sentry-log-regex": ((str, dict), _log_regex),
    "sentry-key": (_TEXT, key_name),
    "sentry-text": (_TEXT, _text),
    "sentry-line": (_TEXT, _line),
    "sentry-name": (_TEXT, _name),
    "sentry-word": (_TEXT, _full(_WORD, "a name of letters, digits and _")),
    "sentry-host-name": (_TEXT, _full(_HOST_NAME, "a host name of letters, digits, dot, dash and _")),
    "sentry-socket-name": (_TEXT, _socket_name),
    "sentry-clock-range": (_TEXT, _full(CLOCK_RANGE, "a range such as 22:00-07:00")),
    "sentry-timezone": (_TEXT, _timezone),
}


def format_checker() -> Any:
    """A jsonschema FormatChecker that knows exactly these formats."""
    from jsonschema import FormatChecker

    checker = FormatChecker(formats=())
    for name, (types, check) in FORMATS.items():
        checker.checks(name, raises=ValueError)(_only(types, check))
    return checker


def _only(types: tuple[type, ...], check: Callable[[Any], object]) -> Callable[[object], bool]:
    def passes(value: object) -> bool:
        if isinstance(value, types) and not isinstance(value, bool):
            check(value)
        return True

    return passes
