"""How a control client attaches that brings no output: to which session, so that nothing is resized by it."""

from __future__ import annotations

from tmux_sentry.errors import Unreachable
from tmux_sentry.tmux import quoting
from tmux_sentry.tmux.model import TmuxAddress
from tmux_sentry.tmux.no_server import explain
from tmux_sentry.transport.base import Transport


def quiet_argv(address: TmuxAddress, session_id: str) -> list[str]:
    """The client's command line.

    -N: `attach` would otherwise start a server, and with it the user's tmux.conf, only to find no session.
    -E: else tmux puts our SSH_AUTH_SOCK, DISPLAY and the like into the session, for the person's next window.
    """
    flags = "no-output,ignore-size"
    return [*address.argv(), "-N", "-C", "attach", "-E", "-f", flags, "-t", quoting.session(session_id)]


def lived_in(transport: Transport, address: TmuxAddress, timeout: float) -> str:
    """The id of the session that people use: attached, else last attached. Raises NoServer, Unreachable.

    Left to itself tmux prefers a session that nobody is attached to. A window that this one shares with the
    session of a person may wait there for the size of the person's terminal, and gets it as soon as anyone attaches
    (measured, tmux 3.3a: 120x40 became 100x29).
    """
    rows = "#{session_attached} #{session_last_attached} #{session_id}"
    try:
        done = transport.run([*address.argv(), "-N", "list-sessions", "-F", rows], timeout)
    except TimeoutError as error:
        raise Unreachable(f"{transport.host}: tmux does not answer", str(error)) from error
    sessions = [row.split(" ") for row in done.stdout.decode("ascii", "replace").splitlines()]
    if done.status != 0 or not sessions:
        raise explain(transport.host, done)
    try:
        return quoting.session(max(sessions, key=lambda row: (int(row[0]), int(row[1] or 0)))[2])
    except (IndexError, ValueError) as error:
        raise Unreachable(f"{transport.host}: tmux's list of sessions makes no sense", str(error)) from error
