"""What tmux tells about its panes, as frozen records."""

from __future__ import annotations

from dataclasses import dataclass, field

from tmux_sentry.contracts import PaneIdentity

#: Programs that are shells: the pane is idle when one of them is its foreground command.
SHELLS = frozenset(
    {"ash", "bash", "csh", "dash", "elvish", "fish", "ksh", "ksh93", "mksh", "nu"}
    | {"pwsh", "sh", "tcsh", "xonsh", "yash", "zsh"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TmuxAddress:
    """Which tmux server on a host: `-L socket_name` or `-S socket_path`, and the program to call."""

    socket_name: str = "default"
    socket_path: str | None = None
    command: str = "tmux"

    def argv(self) -> list[str]:
        """`tmux -u -L name`, to which a tmux command is appended.

        `-u`: without it a client in a C locale gets every non-ASCII character as `_` (measured, 3.3a).
        """
        where = ["-S", self.socket_path] if self.socket_path else ["-L", self.socket_name]
        return [self.command, "-u", *where]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaneInfo:
    """One pane as the inventory found it. Names, titles, command and path are hostile text."""

    identity: PaneIdentity
    session_id: str  # "$0"
    session_name: str
    window_id: str  # "@0"
    window_name: str
    window_index: int
    pane_index: int
    command: str
    path: str
    title: str
    width: int
    height: int
    cursor: tuple[int, int]  # column, row
    dead: bool
    dead_status: int | None
    in_mode: bool
    alternate: bool
    input_off: bool
    synchronized: bool
    epoch: str  # @sentry_epoch, "" when unset
    marker: str  # @sentry_last, "" when unset
    owner: str  # @sentry_owner, "" when unset
    hold: bool  # @sentry_hold is set, here or anywhere above
    server_at: str = ""  # its server's machine and socket, as that server says it
    # What changes with every output, so that it makes no other pane of it.
    history: int = field(default=0, compare=False)  # rows above the screen
    activity: int = field(default=0, compare=False)  # of the window: epoch seconds of the server's clock

    @property
    def name(self) -> str:
        """For people: `session:window.pane`."""
        return f"{self.session_name}:{self.window_name}.{self.pane_index}"

    @property
    def is_shell(self) -> bool:
        """Whether a shell is the foreground command. A script that a shell runs also shows as that shell."""
        return self.command.lstrip("-") in SHELLS


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """A rendered pane: `lines` with wrapped rows joined; `row` is the unjoined text of the cursor's row.

    `screen` is what is visible, unjoined.
    """

    lines: tuple[str, ...]
    cursor: tuple[int, int]
    row: str
    info: PaneInfo
    screen: tuple[str, ...] = ()
