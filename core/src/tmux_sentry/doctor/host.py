"""What one host says about itself: its tmux, our options and clients there, its clock. Nothing is changed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from tmux_sentry.errors import Unreachable
from tmux_sentry.tmux import quoting
from tmux_sentry.tmux.attach import attach
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.tmux.inventory import list_panes
from tmux_sentry.tmux.model import PaneInfo, TmuxAddress
from tmux_sentry.tmux.version import ask_version
from tmux_sentry.transport.base import Transport

FENCE = ("@sentry_epoch", "@sentry_last", "@sentry_owner")
HOLD = "@sentry_hold"
#: Levels of options asked for in one line.
_CHUNK = 40
_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Inherited:
    """An option of ours above the panes. `level` are the words that `show-options` and `set-option` take for it."""

    option: str
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """`clients` are the control clients like ours but for the one that asked. With an `error`, only it, the version
    and the `offset` (seconds that the host's clock is ahead) are there."""

    version: str  # "tmux 3.3a"
    offset: float | None = None
    panes: tuple[PaneInfo, ...] = ()
    inherited: tuple[Inherited, ...] = ()
    clients: frozenset[int] = frozenset()
    focus_events: bool = False
    error: Unreachable | None = None


def ask_host(transport: Transport, address: TmuxAddress) -> HostFacts:
    """Ask everything. Raises Unreachable when not even the version comes."""
    version = ask_version(transport, address, _TIMEOUT)
    offset = _offset(transport)
    try:
        with closing(attach(transport, address, timeout=_TIMEOUT)) as client:
            panes = list_panes(client).panes
            return HostFacts(
                version=version,
                offset=offset,
                panes=panes,
                inherited=tuple(_inherited(client, panes)),
                clients=_clients(client),
                focus_events=client.command("show-options -sv focus-events").lines == ("on",),
            )
    except Unreachable as error:
        return HostFacts(version=version, offset=offset, error=error)


def _offset(transport: Transport) -> float | None:
    before = time.time()
    try:
        said = int(transport.run(["date", "+%s"], _TIMEOUT).stdout)
    except (OSError, ValueError, Unreachable):
        return None
    # It said whole seconds at some moment between the two; half a second more is the middle of that second.
    return said + 0.5 - (before + time.time()) / 2


def _clients(client: CommandClient) -> frozenset[int]:
    """Like ours: in control mode, and without a say in the size. A person's own control client has one."""
    rows = client.command("list-clients -F '#{client_pid} #{client_control_mode} #{client_flags}'").lines
    words = (row.split(" ") for row in rows)
    found = {int(row[0]) for row in words if len(row) == 3 and row[1] == "1" and "ignore-size" in row[2].split(",")}
    return frozenset(found - {client.pid})


def _inherited(client: CommandClient, panes: Sequence[PaneInfo]) -> Iterator[Inherited]:
    sessions = client.command("list-sessions -F '#{session_id}'").lines
    windows = {pane.window_id for pane in panes}
    levels = ["-s", "-g", "-gw", *(f"-t '{quoting.session(one)}'" for one in sessions)]
    levels += [f"-w -t {quoting.window(one)}" for one in sorted(windows)]
    for start in range(0, len(levels), _CHUNK):
        yield from _set(client, levels[start : start + _CHUNK])


def _set(client: CommandClient, levels: Sequence[str]) -> Iterator[Inherited]:
    """Which options of ours are set at these levels. A value may be anything, so only the first word of a line counts.

    A word that nobody can know before stands between the levels: how many answers there are is the client's affair.
    One that is gone by now ends the answers, and what was set there is gone with it.
    """
    nonce = quoting.nonce()
    marks = {f"{nonce}{index}": level for index, level in enumerate(levels)}
    asked = (f"display-message -p {mark} ; show-options {level}" for mark, level in marks.items())
    end = f"{nonce}end"
    replies = client.converse(
        f"{' ; '.join(asked)} ; display-message -p {end}", lambda reply: end in reply.lines, _TIMEOUT
    )
    level = ""
    for line in (line for reply in replies if reply.ok for line in reply.lines):
        level = marks.get(line, level)
        option = line.split(" ", 1)[0]
        if level and option in (*FENCE, HOLD):
            yield Inherited(option=option, level=level)
