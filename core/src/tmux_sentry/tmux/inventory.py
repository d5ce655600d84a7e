"""Every pane of a tmux server, in one command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tmux_sentry.contracts import PaneIdentity
from tmux_sentry.errors import Unreachable
from tmux_sentry.tmux import quoting
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.tmux.model import PaneInfo

# In the order in which `parse_pane` takes them. @sentry_hold is true as tmux's own conditionals see it: set, not
# empty, not "0", looked up in the server, pane, window and session options.
_FIELDS = (
    "#{pid}", "#{start_time}", "#{version}", "#{host}:#{socket_path}", "#{pane_id}", "#{pane_pid}",
    "#{session_id}", "#{session_name}", "#{window_id}", "#{window_name}", "#{window_index}", "#{pane_index}",
    "#{pane_current_command}", "#{pane_current_path}", "#{pane_title}",
    "#{pane_width}", "#{pane_height}", "#{cursor_x}", "#{cursor_y}",
    "#{pane_dead}", "#{pane_dead_status}", "#{?pane_in_mode,1,0}", "#{alternate_on}",
    "#{pane_input_off}", "#{pane_synchronized}",
    "#{@sentry_epoch}", "#{@sentry_last}", "#{@sentry_owner}", "#{?@sentry_hold,1,0}",
    "#{history_size}", "#{window_activity}",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The panes of one server, each once, in tmux's order. `server_start` is in epoch seconds."""

    server_pid: int
    server_start: int
    version: str
    panes: tuple[PaneInfo, ...]

    def pane(self, pane_id: str) -> PaneInfo | None:
        """The pane with that id, if there is one."""
        return next((pane for pane in self.panes if pane.identity.pane_id == pane_id), None)


def list_panes(client: CommandClient) -> Inventory:
    """All panes. Linked windows and session groups list a pane more than once: the lowest session id counts.

    Raises Unreachable when the client is gone or the answer makes no sense.
    """
    nonce = quoting.nonce()
    reply = client.command(f"list-panes -a -F '{row_format(nonce)}'")
    rows = split_rows(reply.lines, nonce) if reply.ok else []
    if not rows:
        raise Unreachable(f"{client.host}: tmux did not list its panes")
    panes: dict[str, PaneInfo] = {}
    for row in rows:
        info = parse_pane(client.host, row)
        known = panes.get(info.identity.pane_id)
        panes[info.identity.pane_id] = info if known is None else _first(known, info)
    pid, start, version = rows[0][:3]
    return Inventory(server_pid=int(pid), server_start=int(start), version=version, panes=tuple(panes.values()))


def row_format(nonce: str) -> str:
    """A format that prints one pane as a row.

    Names, titles and paths may hold anything, newlines included, so a row starts, ends and is divided by a word
    that was not known when they were set.
    """
    return f"{nonce}<{f'{nonce}|'.join(_FIELDS)}{nonce}>"


def split_rows(lines: Sequence[str], nonce: str) -> list[list[str]]:
    """The rows that `row_format(nonce)` printed, whatever stands around them. Raises Unreachable for a torn row."""
    starts = "\n".join(lines).split(f"{nonce}<")[1:]
    rows = [start.partition(f"{nonce}>")[0].split(f"{nonce}|") for start in starts]
    if any(len(row) != len(_FIELDS) for row in rows):
        raise Unreachable("tmux's list of panes is torn")
    return rows


def parse_pane(host: str, row: Sequence[str]) -> PaneInfo:
    """One row as a record. Raises Unreachable when tmux printed no number where one belongs."""
    try:
        return _parse(host, row)
    except ValueError as error:
        raise Unreachable(f"{host}: tmux's list of panes makes no sense", str(error)) from error


def _parse(host: str, row: Sequence[str]) -> PaneInfo:
    (pid, start, _, server_at, pane_id, pane_pid, session_id, session_name, window_id, window_name, window_index,
     pane_index, command, path, title, width, height, x, y, dead, status, in_mode, alternate, input_off, synchronized,
     epoch, marker, owner, hold, history, activity) = row  # fmt: skip
    return PaneInfo(
        identity=PaneIdentity(
            host=host,
            server_pid=int(pid),
            server_start=int(start),
            pane_id=quoting.pane(pane_id),
            pane_pid=int(pane_pid),
        ),
        session_id=quoting.session(session_id),
        session_name=session_name,
        window_id=quoting.window(window_id),
        window_name=window_name,
        window_index=int(window_index),
        pane_index=int(pane_index),
        command=command,
        path=path,
        title=title,
        width=int(width),
        height=int(height),
        cursor=(int(x), int(y)),
        dead=dead == "1",
        dead_status=int(status) if status else None,
        in_mode=in_mode == "1",
        alternate=alternate == "1",
        input_off=input_off == "1",
        synchronized=synchronized == "1",
        epoch=epoch,
        marker=marker,
        owner=owner,
        hold=hold == "1",
        server_at=server_at,
        history=int(history),
        activity=int(activity),
    )


def _first(one: PaneInfo, other: PaneInfo) -> PaneInfo:
    """The row of the lower session id; a hold in any of a pane's sessions holds it."""
    first = min(one, other, key=lambda info: int(info.session_id[1:]))
    return replace(first, hold=one.hold or other.hold)
