"""What may stand in a control-mode line.

A newline ends a command whatever quotes surround it, and the rest runs as the next one; `;` starts a command;
double quotes expand `$NAME` and a leading `~` (measured, tmux 3.3a). So lines are built only from ids, numbers and
words that are checked here, and text goes in as octal escapes. Everything here raises ValueError for what does not fit.
A test reads the code and takes nothing in such a line that is neither a constant nor comes from here.
"""

from __future__ import annotations

import re
import secrets

_PANE = re.compile(r"%[0-9]{1,10}")
_SESSION = re.compile(r"\$[0-9]{1,10}")
_WINDOW = re.compile(r"@[0-9]{1,10}")
_DIGITS = re.compile(r"[0-9]*")
_PROGRAM = re.compile(r"[A-Za-z0-9._+-]{1,64}")
# It may stand where an option could: not with a dash first.
_OWNER = re.compile(r"[A-Za-z0-9@._][A-Za-z0-9@._-]{0,127}")
# No mark of a format, no quote, no end of a command.
_QUEUE = re.compile(r"[A-Za-z0-9_=:% -]*")
_OPTION = re.compile(r"@[a-z][a-z0-9_]{0,63}")

_NAMED_KEYS = (
    "Enter|Escape|Tab|BTab|Space|BSpace|Up|Down|Left|Right|Home|End|IC|Insert|DC|Delete"
    "|PageUp|PgUp|PPage|PageDown|PgDn|NPage|F(?:[1-9]|1[0-2])"
)
# tmux types a key name that it does not know as text, so only known ones pass.
_KEY = re.compile(rf"(?:[CMS]-){{0,3}}(?:{_NAMED_KEYS}|[A-Za-z0-9])", re.ASCII)

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,:/+=@_-")
_ESCAPED = {value: f"\\{value:03o}" for value in range(256) if value not in _PLAIN}


def line(text: str) -> str:
    """`text` when it is one command line: not empty (that would detach), no comment (that has no reply), no newline."""
    if not text.strip() or text.lstrip().startswith("#"):
        raise ValueError("a control-mode line must hold a command")
    if any(character in text for character in "\n\r\0"):
        raise ValueError("a control-mode line must not hold a newline or NUL")
    return text


def pane(value: str) -> str:
    """A pane id, `%12`."""
    return _checked(_PANE, value, "pane id")


def session(value: str) -> str:
    """A session id, `$3`."""
    return _checked(_SESSION, value, "session id")


def window(value: str) -> str:
    """A window id, `@2`."""
    return _checked(_WINDOW, value, "window id")


def option(value: str) -> str:
    """A user option's name, `@sentry_last`."""
    return _checked(_OPTION, value, "option name")


def owner(value: str) -> str:
    """The name under which an instance owns panes."""
    return _checked(_OWNER, value, "owner")


def key(value: str) -> str:
    """A tmux key name: `Enter`, `C-c`, `y`."""
    return _checked(_KEY, value, "key name")


def program(value: str) -> str:
    """A pane_current_command that can stand in a comparison."""
    return _checked(_PROGRAM, value, "program name")


def digits(value: str) -> str:
    """Digits, or nothing: an option's value that is to be compared."""
    return _checked(_DIGITS, value, "row of digits")


def queue(value: str) -> str:
    """The queue of emitted events, that is to be compared."""
    return _checked(_QUEUE, value, "queue")


def is_owner(value: str) -> bool:
    """Whether `owner` would take it."""
    return _OWNER.fullmatch(value) is not None


def is_program(value: str) -> bool:
    """Whether `program` would take it."""
    return _PROGRAM.fullmatch(value) is not None


def is_digits(value: str) -> bool:
    """Whether `digits` would take it."""
    return _DIGITS.fullmatch(value) is not None


def is_queue(value: str) -> bool:
    """Whether `queue` would take it."""
    return _QUEUE.fullmatch(value) is not None


def number(value: int) -> str:
    """A number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"not a number that is zero or more: {value!r}")
    return str(value)


def text(value: str) -> str:
    """A double-quoted string that arrives byte for byte: all but letters, digits and harmless marks is `\\ooo`."""
    if "\0" in value:
        raise ValueError("text for tmux must not hold NUL")
    return f'"{value.encode("utf-8").decode("latin-1").translate(_ESCAPED)}"'


def nonce() -> str:
    """A fresh word that nothing printed in a pane can know."""
    return secrets.token_hex(8)


def _checked(pattern: re.Pattern[str], value: str, what: str) -> str:
    if pattern.fullmatch(value) is None:
        raise ValueError(f"not a {what}: {value!r}")
    return value
