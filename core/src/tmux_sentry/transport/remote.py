"""What is sent to a host as a command line, for whatever login shell reads it there.

The line is taken by the user's login shell (POSIX, fish or csh), whose start-up files may print whatever they like. So
it is quoted in a way that all of them read alike, hands over to `sh` at once, and `sh` begins with a word that nothing
printed before can hold.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence

_PLAIN = re.compile(r"[^'\\!\n\r\0]+|['\\!]")
# A quote in double quotes; backslash and history mark after a backslash, outside of all quotes.
_OUTSIDE = {"'": '"\'"', "\\": "\\\\", "!": "\\!"}

#: Where tmux is on machines whose ssh commands, launchd or systemd get a bare PATH: Homebrew, MacPorts, Entware on a
#: NAS, by hand. `$HOME` is the user's.
PLACES = ("/usr/local/bin", "/opt/homebrew/bin", "/opt/local/bin", "/opt/bin", "$HOME/.local/bin")
_PATH = f"PATH=$PATH:{':'.join(PLACES)}; export PATH"
_OPEN = f'{_PATH}; n=$1; shift; echo "$n $$"; exec "$@" 2>/dev/null'
_RUN = f'{_PATH}; n=$1; shift; echo "$n $$"; echo "$n $$" >&2; exec "$@"'


def quote(word: str) -> str:
    """`word` as one argument in POSIX shells, fish and csh. Raises ValueError for what none of them can carry."""
    parts = _PLAIN.findall(word)
    if sum(map(len, parts)) != len(word):
        raise ValueError("an argument for a host must not hold a newline or NUL")
    return "".join(_OUTSIDE.get(part) or f"'{part}'" for part in parts) or "''"


def opening(argv: Sequence[str], nonce: str) -> str:
    """A line that prints `nonce PID` and becomes `argv`, whose stderr nobody reads."""
    return _line(_OPEN, nonce, argv)


def running(argv: Sequence[str], nonce: str) -> str:
    """A line that prints `nonce PID` on stdout and on stderr and becomes `argv`."""
    return _line(_RUN, nonce, argv)


def _line(script: str, nonce: str, argv: Sequence[str]) -> str:
    return f"exec sh -c {' '.join(map(quote, (script, 'sh', nonce, *argv)))}"


def nonce() -> str:
    """A fresh word."""
    return secrets.token_hex(8)


def split(data: bytes, nonce: str) -> tuple[int, bytes] | None:
    """The process id and what came after the word; None while the word has not come whole."""
    found = re.search(rf"{nonce} ([0-9]{{1,10}})\r?\n".encode(), data)
    return (int(found[1]), data[found.end() :]) if found else None
