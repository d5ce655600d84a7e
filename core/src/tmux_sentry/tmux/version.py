"""What a host's tmux can do, by its version."""

from __future__ import annotations

import re
from enum import IntEnum

from tmux_sentry.errors import TmuxMissing, TmuxTooOld, Unreachable
from tmux_sentry.security.sanitize import clean
from tmux_sentry.tmux.model import TmuxAddress
from tmux_sentry.transport.base import Transport


class Ability(IntEnum):
    """Each one includes those before it."""

    NOTHING = 0
    OBSERVE = 1  # panes can be listed and captured
    TYPE = 2  # pane options, which the guard needs, came with 3.0
    STREAM = 3  # client flags and pause-after came with 3.2


_SINCE = (((3, 2), Ability.STREAM), ((3, 0), Ability.TYPE), ((2, 4), Ability.OBSERVE))
_OPENBSD = (((7, 0), Ability.STREAM), ((6, 6), Ability.TYPE), ((6, 1), Ability.OBSERVE))


def ability(version: str) -> Ability:
    """Of what `tmux -V` printed: "tmux 3.3a", "tmux next-3.5", "tmux openbsd-7.4", "tmux master"."""
    if version.strip() == "tmux master":
        return Ability.STREAM
    match = re.fullmatch(r"tmux (next-|openbsd-)?(\d+)\.(\d+)\S*", version.strip())
    if match is None:
        return Ability.NOTHING
    number = int(match[2]), int(match[3])
    since = _OPENBSD if match[1] == "openbsd-" else _SINCE
    return next((able for first, able in since if number >= first), Ability.NOTHING)


def ask_version(transport: Transport, address: TmuxAddress, timeout: float = 10.0) -> str:
    """The host's tmux version as tmux says it. Raises TmuxMissing, TmuxTooOld or Unreachable."""
    fix = "install tmux 3.2 or later, or set tmux.command in the hosts file"
    missing = TmuxMissing(f"{transport.host}: there is no {address.command} program", "", fix)
    try:
        done = transport.run([address.command, "-V"], timeout)
    except FileNotFoundError:
        raise missing from None
    except TimeoutError as error:
        raise Unreachable(f"{transport.host}: tmux does not answer", str(error)) from error
    if done.status == 127:  # what a shell on the way says
        raise missing
    version = clean(done.stdout.decode("utf-8", "replace")).strip()
    if ability(version) is Ability.NOTHING:
        what = f"{transport.host}: {version or 'a program that does not say its version'} is too old"
        raise TmuxTooOld(what, "tmux 2.4 can be watched, 3.0 can be typed into, 3.2 can be read as it prints", fix)
    return version
