"""The guard: tmux itself compares and sends, in one command, so that nothing is typed twice or elsewhere.

Sending keys goes through this module and nowhere else. `if-shell -F` inserts the chosen commands right after itself
and tmux drains a client's queue without returning to its event loop, so nothing can come between the comparison and
the keys. The marker is set before the keys: an error between the two can then never lead to a second send.
What tmux prints decides, never an exit status or a count of blocks.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from tmux_sentry.contracts import PaneIdentity
from tmux_sentry.errors import Refused, Unreachable
from tmux_sentry.failpoints import reach
from tmux_sentry.security.sanitize import clean
from tmux_sentry.tmux import quoting
from tmux_sentry.tmux.client import CommandClient, Reply
from tmux_sentry.tmux.fence import Adopted, adopt, digits

__all__ = ["Adopted", "Expect", "Outcome", "Word", "adopt", "paste", "press"]


class Word(str, Enum):
    """What tmux printed; UNKNOWN when the reply was lost, and then only the marker tells."""

    SENT = "SENT"
    REFUSED = "REFUSED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What must still hold when tmux carries the send out."""

    identity: PaneIdentity
    epoch: int
    previous: int  # the pane's marker before this send
    command: str  # pane_current_command of the deciding capture
    cursor: tuple[int, int]  # of the deciding capture


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The printed word, and for REFUSED every comparison that failed, in words for people."""

    word: Word
    reasons: tuple[str, ...] = ()
    marker: str = ""  # what the pane's marker is now, as far as the reply tells


# What text may not hold: it would act as a key, or end a bracketed paste and have the rest taken as keys.
_KEYS_IN_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def paste(
    client: CommandClient, expect: Expect, text: str, marker: int, *, enter: bool, timeout: float = 5.0
) -> Outcome:
    """Set the marker, paste `text` (bracketed where the application asked for it), press Enter when `enter`.

    `marker` must be greater than `expect.previous`. Raises ValueError for empty text, Refused for text with control
    characters other than tab and newline: they are keys, and `press` is for keys.
    """
    if not text:
        raise ValueError("nothing to paste")
    if found := _KEYS_IN_TEXT.search(text):
        raise Refused(
            "the text to type holds a control character",
            f"{found.group()!r} at {found.start()} would act as a key",
            "send it as keys, or leave it out",
        )
    name = f"sentry-{quoting.nonce()}"
    pane = quoting.pane(expect.identity.pane_id)
    keys = f"paste-buffer -d -r -p -b {name} -t {pane}"
    if enter:
        keys += f" ; send-keys -t {pane} Enter"
    fill, drop = f"set-buffer -b {name} -- {quoting.text(text)} ; ", f"delete-buffer -b {name} ; "
    outcome = _send(client, expect, keys, marker, timeout, before=fill, refused=drop)
    if outcome.word is not Word.SENT:
        _forget(client, name)  # an error may have kept tmux from doing that
    return outcome


def press(
    client: CommandClient, expect: Expect, keys: tuple[str, ...], marker: int, *, timeout: float = 5.0
) -> Outcome:
    """Set the marker and press named keys (tmux key names: "Enter", "C-c", "Escape").

    Raises ValueError for a name that is no key: tmux would type it as text.
    """
    if not keys:
        raise ValueError("no keys to press")
    names = " ".join(quoting.key(key) for key in keys)
    return _send(client, expect, f"send-keys -t {quoting.pane(expect.identity.pane_id)} {names}", marker, timeout)


def _send(
    client: CommandClient,
    expect: Expect,
    keys: str,
    marker: int,
    timeout: float,
    *,
    before: str = "",
    refused: str = "",
) -> Outcome:
    if marker <= expect.previous:
        raise ValueError(f"marker {marker} does not follow {expect.previous}")
    if expect.identity.host != client.host:  # process ids and pane ids of two hosts may be the same
        return Outcome(word=Word.REFUSED, reasons=(f"the pane is on {expect.identity.host}, not on {client.host}",))
    if not quoting.is_program(expect.command):
        return Outcome(word=Word.REFUSED, reasons=("the foreground program's name can not be compared",))
    pane, number, nonce = quoting.pane(expect.identity.pane_id), quoting.number(marker), quoting.nonce()
    line = (
        f"{before}if-shell -F -t {pane} '#{{==:{_COMPARED},{_expected(expect)}}}'"
        f" \"set-option -p -t {pane} @sentry_last {number} ; {keys} ; display-message -p 'SENT {number} {nonce}'\""
        f" \"{refused}display-message -p -t {pane} 'REFUSED {number} {nonce} {_seen(expect)}'\""
    )
    return _converse(client, line, number, nonce, expect, timeout)


def _converse(client: CommandClient, line: str, number: str, nonce: str, expect: Expect, timeout: float) -> Outcome:
    sent, refused = f"SENT {number} {nonce}", f"REFUSED {number} {nonce} "

    def is_word(reply: Reply) -> bool:
        reach("guard.block")
        return any(part == sent or part.startswith(refused) for part in reply.lines)

    reach("guard.before")
    try:
        last = client.converse(line, is_word, timeout)[-1]
    except Unreachable as error:
        return Outcome(word=Word.UNKNOWN, reasons=(error.why or error.what,))
    reach("guard.answered")
    if sent in last.lines:
        return Outcome(word=Word.SENT, marker=number)
    for part in last.lines:
        if part.startswith(refused):
            return _refusal(expect, part[len(refused) :].split("/"))
    if not last.ok and last.lines[:1] == (f"can't find pane: {expect.identity.pane_id}",):
        # tmux 3.1 stops at a target that is gone, where 3.3 goes on with the active pane: no key has been typed.
        return Outcome(word=Word.REFUSED, reasons=(f"pane {expect.identity.pane_id} is gone",))
    return Outcome(word=Word.UNKNOWN, reasons=tuple(clean(part) for part in last.lines[:1]))


def _forget(client: CommandClient, name: str) -> None:
    with suppress(Unreachable):  # then it went with the server, or stays listed until the server ends
        client.command(f"delete-buffer -b {name}")


# -------------------------------------------------------------------------------------------- what is compared

# One comparison of joined values. Only the last four can be set to anything, and the expected side has no "/" in
# its values, so the two are equal only field by field. `-t` alone does not name the pane: if-shell evaluates the
# active pane when its target is gone (measured, tmux 3.3a), hence #{pane_id}.
_COMPARED = (
    "#{pid}/#{start_time}/#{pane_id}/#{pane_pid}/#{cursor_x}/#{cursor_y}"
    "/#{pane_dead}#{pane_in_mode}#{pane_input_off}#{pane_synchronized}"
    "/#{?@sentry_hold,held,free}/#{@sentry_epoch}/#{@sentry_last}/#{pane_current_command}"
)


def _expected(expect: Expect) -> str:
    who, n = expect.identity, quoting.number
    place = "/".join((n(who.server_pid), n(who.server_start), quoting.pane(who.pane_id), n(who.pane_pid)))
    cursor = f"{n(expect.cursor[0])}/{n(expect.cursor[1])}"
    return f"{place}/{cursor}/0000/free/{n(expect.epoch)}/{n(expect.previous)}/{quoting.program(expect.command)}"


def _seen(expect: Expect) -> str:
    """A format: what the guard saw, numbers and flags only."""
    return (
        "#{pid}/#{start_time}/#{pane_id}/#{pane_pid}/#{cursor_x}/#{cursor_y}"
        "/#{?pane_dead,1,0}/#{?pane_in_mode,1,0}/#{?pane_input_off,1,0}/#{?pane_synchronized,1,0}"
        f"/#{{?@sentry_hold,1,0}}/{digits('@sentry_epoch')}/{digits('@sentry_last')}"
        f"/#{{==:#{{pane_current_command}},{quoting.program(expect.command)}}}"
    )


def _refusal(expect: Expect, seen: list[str]) -> Outcome:
    if len(seen) != 14:
        return Outcome(word=Word.REFUSED, reasons=("tmux did not say why",))
    pid, start, pane, process, x, y, dead, mode, off, sync, hold, epoch, last, command = seen
    who, (column, line) = expect.identity, expect.cursor
    if (pid, start) != (str(who.server_pid), str(who.server_start)):
        return Outcome(word=Word.REFUSED, reasons=("this is another tmux server than the one that was addressed",))
    if pane != who.pane_id:
        return Outcome(word=Word.REFUSED, reasons=(f"pane {who.pane_id} is gone",))
    found = (
        (process != str(who.pane_pid), f"the pane was respawned (process {process}, expected {who.pane_pid})"),
        (dead == "1", "the pane is dead"),
        (mode == "1", "the pane is in copy mode"),
        (off == "1", "the pane's input is off"),
        (sync == "1", "keys would go to all panes of the window (synchronize-panes)"),
        (hold == "1", "held by @sentry_hold"),
        (epoch != str(expect.epoch), f"another instance owns the pane (epoch {epoch or '?'}, expected {expect.epoch})"),
        (last != str(expect.previous), f"another send went first (marker {last or '?'}, expected {expect.previous})"),
        (command != "1", f"another program is in the foreground (expected {expect.command})"),
        (
            (x, y) != (str(column), str(line)),
            f"someone is typing or the screen moved (cursor {x},{y}, expected {column},{line})",
        ),
    )
    reasons = tuple(reason for failed, reason in found if failed)
    return Outcome(word=Word.REFUSED, reasons=reasons or ("a comparison failed that had no words",), marker=last)
