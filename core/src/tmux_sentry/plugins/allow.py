"""`plugins.allow`: which plugins a person has agreed to, one a line. While there is no such file, all load.

# name         distribution                version, or sha256:<hash>
notify_stdout  tmux-sentry-notify-stdout   0.1.0
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from tmux_sentry.config.permissions import read_trusted
from tmux_sentry.errors import Diagnostic, InvalidConfig, SentryError, UsageError
from tmux_sentry.security.sanitize import clean

FILE = "plugins.allow"
HEADER = f"""\
# {FILE}: only the plugins listed here are loaded. Written by `tmux-sentry plugins trust` and `distrust`.
# name  distribution  version, or sha256:<hash>
"""
HASH = "sha256:"

_WORD = re.compile(r"\S+")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_VERSION = re.compile(r"[A-Za-z0-9_.!+-]{1,80}")
_PIN = re.compile(rf"{HASH}[0-9a-f]{{64}}")
_PARTS = (
    ("name", _NAME, "letters, digits, _, . and -"),
    ("distribution", _NAME, "letters, digits, _, . and -"),
    ("version", _VERSION, f"a version such as 0.1.0, or {HASH} and 64 digits of 0-9a-f"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One plugin that may load; `pin` is a version or `sha256:<hash>`, `place` is file:line."""

    name: str
    distribution: str
    pin: str
    place: str = ""

    def means(self, name: str, distribution: str) -> bool:
        """Whether the line is about that plugin of that distribution, in whatever version."""
        return self.name == name and canonical(self.distribution) == canonical(distribution)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowFile:
    """The file as it was read."""

    path: Path
    text: str
    entries: tuple[Entry, ...]


def canonical(distribution: str) -> str:
    """A distribution's name as packaging compares it: case and `-_.` do not matter."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def is_writable(entry: Entry) -> bool:
    """Whether a line can hold the entry; a distribution may call its plugin anything."""
    return _parse(_line(entry), "", 0) == entry


def read(home: Path) -> AllowFile | None:
    """The file in `home`, or None when there is none.

    Raises Refused when others may write to it, InvalidConfig for lines that say nothing clear, UsageError when it
    cannot be read: then nobody knows what was agreed to.
    """
    path = home / FILE
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"nobody can tell whether there is a {path}", error.strerror or str(error)) from None
    text, _ = read_trusted(path, "plugin list")
    parsed = [_parse(line, str(path), number) for number, line in enumerate(_lines(text), 1)]
    if bad := [one for one in parsed if isinstance(one, Diagnostic)]:
        raise InvalidConfig(bad)
    return AllowFile(path=path, text=text, entries=tuple(one for one in parsed if isinstance(one, Entry)))


def with_entry(text: str, entry: Entry) -> str:
    """`text` with `entry` in the place of the lines about that plugin, else at its end. All else stays as it is."""
    lines, put = [], False
    for line in _lines(text):
        known = _parse(line, "", 0)
        if not isinstance(known, Entry) or not known.means(entry.name, entry.distribution):
            lines.append(line)
        elif not put:
            put = True
            comment = line[_comment(line) :]
            lines.append(f"{_line(entry)}  {comment}" if comment else _line(entry))
    return "".join(f"{line}\n" for line in (lines if put else [*lines, _line(entry)]))


def without(text: str, name: str) -> str:
    """`text` without the lines about the plugin `name`."""
    kept = []
    for line in _lines(text):
        known = _parse(line, "", 0)
        if not isinstance(known, Entry) or known.name != name:
            kept.append(line)
    return "".join(f"{line}\n" for line in kept)


def write(home: Path, text: str) -> Path:
    """Replace the file in `home` as a whole, 0600. Raises Refused for a home that is not ours alone."""
    import tempfile

    from tmux_sentry.state.files import private_directory, sync_directory

    private_directory(home)
    path = home / FILE
    try:
        handle, temporary = tempfile.mkstemp(dir=home, prefix=f".{FILE}.")  # made 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        sync_directory(home)
    except OSError as error:
        raise SentryError(f"cannot write {path}", error.strerror or str(error)) from error
    return path


def _lines(text: str) -> list[str]:
    # Not splitlines: a form feed or U+2028 in a comment would start a line that no editor shows.
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]


def _comment(line: str) -> int:
    """Where the comment of a line begins; its length when it has none."""
    match = re.search(r"(?:^|\s)(#)", line)
    return match.start(1) if match else len(line)


def _parse(line: str, file: str, number: int) -> Entry | Diagnostic | None:
    """None for a line that holds nothing but a comment."""
    words = list(_WORD.finditer(line[: _comment(line)]))
    if not words:
        return None

    def bad(column: int, where: str, what: str, help: str) -> Diagnostic:
        return Diagnostic(
            file=file, line=number, column=column + 1, where=where, what=what, help=help, source=clean(line, 200)
        )

    for word, (where, allowed, help) in zip(words, _PARTS, strict=False):
        # A hash that was cut short must not pass as a version.
        fits = _PIN if where == "version" and word[0].lower().startswith("sha") else allowed
        if not fits.fullmatch(word[0]):
            return bad(word.start(), where, f"'{clean(word[0], 80)}' cannot stand here", f"write {help}")
    if len(words) != len(_PARTS):
        missing = [where for where, _, _ in _PARTS][len(words) :]
        column = words[-1].end() if missing else words[len(_PARTS)].start()
        what = f"the {missing[0]} is missing" if missing else "too much for one line"
        return bad(column, "line", what, "a line is: name distribution version-or-sha256:hash")
    name, distribution, pin = (word[0] for word in words)
    return Entry(name=name, distribution=distribution, pin=pin, place=f"{file}:{number}" if file else "")


def _line(entry: Entry) -> str:
    return f"{entry.name}  {entry.distribution}  {entry.pin}"
