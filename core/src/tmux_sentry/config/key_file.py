"""A key file's text: made, with a newer key on top, and without its older keys. Comments stay."""

from __future__ import annotations

import os
from pathlib import Path

from tmux_sentry.config.crypto import Key, new_key, parse_key
from tmux_sentry.config.keys import HEADER, key_lines
from tmux_sentry.errors import SentryError


def make_key_file(path: Path) -> bool:
    """Make a key file with a new key (0600); False when there is one, which is left alone."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return False
    except OSError as error:
        raise SentryError(f"cannot write {path}", error.strerror or str(error)) from error
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(f"{HEADER}{new_key().text}\n")
        file.flush()
        os.fsync(file.fileno())
    return True


def with_newest(text: str, key: Key) -> str:
    """The text with one more key, above the others."""
    lines = text.split("\n")
    first = key_lines(text)[0][0]
    return "\n".join([*lines[: first - 1], key.text, *lines[first - 1 :]])


def with_only(text: str, key: Key) -> str:
    """The text without any key but this one."""
    gone = [number for number, line in key_lines(text) if parse_key(line) != key]
    return "\n".join(line for number, line in enumerate(text.split("\n"), start=1) if number not in gone)
