"""A pane as a person sees it: tmux is the terminal emulator."""

from __future__ import annotations

from collections.abc import Sequence

from tmux_sentry.errors import SentryError
from tmux_sentry.security.sanitize import clean
from tmux_sentry.tmux import quoting
from tmux_sentry.tmux.client import CommandClient, Reply
from tmux_sentry.tmux.inventory import parse_pane, row_format, split_rows
from tmux_sentry.tmux.model import Capture


class PaneGone(SentryError):
    """The pane does not exist any more on this server."""


def capture(client: CommandClient, pane_id: str, history: int | None = 0) -> Capture:
    """Screen, cursor and facts of one pane, taken at one instant.

    `history` is how many rows above the screen to take, None all of them. Trailing blanks and trailing empty lines
    are removed: `-J` keeps the blanks of joined rows. In the alternate screen tmux has no history to give.
    For a pane in several sessions, `info` names the one that tmux prefers. Raises PaneGone, Unreachable.
    """
    pane, nonce = quoting.pane(pane_id), quoting.nonce()
    start = {0: "", None: " -S -"}.get(history) if not history else f" -S -{quoting.number(history)}"
    # One line: tmux runs its commands without returning to its event loop, so they belong together. What it prints
    # is divided by a word that was not known when it was printed.
    line = (
        f"capture-pane -p -J{start} -t {pane} ; display-message -p {nonce}! ; capture-pane -p -t {pane}"
        f" ; display-message -p -t {pane} '{row_format(nonce)}'"
    )
    replies = client.converse(line, lambda reply: any(f"{nonce}<" in part for part in reply.lines))
    if not replies[-1].ok:
        raise _gone(pane, replies[-1])
    told = [text for reply in replies for text in reply.lines]
    middle = told.index(f"{nonce}!")
    row = next(number for number, text in enumerate(told) if text.startswith(f"{nonce}<"))
    info = parse_pane(client.host, split_rows(told[row:], nonce)[0])
    screen = tuple(text.rstrip() for text in told[middle + 1 : row])
    column, y = info.cursor
    current = screen[y] if y < len(screen) else ""
    return Capture(lines=_stripped(told[:middle]), cursor=(column, y), row=current, info=info, screen=screen)


def _stripped(lines: Sequence[str]) -> tuple[str, ...]:
    stripped = [text.rstrip() for text in lines]
    while stripped and not stripped[-1]:
        stripped.pop()
    return tuple(stripped)


def _gone(pane: str, reply: Reply) -> PaneGone:
    return PaneGone(f"pane {pane} is gone", clean(" ".join(reply.lines[:1])) if not reply.ok else "")
