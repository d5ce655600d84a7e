"""Whose a pane is: epoch, marker and owner, kept in the pane's own tmux options.

Anything that reaches the tmux socket can write them: a safety fence, not a security boundary.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tmux_sentry.contracts import PaneIdentity
from tmux_sentry.errors import Refused, Unreachable
from tmux_sentry.security.sanitize import clean
from tmux_sentry.tmux import quoting
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.tmux.version import Ability

_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """A pane's fence as it is after adoption; `refused` names the foreign owner, if there is one."""

    epoch: int
    marker: int
    refused: str | None = None


def adopt(
    client: CommandClient, identity: PaneIdentity, owner: str, epoch: int, marker: int, *, take_over: bool = False
) -> Adopted:
    """Claim a pane: initialise epoch, marker and owner where they are unset, or confirm that they are ours.

    A fence of ours with a lower epoch is raised to `epoch`, its marker to at least `marker`. With `take_over` a
    foreign or orphaned fence is replaced, its epoch raised by one and its marker kept as the floor. Raises Refused
    when the pane is not the one that `identity` describes, Unreachable when the answer was lost.
    """
    if identity.host != client.host:
        raise Refused(f"pane {identity.pane_id} is on {identity.host}, not on {client.host}")
    if client.ability < Ability.TYPE:
        fix = "upgrade tmux on that host to 3.0 or later"
        raise Refused(f"the tmux of {client.host} is too old to be typed into", "it has no pane options", fix)
    fence = _claim(client, identity, _Fence(), epoch, marker, owner)
    if fence.claimed:
        return Adopted(epoch=epoch, marker=marker)
    ours = fence.owner == owner and fence.whole
    if ours and _int(fence.epoch) >= epoch:
        return Adopted(epoch=_int(fence.epoch), marker=_int(fence.marker))
    if ours or take_over:
        epoch, marker = max(epoch, _int(fence.epoch) + (not ours)), max(marker, _int(fence.marker))
        # Compared with what was just read: of two that take over at once, one wins.
        fence = _claim(client, identity, fence, epoch, marker, owner)
        if fence.claimed:
            return Adopted(epoch=epoch, marker=marker)
    return Adopted(epoch=_int(fence.epoch), marker=_int(fence.marker), refused=fence.people)


def digits(name: str) -> str:
    """A format: the option's value when it is unset or only digits, else "x", so that no other text passes."""
    option = quoting.option(name)
    return f"#{{?#{{m/r:[^0-9],#{{{option}}}}},x,#{{{option}}}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fence:
    """The three options as they are in tmux, hostile text included; `claimed` by the command that read them."""

    epoch: str = ""
    marker: str = ""
    owner: str = ""
    claimed: bool = False

    @property
    def whole(self) -> bool:
        return bool(_DIGITS.fullmatch(self.epoch) and _DIGITS.fullmatch(self.marker))

    @property
    def people(self) -> str:
        return (clean(self.owner, 128) or "nobody") + ("" if self.whole else " (damaged fence)")


def _compared(fence: _Fence) -> tuple[str, str]:
    """A format and what it must expand to for the fence to be this one."""
    values = (fence.epoch, fence.marker)
    numbers = "/".join(quoting.digits(value) if quoting.is_digits(value) else "x" for value in values)
    formats = f"{digits('@sentry_epoch')}/{digits('@sentry_last')}"
    if not fence.owner:
        return f"{formats}/#{{@sentry_owner}}", f"{numbers}/"
    if not quoting.is_owner(fence.owner):
        return formats, numbers  # its text must not stand in a command; whoever replaces it changes the epoch too
    return f"{formats}/#{{@sentry_owner}}", f"{numbers}/{quoting.owner(fence.owner)}"


def _claim(
    client: CommandClient, identity: PaneIdentity, present: _Fence, epoch: int, marker: int, owner: str
) -> _Fence:
    """If the pane is the one meant and its fence still is `present`, set it; the fence as it is afterwards."""
    pane, n, nonce = quoting.pane(identity.pane_id), quoting.number, quoting.nonce()
    who = "/".join((n(identity.server_pid), n(identity.server_start), pane, n(identity.pane_pid)))
    same = "#{pid}/#{start_time}/#{pane_id}/#{pane_pid}"
    actual, expected = _compared(present)
    # `display-message` hands its text to strftime first, so a pane id must not stand in it: `%4/` became ` %4/`.
    told = nonce.join(("", same, "#{@sentry_epoch}", "#{@sentry_last}", "#{@sentry_owner}", ""))
    replies = client.converse(
        f"if-shell -F -t {pane} '#{{==:{same}/{actual},{who}/{expected}}}'"
        f' "set-option -p -t {pane} @sentry_epoch {n(epoch)} ; set-option -p -t {pane} @sentry_last {n(marker)}'
        f" ; set-option -p -t {pane} @sentry_owner {quoting.owner(owner)}"
        f" ; display-message -p -t {pane} 'CLAIMED{told}'\" \"display-message -p -t {pane} 'STANDS{told}'\"",
        lambda reply: any(nonce in line for line in reply.lines),
    )
    if replies[-1].lines[:1] == (f"can't find pane: {pane}",):  # tmux 3.1 says it so
        raise Refused(f"pane {pane} is not the one that was meant", "it was closed")
    parts = "\n".join(replies[-1].lines).split(nonce)
    if len(parts) != 6:
        raise Unreachable(f"{client.host}: tmux did not say whose pane {pane} is", clean(parts[0]))
    word, found, *values, _ = parts
    if found != who:
        why = "it was closed or respawned, or the tmux server is another one"
        raise Refused(f"pane {pane} is not the one that was meant", why)
    return _Fence(epoch=values[0], marker=values[1], owner=values[2], claimed=word == "CLAIMED")


def _int(value: str) -> int:
    return int(value) if _DIGITS.fullmatch(value) else 0
